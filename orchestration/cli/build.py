"""metricpress build, metricpress backfill: bring the marts up to date."""

from __future__ import annotations

import sys
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.console import AsJson, print_json, print_table, progress, remark
from orchestration.errors import EXIT_ROWS_REJECTED, MetricpressError
from orchestration.settings import Settings

if TYPE_CHECKING:
    from orchestration.marts.build import BuildResult

Tenant = Annotated[str | None, typer.Option("--tenant", help="Only this tenant; default: all.")]


def build(
    as_of: Annotated[
        str | None,
        typer.Option(
            metavar="MOMENT",
            help="2026-03-31 (the end of that local day) or 2026-03-31T12:00+02:00; default: now.",
        ),
    ] = None,
    full_refresh: Annotated[bool, typer.Option("--full-refresh", help="Build everything anew.")] = False,
    tenant: Tenant = None,
    as_json: AsJson = False,
) -> None:
    """Bring the marts up to date: repair what changed since the last build, and go on to as-of.

    Exits 3 when the data of a tenant failed; the marts of the others are complete all the same.
    """
    from orchestration.marts.build import build as build_marts

    with progress("building the marts") as advance:
        result = build_marts(
            Settings.from_env(),
            as_of=moment_from(as_of) if as_of else None,
            full_refresh=full_refresh,
            tenant=tenant,
            progress=lambda done, total, name: advance(1, total=total, description=f"building {name}"[:40]),
        )
    _tell(result, as_json)


def backfill(
    first: Annotated[str, typer.Argument(metavar="FROM", help="First local day, 2026-01-01.")],
    last: Annotated[str, typer.Argument(metavar="TO", help="Last local day, inclusive.")],
    tenant: Tenant = None,
    as_json: AsJson = False,
) -> None:
    """Build a range of days anew, in one run, whether or not rows of theirs changed."""
    from orchestration.marts.build import build as build_marts

    with progress("building the marts") as advance:
        result = build_marts(
            Settings.from_env(),
            tenant=tenant,
            forced=(day_from(first), day_from(last)),
            progress=lambda done, total, name: advance(1, total=total, description=f"building {name}"[:40]),
        )
    _tell(result, as_json)


def moment_from(text: str) -> datetime | date:
    """A bare day, or a moment with its offset from UTC. Raises MetricpressError when it is neither."""
    if len(text) == len("2026-01-01"):
        return day_from(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise MetricpressError(
            f"{text!r} is neither a day nor a moment.",
            remedy="Write 2026-03-31 or 2026-03-31T12:00+02:00.",
        ) from error
    if moment.tzinfo is None:
        raise MetricpressError(
            f"The moment {text!r} lacks its offset from UTC.", remedy=f"Write {text}+00:00, or a bare day."
        )
    return moment


def day_from(text: str) -> date:
    """A day written 2026-03-31. Raises MetricpressError when it is none."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise MetricpressError(f"{text!r} is no day.", remedy="Write 2026-03-31.") from error


def _tell(result: BuildResult, as_json: bool) -> None:
    if as_json:
        print_json(vars(result))
    else:
        marts: list[dict[str, Any]] = [{"mart": mart, "rows": rows} for mart, rows in result.marts.items()]
        print_table(marts, ("mart", "rows"))
        if result.is_empty:
            remark("Nothing changed since the last build: the marts are as they were.")
        for problem in result.problems:
            remark(
                f"{problem['severity']}: {problem['tenant_id']}: {problem['message']}. {problem['remedy']}"
            )
        for check in result.failed_checks:
            remark(
                f"{check['severity']}: {check['tenant_id']}: check {check['check_name']} found "
                f"{check['failed_rows']} rows in {check['mart']}"
            )
        remark(f"{result.seconds:.1f} s")
    if result.failed_tenants:
        remark(f"The data of {', '.join(result.failed_tenants)} failed: their reports are held.")
        sys.exit(EXIT_ROWS_REJECTED)
