"""metricpress subscriptions: who gets which report, when and how."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, time, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.console import AsJson, Yes, confirm, print_json, print_table, remark
from orchestration.cli.main import new_app
from orchestration.cli.on_demand import parameter_from
from orchestration.cli.subscription_agenda import Key, OfTenant, explain, tell_next, when
from orchestration.cli.subscription_files import export, import_file, print_changes
from orchestration.errors import MetricpressError
from orchestration.settings import Settings

if TYPE_CHECKING:
    import psycopg

    from orchestration.delivery.subscriptions import Subscription

app = new_app(help="Who gets which report, when and how. SUBSCRIPTION is its name or its id.")
app.command()(explain)

To = typer.Option(help="Mail address, Slack channel, webhook URL or folder; once for each.")
At = typer.Option("--time", metavar="HH:MM", help="Local time.")
Days = typer.Option(metavar="DAYS", help="mon,wed or weekdays; monthly: 1,15,31. Default: as it falls.")
Timezone = typer.Option(help="IANA name; default the tenant's.")
StartsOn = typer.Option(metavar="DATE", help="No report before it; default today.")
Branch = typer.Option(help="Only this branch.")
Template = typer.Option(metavar="NAME", help="An own template; default the report's own look.")
Param = typer.Option(metavar="NAME=VALUE", help="Of the report.")
Formats = typer.Option("--format", metavar="FORMATS", help="pdf,html,xlsx,csv,json")
Method = typer.Option(help="email, slack, webhook or file.")
Locale = typer.Option(help="en, en_GB, de, de_AT ...; default the tenant's.")
Misfire = typer.Option(help="catch_up (send the newest missed report, marked late) or skip.")
MaxLateness = typer.Option(metavar="HOURS", help="Later than that is missed; data are waited for so long.")
WhenIncomplete = typer.Option(help="After that: notice (tell that data are incomplete) or hold.")
Owner = typer.Option(help="Mail address of who is told when a delivery fails; default the operator.")
Holidays = typer.Option(metavar="CALENDAR", help="DE, DE-BY, US-NY, XNYS ...")
HolidayRule = typer.Option(help="On a holiday: skip, before or after.")


@app.command()
def add(
    *,
    tenant: Annotated[str, typer.Option(help="Whose figures.")],
    report: Annotated[str, typer.Option(help="executive, lead_performance, ...")],
    to: Annotated[list[str], To],
    frequency: Annotated[str, typer.Option(help="daily, weekly or monthly.")] = "daily",
    at: Annotated[str, At] = "09:00",
    days: Annotated[str, Days] = "",
    timezone: Annotated[str | None, Timezone] = None,
    holidays: Annotated[str | None, Holidays] = None,
    holiday_rule: Annotated[str | None, HolidayRule] = None,
    name: Annotated[str | None, typer.Option(help="Default: report and frequency.")] = None,
    starts_on: Annotated[str | None, StartsOn] = None,
    branch: Annotated[str | None, Branch] = None,
    param: Annotated[list[str] | None, Param] = None,
    template: Annotated[str | None, Template] = None,
    formats: Annotated[str, Formats] = "pdf",
    method: Annotated[str, Method] = "email",
    locale: Annotated[str | None, Locale] = None,
    misfire: Annotated[str, Misfire] = "catch_up",
    max_lateness: Annotated[float, MaxLateness] = 24,
    when_incomplete: Annotated[str, WhenIncomplete] = "notice",
    owner: Annotated[str | None, Owner] = None,
    as_json: AsJson = False,
) -> None:
    """Add a subscription; everything is checked before it is stored."""
    from orchestration.delivery.subscriptions import Subscription
    from orchestration.delivery.subscriptions import add as store

    wanted = Subscription(
        tenant_id=tenant,
        name=f"{report} {frequency}" if name is None else name,
        report=report,
        frequency=frequency,  # type: ignore[arg-type]  # checked by `add`
        recipients=to,
        delivery_time=_time_from(at),
        delivery_days=_split(days),
        timezone=timezone,
        starts_on=_date_from(starts_on, "--starts-on") if starts_on else None,
        branch_id=branch,
        parameters=dict(parameter_from(text) for text in param or ()),
        template=template,
        formats=_split(formats),
        delivery_method=method,
        locale=locale,
        misfire_policy=misfire,
        max_lateness=_hours(max_lateness),
        holiday_calendar=holidays,
        holiday_rule=holiday_rule,
        when_incomplete=when_incomplete,
        owner=owner,
    )
    settings = Settings.from_env()
    with _connection(settings) as conn:
        stored = store(conn, wanted, settings.template_dir, private_hosts=settings.webhook_private_hosts)
        if as_json:
            print_json(_plain(stored))
            return
        print(f'Subscription "{stored.name}" of tenant {stored.tenant_id} added:')
        print(f"    {stored.subscription_id}")
        tell_next(conn, stored)


@app.command()
def edit(
    key: Key,
    *,
    of_tenant: OfTenant = None,
    report: Annotated[str | None, typer.Option(help="Another report.")] = None,
    to: Annotated[list[str] | None, To] = None,
    frequency: Annotated[str | None, typer.Option(help="daily, weekly or monthly.")] = None,
    at: Annotated[str | None, At] = None,
    days: Annotated[str | None, Days] = None,
    timezone: Annotated[str | None, Timezone] = None,
    holidays: Annotated[str | None, Holidays] = None,
    holiday_rule: Annotated[str | None, HolidayRule] = None,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    starts_on: Annotated[str | None, StartsOn] = None,
    branch: Annotated[str | None, Branch] = None,
    param: Annotated[list[str] | None, Param] = None,
    unset: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Take a parameter away.")] = None,
    template: Annotated[str | None, Template] = None,
    formats: Annotated[str | None, Formats] = None,
    method: Annotated[str | None, Method] = None,
    locale: Annotated[str | None, Locale] = None,
    misfire: Annotated[str | None, Misfire] = None,
    max_lateness: Annotated[float | None, MaxLateness] = None,
    when_incomplete: Annotated[str | None, WhenIncomplete] = None,
    owner: Annotated[str | None, Owner] = None,
    as_json: AsJson = False,
) -> None:
    """Change what is given and nothing else; the word `none` takes a value away.

    Recipients given replace all. What is planned stays planned; a new calendar begins today.
    """
    from orchestration.delivery.subscription_changes import edit as change
    from orchestration.delivery.subscriptions import find

    changes = _changes(
        report=report,
        recipients=to,
        frequency=frequency,
        delivery_time=None if at is None else _time_from(at),
        delivery_days=None if days is None else () if days == "none" else _split(days),
        name=name,
        starts_on=None if starts_on is None else _date_from(starts_on, "--starts-on"),
        formats=None if formats is None else _split(formats),
        delivery_method=method,
        misfire_policy=misfire,
        max_lateness=None if max_lateness is None else _hours(max_lateness),
        when_incomplete=when_incomplete,
        timezone=timezone,
        holiday_calendar=holidays,
        holiday_rule="none" if holidays == "none" else holiday_rule,
        branch_id=branch,
        locale=locale,
        owner=owner,
        template=template,
    )
    settings = Settings.from_env()
    with _connection(settings) as conn:
        before = find(conn, key, of_tenant)
        if param or unset:
            kept = {k: v for k, v in before.parameters.items() if k not in (unset or ())}
            changes["parameters"] = kept | dict(parameter_from(text) for text in param or ())
        after, told = change(
            conn, before, changes, settings.template_dir, private_hosts=settings.webhook_private_hosts
        )
        if as_json:
            print_json(_plain(after) | {"changes": [vars(one) for one in told]})
            return
        if not told:
            remark("Nothing changed.")
            return
        print(f'Subscription "{after.name}" of tenant {after.tenant_id} changed:')
        print_changes(told)
        if after.is_active:
            tell_next(conn, after)


@app.command("list")
def list_subscriptions(tenant: OfTenant = None, as_json: AsJson = False) -> None:
    """List all subscriptions."""
    from orchestration.delivery.subscriptions import listed
    from orchestration.warehouse.tenants import require_tenant

    with _connection(Settings.from_env()) as conn:
        if tenant is not None:
            require_tenant(conn, tenant)
        rows = [
            _plain(subscription) | {"when": when(subscription), "active": subscription.is_active}
            for subscription in listed(conn, tenant)
        ]
    if as_json:
        print_json(rows)
        return
    if not rows:
        remark("There is no subscription yet. Add one: metricpress subscriptions add --help")
    for number, (tenant_id, of_tenant) in enumerate(groupby(rows, lambda row: row["tenant_id"])):
        if number:
            print()
        named = [row | {"recipients": "\n".join(row["recipients"])} for row in of_tenant]
        print_table(named, ("name", "when", "recipients", "active"), title=tenant_id)


@app.command()
def show(key: Key, tenant: OfTenant = None, as_json: AsJson = False) -> None:
    """Show everything about one subscription, and its next report."""
    from orchestration.delivery.subscriptions import find

    with _connection(Settings.from_env()) as conn:
        subscription = find(conn, key, tenant)
        if as_json:
            print_json(_plain(subscription))
            return
        rows = [{"field": field, "value": value} for field, value in _plain(subscription).items()]
        print_table([row for row in rows if row["value"] not in (None, [], {})], ("field", "value"))
        if subscription.is_active:
            tell_next(conn, subscription)
        else:
            remark("Paused: nothing is sent. metricpress subscriptions resume")


@app.command()
def pause(key: Key, tenant: OfTenant = None, as_json: AsJson = False) -> None:
    """Send nothing until it is resumed."""
    from orchestration.delivery.subscriptions import find
    from orchestration.delivery.subscriptions import pause as pause_it

    with _connection(Settings.from_env()) as conn:
        subscription = find(conn, key, tenant)
        pause_it(conn, subscription)
        paused = find(conn, str(subscription.subscription_id))
    print_json(_plain(paused)) if as_json else print(f'Subscription "{paused.name}" paused.')


@app.command()
def resume(key: Key, tenant: OfTenant = None, as_json: AsJson = False) -> None:
    """Go on from today; reports of the pause are not sent afterwards."""
    from orchestration.delivery.subscriptions import find
    from orchestration.delivery.subscriptions import resume as resume_it

    with _connection(Settings.from_env()) as conn:
        resume_it(conn, find(conn, key, tenant))
        subscription = find(conn, key, tenant)
        if as_json:
            print_json(_plain(subscription))
            return
        print(f'Subscription "{subscription.name}" resumed.')
        tell_next(conn, subscription)


@app.command()
def delete(key: Key, tenant: OfTenant = None, yes: Yes = False, as_json: AsJson = False) -> None:
    """Delete a subscription; the ledger of what it sent is kept."""
    from orchestration.delivery.subscriptions import delete as delete_it
    from orchestration.delivery.subscriptions import find

    with _connection(Settings.from_env()) as conn:
        subscription = find(conn, key, tenant)
        confirm(f'Delete the subscription "{subscription.name}" of {subscription.tenant_id}?', yes)
        delete_it(conn, subscription)
    print_json(_plain(subscription)) if as_json else print(f'Subscription "{subscription.name}" deleted.')


app.command("import")(import_file)
app.command()(export)


@contextmanager
def _connection(settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    from orchestration.warehouse.connection import connect

    with connect(settings, "pipeline") as conn:
        yield conn


def _changes(**given: Any) -> dict[str, Any]:
    """The fields that were given; `none` takes the value of one away that may have none."""
    optional = (
        "timezone", "holiday_calendar", "holiday_rule", "branch_id", "locale", "owner", "template",
    )  # fmt: skip
    return {
        field: None if field in optional and value == "none" else value
        for field, value in given.items()
        if value is not None
    }


def _plain(subscription: Subscription) -> dict[str, Any]:
    from orchestration.delivery.subscription_changes import plain

    told = plain(subscription)
    return {"subscription_id": told.pop("subscription_id")} | told


def _hours(value: float) -> timedelta:
    """A number of hours; more than fits is refused as too many by the checks."""
    return timedelta(hours=max(-1e6, min(1e6, value)))


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _time_from(text: str) -> time:
    try:
        parsed = time.fromisoformat(text)
    except ValueError as error:
        raise MetricpressError(f"{text!r} is no time of day", remedy="Write --time 09:00.") from error
    if parsed.tzinfo is not None:
        raise MetricpressError(f"{text!r} has an offset", remedy="Write local time; --timezone says where.")
    return parsed.replace(second=0, microsecond=0)


def _date_from(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise MetricpressError(f"{text!r} is no day", remedy=f"Write {option} 2026-03-31.") from error
