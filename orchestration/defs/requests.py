"""What a person asks for in the Dagster UI: a report on demand, and what failed again.

Belongs here: the typed forms of the launchpad and how a result is shown. Does not belong here: what a request
means and does (orchestration/delivery), which the command line shares.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

import dagster as dg
from pydantic import Field

from orchestration.defs.reports import (
    POOL,
    dispatch_metadata,
    documents_metadata,
    fail_with,
    report_key,
)
from orchestration.defs.retries import TRANSIENT_RETRIES, retrying_only_transient
from orchestration.delivery import requests, resending
from orchestration.delivery.outcome import DispatchResult
from orchestration.delivery.subscriptions import find
from orchestration.errors import MetricpressError
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect


class ReportFrequency(Enum):
    """How long a report's period is."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class ReportOnDemand(dg.Config):
    """The form of the launchpad for one report: of a subscription, or of a tenant and report."""

    subscription: str | None = Field(
        default=None, description="its name or id; tenant and report may then stay empty"
    )
    tenant: str | None = Field(default=None, description="tenant_id, as in `metricpress tenants list`")
    report: str | None = Field(
        default=None, description="executive, lead_performance, or a report of your own"
    )
    frequency: ReportFrequency | None = Field(default=None, description="DAILY, WEEKLY or MONTHLY")
    period: str | None = Field(
        default=None,
        description="a day of it, as 2026-11-20, or a month, as 2026-11; empty: the newest complete one",
    )
    first_day: str | None = Field(default=None, description="with last_day: any range of days, as 2026-11-03")
    last_day: str | None = Field(default=None, description="inclusive")
    days: int | None = Field(default=None, description="so many days, ending with the last complete one")
    due_on: str | None = Field(
        default=None, description="as if due on that local date; with a subscription only"
    )
    branch: str | None = Field(default=None, description="branch_id; empty: the whole tenant")
    formats: list[str] | None = Field(
        default=None, description="pdf, html, xlsx, csv, json; empty: pdf, or the subscription's"
    )
    locale: str | None = Field(default=None, description="language and number format; empty: the tenant's")
    parameters: dict[str, Any] = Field(
        default={}, description="as report_templates/<report>/parameters.schema.json allows"
    )
    recipients: list[str] = Field(
        default=[], description="who gets it; empty: only render, and show the file and its first page here"
    )
    to_subscribers: bool = Field(default=False, description="send it to the subscription's own recipients")
    method: str | None = Field(default=None, description="email, slack, webhook or file; empty: email")


class ResendFailed(dg.Config):
    """The form of the launchpad for what failed: everything due lately, or one subscription or delivery."""

    delivery: str | None = Field(default=None, description="one delivery by its id; also an unknown one")
    subscription: str | None = Field(default=None, description="only of this one, by name or id")
    tenant: str | None = Field(default=None, description="only of this tenant_id")
    days: int = Field(default=7, ge=1, description="due within so many days")
    unknown: bool = Field(default=False, description="also what may have arrived: it may be a second copy")
    fresh: bool = Field(default=False, description="render anew: figures may differ from those that failed")


@dg.op(name="render_report", retry_policy=TRANSIENT_RETRIES, pool=POOL)
def render_report(
    context: dg.OpExecutionContext, config: ReportOnDemand, settings: dg.ResourceParam[Settings]
) -> None:
    """Render one report now; with recipients, send it to them through the ledger."""
    with retrying_only_transient():
        asked = on_demand(config)
        if config.recipients or config.to_subscribers:
            # The run is the key of what it asks for: another attempt of it goes on, and asks for nothing new.
            sent = requests.send(settings, asked, key=uuid5(NAMESPACE_OID, context.run_id))
        else:
            sent = None
            order, paths = requests.preview(settings, asked, settings.output_dir / "on_demand")
    if sent is not None:
        show(context, sent)
        return
    documents = [path for path in paths if ".mail." not in path.name]
    shown = {
        "tenant": order.tenant.tenant_id,
        "period": f"{order.due.period_start} to {order.due.period_end}",
        **documents_metadata(documents),
    }
    _materialize(context, order.subscription.report, "on demand, not sent", shown)


@dg.op(name="send_again", retry_policy=TRANSIENT_RETRIES, pool=POOL)
def send_again(
    context: dg.OpExecutionContext, config: ResendFailed, settings: dg.ResourceParam[Settings]
) -> None:
    """Send failed deliveries again; another attempt finds nothing that was sent meanwhile."""
    with retrying_only_transient():
        resent = resending.resend(settings, again(config, settings))
    for recipient in resent.doubtful:
        context.log.warning("%s may have had it before: this may be a second copy", recipient)
    show(context, resent.result, [f"{recipient}: {reason}" for recipient, reason in resent.left])


def on_demand(config: ReportOnDemand) -> requests.OnDemand:
    """The form as a request."""
    if config.to_subscribers and config.recipients:
        raise MetricpressError(
            "recipients and to_subscribers name different people", remedy="Give one of them."
        )
    return requests.OnDemand(
        subscription=config.subscription,
        tenant=config.tenant,
        report=config.report,
        frequency=config.frequency.value if config.frequency else None,
        period=config.period,
        first=_day(config.first_day),
        last=_day(config.last_day),
        days=config.days,
        on=_day(config.due_on),
        branch=config.branch,
        parameters=config.parameters or None,
        formats=config.formats,
        locale=config.locale,
        recipients=config.recipients or None,
        method=config.method,
    )


def again(config: ResendFailed, settings: Settings) -> resending.Again:
    """The form as a request; MetricpressError for an unknown subscription or delivery."""
    delivery: UUID | None = None
    subscription, tenant = None, config.tenant
    with connect(settings, "pipeline") as conn:
        if config.subscription is not None:
            found = find(conn, config.subscription, config.tenant)
            subscription, tenant = found.subscription_id, found.tenant_id
        if config.delivery is not None:
            delivery = resending.find_delivery(conn, config.delivery, config.tenant)
            if delivery is None:
                raise MetricpressError(
                    f"there is no delivery {config.delivery}", remedy="See: metricpress deliveries list"
                )
    since = None if delivery else datetime.now(UTC) - timedelta(days=config.days)
    return resending.Again(
        delivery=delivery, subscription=subscription, tenant=tenant, since=since, unknown=config.unknown,
        fresh=config.fresh,
    )  # fmt: skip


def show(context: dg.OpExecutionContext, result: DispatchResult, left: Sequence[str] = ()) -> None:
    """The result as events of the reports; fails the run with those who did not get theirs."""
    for name in dict.fromkeys(outcome.report for outcome in result.outcomes):
        mine = [outcome for outcome in result.outcomes if outcome.report == name]
        sent = sum(outcome.delivery_status == "sent" for outcome in mine)
        _materialize(context, name, f"{sent} of {len(mine)} sent", dispatch_metadata(mine))
    # Also what waits or failed for a while, though it is tried again by itself: who asked wants to know.
    fail_with([o for o in result.outcomes if o.delivery_status != "sent"], left)


def _materialize(
    context: dg.OpExecutionContext, report: str, description: str, metadata: dict[str, Any]
) -> None:
    context.log_event(dg.AssetMaterialization(report_key(report), description=description, metadata=metadata))


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise MetricpressError(f"{text!r} is not a date", remedy="Give the day as 2026-11-20.") from error
