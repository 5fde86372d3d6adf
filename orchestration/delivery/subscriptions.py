"""Subscriptions: what was ordered, checked before it is stored, found again by id or name.

Belongs here: the row and its life but for edits (add, pause, resume, delete). Does not: what may be ordered
(subscription_checks), changes of what was ordered (subscription_changes), when it is due (calendar) and what
was sent for it (ledger).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from orchestration.delivery.calendar import Frequency, HolidayRule, Schedule, WeekStart
from orchestration.delivery.holiday_calendar import holiday_calendar
from orchestration.delivery.subscription_checks import FieldError, checked, zone
from orchestration.errors import MetricpressError
from orchestration.warehouse.tenants import require_tenant

Connection = psycopg.Connection[Any]

#: The columns of the row as Subscription has them; `s` is reporting.report_subscriptions.
COLUMNS = """s.tenant_id, s.subscription_id, s.name, s.branch_id, s.report, s.parameters, s.frequency,
    s.delivery_time, coalesce(s.delivery_days, '{}') as delivery_days, s.timezone, s.holiday_calendar,
    s.holiday_rule, s.formats, s.delivery_method, s.recipients, s.locale, s.misfire_policy, s.max_lateness,
    s.when_incomplete, s.owner, s.starts_on, s.open_from, s.is_active, s.template_id,
    (select t.name from reporting.report_templates as t where t.template_id = s.template_id) as template"""


@dataclass(frozen=True)
class Subscription:
    """One row of reporting.report_subscriptions; `timezone` and `locale` None mean the tenant's.

    open_from: dates before it are closed, by an edit of the calendar or a pause; template_id: of the template
    named; both set by the program alone.
    """

    tenant_id: str
    name: str
    report: str
    frequency: Frequency
    recipients: Sequence[str]
    delivery_time: time = time(9)
    delivery_days: Sequence[str] = ()
    timezone: str | None = None
    starts_on: date | None = None
    branch_id: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    formats: Sequence[str] = ("pdf",)
    delivery_method: str = "email"
    locale: str | None = None
    misfire_policy: str = "catch_up"
    max_lateness: timedelta = timedelta(hours=24)
    is_active: bool = True
    subscription_id: UUID | None = None
    holiday_calendar: str | None = None
    holiday_rule: str | None = None
    when_incomplete: str = "notice"
    owner: str | None = None
    open_from: date | None = None
    template: str | None = None
    template_id: UUID | None = None


def schedule_of(subscription: Subscription, tenant_timezone: str, week_start: str) -> Schedule:
    """The subscription's calendar. Raises MetricpressError when a zone or holiday calendar is unknown."""
    return Schedule(
        frequency=subscription.frequency,
        delivery_time=subscription.delivery_time,
        timezone=zone(subscription.timezone or tenant_timezone, subscription.name),
        tenant_timezone=zone(tenant_timezone, f"tenant {subscription.tenant_id}"),
        week_start=cast(WeekStart, week_start),
        starts_on=max(subscription.starts_on or date.min, subscription.open_from or date.min),
        delivery_days=tuple(subscription.delivery_days),
        holidays=holiday_calendar(subscription.holiday_calendar) if subscription.holiday_calendar else None,
        holiday_rule=cast(HolidayRule | None, subscription.holiday_rule),
    )


def add(
    conn: Connection,
    subscription: Subscription,
    template_dir: Path | None = None,
    *,
    private_hosts: Sequence[str] = (),
) -> Subscription:
    """Check and store; returns the row as stored. Raises MetricpressError naming what is wrong.

    Without starts_on the first occurrence is today's, on the subscription's own calendar.
    """
    tenant = tenant_of(conn, subscription.tenant_id)
    wanted = checked(subscription, tenant, template_dir, private_hosts)
    return insert(conn, wanted, tenant)


def insert(
    conn: Connection,
    wanted: Subscription,
    tenant: Tenant,
    origin: Literal["standing", "ad_hoc"] = "standing",
) -> Subscription:
    """Store a subscription that was checked; returns the row as stored.

    One of origin ad_hoc carries a report on demand: it is never due by itself and not listed.
    """
    starts_on = wanted.starts_on or today_of(wanted, tenant)
    row = {"tenant_id": wanted.tenant_id, "origin": origin} | row_of(replace(wanted, starts_on=starts_on))
    statement = sql.SQL(
        "insert into reporting.report_subscriptions ({}) values ({}) returning subscription_id"
    ).format(
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(map(sql.Placeholder, row)),
    )
    try:
        with conn.transaction():
            stored = conn.execute(statement, row).fetchone()
    except psycopg.errors.UniqueViolation as error:
        raise name_taken(wanted) from error
    assert stored is not None
    return replace(wanted, subscription_id=stored[0], starts_on=starts_on)


def row_of(subscription: Subscription) -> dict[str, Any]:
    """Column -> value, for all columns that are ordered and may be changed."""
    return {
        "name": subscription.name,
        "branch_id": subscription.branch_id,
        "report": subscription.report,
        "template_id": subscription.template_id,
        "parameters": Jsonb(dict(subscription.parameters)),
        "frequency": subscription.frequency,
        "delivery_time": subscription.delivery_time,
        "delivery_days": list(subscription.delivery_days) or None,
        "timezone": subscription.timezone,
        "holiday_calendar": subscription.holiday_calendar,
        "holiday_rule": subscription.holiday_rule,
        "formats": list(subscription.formats),
        "delivery_method": subscription.delivery_method,
        "recipients": list(subscription.recipients),
        "locale": subscription.locale,
        "misfire_policy": subscription.misfire_policy,
        "max_lateness": subscription.max_lateness,
        "when_incomplete": subscription.when_incomplete,
        "owner": subscription.owner,
        "starts_on": subscription.starts_on,
        "open_from": subscription.open_from,
        "is_active": subscription.is_active,
    }


def name_taken(subscription: Subscription) -> FieldError:
    """The refusal of a second subscription of that name."""
    return FieldError(
        "name",
        MetricpressError(
            f"tenant {subscription.tenant_id} already has a subscription named {subscription.name!r}",
            remedy="Give another --name, or delete the old one: metricpress subscriptions delete.",
        ),
    )


def today_of(subscription: Subscription, tenant: Tenant, now: datetime | None = None) -> date:
    """The date on the subscription's own calendar; `now` defaults to the present."""
    own_zone = ZoneInfo(subscription.timezone or tenant.timezone)
    return (now.astimezone(own_zone) if now else datetime.now(own_zone)).date()


def listed(conn: Connection, tenant: str | None = None) -> list[Subscription]:
    """All subscriptions that are not deleted, by tenant and name."""
    with conn.cursor(row_factory=class_row(Subscription)) as cursor:
        return cursor.execute(
            f"""
            select {COLUMNS} from reporting.report_subscriptions as s
            where s.deleted_at is null and s.origin = 'standing'
                and (%(tenant)s::text is null or s.tenant_id = %(tenant)s)
            order by s.tenant_id, s.name
            """,
            {"tenant": tenant},
        ).fetchall()


def of_occurrence(conn: Connection, tenant: str, occurrence_id: UUID) -> Subscription:
    """What the occurrence was for, also where that is deleted or was made for one report."""
    with conn.cursor(row_factory=class_row(Subscription)) as cursor:
        found = cursor.execute(
            f"""
            select {COLUMNS} from reporting.report_subscriptions as s
            join reporting.report_occurrences as o using (tenant_id, subscription_id)
            where o.tenant_id = %s and o.occurrence_id = %s
            """,
            (tenant, occurrence_id),
        ).fetchone()
    if found is None:
        raise MetricpressError(f"tenant {tenant} has no occurrence {occurrence_id}")
    return found


def find(conn: Connection, key: str, tenant: str | None = None) -> Subscription:
    """The one subscription with that id, beginning of an id (8 characters or more) or name."""
    found = [
        subscription
        for subscription in listed(conn, tenant)
        if key == subscription.name
        or (len(key) >= 8 and str(subscription.subscription_id).startswith(key.lower()))
    ]
    if len(found) == 1:
        return found[0]
    if not found:
        raise MetricpressError(
            f"no subscription {key!r}" + (f" of tenant {tenant}" if tenant else ""),
            remedy="See: metricpress subscriptions list",
        )
    raise MetricpressError(
        f"{len(found)} subscriptions are called {key!r}", remedy="Give the id, or --tenant."
    )


def reread(conn: Connection, subscription: Subscription) -> Subscription:
    """The row as it is now, locked against other changes until the transaction ends."""
    key = _locked(conn, subscription)
    with conn.cursor(row_factory=class_row(Subscription)) as cursor:
        found = cursor.execute(
            f"""
            select {COLUMNS} from reporting.report_subscriptions as s
            where s.tenant_id = %s and s.subscription_id = %s and s.deleted_at is null for update
            """,
            key,
        ).fetchone()
    if found is None:
        raise MetricpressError(
            f'the subscription "{subscription.name}" was deleted meanwhile',
            remedy="See: metricpress subscriptions list",
        )
    return found


def pause(conn: Connection, subscription: Subscription) -> None:
    """Nothing is planned or sent until it is resumed; what was planned before waits."""
    _update(conn, subscription, "is_active = false")


def resume(conn: Connection, subscription: Subscription, today: date | None = None) -> None:
    """Active again from today on its own calendar: the dates of the pause are not caught up."""
    today = today or today_of(subscription, tenant_of(conn, subscription.tenant_id))
    # One that is active already still owes what is not planned yet.
    opened = "case when is_active then open_from else greatest(open_from, %s) end"
    _update(conn, subscription, f"is_active = true, open_from = {opened}", today)


def delete(conn: Connection, subscription: Subscription) -> None:
    """Hide it for good; the ledger of what it sent stays, what it still owed is marked skipped."""
    with conn.transaction():
        _update(conn, subscription, "is_active = false, deleted_at = clock_timestamp()")
        key = (subscription.tenant_id, subscription.subscription_id)
        conn.execute(
            """
            update reporting.report_occurrences set state = 'pending'
            where tenant_id = %s and subscription_id = %s and state = 'held'
            """,
            key,
        )
        conn.execute(
            """
            update reporting.report_deliveries as d
            set delivery_status = 'skipped', error_message = 'subscription deleted', next_attempt_at = null
            from reporting.report_occurrences as o
            where o.tenant_id = %s and o.subscription_id = %s and o.state = 'pending'
                and d.tenant_id = o.tenant_id and d.occurrence_id = o.occurrence_id
                and d.delivery_status in ('pending', 'ready', 'held')
            """,
            key,
        )
        conn.execute(
            """
            update reporting.report_occurrences as o
            set state = 'skipped', reason = 'subscription deleted', closed_at = clock_timestamp()
            where o.tenant_id = %s and o.subscription_id = %s and o.state = 'pending' and not exists (
                select from reporting.report_deliveries as d
                where d.tenant_id = o.tenant_id and d.occurrence_id = o.occurrence_id
                    and d.delivery_status <> 'skipped'
            )
            """,
            key,
        )


@dataclass(frozen=True)
class Tenant:
    """What subscriptions need to know of a tenant; `clock_stops_at`: its history ends there."""

    tenant_id: str
    timezone: str
    week_start: str
    clock_stops_at: datetime | None
    locale: str
    allowed_domains: list[str] | None
    branches: list[str]
    #: Own and public templates the tenant may use, by name, its own before a public one of that name.
    templates: dict[str, dict[str, Any]] = field(default_factory=dict)


def tenant_of(conn: Connection, tenant_id: str) -> Tenant:
    """The tenant; an unknown one is a MetricpressError."""
    with conn.cursor(row_factory=class_row(Tenant)) as cursor:
        tenant = cursor.execute(
            """
            select t.tenant_id, t.timezone, t.week_start, s.clock_stops_at,
                coalesce(s.locale, 'en') as locale,
                s.allowed_recipient_domains as allowed_domains,
                array(
                    select b.branch_id from raw.branches as b
                    where b.tenant_id = t.tenant_id and b.deleted_at is null order by b.branch_id
                ) as branches,
                (
                    select coalesce(jsonb_object_agg(r.name, jsonb_build_object(
                        'template_id', r.template_id, 'report_type', r.report_type,
                        'parameters_schema', r.parameters_schema, 'output_formats', r.output_formats
                    ) order by r.tenant_id is not null), '{}')
                    from reporting.report_templates as r
                    where r.deleted_at is null and r.is_active and (r.is_public or r.tenant_id = t.tenant_id)
                ) as templates
            from raw.tenants as t left join reporting.tenant_settings as s using (tenant_id)
            where t.tenant_id = %s and t.deleted_at is null
            """,
            (tenant_id,),
        ).fetchone()
    if tenant is None:
        require_tenant(conn, tenant_id)  # raises, with the nearest names
        raise MetricpressError(f'the tenant "{tenant_id}" was removed', remedy="Add it again.")
    return tenant


def _update(conn: Connection, subscription: Subscription, changes: str, *values: object) -> None:
    with conn.transaction():
        key = _locked(conn, subscription)
        conn.execute(
            "update reporting.report_subscriptions"
            f" set {changes} where tenant_id = %s and subscription_id = %s",
            (*values, *key),
        )


def _locked(conn: Connection, subscription: Subscription) -> tuple[str, UUID | None]:
    """The key of the row, of which the planner's own row is locked until the transaction ends."""
    # Every change takes that one first, as the planner does: so no two wait for each other.
    key = (subscription.tenant_id, subscription.subscription_id)
    conn.execute(
        "select from reporting.report_planning where tenant_id = %s and subscription_id = %s for update", key
    )
    return key
