"""The data-quality report: how many rows of each raw table count, and which rule leaves out how many.

Belongs here: reading the report from the marts. Does not belong here: the rules (dbt_project/macros/quality)
and how the report is shown (cli/quality.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from orchestration.errors import MetricpressError
from orchestration.marts.plan import unusable_tenants
from orchestration.marts.portfolio import portfolio_problems


@dataclass(frozen=True)
class QualityReport:
    """Rows by table, rules that found rows, why loads refused rows, and what concerns no single tenant."""

    tables: list[dict[str, Any]]
    rules: list[dict[str, Any]]
    rejected: list[dict[str, Any]]
    installation: list[dict[str, Any]]


def read_report(conn: psycopg.Connection[Any], tenant: str | None = None) -> QualityReport:
    """The report of one tenant or of all, of the newest build. Raises MetricpressError before the first."""
    with conn.cursor(row_factory=dict_row) as cursor:
        mart = cursor.execute("select to_regclass('marts.data_quality') as mart").fetchone()
        if mart == {"mart": None}:
            raise MetricpressError("The marts are not built yet.", remedy="Run: metricpress build")
        of_tenant = {"tenant": tenant}
        tables = cursor.execute(
            """
            select tenant_id, replace(table_name, 'raw.', '') as table_name, raw_rows, rows_counted,
                rows_excluded, rows_flagged, newest_row
            from marts.data_quality
            where %(tenant)s::text is null or tenant_id = %(tenant)s
            order by tenant_id, table_name
            """,
            of_tenant,
        ).fetchall()
        rules = cursor.execute(
            """
            select tenant_id, replace(table_name, 'raw.', '') as table_name, kind, severity, rows_found,
                rows_excluded, share, key, message, remedy
            from marts.data_problems
            where %(tenant)s::text is null or tenant_id = %(tenant)s
            order by tenant_id, table_name, rows_excluded desc, rows_found desc, kind, key
            """,
            of_tenant,
        ).fetchall()
        rejected = cursor.execute(
            """
            select coalesce(tenant_id, '(none)') as tenant_id, table_name, reason, count(*) as rows
            from raw.rejected_rows
            where %(tenant)s::text is null or tenant_id = %(tenant)s
            group by 1, 2, 3
            order by 1, 2, 4 desc, 3
            """,
            of_tenant,
        ).fetchall()
    installation = [] if tenant is not None else _installation(conn)
    return QualityReport(tables, rules, rejected, installation)


def _installation(conn: psycopg.Connection[Any]) -> list[dict[str, Any]]:
    """What no tenant's report tells: rows of unknown tenants, all rows in one tenant, people in several."""
    with conn.cursor(row_factory=dict_row) as cursor:
        tables = cursor.execute("select * from marts.pipeline_freshness order by source_table").fetchall()
    told = [
        {
            "kind": row["kind"],
            "table_name": row["table_name"],
            "message": row["message"],
            "remedy": row["remedy"],
        }
        for row in [*unusable_tenants(conn), *portfolio_problems(conn)]
    ]
    for row in tables:
        table = row["source_table"]
        if row["rows_of_unknown_tenants"]:
            told.append(
                {
                    "kind": "rows_of_unknown_tenants",
                    "table_name": table,
                    "message": f"Rows of tenants that are not known: {row['rows_of_unknown_tenants']:,}",
                    "remedy": "Add the tenants: metricpress tenants add. Their rows are left out.",
                }
            )
        if row["is_in_one_tenant"]:
            told.append(
                {
                    "kind": "all_rows_in_one_tenant",
                    "table_name": table,
                    "message": f"All {row['rows']:,} rows belong to one tenant, though there are several",
                    "remedy": "Check that loads name the right tenant. The rows are counted.",
                }
            )
        if row["users_in_several_tenants"]:
            told.append(
                {
                    "kind": "users_in_several_tenants",
                    "table_name": table,
                    "message": f"User ids that several tenants have: {row['users_in_several_tenants']:,}",
                    "remedy": "Nothing to do when ids are the tenants' own. Each counts once in each tenant.",
                }
            )
    return told
