"""metricpress subscriptions explain: when a subscription is due next, which days it covers, and why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.console import AsJson, print_json, print_table, remark
from orchestration.cli.deliver import moment_of
from orchestration.cli.deliveries import days_covered
from orchestration.settings import Settings

if TYPE_CHECKING:
    import psycopg

    from orchestration.delivery.calendar import Due, Schedule
    from orchestration.delivery.subscriptions import Subscription

Key = Annotated[str, typer.Argument(metavar="SUBSCRIPTION", help="Its name, its id, or how the id begins.")]
OfTenant = Annotated[str | None, typer.Option("--tenant", help="Only of this tenant.")]


def explain(
    key: Key,
    tenant: OfTenant = None,
    count: Annotated[int, typer.Option(min=1, max=366, help="How many.")] = 10,
    after: Annotated[str | None, typer.Option(metavar="MOMENT", help="Later than this; default now.")] = None,
    as_json: AsJson = False,
) -> None:
    """Tell the next due times, in local time and UTC, the days each covers, and why.

    What a holiday leaves out stands among them without counting.
    """
    from orchestration.delivery.calendar import agenda
    from orchestration.delivery.planning import last_planned, planned_after
    from orchestration.delivery.subscriptions import find
    from orchestration.warehouse.connection import connect

    start = moment_of(after)
    with connect(Settings.from_env(), "pipeline") as conn:
        subscription = find(conn, key, tenant)
        schedule, stops_at = schedule_and_end(conn, subscription)
        # From another moment on it is the calendar alone, whatever was planned.
        waiting = planned_after(conn, subscription, start) if after is None else []
        planned = last_planned(conn, subscription) if after is None else None
    rows = [
        _row(schedule, due, subscription.is_active, due in waiting)
        for due in [*waiting, *agenda(schedule, start, count, planned)]
        if stops_at is None or due.due_at <= stops_at
    ]
    if as_json:
        print_json(rows)
        return
    print(f"{when(subscription)} on the clock of {schedule.timezone.key}.")
    if schedule.timezone.key != schedule.tenant_timezone.key:
        print(f"It is about whole days of the tenant, of {schedule.tenant_timezone.key}.")
    if schedule.holidays is not None:
        print(f"Holidays: {schedule.holidays.name}; on one: {_RULES[schedule.holiday_rule or '']}.")
    columns = ("due", "utc", "covers", *(("remark",) if any(row["remark"] for row in rows) else ()))
    print_table(rows, columns, empty=f"Nothing: the tenant's history ends on {stops_at}.")
    if rows and stops_at is not None:
        remark(f"Nothing is due after {stops_at:%Y-%m-%d %H:%M} UTC: clock_stops_at of the tenant.")
    if not subscription.is_active:
        remark("Paused: none of these is sent before it is resumed.")


_RULES = {
    "skip": "no report",
    "before": "on the last working day before, if the period is over then",
    "after": "on the next working day",
}


def _row(schedule: Schedule, due: Due, is_active: bool, is_planned: bool) -> dict[str, Any]:
    from orchestration.delivery.calendar import peculiarity

    why = [
        "" if is_active else "paused",
        f"planned for {due.local_date:%a %m-%d}" if is_planned else peculiarity(schedule, due),
    ]
    return {
        "local_date": due.local_date,
        "due": f"{due.due_at.astimezone(schedule.timezone):%a %Y-%m-%d %H:%M}",
        "utc": "-" if due.left_out else f"{due.due_at:%m-%d %H:%M}",
        "covers": days_covered(due.period_start, due.period_end),
        "due_at": due.due_at,
        "period_start": due.period_start,
        "period_end": due.period_end,
        "holiday": due.holiday,
        "left_out": bool(due.left_out),
        "remark": "; ".join(part for part in why if part),
    }


def schedule_and_end(
    conn: psycopg.Connection[Any], subscription: Subscription
) -> tuple[Schedule, datetime | None]:
    """Its calendar, and the moment at which its tenant's history ends."""
    from orchestration.delivery.subscriptions import schedule_of, tenant_of

    tenant = tenant_of(conn, subscription.tenant_id)
    return schedule_of(subscription, tenant.timezone, tenant.week_start), tenant.clock_stops_at


def tell_next(conn: psycopg.Connection[Any], subscription: Subscription) -> None:
    """Print when the next report is due, and whether one is already."""
    from orchestration.delivery.calendar import due_between, upcoming
    from orchestration.delivery.planning import last_planned

    schedule, stops_at = schedule_and_end(conn, subscription)
    planned = last_planned(conn, subscription)
    now = datetime.now(UTC)
    until = min(now, stops_at) if stops_at else now
    if any(due.due_at <= until for due in due_between(schedule, planned, until)):
        print("Its latest report is due already: metricpress deliver sends it.")
    (following,) = upcoming(schedule, until, 1, planned)
    if stops_at is None or following.due_at <= stops_at:
        print(
            f"Next: {following.due_at.astimezone(schedule.timezone):%a %Y-%m-%d %H:%M} "
            f"{schedule.timezone.key}, about {days_covered(following.period_start, following.period_end)}."
        )
    left_out = planned is not None and following.period_start - planned.period_end > timedelta(days=1)
    if planned is not None and left_out and subscription.frequency == "daily" and not schedule.delivery_days:
        first, last = planned.period_end + timedelta(days=1), following.period_start - timedelta(days=1)
        remark(f"No report of it covers {days_covered(first, last)}: metricpress deliver send, if needed.")


def when(subscription: Subscription) -> str:
    """Frequency, time and days in few words."""
    days = ", ".join(subscription.delivery_days)
    return f"{subscription.frequency} {subscription.delivery_time:%H:%M}" + (f" ({days})" if days else "")
