"""Queries of the lead performance report: sums over branches of counts that add up.

Belongs here: one query per section, over a tenant or one of its branches. Does not belong here: rates (they
are quotients of these sums, made in documents/lead_performance.py) and words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from psycopg.rows import class_row, dict_row

from orchestration.reports.data.common import Connection
from orchestration.reports.periods import Period

#: Counts of marts.lead_performance_daily that are summed.
LEAD_COUNTS = (
    "new_leads", "contacted_leads", "qualified_leads", "converted_leads", "status_new", "status_contacted",
    "status_qualified", "status_converted", "status_lost", "converted_on_day", "lost_on_day", "lead_calls",
    "total_calls", "calls_completed", "calls_interested",
)  # fmt: skip

Counts = dict[str, Decimal]


@dataclass(frozen=True)
class Scope:
    """A tenant, or one branch of it."""

    tenant_id: str
    branch_id: str | None

    def parameters(self, **more: Any) -> dict[str, Any]:
        """Query parameters; every query takes `branch_id` NULL as all branches."""
        return {"tenant_id": self.tenant_id, "branch_id": self.branch_id, **more}


@dataclass(frozen=True)
class Hour:
    """Calls of one hour of the day, 0 to 23 in the branch's time."""

    hour_of_day: int
    total_calls: Decimal
    calls_completed: Decimal
    interested: Decimal


@dataclass(frozen=True)
class Cell:
    """Calls of one hour on one day of the week, 1 Monday to 7 Sunday."""

    weekday: int
    hour_of_day: int
    total_calls: Decimal
    calls_completed: Decimal


@dataclass(frozen=True)
class Outcome:
    """Completed calls of one outcome, in this period and the one before."""

    outcome: str
    completed: Decimal
    completed_before: Decimal


@dataclass(frozen=True)
class Staff:
    """One person's calls and leads; staff_id `(none)` for those nobody is named for."""

    staff_id: str
    name: str | None
    calls: Decimal
    completed: Decimal
    interested: Decimal
    talk_seconds: Decimal
    timed_calls: Decimal
    leads_assigned: Decimal
    leads_converted: Decimal


@dataclass(frozen=True)
class Source:
    """How far the leads of one source came."""

    source: str
    leads: Decimal
    contacted: Decimal
    qualified: Decimal
    converted: Decimal


@dataclass(frozen=True)
class Medians:
    """Median hours between steps, over all sources."""

    median_hours_to_contact: Decimal | None
    median_hours_to_convert: Decimal | None


def read_days(conn: Connection, scope: Scope, first: date, last: date) -> dict[date, Counts]:
    """Counts of leads and calls by day; days without a row have none."""
    sums = ", ".join(f"sum({name}) as {name}" for name in LEAD_COUNTS)
    sql = f"""
        select metric_date, {sums}
        from marts.lead_performance_daily
        where tenant_id = %(tenant_id)s and metric_date between %(first)s and %(last)s
          and (%(branch_id)s::text is null or branch_id = %(branch_id)s)
        group by metric_date
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(sql, scope.parameters(first=first, last=last)).fetchall()
    return {row.pop("metric_date"): row for row in rows}


def read_talk(conn: Connection, scope: Scope, first: date, last: date) -> dict[date, Counts]:
    """Seconds talked and calls with a duration by day: what the average length of a call is made of."""
    sql = """
        select metric_date, sum(call_seconds) as call_seconds, sum(timed_calls) as timed_calls
        from marts.call_performance_hourly
        where tenant_id = %(tenant_id)s and metric_date between %(first)s and %(last)s
          and (%(branch_id)s::text is null or branch_id = %(branch_id)s)
        group by metric_date
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(sql, scope.parameters(first=first, last=last)).fetchall()
    return {row.pop("metric_date"): row for row in rows}


def read_hours(conn: Connection, scope: Scope, period: Period) -> Sequence[Hour]:
    """Hours in which a call began, in order."""
    sql = """
        select hour_of_day, sum(total_calls) as total_calls, sum(calls_completed) as calls_completed,
               sum(interested) as interested
        from marts.call_performance_hourly
        where tenant_id = %(tenant_id)s and metric_date between %(first)s and %(last)s
          and (%(branch_id)s::text is null or branch_id = %(branch_id)s)
        group by hour_of_day
        order by hour_of_day
    """
    with conn.cursor(row_factory=class_row(Hour)) as cursor:
        return cursor.execute(sql, scope.parameters(first=period.start, last=period.end)).fetchall()


def read_grid(conn: Connection, scope: Scope, first: date, last: date) -> Sequence[Cell]:
    """Calls by day of the week and hour of the day, in order; without a call there is no cell."""
    sql = """
        select extract(isodow from metric_date)::integer as weekday, hour_of_day,
               sum(total_calls) as total_calls, sum(calls_completed) as calls_completed
        from marts.call_performance_hourly
        where tenant_id = %(tenant_id)s and metric_date between %(first)s and %(last)s
          and (%(branch_id)s::text is null or branch_id = %(branch_id)s)
        group by 1, 2
        having sum(total_calls) > 0
        order by 1, 2
    """
    with conn.cursor(row_factory=class_row(Cell)) as cursor:
        return cursor.execute(sql, scope.parameters(first=first, last=last)).fetchall()


def read_outcomes(conn: Connection, scope: Scope, period: Period) -> Sequence[Outcome]:
    """Outcomes of completed calls, the most frequent first."""
    sql = """
        select outcome,
               coalesce(sum(calls_completed) filter (where metric_date >= %(start)s), 0) as completed,
               coalesce(sum(calls_completed) filter (where metric_date < %(start)s), 0) as completed_before
        from marts.call_outcomes_daily
        where tenant_id = %(tenant_id)s and metric_date between %(first)s and %(last)s
          and (%(branch_id)s::text is null or branch_id = %(branch_id)s)
        group by outcome
        having sum(calls_completed) > 0
        order by 2 desc, 3 desc, 1
    """
    parameters = scope.parameters(first=period.previous.start, last=period.end, start=period.start)
    with conn.cursor(row_factory=class_row(Outcome)) as cursor:
        return cursor.execute(sql, parameters).fetchall()


def read_staff(conn: Connection, scope: Scope, period: Period) -> Sequence[Staff]:
    """Everybody with a call or a lead, the most calls first."""
    sql = """
        select p.staff_id, s.name, sum(p.calls) as calls, sum(p.completed) as completed,
               sum(p.interested) as interested, sum(p.talk_seconds) as talk_seconds,
               sum(p.timed_calls) as timed_calls, sum(p.leads_assigned) as leads_assigned,
               sum(p.leads_converted) as leads_converted
        from marts.staff_performance_daily as p
        left join marts.staff as s on s.tenant_id = p.tenant_id and s.staff_id = p.staff_id
        where p.tenant_id = %(tenant_id)s and p.metric_date between %(first)s and %(last)s
          and (%(branch_id)s::text is null or p.branch_id = %(branch_id)s)
        group by p.staff_id, s.name
        order by sum(p.calls) desc, sum(p.leads_assigned) desc, p.staff_id
    """
    with conn.cursor(row_factory=class_row(Staff)) as cursor:
        return cursor.execute(sql, scope.parameters(first=period.start, last=period.end)).fetchall()


def read_sources(conn: Connection, scope: Scope, week: date) -> Sequence[Source]:
    """Leads created in a week by source, the most first."""
    sql = """
        select source, sum(leads) as leads, sum(contacted) as contacted, sum(qualified) as qualified,
               sum(converted) as converted
        from marts.lead_funnel
        where tenant_id = %(tenant_id)s and cohort_week = %(week)s
          and (%(branch_id)s::text is null or branch_id = %(branch_id)s)
        group by source
        order by 2 desc, 1
    """
    with conn.cursor(row_factory=class_row(Source)) as cursor:
        return cursor.execute(sql, scope.parameters(week=week)).fetchall()


def read_medians(conn: Connection, scope: Scope, week: date) -> Medians | None:
    """Median hours to contact and to convert of the leads created in a week; None without such leads."""
    sql = """
        select median_hours_to_contact, median_hours_to_convert
        from marts.lead_funnel_totals
        where tenant_id = %(tenant_id)s and cohort_week = %(week)s and source = 'all'
          and branch_id = coalesce(%(branch_id)s::text, 'all')
    """
    with conn.cursor(row_factory=class_row(Medians)) as cursor:
        return cursor.execute(sql, scope.parameters(week=week)).fetchone()


def read_extent(conn: Connection, scope: Scope) -> tuple[date, date] | None:
    """First and last day with a lead or a call; None without any."""
    sql = """
        select min(metric_date), max(metric_date)
        from marts.lead_performance_daily
        where tenant_id = %(tenant_id)s and (%(branch_id)s::text is null or branch_id = %(branch_id)s)
    """
    row = conn.cursor().execute(sql, scope.parameters()).fetchone()
    return (row[0], row[1]) if row and row[0] is not None else None
