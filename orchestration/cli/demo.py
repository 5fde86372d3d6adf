"""metricpress demo: load the shipped data, build, and send the due reports to a folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from orchestration.cli.console import AsJson, print_json, print_table, progress, remark
from orchestration.errors import EXIT_CHECK_FAILED
from orchestration.settings import Settings

if TYPE_CHECKING:
    from orchestration.demo import DemoResult


def demo(as_json: AsJson = False) -> None:
    """Load the shipped data, build, and send the due reports to a folder.

    Run again it loads, builds and sends only what is missing. Exits 1 when a report could not be delivered.
    """
    with progress("Starting"):
        from orchestration.demo import run
    result = run(Settings.from_env(), progress)
    if as_json:
        print_json(as_dict(result))
    else:
        _tell(result)
    if result.dispatch is not None and not result.dispatch.is_fine:
        raise typer.Exit(EXIT_CHECK_FAILED)


def as_dict(result: DemoResult) -> dict[str, Any]:
    """The result as plain values."""
    return {
        "loads": [
            {"tenant": entry.tenant, "table": entry.table, **loaded.as_dict()}
            for entry, loaded in result.loads
        ],
        "generated": result.generated,
        "built": result.built,
        "run_id": result.run_id,
        "marts": result.marts,
        "dispatch": result.dispatch.as_dict() if result.dispatch else None,
        "documents": result.documents,
        "outbox": result.outbox,
        "seconds": result.seconds,
    }


def _tell(result: DemoResult) -> None:
    _tell_loads(result)
    print_table(
        [{"mart": name, "rows": rows} for name, rows in result.marts.items()], ("mart", "rows"), title="Marts"
    )
    state = "built through Dagster" if result.built else "nothing changed: not built again"
    print(f"\n{state}\n\nReports")
    for path in result.documents:
        print(f"  {_short(path)}")
    dispatch = result.dispatch
    if dispatch is not None:
        print(f"  sent now: {len(dispatch.sent)}, mail in {_short(result.outbox)}")
        for outcome in (*dispatch.failed, *dispatch.unknown, *dispatch.waiting):
            print(
                f"  {outcome.tenant_id}: {outcome.subscription} {outcome.delivery_status}: {outcome.reason}"
            )
        for problem in dispatch.problems:
            print(f"  {problem.tenant_id}: {problem.message}")
    print("\nNext\n  make dev           Dagster UI on this data\n  metricpress dsn    address for a BI tool")
    took = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in result.seconds.items())
    remark(f"\n{took}")


def _tell_loads(result: DemoResult) -> None:
    rejected = [(entry, loaded) for entry, loaded in result.loads if loaded.rejected]
    unchanged = sum(loaded.unchanged for _, loaded in result.loads)
    print(
        f"Loaded {result.changed_rows:,} rows, {unchanged:,} were there,"
        f" generated {sum(result.generated.values()):,}."
    )
    for entry, loaded in rejected:
        print(f"Rejected, as expected: {loaded.rejected} of {entry.tenant} {entry.table}:\n  {entry.reason}.")
    print()


def _short(path: Path | None) -> str:
    """Relative to the working directory where that is shorter."""
    if path is None:
        return ""
    relative = os.path.relpath(path)
    return min(relative, str(path), key=len) if sys.platform != "win32" else str(path)
