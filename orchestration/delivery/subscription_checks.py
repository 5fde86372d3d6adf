"""What may be ordered: every field of a subscription checked, each refusal with the field it is about.

Belongs here: validation and the stored form. Does not: reading and writing rows (subscriptions).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from orchestration.delivery.calendar import FREQUENCIES, HOLIDAY_RULES, parse_delivery_days
from orchestration.delivery.channels import CHANNELS
from orchestration.delivery.holiday_calendar import holiday_calendar
from orchestration.delivery.recipients import Limits, check_address, check_recipients
from orchestration.errors import MetricpressError

if TYPE_CHECKING:
    from orchestration.delivery.subscriptions import Subscription, Tenant
    from orchestration.reports.own.template import OwnTemplate

MISFIRE_POLICIES = ("catch_up", "skip")
WHEN_INCOMPLETE = ("notice", "hold")
#: A report that comes later than that is of no use to anybody.
LONGEST_LATENESS = timedelta(days=366)


class FieldError(MetricpressError):
    """A value of a subscription that will not do; `field` is the column."""

    def __init__(self, field: str, error: MetricpressError) -> None:
        super().__init__(str(error), remedy=error.remedy)
        self.field = field


def checked(
    subscription: Subscription,
    tenant: Tenant,
    template_dir: Path | None = None,
    private_hosts: Sequence[str] = (),
) -> Subscription:
    """The subscription in its stored form; raises FieldError naming the value and what is allowed."""
    template = _checked_report(subscription, tenant, template_dir)
    with _about("name"):
        if not subscription.name.strip():
            raise MetricpressError("a subscription needs a name", remedy="Give --name.")
    with _about("branch_id"):
        if subscription.branch_id is not None:
            one_of(f"branch of tenant {tenant.tenant_id}", subscription.branch_id, tenant.branches)
    with _about("delivery_method"):
        one_of("delivery method", subscription.delivery_method, CHANNELS)
    limits = Limits(tenant.tenant_id, tenant.allowed_domains, private_hosts)
    with _about("recipients"):
        recipients = check_recipients(subscription.delivery_method, subscription.recipients, limits)
    _check_calendar(subscription, tenant)
    _check_policy(subscription)
    with _about("delivery_days"):
        days = _delivery_days(subscription)
    return replace(
        subscription,
        name=subscription.name.strip(),
        delivery_days=days,
        formats=tuple(dict.fromkeys(subscription.formats)),
        recipients=recipients,
        template_id=template.template_id if template is not None else None,
    )


def _checked_report(
    subscription: Subscription, tenant: Tenant, template_dir: Path | None
) -> OwnTemplate | None:
    """Report, template, parameters and formats that go together; returns the template, if one is named."""
    # Half a second of imports that listing and explaining do without.
    from orchestration.reports.own.parameters import check_all, check_use
    from orchestration.reports.service import SENT_FORMATS
    from orchestration.reports.templates import check_parameters, report_type

    with _about("report"):
        report = report_type(subscription.report, template_dir)
    with _about("frequency"):
        one_of("frequency", subscription.frequency, FREQUENCIES)
        one_of(f"frequency of report {report.name}", subscription.frequency, report.frequencies)
    with _about("template"):
        template = _template(subscription, tenant)
        if template is not None:
            check_use(template, report, ())
    with _about("parameters"):
        if template is None:
            check_parameters(report, subscription.parameters)
        else:
            check_all(template, report, subscription.parameters)
    with _about("formats"):
        if not subscription.formats:
            raise MetricpressError("a subscription needs a format", remedy="Give --format pdf.")
        for chosen in subscription.formats:
            one_of("format", chosen, SENT_FORMATS)
        if template is not None:
            check_use(template, report, subscription.formats)
    return template


def _template(subscription: Subscription, tenant: Tenant) -> OwnTemplate | None:
    """The template that is named, as far as a subscription has to fit it."""
    from orchestration.reports.own.template import OwnTemplate

    if subscription.template is None:
        return None
    one_of(f"template of tenant {tenant.tenant_id}", subscription.template, tenant.templates)
    row = tenant.templates[subscription.template]
    return OwnTemplate(
        subscription.template,
        row["report_type"],
        "",
        parameters_schema=row["parameters_schema"],
        output_formats=tuple(row["output_formats"]),
        template_id=UUID(row["template_id"]),
    )


def _check_calendar(subscription: Subscription, tenant: Tenant) -> None:
    with _about("timezone"):
        if subscription.timezone is not None:
            zone(subscription.timezone, subscription.name)
        zone(tenant.timezone, f"tenant {tenant.tenant_id}")
    with _about("holiday_calendar"):
        if subscription.holiday_calendar is not None:
            holiday_calendar(subscription.holiday_calendar)
        elif subscription.holiday_rule is not None:
            raise MetricpressError(
                f"holiday rule {subscription.holiday_rule!r} without a holiday calendar",
                remedy="Give --holidays DE-BY, or leave the rule out.",
            )
    with _about("holiday_rule"):
        if subscription.holiday_calendar is not None:
            one_of("holiday rule", subscription.holiday_rule or "", HOLIDAY_RULES)


def _check_policy(subscription: Subscription) -> None:
    with _about("locale"):
        if subscription.locale is not None:
            from orchestration.reports.formatting import require_language

            require_language(subscription.locale)
    with _about("misfire_policy"):
        one_of("misfire policy", subscription.misfire_policy, MISFIRE_POLICIES)
    with _about("when_incomplete"):
        one_of("choice for incomplete data", subscription.when_incomplete, WHEN_INCOMPLETE)
    with _about("max_lateness"):
        if not timedelta(0) < subscription.max_lateness <= LONGEST_LATENESS:
            raise MetricpressError(
                f"a max lateness of {subscription.max_lateness / timedelta(hours=1):g} hours is not possible",
                remedy="Give hours above 0, at most 8784 (366 days).",
            )
    with _about("owner"):
        if subscription.owner is not None:
            check_address(subscription.owner)


def _delivery_days(subscription: Subscription) -> tuple[str, ...]:
    try:
        return parse_delivery_days(subscription.frequency, tuple(subscription.delivery_days))
    except ValueError as error:
        raise MetricpressError(str(error), remedy="Correct --days.") from error


@contextmanager
def _about(field: str) -> Iterator[None]:
    try:
        yield
    except MetricpressError as error:
        raise FieldError(field, error) from error


def one_of(what: str, value: str, allowed: Sequence[str] | Mapping[str, Any]) -> None:
    """Refuse a value that is not among the allowed, naming them."""
    if value not in allowed:
        known = ", ".join(allowed) or "none"
        raise MetricpressError(f"{value!r} is not a {what}", remedy=f"Known: {known}.")


def zone(name: str, whose: str) -> ZoneInfo:
    """The IANA zone of that name; an unknown one is a MetricpressError with the nearest."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        from difflib import get_close_matches

        near = get_close_matches(name, available_timezones(), n=3)
        raise MetricpressError(
            f"{whose}: {name!r} is not an IANA time zone",
            remedy=f"Did you mean {', '.join(near)}?" if near else "Use a name such as Europe/Lisbon.",
        ) from error
