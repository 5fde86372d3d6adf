"""What the operator is told at once: reports that were due and are not out, each thing once.

Belongs here: which things are worth an alert, and the record of each in reporting.operator_notices. Does not:
the mail (operator_mail) and the summary of a day (operator_summary).

An alert is written for a delivery that failed for good or whose outcome is unknown, for an occurrence that is
held or went out as a notice, for one that is not out settings.alert_after after it was due, and for a
subscription that cannot be planned.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from html import escape
from textwrap import TextWrapper
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import class_row

from orchestration.delivery.planning import Problem, plan
from orchestration.delivery.records import GIVE_UP_AT
from orchestration.settings import Settings

Connection = psycopg.Connection[Any]
logger = logging.getLogger(__name__)

#: What came to its end longer ago is history: an operator who is named for the first time is not told of it.
RECENT = "interval '7 days'"

_NEW = f"""
    with deliveries as (
        select d.tenant_id, d.occurrence_id, d.delivery_id, d.delivery_status as what, d.channel, d.recipient,
            d.error_message as reason,
            'delivery ' || d.delivery_id || ' ' || d.delivery_status as about
        from reporting.report_deliveries as d
        where (d.delivery_status = 'unknown' or d.delivery_status = 'failed' and d.next_attempt_at is null)
            and d.updated_at > clock_timestamp() - {RECENT}
            -- A person had it sent again since: what becomes of that is told.
            and not exists (
                select from reporting.report_deliveries as n
                where n.tenant_id = d.tenant_id and n.occurrence_id = d.occurrence_id
                    and n.channel = d.channel and n.recipient = d.recipient
                    and n.attempt_group > d.attempt_group
            )
    ),
    occurrences as (
        select o.tenant_id, o.occurrence_id, o.state as what, o.reason, o.give_up_at
        from reporting.report_occurrences as o
        where o.state in ('held', 'notified') and o.updated_at > clock_timestamp() - {RECENT}
        union all
        select o.tenant_id, o.occurrence_id, 'late', o.reason, o.give_up_at
        from reporting.report_occurrences as o
        join reporting.report_subscriptions as s using (tenant_id, subscription_id)
        where o.state = 'pending' and (s.is_active or o.origin = 'on_demand')
            -- One caught up after an outage counts from its planning, which may have been a moment ago: no
            -- dispatch had time for it yet. Rows from long after `now` are those of a rehearsed moment.
            and greatest(
                o.due_at, {GIVE_UP_AT} - s.max_lateness,
                case when o.created_at <= %(now)s + interval '1 minute' then o.created_at end
            ) + %(after)s <= %(now)s
    ),
    things as (
        select * from deliveries
        union all
        select tenant_id, occurrence_id, null, what, null, null, reason,
            -- Asked for again, it has another time and is told again.
            concat_ws(' ', 'occurrence', occurrence_id, what, extract(epoch from give_up_at))
        from occurrences
    )
    select t.tenant_id, t.occurrence_id, t.delivery_id, t.what, t.channel, t.recipient, t.about, s.owner,
        s.name as subscription, s.subscription_id, o.report_period_start as period_start,
        o.report_period_end as period_end, o.due_at,
        -- Of a report that is not out: what its deliveries ended in so far.
        coalesce(t.reason, (
            select min(d.error_message) from reporting.report_deliveries as d
            where d.tenant_id = t.tenant_id and d.occurrence_id = t.occurrence_id and t.what = 'late'
        )) as reason,
        exists (
            select from reporting.suppressions as p
            where p.tenant_id = t.tenant_id and p.recipient = lower(t.recipient)
                and (p.subscription_id is null or p.subscription_id = o.subscription_id)
        ) as is_suppressed
    from things as t
    join reporting.report_occurrences as o using (tenant_id, occurrence_id)
    join reporting.report_subscriptions as s using (tenant_id, subscription_id)
    where not exists (
        select from reporting.operator_notices as n
        where n.kind = 'alert' and n.about = t.about and n.recipient is null
    )
    order by t.tenant_id, o.due_at, s.name, t.recipient
"""

_WRITE = """
    insert into reporting.operator_notices (tenant_id, kind, about, recipient, subject, body, markup,
        next_attempt_at)
    values (%(tenant)s, 'alert', %(about)s, %(recipient)s, %(subject)s, %(body)s, %(markup)s, %(now)s)
    on conflict (kind, about, recipient) do nothing
    returning notice_id
"""


@dataclass(frozen=True)
class Thing:
    """Something about a report that a person has to know. `what`: failed, unknown, held, notified or late."""

    tenant_id: str
    occurrence_id: UUID
    delivery_id: UUID | None
    what: str
    channel: str | None
    recipient: str | None
    about: str
    owner: str | None
    subscription: str
    subscription_id: UUID
    period_start: date
    period_end: date
    due_at: datetime
    reason: str | None
    is_suppressed: bool


@dataclass(frozen=True)
class Alert:
    """One alert in words, without a single figure. `owner`: who is told beside the operator."""

    tenant_id: str
    about: str
    owner: str | None
    subject: str
    lines: tuple[str, ...]

    @property
    def body(self) -> str:
        """Plain text, the subject first."""
        return "\n".join([self.subject, *(_wrapped(line) for line in self.lines)])

    @property
    def markup(self) -> str:
        """The same as a piece of HTML."""
        lines = "<br>".join(escape(line) for line in self.lines)
        return f'<p style="margin:0 0 16px 0"><b>{escape(self.subject)}</b><br>{lines}</p>'


def notice(conn: Connection, settings: Settings, now: datetime) -> list[Alert]:
    """Write an alert for everything that is new at `now`; returns those. They stand in the log at once.

    `conn` in autocommit. Nothing is sent here: a broken mail server keeps no alert from being written.
    """
    alerts = []
    for alert, occurrence in _found(conn, settings, now):
        with conn.transaction():
            values = {
                "tenant": alert.tenant_id, "about": alert.about, "subject": alert.subject,
                "body": alert.body, "markup": alert.markup, "now": now,
            }  # fmt: skip
            is_new = conn.execute(_WRITE, {**values, "recipient": None}).fetchone() is not None
            if is_new and alert.owner is not None and _is_another(alert.owner, settings.operator):
                conn.execute(_WRITE, {**values, "recipient": alert.owner})
            if is_new and occurrence is not None:
                conn.execute(
                    "update reporting.report_occurrences set alerted_at = coalesce(alerted_at, %s)"
                    " where tenant_id = %s and occurrence_id = %s",
                    (now, alert.tenant_id, occurrence),
                )
        if is_new:
            logger.error("%s", alert.body)
            alerts.append(alert)
    return alerts


def _found(conn: Connection, settings: Settings, now: datetime) -> Iterator[tuple[Alert, UUID | None]]:
    zone = ZoneInfo(settings.operator_timezone)
    for problem in plan(conn, now)[1]:
        yield _unplannable(conn, problem), None
    with conn.cursor(row_factory=class_row(Thing)) as cursor:
        things = cursor.execute(_NEW.encode(), {"now": now, "after": settings.alert_after}).fetchall()
    for thing in things:
        yield _in_words(thing, zone), thing.occurrence_id


def _is_another(owner: str, operator: str | None) -> bool:
    return operator is None or owner.lower() != operator.lower()


def _in_words(thing: Thing, zone: ZoneInfo) -> Alert:
    name = f"{thing.tenant_id}: {thing.subscription}"
    days = (
        f"{thing.period_start}"
        if thing.period_start == thing.period_end
        else f"{thing.period_start} to {thing.period_end}"
    )
    due = f"{thing.due_at.astimezone(zone):%Y-%m-%d %H:%M %Z}"
    key = str(thing.delivery_id or thing.occurrence_id)[:8]
    mend = f"Mend the data (metricpress quality --tenant {thing.tenant_id}), metricpress build, then"
    subject, remedy = {
        "failed": (
            f"{name} failed for {thing.recipient}",
            f"metricpress deliveries show {key}; mend it, then: metricpress deliver resend {key}",
        ),
        "unknown": (
            f"{name} may not have reached {thing.recipient}",
            f"Ask the recipient. Only if it is missing: metricpress deliver resend {key}",
        ),
        "held": (
            f"{name} is held back",
            f"{mend} let it go: metricpress deliver resend {key}",
        ),
        "notified": (
            f"{name} went out as a notice without figures",
            f"{mend} send it: metricpress deliver send {_quoted(thing.subscription)}"
            f" --tenant {thing.tenant_id}",
        ),
        "late": (
            f"{name} is not out yet",
            "metricpress deliver --dry-run tells what it waits for; metricpress doctor looks at the rest",
        ),
    }[thing.what]
    if thing.what == "failed" and thing.is_suppressed:
        remedy = (
            "nothing more goes there. Correct the address of the subscription; or, if it is right,"
            f" metricpress suppressions remove {thing.recipient} --tenant {thing.tenant_id},"
            f" then: metricpress deliver resend {key}"
        )
    lines = [f"Of {days}, due {due}.", *([f"Why: {thing.reason}"] if thing.reason else [])]
    return Alert(thing.tenant_id, thing.about, thing.owner, subject, (*lines, f"What to do: {remedy}"))


def _unplannable(conn: Connection, problem: Problem) -> Alert:
    row = conn.execute(
        "select subscription_id, owner from reporting.report_subscriptions"
        " where tenant_id = %s and name = %s and deleted_at is null and origin = 'standing'",
        (problem.tenant_id, problem.subscription),
    ).fetchone()
    subscription_id, owner = row or (problem.subscription, None)
    # Told again when the reason is another one.
    reason = hashlib.sha256(problem.message.encode()).hexdigest()[:12]
    return Alert(
        problem.tenant_id,
        f"subscription {subscription_id} {reason}",
        owner,
        f"{problem.tenant_id}: {problem.subscription} cannot be planned",
        (
            f"Why: {problem.message}",
            f"What to do: metricpress subscriptions show {_quoted(problem.subscription)}",
        ),
    )


def _wrapped(line: str) -> str:
    wrapper = TextWrapper(
        79, initial_indent="  ", subsequent_indent="    ", break_long_words=False, break_on_hyphens=False
    )
    return wrapper.fill(line)


def _quoted(name: str) -> str:
    return f'"{name}"' if " " in name else name
