"""Planning: every due report becomes one row of the ledger, once.

Belongs here: which occurrences to write and the policy for missed ones. Does not: calendar arithmetic
(calendar) and sending (service).
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from orchestration.delivery.calendar import Due, Planned, Schedule, due_between, upcoming
from orchestration.delivery.subscriptions import COLUMNS, Subscription, schedule_of
from orchestration.errors import MetricpressError

Connection = psycopg.Connection[Any]
logger = logging.getLogger(__name__)

SUPERSEDED = "missed by more than max_lateness; a newer report replaces it"
MISSED = "missed by more than max_lateness"

#: How long the planner trusts its own forecast at most: time zones and holidays change with their libraries.
#: Spread out, so that subscriptions added together are not looked at together for ever.
FORECAST_HOURS = (12.0, 24.0)

#: Locked first and read in a second statement, which sees a change that commits in between. A change that
#: comes later waits for the lock, then has the planner look again; one that holds the row is passed over.
_LOCK = """
    select p.tenant_id, p.subscription_id from reporting.report_planning as p
    where p.next_plan_at <= %(now)s and (%(tenant)s::text is null or p.tenant_id = %(tenant)s)
    order by p.tenant_id, p.subscription_id
    for update skip locked
"""

#: `limit 1` asks for each row by its key: joined freely, a table without statistics makes it minutes.
_READ = f"""
    with asked as (
        select * from unnest(%(tenants)s::text[], %(subscriptions)s::uuid[]) as u (tenant_id, subscription_id)
    )
    select {COLUMNS}, t.timezone as tenant_timezone, t.week_start, c.clock_stops_at,
        o.local_date as planned_date, o.report_period_start as planned_start,
        o.report_period_end as planned_end
    from asked as a
    cross join lateral (
        select * from reporting.report_subscriptions as s
        where s.tenant_id = a.tenant_id and s.subscription_id = a.subscription_id limit 1
    ) as s
    join raw.tenants as t on t.tenant_id = s.tenant_id and t.deleted_at is null
    left join reporting.tenant_settings as c on c.tenant_id = s.tenant_id
    left join lateral (
        select o.local_date, o.report_period_start, o.report_period_end
        from reporting.report_occurrences as o
        where o.tenant_id = s.tenant_id and o.subscription_id = s.subscription_id and o.origin = 'schedule'
        order by o.local_date desc limit 1
    ) as o on true
    where s.is_active and s.deleted_at is null and s.origin = 'standing'
    order by s.tenant_id, s.subscription_id
"""

_WRITE = """
    with due as (
        select * from unnest(
            %(tenant)b::text[], %(subscription)b::uuid[], %(local_date)b::date[], %(start)b::date[],
            %(end)b::date[], %(due_at)b::timestamptz[], %(state)b::text[], %(reason)b::text[],
            %(late)b::boolean[], %(give_up_at)b::timestamptz[]
        ) as u (
            tenant_id, subscription_id, local_date, period_start, period_end, due_at, state, reason, is_late,
            give_up_at
        )
    ),
    planned as (
        insert into reporting.report_occurrences (tenant_id, subscription_id, local_date, report_period_start,
            report_period_end, due_at, state, reason, is_late, give_up_at, closed_at)
        select tenant_id, subscription_id, local_date, period_start, period_end, due_at, state, reason,
            is_late, give_up_at, case when state = 'skipped' then clock_timestamp() end
        from due
        on conflict (tenant_id, subscription_id, local_date) where origin = 'schedule' do nothing
        returning tenant_id, subscription_id, occurrence_id, state
    ),
    promised as (
        insert into reporting.report_deliveries (tenant_id, occurrence_id, channel, recipient)
        select p.tenant_id, p.occurrence_id, s.delivery_method, r.recipient
        from planned as p
        cross join lateral (
            select s.delivery_method, s.recipients from reporting.report_subscriptions as s
            where s.tenant_id = p.tenant_id and s.subscription_id = p.subscription_id limit 1
        ) as s
        cross join lateral (select distinct unnest(s.recipients) as recipient) as r
        where p.state = 'pending'
    )
    select count(*) from planned where state = 'pending'
"""
_WRITE_COLUMNS = (
    "tenant", "subscription", "local_date", "start", "end", "due_at", "state", "reason", "late",
    "give_up_at",
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
    stop nobody else. A transaction of its own in autocommit, else part of the caller's.
    """
    with conn.transaction() if conn.autocommit else nullcontext():
        keys = conn.execute(_LOCK, {"now": now, "tenant": tenant}).fetchall()
        if not keys:
            return 0, []
        columns: dict[str, list[Any]] = {name: [] for name in _WRITE_COLUMNS}
        # What is not read below has no tenant any more; its return has the planner look again.
        looks = dict.fromkeys(keys, now + timedelta(hours=max(FORECAST_HOURS)))
        problems = []
        forecasts = _Forecasts(now)
        for ordered in _read(conn, keys):
            subscription = ordered.subscription
            key = (subscription.tenant_id, subscription.subscription_id)
            try:
                looks[key] = _plan_one(columns, ordered, forecasts)
            except MetricpressError as error:
                logger.warning("subscription %s cannot be planned: %s", subscription.name, error)
                message = f"{error}. {error.remedy}"
                problems.append(Problem(subscription.tenant_id, subscription.name, message))
                del looks[key]  # told at every tick until it is mended
        count = _write(conn, columns)
        _look_again(conn, looks)
    return count, problems


def close_calendar(conn: Connection, subscription: Subscription, before: date, now: datetime) -> int:
    """Plan what the subscription's calendar asks for up to `now`, and all of dates before `before`.

    For the moment at which a calendar ends: what it promised is kept, in the caller's transaction, which
    holds the subscription's lock (subscriptions.reread). Returns how many occurrences are new and to be sent.
    """
    key = (subscription.tenant_id, subscription.subscription_id)
    columns: dict[str, list[Any]] = {name: [] for name in _WRITE_COLUMNS}
    for ordered in _read(conn, [key]):
        _plan_one(columns, ordered, _Forecasts(now, before))
    return _write(conn, columns)


@dataclass(frozen=True)
class _Ordered:
    """A subscription with what its calendar needs to know of its tenant and of the ledger."""

    subscription: Subscription
    tenant_timezone: str
    week_start: str
    clock_stops_at: datetime | None
    planned: Planned | None


def _read(conn: Connection, keys: Sequence[tuple[str, UUID | None]]) -> Iterator[_Ordered]:
    tenants, subscriptions = zip(*keys, strict=True)
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            _READ, {"tenants": list(tenants), "subscriptions": list(subscriptions)}
        ).fetchall()
    for row in rows:
        local_date, start, end = (row.pop(f"planned_{part}") for part in ("date", "start", "end"))
        tenant = row.pop("tenant_timezone"), row.pop("week_start"), row.pop("clock_stops_at")
        yield _Ordered(Subscription(**row), *tenant, Planned(local_date, start, end) if local_date else None)


class _Forecasts:
    """Calendars worked out once for all subscriptions that share them."""

    def __init__(self, now: datetime, close_before: date | None = None) -> None:
        self.now = now
        self.close_before = close_before
        self._known: dict[tuple[Schedule, Planned | None, datetime], tuple[list[Due], datetime]] = {}

    def of(self, schedule: Schedule, planned: Planned | None, until: datetime) -> tuple[list[Due], datetime]:
        """What is to be planned, and when the one after it is due."""
        key = (schedule, planned, until)
        if key not in self._known:
            due = due_between(schedule, planned, until, self.close_before)
            if due:
                planned = Planned(due[-1].local_date, due[-1].period_start, due[-1].period_end)
            (following,) = upcoming(schedule, until, 1, planned)
            self._known[key] = due, following.due_at
        return self._known[key]


def _plan_one(columns: dict[str, list[Any]], ordered: _Ordered, forecasts: _Forecasts) -> datetime:
    """Add one subscription's occurrences to `columns`; returns when to look at it again."""
    subscription, stops_at, now = ordered.subscription, ordered.clock_stops_at, forecasts.now
    schedule = schedule_of(subscription, ordered.tenant_timezone, ordered.week_start)
    until = min(now, stops_at) if stops_at else now
    due, following = forecasts.of(schedule, ordered.planned, until)
    _append(columns, subscription, due, until, now)
    trusted = now + timedelta(hours=random.uniform(*FORECAST_HOURS))
    return trusted if stops_at is not None and following > stops_at else min(following, trusted)


def _write(conn: Connection, columns: dict[str, list[Any]]) -> int:
    if not columns["tenant"]:
        return 0
    count = conn.execute(_WRITE, columns).fetchone()
    assert count is not None
    return int(count[0])


def _look_again(conn: Connection, looks: dict[tuple[str, UUID], datetime]) -> None:
    conn.execute(
        """
        insert into reporting.report_planning (tenant_id, subscription_id, next_plan_at)
        select * from unnest(%b::text[], %b::uuid[], %b::timestamptz[])
        on conflict (tenant_id, subscription_id) do update set next_plan_at = excluded.next_plan_at
        """,
        (
            [tenant for tenant, _ in looks],
            [subscription for _, subscription in looks],
            list(looks.values()),
        ),
    )


def _append(
    columns: dict[str, list[Any]],
    subscription: Subscription,
    due: Sequence[Due],
    until: datetime,
    now: datetime,
) -> None:
    """Add the occurrences of one subscription; of several missed ones at most the newest is still sent."""
    newest = max(
        (one for one in due if one.due_at <= until),
        key=lambda one: (one.due_at, one.local_date),
        default=None,
    )
    for one in due:
        late = one.due_at + subscription.max_lateness < until
        caught_up = subscription.misfire_policy == "catch_up" and one is newest
        give_up_at = one.due_at + subscription.max_lateness
        values = (
            subscription.tenant_id, subscription.subscription_id, one.local_date, one.period_start,
            one.period_end, one.due_at, "skipped" if late and not caught_up else "pending",
            None if not late or caught_up else MISSED if one is newest else SUPERSEDED, late,
            # One caught up, or of a tenant whose clock stands, has its time from now on.
            give_up_at if give_up_at >= now else now + subscription.max_lateness,
        )  # fmt: skip
        for name, value in zip(_WRITE_COLUMNS, values, strict=True):
            columns[name].append(value)


def last_planned(conn: Connection, subscription: Subscription) -> Planned | None:
    """The last scheduled occurrence of the subscription by its local date."""
    row = conn.execute(
        """
        select local_date, report_period_start, report_period_end from reporting.report_occurrences
        where tenant_id = %s and subscription_id = %s and origin = 'schedule'
        order by local_date desc limit 1
        """,
        (subscription.tenant_id, subscription.subscription_id),
    ).fetchone()
    return Planned(*row) if row else None


def planned_after(conn: Connection, subscription: Subscription, after: datetime) -> list[Due]:
    """What is planned already and due later than `after`: reports that a holiday moved."""
    rows = conn.execute(
        """
        select local_date, due_at, report_period_start, report_period_end from reporting.report_occurrences
        where tenant_id = %s and subscription_id = %s and origin = 'schedule' and state = 'pending'
            and due_at > %s
        order by due_at, local_date
        """,
        (subscription.tenant_id, subscription.subscription_id, after),
    ).fetchall()
    return [Due(*row) for row in rows]
