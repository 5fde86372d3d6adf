"""Planning: every due report becomes one row of the ledger, once.

Belongs here: which occurrences to write and the policy for missed ones. Does not: calendar arithmetic
(calendar) and sending (service).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from orchestration.delivery.calendar import Due, due_between
from orchestration.delivery.subscriptions import Subscription, schedule_of
from orchestration.errors import MetricpressError

Connection = psycopg.Connection[Any]
logger = logging.getLogger(__name__)

SUPERSEDED = "missed by more than max_lateness; a newer report replaces it"
MISSED = "missed by more than max_lateness"

_ACTIVE = """
    select s.tenant_id, s.subscription_id, s.name, s.branch_id, s.report, s.parameters, s.frequency,
        s.delivery_time, coalesce(s.delivery_days, '{}') as delivery_days, s.timezone, s.formats,
        s.delivery_method, s.recipients, s.locale, s.misfire_policy, s.max_lateness, s.starts_on, s.is_active,
        t.timezone as tenant_timezone, t.week_start,
        least(%(now)s, c.clock_stops_at) as until,
        (
            select max(o.local_date) from reporting.report_occurrences as o
            where o.tenant_id = s.tenant_id and o.subscription_id = s.subscription_id
                and o.origin = 'schedule'
        ) as planned_through
    from reporting.report_subscriptions as s
    join raw.tenants as t on t.tenant_id = s.tenant_id and t.deleted_at is null
    left join reporting.tenant_settings as c on c.tenant_id = s.tenant_id
    where s.is_active and s.deleted_at is null and s.origin = 'standing'
        and (%(tenant)s::text is null or s.tenant_id = %(tenant)s)
    order by s.tenant_id, s.subscription_id
"""

_WRITE = """
    with due as (
        select * from unnest(
            %(tenant)s::text[], %(subscription)s::uuid[], %(local_date)s::date[], %(start)s::date[],
            %(end)s::date[], %(due_at)s::timestamptz[], %(state)s::text[], %(reason)s::text[],
            %(late)s::boolean[]
        ) as u (
            tenant_id, subscription_id, local_date, period_start, period_end, due_at, state, reason, is_late
        )
    ),
    planned as (
        insert into reporting.report_occurrences (tenant_id, subscription_id, local_date, report_period_start,
            report_period_end, due_at, state, reason, is_late, closed_at)
        select tenant_id, subscription_id, local_date, period_start, period_end, due_at, state, reason,
            is_late, case when state = 'skipped' then clock_timestamp() end
        from due
        on conflict (tenant_id, subscription_id, local_date) where origin = 'schedule' do nothing
        returning tenant_id, subscription_id, occurrence_id, state
    ),
    promised as (
        insert into reporting.report_deliveries (tenant_id, occurrence_id, channel, recipient)
        select p.tenant_id, p.occurrence_id, s.delivery_method, r.recipient
        from planned as p
        join reporting.report_subscriptions as s using (tenant_id, subscription_id)
        cross join lateral (select distinct unnest(s.recipients) as recipient) as r
        where p.state = 'pending'
    )
    select count(*) from planned where state = 'pending'
"""
_WRITE_COLUMNS = (
    "tenant", "subscription", "local_date", "start", "end", "due_at", "state", "reason", "late",
)  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """A subscription that cannot be planned, and what to do about it."""

    tenant_id: str
    subscription: str
    message: str


def plan(conn: Connection, now: datetime, tenant: str | None = None) -> tuple[int, list[Problem]]:
    """Write what has become due up to `now` or the end of a tenant's clock; safe for several at once.

    Returns how many occurrences are new and to be sent, and the subscriptions that cannot be planned: they
    stop nobody else.
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_ACTIVE, {"now": now, "tenant": tenant}).fetchall()
    columns: dict[str, list[Any]] = {name: [] for name in _WRITE_COLUMNS}
    problems = []
    for row in rows:
        until, planned_through = row.pop("until"), row.pop("planned_through")
        zone, week_start = row.pop("tenant_timezone"), row.pop("week_start")
        subscription = Subscription(**row)
        try:
            due = due_between(schedule_of(subscription, zone, week_start), planned_through, until)
        except MetricpressError as error:
            logger.warning("subscription %s cannot be planned: %s", subscription.name, error)
            problems.append(Problem(subscription.tenant_id, subscription.name, f"{error}. {error.remedy}"))
            continue
        _append(columns, subscription, due, until)
    if not columns["tenant"]:
        return 0, problems
    count = conn.execute(_WRITE, columns).fetchone()
    assert count is not None
    return count[0], problems


def ask(conn: Connection, subscription: Subscription, due: Due, now: datetime) -> str:
    """Write an occurrence on demand for that date, due now; returns its id. It may repeat a scheduled one."""
    row = conn.execute(
        """
        with asked as (
            insert into reporting.report_occurrences (tenant_id, subscription_id, local_date,
                report_period_start, report_period_end, due_at, origin)
            values (%s, %s, %s, %s, %s, %s, 'on_demand') returning tenant_id, occurrence_id
        ),
        promised as (
            insert into reporting.report_deliveries (tenant_id, occurrence_id, channel, recipient)
            select a.tenant_id, a.occurrence_id, %s, r.recipient
            from asked as a cross join unnest(%s::text[]) as r (recipient)
        )
        select occurrence_id from asked
        """,
        (
            subscription.tenant_id, subscription.subscription_id, due.local_date, due.period_start,
            due.period_end, now, subscription.delivery_method, list(subscription.recipients),
        ),
    ).fetchone()  # fmt: skip
    assert row is not None
    return str(row[0])


def _append(
    columns: dict[str, list[Any]], subscription: Subscription, due: Sequence[Due], until: datetime
) -> None:
    """Add the occurrences of one subscription; of several missed ones at most the newest is still sent."""
    newest: date | None = due[-1].local_date if due else None
    for one in due:
        late = one.due_at + subscription.max_lateness < until
        caught_up = subscription.misfire_policy == "catch_up" and one.local_date == newest
        columns["tenant"].append(subscription.tenant_id)
        columns["subscription"].append(subscription.subscription_id)
        columns["local_date"].append(one.local_date)
        columns["start"].append(one.period_start)
        columns["end"].append(one.period_end)
        columns["due_at"].append(one.due_at)
        columns["state"].append("skipped" if late and not caught_up else "pending")
        columns["reason"].append(
            None if not late or caught_up else SUPERSEDED if one.local_date != newest else MISSED
        )
        columns["late"].append(late)
