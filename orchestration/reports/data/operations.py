"""Queries of the operations report.

Belongs here: days of jobs, requests and health checks, and how a tenant's rows stand in the newest build.
Does not belong here: metrics of the catalogue (data/common.py), and any other tenant's rows or counts:
marts.pipeline_freshness counts over all tenants, so only the moment of the build and what all share is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from psycopg.rows import class_row

from orchestration.reports.data.common import Connection


@dataclass(frozen=True)
class Day:
    """One day; percentiles are exact for the day and cannot be put together."""

    metric_date: date
    total_jobs: int
    job_success_rate: Decimal | None
    api_requests: int
    api_error_rate: Decimal | None
    api_p50_ms: Decimal | None
    api_p95_ms: Decimal | None
    health_checks: int
    uptime_rate: Decimal | None
    avg_cpu_load: Decimal | None

    @property
    def is_silent(self) -> bool:
        """No job, no request, no health check."""
        return not (self.total_jobs or self.api_requests or self.health_checks)


@dataclass(frozen=True)
class TableState:
    """How the tenant's rows of one raw table stand; `newest_row` is None in tables without a moment."""

    table_name: str
    raw_rows: int
    rows_excluded: int
    newest_row: datetime | None


@dataclass(frozen=True)
class Problem:
    """What a rule found in the tenant's rows."""

    kind: str
    table_name: str
    key: str
    severity: str
    message: str
    rows_found: int
    rows_excluded: int


@dataclass(frozen=True)
class Build:
    """What all tenants share: when the marts were built, and up to which day there are exchange rates."""

    built_at: datetime | None
    newest_rate: datetime | None


def read_days(conn: Connection, tenant_id: str, first: date, last: date) -> dict[date, Day]:
    """The days of a stretch by date, in order."""
    sql = """
        select metric_date, total_jobs, job_success_rate, api_requests, api_error_rate, api_p50_ms,
               api_p95_ms, health_checks, uptime_rate, avg_cpu_load
        from marts.daily_metrics
        where tenant_id = %s and metric_date between %s and %s
        order by metric_date
    """
    with conn.cursor(row_factory=class_row(Day)) as cursor:
        return {day.metric_date: day for day in cursor.execute(sql, (tenant_id, first, last))}


def read_extent(conn: Connection, tenant_id: str) -> tuple[date, date] | None:
    """First and last day that is not silent; None without any."""
    sql = """
        select min(metric_date), max(metric_date)
        from marts.daily_metrics
        where tenant_id = %s and (total_jobs > 0 or api_requests > 0 or health_checks > 0)
    """
    row = conn.cursor().execute(sql, (tenant_id,)).fetchone()
    return (row[0], row[1]) if row and row[0] is not None else None


def read_tables(conn: Connection, tenant_id: str) -> Sequence[TableState]:
    """The tenant's raw tables, those with the oldest newest row first, those without a moment last."""
    sql = """
        select table_name, raw_rows, rows_excluded, newest_row
        from marts.data_quality
        where tenant_id = %s
        order by newest_row nulls last, table_name
    """
    with conn.cursor(row_factory=class_row(TableState)) as cursor:
        return cursor.execute(sql, (tenant_id,)).fetchall()


def read_problems(conn: Connection, tenant_id: str) -> Sequence[Problem]:
    """What rules found in the tenant's rows, the gravest first."""
    sql = """
        select kind, table_name, key, severity, message, rows_found, rows_excluded
        from marts.data_problems
        where tenant_id = %s
        order by array_position(array['error', 'warning', 'info'], severity), rows_found desc, kind,
                 table_name, key
    """
    with conn.cursor(row_factory=class_row(Problem)) as cursor:
        return cursor.execute(sql, (tenant_id,)).fetchall()


def read_build(conn: Connection) -> Build:
    """The newest build, and the rates all tenants share."""
    sql = """
        select max(built_at) as built_at,
               max(newest_row) filter (where source_table = 'raw.exchange_rates') as newest_rate
        from marts.pipeline_freshness
    """
    with conn.cursor(row_factory=class_row(Build)) as cursor:
        return cursor.execute(sql).fetchone() or Build(None, None)
