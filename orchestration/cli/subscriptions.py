"""metricpress subscriptions: who gets which report, when and how."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.console import AsJson, Yes, confirm, print_json, print_table, remark
from orchestration.cli.deliver import days_covered, moment_of
from orchestration.cli.main import new_app
from orchestration.errors import MetricpressError
from orchestration.settings import Settings

if TYPE_CHECKING:
    import psycopg

    from orchestration.delivery.calendar import Schedule
    from orchestration.delivery.subscriptions import Subscription

app = new_app(help="Who gets which report, when and how. SUBSCRIPTION is its name or its id.")

Key = Annotated[str, typer.Argument(metavar="SUBSCRIPTION", help="Its name, its id, or how the id begins.")]
OfTenant = Annotated[str | None, typer.Option("--tenant", help="Only of this tenant.")]


@app.command()
def add(
    *,
    tenant: Annotated[str, typer.Option(help="Whose figures.")],
    report: Annotated[str, typer.Option(help="executive, lead_performance, ...")],
    to: Annotated[list[str], typer.Option(help="A mail address (file: a folder); once for each.")],
    frequency: Annotated[str, typer.Option(help="daily, weekly or monthly.")] = "daily",
    at: Annotated[str, typer.Option("--time", metavar="HH:MM", help="Local time.")] = "09:00",
    days: Annotated[
        str, typer.Option(metavar="DAYS", help="mon,wed or weekdays; monthly: 1,15,31. Default: as it falls.")
    ] = "",
    timezone: Annotated[str | None, typer.Option(help="IANA name; default the tenant's.")] = None,
    name: Annotated[str | None, typer.Option(help="Default: report and frequency.")] = None,
    starts_on: Annotated[
        str | None, typer.Option(metavar="DATE", help="No report before it; default today.")
    ] = None,
    branch: Annotated[str | None, typer.Option(help="Only this branch.")] = None,
    param: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="Of the report.")] = None,
    formats: Annotated[str, typer.Option("--format", metavar="FORMATS", help="pdf,html")] = "pdf",
    method: Annotated[str, typer.Option(help="email or file.")] = "email",
    locale: Annotated[str | None, typer.Option(help="en, de, pt_PT ...; default the tenant's.")] = None,
    misfire: Annotated[
        str, typer.Option(help="catch_up (send the newest missed report, marked late) or skip.")
    ] = "catch_up",
    max_lateness: Annotated[float, typer.Option(metavar="HOURS", help="Later than that is missed.")] = 24,
    as_json: AsJson = False,
) -> None:
    """Add a subscription; everything is checked before it is stored."""
    from orchestration.delivery.subscriptions import Subscription
    from orchestration.delivery.subscriptions import add as store

    wanted = Subscription(
        tenant_id=tenant,
        name=name or f"{report} {frequency}",
        report=report,
        frequency=frequency,  # type: ignore[arg-type]  # checked by `add`
        recipients=to,
        delivery_time=_time_from(at),
        delivery_days=_split(days),
        timezone=timezone,
        starts_on=_date_from(starts_on, "--starts-on") if starts_on else None,
        branch_id=branch,
        parameters=dict(_parameter(text) for text in param or ()),
        formats=_split(formats),
        delivery_method=method,
        locale=locale,
        misfire_policy=misfire,
        max_lateness=timedelta(hours=max_lateness),
    )
    settings = Settings.from_env()
    with _connection(settings) as conn:
        stored = store(conn, wanted, settings.template_dir)
        schedule, stops_at = _schedule(conn, stored)
    if as_json:
        print_json(_plain(stored))
        return
    print(f'Subscription "{stored.name}" of tenant {stored.tenant_id} added: {stored.subscription_id}')
    _tell_next(schedule, stops_at)


@app.command("list")
def list_subscriptions(tenant: OfTenant = None, as_json: AsJson = False) -> None:
    """List all subscriptions."""
    from orchestration.delivery.subscriptions import listed
    from orchestration.warehouse.tenants import require_tenant

    with _connection(Settings.from_env()) as conn:
        if tenant is not None:
            require_tenant(conn, tenant)
        rows = [_plain(subscription) for subscription in listed(conn, tenant)]
    for row in rows:
        row["when"] = _when(row)
        row["active"] = row["is_active"]
    columns = ("tenant_id", "name", "when", "recipients", "active")
    empty = "There is no subscription yet. Add one: metricpress subscriptions add --help"
    print_table(rows, columns, as_json=as_json, empty=empty)


@app.command()
def show(key: Key, tenant: OfTenant = None, as_json: AsJson = False) -> None:
    """Show everything about one subscription, and its next report."""
    from orchestration.delivery.subscriptions import find

    with _connection(Settings.from_env()) as conn:
        subscription = find(conn, key, tenant)
        schedule, stops_at = _schedule(conn, subscription)
    if as_json:
        print_json(_plain(subscription))
        return
    rows = [{"field": field, "value": value} for field, value in _plain(subscription).items()]
    print_table([row for row in rows if row["value"] not in (None, [], {})], ("field", "value"))
    if subscription.is_active:
        _tell_next(schedule, stops_at)
    else:
        remark("Paused: nothing is sent. metricpress subscriptions resume")


@app.command()
def pause(key: Key, tenant: OfTenant = None) -> None:
    """Send nothing until it is resumed."""
    from orchestration.delivery.subscriptions import find
    from orchestration.delivery.subscriptions import pause as pause_it

    with _connection(Settings.from_env()) as conn:
        subscription = find(conn, key, tenant)
        pause_it(conn, subscription)
    print(f'Subscription "{subscription.name}" paused.')


@app.command()
def resume(key: Key, tenant: OfTenant = None) -> None:
    """Go on from today; reports of the pause are not sent afterwards."""
    from orchestration.delivery.subscriptions import find
    from orchestration.delivery.subscriptions import resume as resume_it

    with _connection(Settings.from_env()) as conn:
        resume_it(conn, find(conn, key, tenant))
        subscription = find(conn, key, tenant)
        schedule, stops_at = _schedule(conn, subscription)
    print(f'Subscription "{subscription.name}" resumed.')
    _tell_next(schedule, stops_at)


@app.command()
def delete(key: Key, tenant: OfTenant = None, yes: Yes = False) -> None:
    """Delete a subscription; the ledger of what it sent is kept."""
    from orchestration.delivery.subscriptions import delete as delete_it
    from orchestration.delivery.subscriptions import find

    with _connection(Settings.from_env()) as conn:
        subscription = find(conn, key, tenant)
        confirm(f'Delete the subscription "{subscription.name}" of {subscription.tenant_id}?', yes)
        delete_it(conn, subscription)
    print(f'Subscription "{subscription.name}" deleted.')


@app.command()
def explain(
    key: Key,
    tenant: OfTenant = None,
    count: Annotated[int, typer.Option(min=1, max=366, help="How many.")] = 10,
    after: Annotated[str | None, typer.Option(metavar="MOMENT", help="Later than this; default now.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell the next due times, in local time and UTC, the days each covers, and why."""
    from orchestration.delivery.calendar import peculiarity, upcoming
    from orchestration.delivery.subscriptions import find

    with _connection(Settings.from_env()) as conn:
        subscription = find(conn, key, tenant)
        schedule, stops_at = _schedule(conn, subscription)
    start = moment_of(after)
    rows = [
        {
            "local_date": due.local_date,
            "due": f"{due.due_at.astimezone(schedule.timezone):%a %Y-%m-%d %H:%M}",
            "utc": f"{due.due_at:%m-%d %H:%M}",
            "covers": days_covered(due.period_start, due.period_end),
            "due_at": due.due_at,
            "period_start": due.period_start,
            "period_end": due.period_end,
            "remark": peculiarity(schedule, due),
        }
        for due in upcoming(schedule, start, count)
        if stops_at is None or due.due_at <= stops_at
    ]
    if as_json:
        print_json(rows)
        return
    print(f"{_when(_plain(subscription))} on the clock of {schedule.timezone.key}.")
    if schedule.timezone.key != schedule.tenant_timezone.key:
        print(f"It is about whole days of the tenant, of {schedule.tenant_timezone.key}.")
    columns = ("due", "utc", "covers", *(("remark",) if any(row["remark"] for row in rows) else ()))
    print_table(rows, columns, empty=f"Nothing: the tenant's history ends on {stops_at}.")
    if not subscription.is_active:
        remark("Paused: none of these is sent before it is resumed.")


@contextmanager
def _connection(settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    from orchestration.warehouse.connection import connect

    with connect(settings, "pipeline") as conn:
        yield conn


def _schedule(conn: psycopg.Connection[Any], subscription: Subscription) -> tuple[Schedule, datetime | None]:
    """Its calendar, and the moment at which its tenant's history ends."""
    from orchestration.delivery.subscriptions import schedule_of, tenant_of

    tenant = tenant_of(conn, subscription.tenant_id)
    return schedule_of(subscription, tenant.timezone, tenant.week_start), tenant.clock_stops_at


def _tell_next(schedule: Schedule, stops_at: datetime | None) -> None:
    from orchestration.delivery.calendar import due_between, upcoming

    now = datetime.now(UTC)
    until = min(now, stops_at) if stops_at else now
    if due_between(schedule, None, until):
        print("Its latest report is due already: metricpress deliver sends it.")
    (following,) = upcoming(schedule, until, 1)
    if stops_at is None or following.due_at <= stops_at:
        print(
            f"Next: {following.due_at.astimezone(schedule.timezone):%a %Y-%m-%d %H:%M} "
            f"{schedule.timezone.key}, about {days_covered(following.period_start, following.period_end)}."
        )


def _plain(subscription: Subscription) -> dict[str, Any]:
    plain = asdict(subscription)
    plain["max_lateness_hours"] = plain.pop("max_lateness") / timedelta(hours=1)
    plain["delivery_time"] = f"{subscription.delivery_time:%H:%M}"
    return {"subscription_id": plain.pop("subscription_id")} | plain


def _when(row: dict[str, Any]) -> str:
    days = ", ".join(row["delivery_days"])
    return f"{row['frequency']} {row['delivery_time']}" + (f" ({days})" if days else "")


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _parameter(text: str) -> tuple[str, Any]:
    """`top=5` as a number, `title=All` as a text: the value is JSON where it reads as such."""
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise MetricpressError(f"{text!r} is no parameter", remedy="Write --param name=value.")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


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
