"""Changes of what was ordered: an edit, told field by field, that loses and repeats no report.

Belongs here: comparing two forms of a subscription and storing the newer one. Does not: what may be ordered
(subscription_checks) and the calendar itself (calendar, planning).

Rulings, held by tests:

- What is planned stays as it was planned, with its recipients; it shows the report as it is ordered then.
- When the calendar changes, the old one is planned up to now and closed: reports of earlier dates that a
  holiday moved ahead are kept. The new one begins with today's date. A local date has one report, and one
  period is not sent again because it falls on another day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from orchestration.delivery.planning import close_calendar
from orchestration.delivery.subscription_checks import checked
from orchestration.delivery.subscriptions import (
    Subscription,
    Tenant,
    name_taken,
    reread,
    row_of,
    tenant_of,
    today_of,
)

Connection = psycopg.Connection[Any]

#: A change of one of these is another calendar.
CALENDAR_FIELDS = frozenset(
    {
        "frequency", "delivery_time", "delivery_days", "timezone", "holiday_calendar", "holiday_rule",
        "starts_on",
    }
)  # fmt: skip
#: Set by the program, or what a subscription is known by.
NOT_ORDERED = ("tenant_id", "subscription_id", "open_from", "template_id")


@dataclass(frozen=True)
class Change:
    """One field in its plain form, before and after."""

    field: str
    before: Any
    after: Any


def plain(subscription: Subscription) -> dict[str, Any]:
    """The order in values that JSON and YAML have: times HH:MM, dates ISO 8601, lateness in hours."""
    values = asdict(subscription)
    told: dict[str, Any] = {}
    for field, value in values.items():
        if field == "max_lateness":
            hours = value / timedelta(hours=1)
            told["max_lateness_hours"] = int(hours) if hours == int(hours) else hours
        elif field == "delivery_time":
            told[field] = f"{value:%H:%M}"
        elif isinstance(value, date):
            told[field] = value.isoformat()
        elif isinstance(value, tuple | list):
            told[field] = list(value)
        else:
            told[field] = value
    return told


def differences(before: Subscription, after: Subscription) -> list[Change]:
    """The ordered fields in which they differ."""
    old, new = plain(before), plain(after)
    return [
        Change(field, old[field], new[field])
        for field in old
        if field not in NOT_ORDERED and old[field] != new[field]
    ]


def edit(
    conn: Connection,
    subscription: Subscription,
    changes: Mapping[str, Any],
    template_dir: Path | None = None,
    *,
    private_hosts: Sequence[str] = (),
    now: datetime | None = None,
) -> tuple[Subscription, list[Change]]:
    """Check and store the changed fields; returns the row as stored and what differs, nothing perhaps.

    Raises MetricpressError naming what is wrong. `now` defaults to the present.
    """
    tenant = tenant_of(conn, subscription.tenant_id)
    with conn.transaction():
        current = reread(conn, subscription)
        wanted = checked(replace(current, **changes), tenant, template_dir, private_hosts)
        return store(conn, current, wanted, tenant, now or datetime.now(UTC))


def store(
    conn: Connection, current: Subscription, wanted: Subscription, tenant: Tenant, now: datetime
) -> tuple[Subscription, list[Change]]:
    """Store a changed subscription that was checked, within the caller's transaction."""
    found = differences(current, wanted)
    if not found:
        return current, []
    changed = {change.field for change in found}
    open_from = current.open_from
    resumed = wanted.is_active and not current.is_active
    if resumed or changed & CALENDAR_FIELDS:
        today = today_of(wanted, tenant, now)
        if current.is_active:
            close_calendar(conn, current, today, now)
        open_from = max(today, current.open_from or today)
    if "frequency" in changed:
        _keep_period_kind(conn, current)
    wanted = replace(wanted, open_from=open_from)
    row = row_of(wanted)
    statement = sql.SQL(
        "update reporting.report_subscriptions set {} where tenant_id = {} and subscription_id = {}"
    ).format(
        sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(c), sql.Placeholder(c)) for c in row),
        sql.Placeholder("tenant_id"),
        sql.Placeholder("subscription_id"),
    )
    key = {"tenant_id": current.tenant_id, "subscription_id": current.subscription_id}
    try:
        with conn.transaction():
            conn.execute(statement, row | key)
    except psycopg.errors.UniqueViolation as error:
        raise name_taken(wanted) from error
    return wanted, found


def _keep_period_kind(conn: Connection, current: Subscription) -> None:
    """What is planned covers a day, a week or a month still, whatever comes after it."""
    conn.execute(
        """
        update reporting.report_occurrences set period_kind = %s
        where tenant_id = %s and subscription_id = %s and period_kind is null
            and state not in ('sent', 'skipped')
        """,
        (current.frequency, current.tenant_id, current.subscription_id),
    )
