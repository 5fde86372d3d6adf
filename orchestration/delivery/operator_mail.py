"""The mail to the operator and to owners of subscriptions: what is written goes out once, as soon as it can.

Belongs here: which notices go into one mail, its attempts and their outcomes. Does not: what is worth telling
(operator), and the figures of a day (operator_summary).

A notice stays unsent until a mail server took it. An attempt is recorded before it is made: when nobody knows
how it ended, the mail goes out again, with the same Message-ID and a line that says so. Losing an alert would
be worse than reading it twice.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from itertools import groupby
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import psycopg
from psycopg.rows import class_row

from orchestration.delivery.backoff import retry_at
from orchestration.delivery.channels import open_channel
from orchestration.delivery.channels.message import message_id
from orchestration.delivery.channels.parcel import Channel, Parcel
from orchestration.delivery.failures import DeliveryFailure, UnknownOutcome
from orchestration.delivery.operator import Alert, notice
from orchestration.delivery.operator_summary import day_to_tell, write_summary
from orchestration.errors import MetricpressError
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

Connection = psycopg.Connection[Any]
logger = logging.getLogger(__name__)

#: Advisory lock: one process at a time sends notices.
LOCK = 730_513
#: Alerts in one mail; the rest is counted.
MOST_ALERTS = 50
#: Alert mails an hour to one recipient; what comes meanwhile waits for the next one.
MOST_MAILS = 6
LONGEST_PAUSE = timedelta(minutes=15)
#: A notice that could not go out for so long is not sent any more: it stands in the table and in the log.
KEPT = timedelta(days=7)
AGAIN = "This mail may have reached you before: the mail server gave no answer."


@dataclass(frozen=True)
class Notice:
    """A row that is not out yet. `recipient` None: the operator."""

    notice_id: UUID
    kind: str
    recipient: str | None
    subject: str
    body: str
    markup: str
    attempts: int
    attempted_at: datetime | None


@dataclass(frozen=True)
class Sent:
    """One mail: to whom, what about, how many notices, and the error when it did not go out."""

    recipient: str
    subject: str
    notices: int
    error: str | None = None


@dataclass(frozen=True)
class Told:
    """What one look found and sent: new alerts, and mails that went out or failed to."""

    alerts: tuple[Alert, ...]
    mails: tuple[Sent, ...]


def tell(settings: Settings, now: datetime) -> Told:
    """Look for what the operator has to know at `now`, write it, and send what is not out yet.

    Each alert is written once; the summary of yesterday once, from seven in the morning of the operator's
    zone on. Any number of processes may call this at once.
    """
    with connect(settings, "pipeline", autocommit=True, application_name="metricpress operator") as conn:
        alerts = notice(conn, settings, now)
        day = day_to_tell(settings, now)
        if day is not None and settings.operator is not None:
            write_summary(conn, settings, day, now)
        return Told(tuple(alerts), tuple(send_notices(conn, settings, now)))


def send_notices(conn: Connection, settings: Settings, now: datetime) -> list[Sent]:
    """Send what is written and not out: one mail a recipient for all alerts, one for each summary.

    `conn` in autocommit. Without METRICPRESS_OPERATOR what is meant for the operator stays unsent. Nothing is
    raised for a mail that fails: it is tried again, after 15 minutes at the latest.
    """
    with _alone(conn) as is_alone:
        notices = _unsent(conn, settings, now) if is_alone else []
        if not notices:
            return []
        try:
            channel = open_channel("email", settings)
        except MetricpressError as error:
            return [
                _failed(conn, settings, mail, now, f"{error}. {error.remedy}") for mail in _mails(notices)
            ]
        with channel:
            return [_send(conn, settings, channel, mail, now) for mail in _mails(notices)]


@contextmanager
def _alone(conn: Connection) -> Iterator[bool]:
    row = conn.execute("select pg_try_advisory_lock(%s)", (LOCK,)).fetchone()
    got = row is not None and bool(row[0])
    try:
        yield got
    finally:
        if got and not conn.closed:
            conn.execute("select pg_advisory_unlock(%s)", (LOCK,))


def _unsent(conn: Connection, settings: Settings, now: datetime) -> list[Notice]:
    with conn.cursor(row_factory=class_row(Notice)) as cursor:
        return cursor.execute(
            """
            select n.notice_id, n.kind, n.recipient, n.subject, n.body, n.markup, n.attempts, n.attempted_at
            from reporting.operator_notices as n
            where n.sent_at is null and (n.next_attempt_at is null or n.next_attempt_at <= %(now)s)
                and n.created_at > clock_timestamp() - %(kept)s
                and (n.recipient is not null or %(has_operator)s)
                -- An owner whose address bounced is not written to.
                and not exists (
                    select from reporting.suppressions as x
                    where x.tenant_id = n.tenant_id and x.recipient = lower(n.recipient)
                        and x.subscription_id is null
                )
                and (
                    n.kind = 'summary' or %(most)s > (
                        select count(distinct m.sent_at) from reporting.operator_notices as m
                        where m.kind = 'alert' and m.recipient is not distinct from n.recipient
                            and m.sent_at > %(now)s - interval '1 hour'
                    )
                )
            order by n.recipient nulls first, n.kind, n.attempted_at nulls last, n.created_at, n.notice_id
            """,
            {
                "now": now,
                "kept": KEPT,
                "has_operator": settings.operator is not None,
                "most": MOST_MAILS,
            },
        ).fetchall()


def _mails(notices: Sequence[Notice]) -> Iterator[list[Notice]]:
    """Alerts of one recipient together; what was tried before without an answer by itself, as it was."""

    def mail(one: Notice) -> tuple[object, ...]:
        return one.recipient, one.kind, one.notice_id if one.kind == "summary" else one.attempted_at

    for _, together in groupby(notices, mail):
        yield list(together)


def _send(conn: Connection, settings: Settings, channel: Channel, mail: list[Notice], now: datetime) -> Sent:
    recipient = _recipient(settings, mail)
    conn.execute(
        """
        update reporting.operator_notices set attempts = attempts + 1, attempted_at = %s
        where notice_id = any(%s)
        """,
        (now, [one.notice_id for one in mail]),
    )
    try:
        channel.send(_parcel(settings, mail, recipient))
    except DeliveryFailure as failure:
        return _failed(
            conn, settings, mail, now, str(failure), is_unknown=isinstance(failure, UnknownOutcome)
        )
    conn.execute(
        """
        update reporting.operator_notices set sent_at = %s, next_attempt_at = null, error_message = null
        where notice_id = any(%s)
        """,
        (now, [one.notice_id for one in mail]),
    )
    return Sent(recipient, _subject(mail), len(mail))


def _failed(
    conn: Connection,
    settings: Settings,
    mail: list[Notice],
    now: datetime,
    message: str,
    *,
    is_unknown: bool = False,
) -> Sent:
    recipient = _recipient(settings, mail)
    again = retry_at(now, max(one.attempts for one in mail) + 1, now + LONGEST_PAUSE)
    conn.execute(
        """
        update reporting.operator_notices set next_attempt_at = %(again)s, error_message = %(message)s,
            attempted_at = case when %(unknown)s then attempted_at end
        where notice_id = any(%(ids)s)
        """,
        {
            "again": again,
            "message": message,
            "unknown": is_unknown,
            "ids": [one.notice_id for one in mail],
        },
    )
    logger.error("%s is not told of %s: %s", recipient, _subject(mail), message)
    return Sent(recipient, _subject(mail), len(mail), message)


def _recipient(settings: Settings, mail: list[Notice]) -> str:
    recipient = mail[0].recipient or settings.operator
    assert recipient is not None
    return recipient


def _subject(mail: list[Notice]) -> str:
    if len(mail) == 1:
        return f"metricpress: {mail[0].subject}"
    return f"metricpress: {len(mail)} alerts, the first: {mail[0].subject}"


def _parcel(settings: Settings, mail: list[Notice], recipient: str) -> Parcel:
    # The same notices make the same mail, so that a repeat is known as one.
    own_id = str(uuid5(NAMESPACE_URL, " ".join(str(one.notice_id) for one in mail)))
    shown, rest = mail[:MOST_ALERTS], len(mail) - MOST_ALERTS
    text = [one.body for one in shown]
    markup = [one.markup for one in shown]
    if rest > 0:
        text.append(f"And {rest} more: metricpress operator alerts")
        markup.append(f"<p>And {rest} more: metricpress operator alerts</p>")
    if mail[0].attempted_at is not None:
        text.insert(0, AGAIN)
        markup.insert(0, f"<p>{AGAIN}</p>")
    if mail[0].recipient is not None:
        text.append("You are told as the owner of the subscription.")
        markup.append("<p>You are told as the owner of the subscription.</p>")
    subject = _subject(mail)
    return Parcel(
        delivery_id=own_id,
        message_id=message_id(own_id, settings.mail_from),
        recipient=recipient,
        subject=subject,
        text="\n\n".join(text) + "\n",
        html=_page(subject, "\n".join(markup)),
        attachments=(),
    )


def _page(title: str, markup: str) -> str:
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title></head>'
        '<body style="margin:0;padding:24px;font-family:Helvetica,Arial,sans-serif;font-size:14px;'
        f'line-height:21px;color:#1d2125">\n{markup}\n</body></html>\n'
    )
