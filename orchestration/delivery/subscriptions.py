"""Subscriptions: what was ordered, checked before it is stored, found again by id or name.

Belongs here: the row, its validation and its life (add, pause, resume, delete). Does not: when it is due
(calendar) and what was sent for it (ledger).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from email.errors import HeaderParseError
from email.headerregistry import Address
from pathlib import Path
from typing import Any, cast
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from orchestration.delivery.calendar import (
    FREQUENCIES,
    Frequency,
    Schedule,
    WeekStart,
    parse_delivery_days,
)
from orchestration.delivery.channels import CHANNELS
from orchestration.errors import MetricpressError
from orchestration.warehouse.tenants import require_tenant

Connection = psycopg.Connection[Any]
MISFIRE_POLICIES = ("catch_up", "skip")

_COLUMNS = """s.tenant_id, s.subscription_id, s.name, s.branch_id, s.report, s.parameters, s.frequency,
    s.delivery_time, coalesce(s.delivery_days, '{}') as delivery_days, s.timezone, s.formats,
    s.delivery_method, s.recipients, s.locale, s.misfire_policy, s.max_lateness, s.starts_on, s.is_active"""


@dataclass(frozen=True)
class Subscription:
    """One row of reporting.report_subscriptions; `timezone` and `locale` None mean the tenant's."""

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


def schedule_of(subscription: Subscription, tenant_timezone: str, week_start: str) -> Schedule:
    """The subscription's calendar. Raises MetricpressError when a zone is unknown to the IANA database."""
    return Schedule(
        frequency=subscription.frequency,
        delivery_time=subscription.delivery_time,
        timezone=_zone(subscription.timezone or tenant_timezone, subscription.name),
        tenant_timezone=_zone(tenant_timezone, f"tenant {subscription.tenant_id}"),
        week_start=cast(WeekStart, week_start),
        starts_on=subscription.starts_on or date.min,
        delivery_days=tuple(subscription.delivery_days),
    )


def add(conn: Connection, subscription: Subscription, template_dir: Path | None = None) -> Subscription:
    """Check and store; returns the row as stored. Raises MetricpressError naming what is wrong.

    Without starts_on the first occurrence is today's, on the subscription's own calendar.
    """
    tenant = tenant_of(conn, subscription.tenant_id)
    checked = _checked(subscription, tenant, template_dir)
    zone = ZoneInfo(checked.timezone or tenant.timezone)
    starts_on = checked.starts_on or datetime.now(zone).date()
    try:
        with conn.transaction():
            row = conn.execute(
                """
                insert into reporting.report_subscriptions (tenant_id, name, branch_id, report, parameters,
                    frequency, delivery_time, delivery_days, timezone, formats, delivery_method, recipients,
                    locale, misfire_policy, max_lateness, starts_on)
                values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
                returning subscription_id
                """,
                (
                    checked.tenant_id, checked.name, checked.branch_id, checked.report,
                    Jsonb(dict(checked.parameters)), checked.frequency, checked.delivery_time,
                    list(checked.delivery_days) or None, checked.timezone, list(checked.formats),
                    checked.delivery_method, list(checked.recipients), checked.locale, checked.misfire_policy,
                    checked.max_lateness, starts_on,
                ),
            ).fetchone()  # fmt: skip
    except psycopg.errors.UniqueViolation as error:
        raise MetricpressError(
            f"tenant {checked.tenant_id} already has a subscription named {checked.name!r}",
            remedy="Give another --name, or delete the old one: metricpress subscriptions delete.",
        ) from error
    assert row is not None
    return replace(checked, subscription_id=row[0], starts_on=starts_on)


def listed(conn: Connection, tenant: str | None = None) -> list[Subscription]:
    """All subscriptions that are not deleted, by tenant and name."""
    with conn.cursor(row_factory=class_row(Subscription)) as cursor:
        return cursor.execute(
            f"""
            select {_COLUMNS} from reporting.report_subscriptions as s
            where s.deleted_at is null and s.origin = 'standing'
                and (%(tenant)s::text is null or s.tenant_id = %(tenant)s)
            order by s.tenant_id, s.name
            """,
            {"tenant": tenant},
        ).fetchall()


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


def pause(conn: Connection, subscription: Subscription) -> None:
    """Nothing is planned or sent until it is resumed; what was planned before waits."""
    _update(conn, subscription, "is_active = false")


def resume(conn: Connection, subscription: Subscription, today: date | None = None) -> None:
    """Active again from today on its own calendar: the dates of the pause are not caught up."""
    zone = ZoneInfo(subscription.timezone or tenant_of(conn, subscription.tenant_id).timezone)
    _update(
        conn,
        subscription,
        "is_active = true, starts_on = greatest(starts_on, %s)",
        today or datetime.now(zone).date(),
    )


def delete(conn: Connection, subscription: Subscription) -> None:
    """Hide it for good; the ledger of what it sent stays, what it still owed is marked skipped."""
    with conn.transaction():
        _update(conn, subscription, "is_active = false, deleted_at = clock_timestamp()")
        key = (subscription.tenant_id, subscription.subscription_id)
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
                ) as branches
            from raw.tenants as t left join reporting.tenant_settings as s using (tenant_id)
            where t.tenant_id = %s and t.deleted_at is null
            """,
            (tenant_id,),
        ).fetchone()
    if tenant is None:
        require_tenant(conn, tenant_id)  # raises, with the nearest names
        raise MetricpressError(f'the tenant "{tenant_id}" was removed', remedy="Add it again.")
    return tenant


def _checked(subscription: Subscription, tenant: Tenant, template_dir: Path | None) -> Subscription:
    """The subscription in its stored form; every refusal names the value and what is allowed."""
    # Half a second of imports that listing and explaining do without.
    from orchestration.reports.formatting import parse_locale
    from orchestration.reports.service import FORMATS
    from orchestration.reports.templates import check_parameters, report_type

    report = report_type(subscription.report, template_dir)
    _one_of("frequency", subscription.frequency, FREQUENCIES)
    _one_of(f"frequency of report {report.name}", subscription.frequency, report.frequencies)
    _one_of("delivery method", subscription.delivery_method, CHANNELS)
    _one_of("misfire policy", subscription.misfire_policy, MISFIRE_POLICIES)
    if not subscription.formats:
        raise MetricpressError("a subscription needs a format", remedy="Give --format pdf.")
    if subscription.locale is not None:
        parse_locale(subscription.locale)
    for chosen in subscription.formats:
        _one_of("format", chosen, FORMATS)
    if not subscription.name.strip():
        raise MetricpressError("a subscription needs a name", remedy="Give --name.")
    if subscription.branch_id is not None:
        _one_of(f"branch of tenant {tenant.tenant_id}", subscription.branch_id, tenant.branches)
    if subscription.timezone is not None:
        _zone(subscription.timezone, subscription.name)
    _zone(tenant.timezone, f"tenant {tenant.tenant_id}")
    if subscription.max_lateness <= timedelta(0):
        raise MetricpressError("max lateness is not longer than nothing", remedy="Give hours above 0.")
    check_parameters(report, subscription.parameters)
    try:
        days = parse_delivery_days(subscription.frequency, tuple(subscription.delivery_days))
    except ValueError as error:
        raise MetricpressError(str(error), remedy="Correct --days.") from error
    return replace(
        subscription,
        name=subscription.name.strip(),
        delivery_days=days,
        formats=tuple(dict.fromkeys(subscription.formats)),
        recipients=_recipients(subscription, tenant),
    )


def _recipients(subscription: Subscription, tenant: Tenant) -> tuple[str, ...]:
    recipients = tuple(dict.fromkeys(text.strip() for text in subscription.recipients if text.strip()))
    if not recipients:
        raise MetricpressError("a subscription needs a recipient", remedy="Give --to, once for each.")
    if subscription.delivery_method == "email":
        for recipient in recipients:
            _check_address(recipient)
            if not domain_allowed(recipient, tenant.allowed_domains):
                raise MetricpressError(
                    f"{recipient}: tenant {tenant.tenant_id} allows mail to "
                    f"{', '.join(tenant.allowed_domains or ())} only",
                    remedy="Use another address, or change its setting allowed_recipient_domains.",
                )
    return recipients


def domain_allowed(recipient: str, allowed_domains: Sequence[str] | None) -> bool:
    """Whether the tenant lets mail go to that address; None allows every domain."""
    if allowed_domains is None:
        return True
    return recipient.rpartition("@")[2].lower() in {domain.lower() for domain in allowed_domains}


def _check_address(text: str) -> None:
    try:
        address = Address(addr_spec=text)
        labels = address.domain.encode("idna").decode().split(".")
        usable = text.isascii() and len(text) <= 254 and bool(address.username) and all(labels)
    except (HeaderParseError, ValueError, IndexError):
        usable = False
    if not usable or any(letter.isspace() for letter in text):
        raise MetricpressError(f"{text!r} is not a mail address", remedy="Write name@example.com.")


def _one_of(what: str, value: str, allowed: Sequence[str] | Mapping[str, Any]) -> None:
    if value not in allowed:
        known = ", ".join(allowed) or "none"
        raise MetricpressError(f"{value!r} is not a {what}", remedy=f"Known: {known}.")


def _zone(name: str, whose: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise MetricpressError(
            f"{whose}: {name!r} is not an IANA time zone", remedy="Use a name such as Europe/Lisbon."
        ) from error


def _update(conn: Connection, subscription: Subscription, changes: str, *values: object) -> None:
    conn.execute(
        f"update reporting.report_subscriptions set {changes} where tenant_id = %s and subscription_id = %s",
        (*values, subscription.tenant_id, subscription.subscription_id),
    )
