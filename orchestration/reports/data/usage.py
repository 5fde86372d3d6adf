"""Queries of the usage report.

Belongs here: what became of the reports of a tenant by report and day, and when the ledger was read. Does not
belong here: averages, shares and words (documents/usage.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from psycopg.rows import dict_row

from orchestration.reports.data.common import Connection
from orchestration.reports.document import Number

#: Columns that add up over days and reports; those of LONGEST do not.
COUNTS = (
    "reports", "deliveries", "deliveries_sent", "deliveries_failed", "deliveries_unknown", "deliveries_held",
    "deliveries_skipped", "deliveries_waiting", "deliveries_email", "email_sent", "deliveries_slack",
    "slack_sent", "deliveries_webhook", "webhook_sent", "deliveries_file", "file_sent", "notices_sent",
    "late_sent", "attempts", "renderings", "render_seconds", "send_seconds", "seconds_to_deliver",
    "bytes_sent",
)  # fmt: skip
LONGEST = ("longest_render_seconds", "longest_send_seconds", "longest_seconds_to_deliver")


@dataclass(frozen=True)
class Day:
    """A row of marts.report_usage: `values` by column, NULL as None."""

    report: str
    day: date
    values: Mapping[str, Number | None]


def read_days(conn: Connection, tenant_id: str, first: date, last: date) -> list[Day]:
    """All rows between two days of the tenant, both inclusive, in the order of days and reports."""
    sql = f"""
        select template, metric_date, {", ".join((*COUNTS, *LONGEST))}
        from marts.report_usage
        where tenant_id = %s and metric_date between %s and %s
        order by metric_date, template
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(sql, (tenant_id, first, last)).fetchall()
    return [Day(row.pop("template"), row.pop("metric_date"), row) for row in rows]


def read_extent(conn: Connection, tenant_id: str) -> tuple[date, date] | None:
    """The first and the last day on which a report was due; None for a tenant without any."""
    sql = "select min(metric_date), max(metric_date) from marts.report_usage where tenant_id = %s"
    row = conn.cursor().execute(sql, (tenant_id,)).fetchone()
    return (row[0], row[1]) if row and row[0] is not None else None


def read_built_at(conn: Connection) -> datetime | None:
    """When the marts were built, and with them the ledger read; None before a first build."""
    row = conn.cursor().execute("select max(built_at) from marts.pipeline_freshness").fetchone()
    return row[0] if row else None
