"""What `summary` and `explain` know before they count: the catalogue and the tenants' clocks.

Belongs here: reading marts.metric_catalogue and build.tenants. Does not belong here: figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import class_row

from orchestration.errors import MetricpressError

Connection = psycopg.Connection[Any]
DERIVED = "metric_timeseries"


@dataclass(frozen=True)
class Metric:
    """One row of marts.metric_catalogue."""

    metric: str
    title: str
    description: str
    formula: str
    edge_cases: str | None
    unit: str
    aggregation: str
    direction: str
    format: str
    domain: str
    owner: str
    source_model: str
    numerator: str
    denominator: str | None
    month_value: str | None
    grains: list[str]


@dataclass(frozen=True)
class Clock:
    """A tenant as the marts were built for it."""

    tenant_id: str
    name: str
    timezone: str
    currency: str
    week_start: str
    as_of: datetime
    as_of_date: date
    complete_date: date
    gross_margin: Decimal
    mau_window_days: int
    first_date: date | None

    def week_of(self, day: date) -> date:
        """First day of the tenant's week that holds a day."""
        ahead = day.weekday() if self.week_start == "monday" else (day.weekday() + 1) % 7
        return day - timedelta(days=ahead)

    def period(self, day: date, grain: str) -> tuple[date, date]:
        """First and last day of the tenant's day, week or month that holds a day."""
        if grain == "day":
            return day, day
        if grain == "week":
            return self.week_of(day), self.week_of(day) + timedelta(days=6)
        return day.replace(day=1), month_end(day)


def month_end(day: date) -> date:
    """Last day of the calendar month that holds a day."""
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def read_catalogue(conn: Connection) -> list[Metric]:
    """All metrics in the order in which they are shown."""
    _require_marts(conn)
    with conn.cursor(row_factory=class_row(Metric)) as cursor:
        return cursor.execute(
            """
            select
                metric, title, description, formula, edge_cases, unit, aggregation, direction, format, domain,
                owner, source_model, numerator, denominator, month_value, grains
            from marts.metric_catalogue
            order by position
            """
        ).fetchall()


def read_clocks(conn: Connection, tenant_id: str | None = None) -> Sequence[Clock]:
    """The tenants of the last build, or one of them. Raises MetricpressError for one that was not built."""
    _require_marts(conn)
    with conn.cursor(row_factory=class_row(Clock)) as cursor:
        clocks = cursor.execute(
            """
            select
                t.tenant_id, t.name, t.timezone, t.currency, t.week_start, t.as_of, t.as_of_date,
                t.complete_date, t.gross_margin, t.mau_window_days, d.first_date
            from build.tenants as t
            left join lateral (
                select min(metric_date) as first_date from marts.daily_metrics where tenant_id = t.tenant_id
            ) as d on true
            where not t.is_removed and (%(tenant)s::text is null or t.tenant_id = %(tenant)s)
            order by t.tenant_id
            """,
            {"tenant": tenant_id},
        ).fetchall()
    if tenant_id is not None and not clocks:
        raise MetricpressError(
            f"There is no tenant {tenant_id!r} in the marts.",
            remedy="See `metricpress tenants list`; a new tenant comes in with the next `metricpress build`.",
        )
    return clocks


def _require_marts(conn: Connection) -> None:
    there = conn.execute("select to_regclass('marts.metric_catalogue')").fetchone()
    if there == (None,):
        raise MetricpressError("The marts have not been built yet.", remedy="Run: metricpress build")
