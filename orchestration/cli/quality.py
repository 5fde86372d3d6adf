"""metricpress quality: which rows count, and which rule leaves out how many."""

from __future__ import annotations

from datetime import UTC
from typing import Annotated, Any

import typer

from orchestration.cli.console import AsJson, print_json, print_table
from orchestration.settings import Settings


def quality(
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only this tenant; default: all.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the data-quality report of the newest build: rows that count, rows that each rule leaves out.

    For each table, rows = counted + excluded; excluded is the sum over the rules.
    """
    from orchestration.marts.quality import read_report
    from orchestration.warehouse.connection import connect
    from orchestration.warehouse.tenants import require_tenant

    with connect(Settings.from_env()) as connection:
        if tenant is not None:
            require_tenant(connection, tenant)
        report = read_report(connection, tenant)
    if as_json:
        print_json(vars(report))
        return
    tenants = sorted({row["tenant_id"] for row in report.tables})
    for number, name in enumerate(tenants):
        if number:
            print()
        _tell_tenant(name, report.tables, report.rules)
    if not tenants:
        print_table([], (), empty="no rows")
    if report.rejected:
        print("\nRows that loads refused (raw.rejected_rows)\n")
        print_table(report.rejected, ("tenant_id", "table_name", "rows", "reason"))
    if report.installation:
        print("\nThe installation\n")
        for row in report.installation:
            print(f"{row['table_name']}: {row['message']}.\n    {row['remedy']}")


def _tell_tenant(name: str, tables: list[dict[str, Any]], rules: list[dict[str, Any]]) -> None:
    shown = [
        {
            "table": row["table_name"],
            "rows": row["raw_rows"],
            "counted": row["rows_counted"],
            "excluded": row["rows_excluded"],
            "flagged": row["rows_flagged"],
            "newest (UTC)": row["newest_row"] and f"{row['newest_row'].astimezone(UTC):%Y-%m-%d %H:%M}",
        }
        for row in tables
        if row["tenant_id"] == name
    ]
    print_table(shown, tuple(shown[0]), title=name)
    of_tenant = [row for row in rules if row["tenant_id"] == name]
    for row in of_tenant:
        left_out = f", {row['rows_excluded']:,} left out" if row["rows_excluded"] else ""
        share = f", {row['share']:.1%} of rows" if row["share"] is not None else ""
        print(f"\n{row['severity']}: {row['table_name']}: {row['message']}{share}{left_out}.")
        print(f"    {row['remedy']}")
