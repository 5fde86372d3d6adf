"""Reports on demand: what a person asks for, as an occurrence of the ledger.

Belongs here: which days and recipients a request means, and the rows it writes; the command line and Dagster
call the same functions. Does not: sending (service), what is sent again (resending), what is due by itself
(planning).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, cast
from uuid import UUID, uuid4

import psycopg
from psycopg.types.json import Jsonb

from orchestration.delivery import service, subscriptions
from orchestration.delivery.calendar import Due, Frequency, latest, occurrence
from orchestration.delivery.outcome import DispatchResult
from orchestration.delivery.subscription_checks import checked
from orchestration.delivery.subscriptions import Subscription, Tenant, schedule_of, tenant_of
from orchestration.errors import MetricpressError
from orchestration.reports import ReportRequest
from orchestration.reports.own import store
from orchestration.reports.own.template import Limits, OwnTemplate
from orchestration.reports.periods import newest_whole_period, whole_period
from orchestration.reports.templates import check_frequency, report_type
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

Connection = psycopg.Connection[Any]
PeriodKind = Literal["daily", "weekly", "monthly", "range"]

#: Name of the subscriptions that carry reports nobody subscribed to.
AD_HOC = "on demand"
_MONTH = re.compile(r"\d{4}-\d{2}")
_WRITE = """
    with asked as (
        insert into reporting.report_occurrences (tenant_id, occurrence_id, subscription_id, local_date,
            report_period_start, report_period_end, due_at, give_up_at, origin, period_kind, parameters,
            formats, branch_id, locale, template_id)
        values (%(tenant)s, %(key)s, %(subscription)s, %(local_date)s, %(start)s, %(end)s, %(now)s,
            %(give_up)s, 'on_demand', %(kind)s, %(parameters)s, %(formats)s, %(branch)s, %(locale)s,
            %(template)s)
        returning tenant_id, occurrence_id
    )
    insert into reporting.report_deliveries (tenant_id, occurrence_id, channel, recipient, requested_by)
    select a.tenant_id, a.occurrence_id, %(channel)s, r.recipient, reporting.actor()
    from asked as a cross join unnest(%(recipients)s::text[]) as r (recipient)
"""


@dataclass(frozen=True)
class OnDemand:
    """A report that a person asks for: of a standing subscription, or of a tenant and report.

    What is None is as the subscription says. The days are named in one of four ways: `on` (as if due on that
    local date; subscriptions only), `period` (the day, week or month of a day, 2026-11-20, or a month,
    2026-11), `first` with `last` (both inclusive), or `days` (so many, ending with the tenant's last complete
    day); in none: the last one that was due or is complete.
    """

    subscription: str | None = None
    tenant: str | None = None
    report: str | None = None
    frequency: str | None = None
    on: date | None = None
    period: str | None = None
    first: date | None = None
    last: date | None = None
    days: int | None = None
    branch: str | None = None
    parameters: Mapping[str, Any] | None = None
    formats: Sequence[str] | None = None
    locale: str | None = None
    recipients: Sequence[str] | None = None
    method: str | None = None
    template: str | None = None


@dataclass(frozen=True)
class Order:
    """A request made out: what is rendered, for which days; subscription_id None: nobody subscribed to it."""

    subscription: Subscription
    tenant: Tenant
    kind: PeriodKind
    due: Due


def send(
    settings: Settings, asked: OnDemand, now: datetime | None = None, *, key: UUID | None = None
) -> DispatchResult:
    """Render the report and send it now, recorded with who asked. It may repeat a scheduled one.

    `key` makes it safe to repeat: a second call with the same key goes on with the first one's occurrence.
    Raises MetricpressError for what cannot be asked; what fails or waits is in the result.
    """
    now = now or datetime.now(UTC)
    with connect(settings, "pipeline", application_name="metricpress deliver send") as conn:
        order = make_out(conn, asked, now, settings.template_dir)
        if not order.subscription.recipients:
            raise MetricpressError(
                "nobody is named who gets the report",
                remedy="Give --to, once for each; or look at it with: metricpress deliver preview",
            )
        wanted = checked(
            order.subscription, order.tenant, settings.template_dir, settings.webhook_private_hosts
        )
        _require_begun(order, now)
        asked_for = submit(conn, replace(order, subscription=wanted), now, key or uuid4())
    return service.dispatch(settings, now, order.tenant.tenant_id, occurrences=[asked_for])


def preview(
    settings: Settings,
    asked: OnDemand,
    folder: Path,
    now: datetime | None = None,
    *,
    template: OwnTemplate | None = None,
) -> tuple[Order, list[Path]]:
    """Render the report into a folder, and the mail's text beside it; nothing is recorded or sent.

    `template`: this one, which need not be stored, instead of the one that `asked` or its subscription names.
    """
    with connect(settings, "pipeline", application_name="metricpress deliver preview") as conn:
        order = make_out(conn, asked, now or datetime.now(UTC), settings.template_dir)
        wanted = order.subscription
        if template is None and wanted.template is not None:
            template = store.find(conn, wanted.template, wanted.tenant_id)
    request = ReportRequest(
        tenant_id=wanted.tenant_id,
        report=wanted.report,
        frequency=order.kind,
        period_start=order.due.period_start,
        period_end=order.due.period_end,
        branch_id=wanted.branch_id,
        parameters=wanted.parameters,
        locale=wanted.locale or order.tenant.locale,
        template_dir=settings.template_dir,
        template=template,
        limits=Limits(settings.template_seconds, settings.template_megabytes),
    )
    return order, service.preview(settings, request, wanted.formats, folder)


def make_out(conn: Connection, asked: OnDemand, now: datetime, template_dir: Path | None) -> Order:
    """Which report of which days is meant. Raises MetricpressError where that is unknown or not possible."""
    if asked.subscription is not None:
        wanted = _overridden(subscriptions.find(conn, asked.subscription, asked.tenant), asked)
    else:
        wanted = _unsubscribed(asked, template_dir)
    tenant = tenant_of(conn, wanted.tenant_id)
    report = report_type(wanted.report, template_dir)
    kind, due = _period(conn, asked, wanted, tenant, now)
    check_frequency(report, kind)
    if wanted.subscription_id is None:
        # The row needs a frequency; the occurrence's period_kind says what was asked for.
        standing = kind if kind != "range" else cast(Frequency, report.frequencies[0])
        wanted = replace(wanted, frequency=standing)
    return Order(wanted, tenant, kind, due)


def submit(conn: Connection, order: Order, now: datetime, key: UUID) -> UUID:
    """Write the occurrence `key` with its deliveries, due now; what is there already stays as it is."""
    wanted = order.subscription
    with conn.transaction():
        known = conn.execute(
            "select from reporting.report_occurrences where tenant_id = %s and occurrence_id = %s",
            (wanted.tenant_id, key),
        ).fetchone()
        if known is not None:
            return key
        if wanted.subscription_id is None:
            wanted = subscriptions.insert(conn, wanted, order.tenant, "ad_hoc")
        conn.execute(
            _WRITE,
            {
                "tenant": wanted.tenant_id,
                "key": key,
                "subscription": wanted.subscription_id,
                "local_date": order.due.local_date,
                "start": order.due.period_start,
                "end": order.due.period_end,
                "now": now,
                "give_up": now + wanted.max_lateness,
                "kind": order.kind,
                "parameters": Jsonb(dict(wanted.parameters)),
                "formats": list(wanted.formats),
                "branch": wanted.branch_id,
                "locale": wanted.locale,
                "template": wanted.template_id,
                "channel": wanted.delivery_method,
                "recipients": list(wanted.recipients),
            },
        )
    return key


def _overridden(subscription: Subscription, asked: OnDemand) -> Subscription:
    if asked.report is not None and asked.report != subscription.report:
        raise MetricpressError(
            f"{subscription.name} is of report {subscription.report}, not {asked.report}",
            remedy="Leave --report out, or the subscription.",
        )
    if asked.method is not None and asked.method != subscription.delivery_method and not asked.recipients:
        raise MetricpressError(
            f"{subscription.name} goes out by {subscription.delivery_method}",
            remedy="Give --to with --method.",
        )
    return replace(
        subscription,
        branch_id=asked.branch or subscription.branch_id,
        parameters={**subscription.parameters, **(asked.parameters or {})},
        formats=asked.formats or subscription.formats,
        locale=asked.locale or subscription.locale,
        template=asked.template or subscription.template,
        recipients=asked.recipients or subscription.recipients,
        delivery_method=asked.method or subscription.delivery_method,
    )


def _unsubscribed(asked: OnDemand, template_dir: Path | None) -> Subscription:
    if asked.tenant is None or asked.report is None:
        raise MetricpressError(
            "it is not said which report", remedy="Name a subscription, or give --tenant and --report."
        )
    return Subscription(
        tenant_id=asked.tenant,
        name=AD_HOC,
        report=asked.report,
        frequency=cast(Frequency, report_type(asked.report, template_dir).frequencies[0]),
        branch_id=asked.branch,
        parameters=asked.parameters or {},
        formats=asked.formats or ("pdf",),
        locale=asked.locale,
        template=asked.template,
        recipients=asked.recipients or (),
        delivery_method=asked.method or "email",
    )


def _period(
    conn: Connection, asked: OnDemand, wanted: Subscription, tenant: Tenant, now: datetime
) -> tuple[PeriodKind, Due]:
    """The days asked for, in whichever way they were named."""
    until = min(now, tenant.clock_stops_at or now)
    schedule = schedule_of(wanted, tenant.timezone, tenant.week_start)
    today = until.astimezone(schedule.timezone).date()
    kind, days = _named_days(conn, asked, wanted, tenant)
    if days is not None:
        return kind, Due(today, now, *days)
    if wanted.subscription_id is None:
        raise MetricpressError(
            "it is not said for which days",
            remedy="Give --frequency, --period DAY or MONTH, --from with --to, or --days.",
        )
    if asked.on is not None:
        return wanted.frequency, occurrence(schedule, asked.on)
    found = latest(schedule, until)
    if found is None:
        raise MetricpressError(f"{wanted.name} was not due yet", remedy="Give --date.")
    return wanted.frequency, found


def _named_days(
    conn: Connection, asked: OnDemand, wanted: Subscription, tenant: Tenant
) -> tuple[PeriodKind, tuple[date, date] | None]:
    """Kind of period and its days, None where the subscription's own calendar says them."""
    _require_one_way(asked)
    kind = cast(PeriodKind, asked.frequency or wanted.frequency)
    if asked.first is not None and asked.last is not None:
        return "range", (asked.first, asked.last)
    if asked.days is not None:
        last = _complete_date(conn, tenant)
        return "range", (last - timedelta(days=asked.days - 1), last)
    if asked.period is not None:
        kind, day = _day_in(asked, wanted)
        return kind, whole_period(kind, day, tenant.week_start)
    if asked.frequency is not None and (asked.frequency != wanted.frequency or not wanted.subscription_id):
        return kind, newest_whole_period(kind, _complete_date(conn, tenant), tenant.week_start)
    return kind, None


def _require_one_way(asked: OnDemand) -> None:
    """One period, named once and possible."""
    named = {
        "a date": asked.on,
        "a period": asked.period,
        "first and last day": asked.first or asked.last,
        "a number of days": asked.days,
    }
    given = [name for name, value in named.items() if value is not None]
    if len(given) > 1:
        raise MetricpressError(
            f"{' and '.join(given)} name different days",
            remedy="Give one of --date, --period, --from with --to, --days.",
        )
    if asked.frequency not in (None, "daily", "weekly", "monthly"):
        raise MetricpressError(f"{asked.frequency!r} is no frequency", remedy="daily, weekly or monthly.")
    if asked.frequency is not None and given and given[0] != "a period":
        raise MetricpressError(
            f"{given[0]} and a frequency do not go together", remedy="Leave --frequency out."
        )
    if (asked.first is None) != (asked.last is None):
        raise MetricpressError("a range needs its first and its last day", remedy="Give --from D --to D.")
    if asked.first is not None and asked.last is not None and asked.last < asked.first:
        raise MetricpressError(f"the range ends ({asked.last}) before it begins ({asked.first})")
    if asked.days is not None and asked.days < 1:
        raise MetricpressError("a report needs a day", remedy="Give --days 1 or more.")
    if asked.on is not None and asked.subscription is None:
        raise MetricpressError(
            "a date is one on which a subscription is due", remedy="Give --period, or name a subscription."
        )


def _day_in(asked: OnDemand, wanted: Subscription) -> tuple[PeriodKind, date]:
    text = asked.period or ""
    by_month = _MONTH.fullmatch(text) is not None
    try:
        day = date.fromisoformat(f"{text}-01" if by_month else text)
    except ValueError as error:
        raise MetricpressError(
            f"{text!r} is no day and no month", remedy="Write --period 2026-11-20 or --period 2026-11."
        ) from error
    kind = asked.frequency or ("monthly" if by_month else None)
    if kind is None and wanted.subscription_id is not None:
        kind = wanted.frequency
    if kind is None:
        raise MetricpressError(
            f"{text} lies in a day, a week and a month", remedy="Give --frequency daily, weekly or monthly."
        )
    if by_month and kind != "monthly":
        raise MetricpressError(f"{text} is a month, not {kind}", remedy="Give a day of the period.")
    return cast(PeriodKind, kind), day


def _complete_date(conn: Connection, tenant: Tenant) -> date:
    """The tenant's last complete day, as the marts know it."""
    built = conn.execute("select to_regclass('marts.tenants')").fetchone()
    row = (
        conn.execute(
            "select complete_date from marts.tenants where tenant_id = %s", (tenant.tenant_id,)
        ).fetchone()
        if built and built[0]
        else None
    )
    if row is None:
        raise MetricpressError(
            f"the marts have no rows of tenant {tenant.tenant_id}", remedy="Run: metricpress build"
        )
    return cast(date, row[0])


def _require_begun(order: Order, now: datetime) -> None:
    """Refuse a report whose last day lies ahead: it would wait for data that cannot come."""
    schedule = schedule_of(order.subscription, order.tenant.timezone, order.tenant.week_start)
    today = min(now, order.tenant.clock_stops_at or now).astimezone(schedule.tenant_timezone).date()
    if order.due.period_end > today:
        raise MetricpressError(
            f"the period ends on {order.due.period_end}, which lies ahead",
            remedy=f"For tenant {order.tenant.tenant_id} it is {today}; deliver preview shows what is there.",
        )
