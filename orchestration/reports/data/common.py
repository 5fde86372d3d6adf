"""What every report reads: the tenant, its brand, the catalogue, the time series and targets.

Belongs here: queries shared by reports. Does not belong here: queries of one report alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import class_row, dict_row

from orchestration.errors import MetricpressError
from orchestration.reports.document import Direction, Format, Number, Status
from orchestration.reports.periods import Period

Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class Tenant:
    """Whom the report is about; `as_of` is a moment in `timezone` (the branch's where one is asked for)."""

    tenant_id: str
    name: str
    branch: str | None
    timezone: str
    currency: str
    week_start: str
    as_of: datetime
    complete_date: date


@dataclass(frozen=True)
class Metric:
    """One row of marts.metric_catalogue, as far as reports need it."""

    metric: str
    title: str
    description: str
    formula: str
    unit: str
    format: Format
    direction: Direction
    denominator: str | None
    aggregation: str = ""


@dataclass(frozen=True)
class Point:
    """One value of one metric in one period."""

    metric: str
    period_start: date
    value: Number | None
    denominator: Number | None
    is_complete: bool


@dataclass(frozen=True)
class TargetRow:
    """Target, benchmark and status of a metric in one period."""

    metric: str
    target: Number | None
    benchmark: Number | None
    status: Status | None


@contextmanager
def snapshot(conn: Connection) -> Iterator[None]:
    """All queries of one report see the same marts; in a transaction of the caller, what that one sees."""
    if conn.info.transaction_status != TransactionStatus.IDLE:
        yield
        return
    with conn.transaction():
        conn.execute("set transaction isolation level repeatable read, read only")
        yield


def read_tenant(conn: Connection, tenant_id: str, branch_id: str | None) -> Tenant:
    """The tenant, and its branch where one is asked for; unknown ones are a MetricpressError."""
    sql = """
        select t.tenant_id, t.name, b.name as branch, coalesce(b.timezone, t.timezone) as timezone,
               t.currency, t.week_start, t.as_of, t.complete_date, b.branch_id
        from marts.tenants as t
        left join marts.branches as b on b.tenant_id = t.tenant_id and b.branch_id = %(branch_id)s
        where t.tenant_id = %(tenant_id)s
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(sql, {"tenant_id": tenant_id, "branch_id": branch_id}).fetchone()
    if row is None:
        raise MetricpressError(
            f"marts.tenants has no tenant {tenant_id!r}",
            remedy="see `metricpress tenants list`, then run `metricpress build`",
        )
    found = row.pop("branch_id")
    if branch_id is not None and found is None:
        raise MetricpressError(
            f"tenant {tenant_id!r} has no branch {branch_id!r} in marts.branches",
            remedy="load raw.branches and run `metricpress build`",
        )
    row["as_of"] = row["as_of"].astimezone(ZoneInfo(row["timezone"]))
    return Tenant(**row)


def read_settings(conn: Connection, tenant_id: str) -> dict[str, Any]:
    """The tenant's row of reporting.tenant_settings; empty without one, and for a role that may not look."""
    visible = """
        select exists (
            select from pg_class as c
            join pg_namespace as n on n.oid = c.relnamespace
            where n.nspname = 'reporting' and c.relname = 'tenant_settings'
              and has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')
        )
    """
    sql = """
        select gross_margin, past_due_days, churn_on, activation_events, mau_window_days, brand
        from reporting.tenant_settings
        where tenant_id = %s
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        if not (cursor.execute(visible).fetchone() or {}).get("exists"):
            return {}
        return cursor.execute(sql, (tenant_id,)).fetchone() or {}


def read_catalogue(conn: Connection, metrics: Sequence[str]) -> dict[str, Metric]:
    """The catalogue rows of the metrics asked for; metrics it does not hold are left out."""
    sql = """
        select metric, title, description, formula, unit, format, direction, denominator, aggregation
        from marts.metric_catalogue
        where metric = any(%s)
    """
    with conn.cursor(row_factory=class_row(Metric)) as cursor:
        return {row.metric: row for row in cursor.execute(sql, (list(metrics),))}


def read_series(
    conn: Connection, tenant_id: str, period: Period, metrics: Sequence[str]
) -> dict[str, dict[date, Point]]:
    """Metric to period start to point, over the trend up to this period."""
    sql = """
        select metric, period_start, value, denominator, is_complete
        from marts.metric_timeseries
        where tenant_id = %s and metric = any(%s) and grain = %s
          and dimension = 'all' and dimension_value = 'all'
          and period_start between %s and %s
    """
    first, last = min(period.trend[0], period.previous.start), period.trend[-1]
    series: dict[str, dict[date, Point]] = {}
    with conn.cursor(row_factory=class_row(Point)) as cursor:
        for point in cursor.execute(sql, (tenant_id, list(metrics), period.grain, first, last)):
            series.setdefault(point.metric, {})[point.period_start] = point
    return series


def read_targets(conn: Connection, tenant_id: str, period: Period) -> dict[str, TargetRow]:
    """Targets and statuses of this very period; the summary holds the last complete one only."""
    sql = """
        select metric, target, benchmark, status
        from marts.executive_summary
        where tenant_id = %s and period = %s and period_start = %s
          and (target is not null or benchmark is not null)
    """
    with conn.cursor(row_factory=class_row(TargetRow)) as cursor:
        rows = cursor.execute(sql, (tenant_id, period.grain, period.start))
        return {row.metric: row for row in rows}
