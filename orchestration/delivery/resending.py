"""Sending again: what failed, what is held, and an existing report to someone else.

Belongs here: which deliveries a person may ask for once more, and the rows that ask. Does not: reports that
have to be made (requests) and sending (service).

A delivery that ended stays as it is: sending again is a new row of the next attempt_group with the same
files, figures and data version. One transaction after the other writes such rows, so that two requests at
once give one.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from orchestration.delivery import rendering, service, subscriptions
from orchestration.delivery.channels import CHANNELS
from orchestration.delivery.outcome import DispatchResult
from orchestration.delivery.recipients import Limits, check_recipients
from orchestration.delivery.records import OPEN
from orchestration.delivery.subscription_checks import one_of
from orchestration.errors import MetricpressError
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

Connection = psycopg.Connection[Any]

#: Advisory lock of the transactions that write requests to send again.
RESEND_LOCK = 730_521
KEY_LENGTH = 8
REMOVED = "its files are no longer there as they were rendered"
RENDER_ANEW = "Add --fresh to render it anew from the same period: figures may differ."


@dataclass(frozen=True)
class Again:
    """What to send again: one delivery, or what failed of a subscription, occurrence or tenant, since then.

    `unknown`: also what may have arrived. `fresh`: render anew instead of sending the same files.
    """

    delivery: UUID | None = None
    subscription: UUID | None = None
    occurrence: UUID | None = None
    tenant: str | None = None
    since: datetime | None = None
    unknown: bool = False
    fresh: bool = False


@dataclass(frozen=True)
class Candidate:
    """The newest row of a recipient in an occurrence, of those who do not have the report."""

    tenant_id: str
    occurrence_id: UUID
    delivery_id: UUID
    channel: str
    recipient: str
    delivery_status: str
    files: Sequence[Any]


@dataclass(frozen=True)
class Resent:
    """`left`: recipient and why it was not sent again. `doubtful`: recipients who may get a second copy."""

    result: DispatchResult
    doubtful: tuple[str, ...] = ()
    left: tuple[tuple[str, str], ...] = ()


_LATEST = """
    select distinct on (d.tenant_id, d.occurrence_id, d.channel, d.recipient)
        d.tenant_id, d.occurrence_id, d.delivery_id, d.channel, d.recipient, d.delivery_status, d.files,
        d.attempt_group, d.error_message, o.subscription_id
    from reporting.report_deliveries as d
    join reporting.report_occurrences as o using (tenant_id, occurrence_id)
    where (%(tenant)s::text is null or d.tenant_id = %(tenant)s)
        and (%(occurrence)s::uuid is null or d.occurrence_id = %(occurrence)s)
        and (%(subscription)s::uuid is null or o.subscription_id = %(subscription)s)
        and (%(since)s::timestamptz is null or o.due_at >= %(since)s)
        and (%(delivery)s::uuid is null or exists (
            select from reporting.report_deliveries as asked
            where asked.tenant_id = d.tenant_id and asked.delivery_id = %(delivery)s
                and asked.occurrence_id = d.occurrence_id and asked.channel = d.channel
                and asked.recipient = d.recipient
        ))
    order by d.tenant_id, d.occurrence_id, d.channel, d.recipient, d.attempt_group desc
"""

_CANDIDATES = f"""
    with latest as ({_LATEST})
    select n.tenant_id, n.occurrence_id, n.delivery_id, n.channel, n.recipient, n.delivery_status, n.files
    from latest as n
    where (
            n.delivery_status = any(%(statuses)s)
            -- Asked for while the recipient was suppressed, and may be written to again.
            or n.delivery_status = 'skipped' and n.error_message like 'suppressed since %%'
            and (n.attempt_group > 1 or %(delivery)s::uuid is not null) and not exists (
                select from reporting.suppressions as x
                where x.tenant_id = n.tenant_id and x.recipient = lower(n.recipient)
                    and (x.subscription_id is null or x.subscription_id = n.subscription_id)
            )
        ) and not exists (
            select from reporting.report_deliveries as had
            where had.tenant_id = n.tenant_id and had.occurrence_id = n.occurrence_id
                and had.channel = n.channel and had.recipient = n.recipient
                and had.delivery_status = 'sent' and had.kind = 'report'
        )
    order by n.tenant_id, n.occurrence_id, n.channel, n.recipient
"""

#: A row that a dispatcher has in its hands at this moment is left to it.
_AGAIN = """
    with asked as (
        select d.tenant_id, d.delivery_id from reporting.report_deliveries as d
        where d.delivery_id = any(%(deliveries)s)
            and d.delivery_status in ('failed', 'unknown', 'held', 'skipped')
        for update skip locked
    ),
    ended as (
        update reporting.report_deliveries as d set next_attempt_at = null
        from asked as a
        where d.tenant_id = a.tenant_id and d.delivery_id = a.delivery_id and d.delivery_status <> 'held'
        returning d.*
    ),
    let_go as (
        update reporting.report_deliveries as d set
            delivery_status = case when d.files = '[]' or %(fresh)s then 'pending' else 'ready' end,
            files = case when %(fresh)s then '[]'::jsonb else d.files end,
            kind = 'report', error_class = null, error_message = null, next_attempt_at = null,
            requested_by = reporting.actor()
        from asked as a
        where d.tenant_id = a.tenant_id and d.delivery_id = a.delivery_id and d.delivery_status = 'held'
        returning d.tenant_id, d.occurrence_id, d.delivery_id
    ),
    written as (
        insert into reporting.report_deliveries (tenant_id, occurrence_id, channel, recipient, attempt_group,
            kind, delivery_status, report_data, data_version, template_version, render_key, files, progress,
            requested_by)
        select e.tenant_id, e.occurrence_id, e.channel, e.recipient, e.attempt_group + 1,
            case when %(fresh)s then 'report' else e.kind end,
            case when %(fresh)s or e.files = '[]' then 'pending' else 'ready' end,
            case when not %(fresh)s then e.report_data end, case when not %(fresh)s then e.data_version end,
            case when not %(fresh)s then e.template_version end,
            case when not %(fresh)s then e.render_key end,
            case when %(fresh)s then '[]' else e.files end, case when not %(fresh)s then e.progress end,
            reporting.actor()
        from ended as e
        on conflict (tenant_id, occurrence_id, channel, recipient, attempt_group) do nothing
        returning tenant_id, occurrence_id, delivery_id
    ),
    again as (
        select tenant_id, occurrence_id, delivery_id from let_go
        union all
        select tenant_id, occurrence_id, delivery_id from written
    )
    select tenant_id, occurrence_id, delivery_id from again
"""

_REOPEN = """
    update reporting.report_occurrences as o set
        state = 'pending', closed_at = null, alerted_at = null,
        give_up_at = greatest(o.give_up_at, %(now)s + s.max_lateness)
    from reporting.report_subscriptions as s
    where s.tenant_id = o.tenant_id and s.subscription_id = o.subscription_id
        and o.occurrence_id = any(%(occurrences)s)
"""

#: Of recipients of a copy: what was still to come to them by itself, or was held.
_REPLACE = f"""
    update reporting.report_deliveries as d set
        delivery_status = case when d.delivery_status = 'failed' then 'failed' else 'skipped' end,
        error_message = concat_ws('; ', d.error_message, 'a copy was sent by hand'), next_attempt_at = null
    where d.tenant_id = %(tenant)s and d.occurrence_id = %(occurrence)s and d.channel = %(channel)s
        and d.recipient = any(%(recipients)s) and d.delivery_status not in ('rendering', 'sending')
        and ({OPEN} or d.delivery_status = 'held')
"""

_COPY = """
    insert into reporting.report_deliveries (tenant_id, occurrence_id, channel, recipient, attempt_group,
        kind, delivery_status, report_data, data_version, template_version, render_key, files, requested_by)
    select d.tenant_id, d.occurrence_id, %(channel)s, r.recipient,
        1 + (
            select coalesce(max(had.attempt_group), 0) from reporting.report_deliveries as had
            where had.tenant_id = d.tenant_id and had.occurrence_id = d.occurrence_id
                and had.channel = %(channel)s and had.recipient = r.recipient
        ),
        d.kind, 'ready', d.report_data, d.data_version, d.template_version, d.render_key, d.files,
        reporting.actor()
    from reporting.report_deliveries as d
    cross join unnest(%(recipients)s::text[]) as r (recipient)
    where d.tenant_id = %(tenant)s and d.delivery_id = %(delivery)s
    returning delivery_id
"""


def resend(settings: Settings, again: Again, now: datetime | None = None) -> Resent:
    """Send again to those who did not get it, with the files that were rendered; nothing to whom it was sent.

    Failed deliveries get a new attempt, also before their own next one; held ones go back to wait for good
    data. Raises MetricpressError when the one delivery named cannot be sent again.
    """
    now = now or datetime.now(UTC)
    with connect(settings, "pipeline", application_name="metricpress deliver resend") as conn:
        conn.execute("select pg_advisory_xact_lock(%s)", (RESEND_LOCK,))
        found = _candidates(conn, again)
        if again.delivery is not None and not found:
            raise _refusal(conn, again.delivery)
        lost = [] if again.fresh else [one for one in found if not rendering.intact(one.files)]
        if again.delivery is not None and lost:
            raise MetricpressError(f"{lost[0].recipient}: {REMOVED}", remedy=RENDER_ANEW)
        going = [one for one in found if one not in lost]
        values = {"deliveries": [one.delivery_id for one in going], "fresh": again.fresh}
        rows = conn.execute(_AGAIN, values).fetchall()
        _reopen(conn, {row[1] for row in rows}, now)
    doubtful = tuple(one.recipient for one in going if one.delivery_status == "unknown")
    result = _dispatch(settings, now, {row[1] for row in rows}, {row[2] for row in rows})
    return Resent(result, doubtful, tuple((one.recipient, REMOVED) for one in lost))


def forward(
    settings: Settings,
    delivery: UUID,
    recipients: Sequence[str],
    method: str | None = None,
    now: datetime | None = None,
) -> Resent:
    """Send the kept files of a delivery to someone else: the same bytes, checked by SHA-256.

    Raises MetricpressError when there are none or a recipient is not allowed. `doubtful`: who has it already.
    """
    now = now or datetime.now(UTC)
    with connect(settings, "pipeline", application_name="metricpress deliver send") as conn:
        conn.execute("select pg_advisory_xact_lock(%s)", (RESEND_LOCK,))
        one, subscription = _delivery(conn, delivery)
        if not one.files or not rendering.intact(one.files):
            why = REMOVED if one.files else "it was never rendered"
            raise MetricpressError(
                f"delivery {delivery} cannot be sent to someone else: {why}",
                remedy="Render it anew from the same period (figures may differ): metricpress deliver send "
                f'"{subscription.name}" --period DAY --to ADDRESS.',
            )
        tenant = subscriptions.tenant_of(conn, one.tenant_id)
        channel = method or one.channel
        one_of("delivery method", channel, CHANNELS)
        limits = Limits(tenant.tenant_id, tenant.allowed_domains, settings.webhook_private_hosts)
        values = {
            "tenant": one.tenant_id,
            "delivery": delivery,
            "occurrence": one.occurrence_id,
            "channel": channel,
            "recipients": list(check_recipients(channel, recipients, limits)),
        }
        doubtful = conn.execute(
            """
            select distinct recipient from reporting.report_deliveries
            where tenant_id = %(tenant)s and occurrence_id = %(occurrence)s and channel = %(channel)s
                and recipient = any(%(recipients)s) and delivery_status in ('sent', 'unknown')
            """,
            values,
        ).fetchall()
        conn.execute(_REPLACE, values)
        rows = conn.execute(_COPY, values).fetchall()
        _reopen(conn, {one.occurrence_id}, now)
    result = _dispatch(settings, now, {one.occurrence_id}, {row[0] for row in rows})
    return Resent(result, tuple(row[0] for row in doubtful))


def find_delivery(conn: Connection, key: str, tenant: str | None = None) -> UUID | None:
    """The delivery whose id begins with `key` (8 characters or more); None for no such."""
    return _find(conn, "report_deliveries", "delivery_id", key, tenant)


def find_occurrence(conn: Connection, key: str, tenant: str | None = None) -> UUID | None:
    """The occurrence whose id begins with `key` (8 characters or more); None for no such."""
    return _find(conn, "report_occurrences", "occurrence_id", key, tenant)


def _find(conn: Connection, table: str, column: str, key: str, tenant: str | None) -> UUID | None:
    if len(key) < KEY_LENGTH:
        return None
    rows = conn.execute(
        f"""
        select {column} from reporting.{table}
        where starts_with({column}::text, %(key)s) and (%(tenant)s::text is null or tenant_id = %(tenant)s)
        """,
        {"key": key.lower(), "tenant": tenant},
    ).fetchall()
    if len(rows) > 1:
        raise MetricpressError(f"{len(rows)} ids begin with {key!r}", remedy="Give more of the id.")
    return rows[0][0] if rows else None


def _candidates(conn: Connection, again: Again) -> list[Candidate]:
    # Who names one delivery has looked at it, so its unknown outcome is no accident.
    with_unknown = again.unknown or again.delivery is not None
    values = {
        "tenant": again.tenant,
        "occurrence": again.occurrence,
        "subscription": again.subscription,
        "since": again.since,
        "delivery": again.delivery,
        "statuses": ["failed", "held", *(["unknown"] if with_unknown else [])],
    }
    with conn.cursor(row_factory=class_row(Candidate)) as cursor:
        return cursor.execute(_CANDIDATES, values).fetchall()


def _refusal(conn: Connection, delivery: UUID) -> MetricpressError:
    """Why the delivery that was named is not sent again."""
    row = conn.execute(
        """
        select n.recipient, n.delivery_status, n.delivered_at
        from reporting.report_deliveries as d
        join reporting.report_deliveries as n using (tenant_id, occurrence_id, channel, recipient)
        where d.delivery_id = %s
        order by n.delivery_status = 'sent' desc, n.attempt_group desc limit 1
        """,
        (delivery,),
    ).fetchone()
    if row is None:
        return MetricpressError(f"there is no delivery {delivery}", remedy="See: metricpress deliveries list")
    recipient, status, delivered_at = row
    if status == "sent":
        return MetricpressError(
            f"{recipient} has it since {delivered_at:%Y-%m-%d %H:%M} UTC",
            remedy=f"A second copy on purpose: metricpress deliver send {delivery} --to {recipient}",
        )
    return MetricpressError(
        f"the delivery to {recipient} is {status}: only failed, held and unknown ones are sent again",
        remedy=f"See: metricpress deliveries show {str(delivery)[:KEY_LENGTH]}",
    )


def _delivery(conn: Connection, delivery: UUID) -> tuple[Candidate, subscriptions.Subscription]:
    with conn.cursor(row_factory=class_row(Candidate)) as cursor:
        one = cursor.execute(
            """
            select tenant_id, occurrence_id, delivery_id, channel, recipient, delivery_status, files
            from reporting.report_deliveries where delivery_id = %s
            """,
            (delivery,),
        ).fetchone()
    if one is None:
        raise MetricpressError(f"there is no delivery {delivery}", remedy="See: metricpress deliveries list")
    return one, subscriptions.of_occurrence(conn, one.tenant_id, one.occurrence_id)


def _reopen(conn: Connection, occurrences: Collection[UUID], now: datetime) -> None:
    conn.execute(_REOPEN, {"occurrences": list(occurrences), "now": now})


def _dispatch(settings: Settings, now: datetime, occurrences: set[UUID], asked: set[UUID]) -> DispatchResult:
    """Send what was written; the result tells of these deliveries only."""
    if not asked:
        return DispatchResult(0, ())
    result = service.dispatch(settings, now, occurrences=occurrences)
    return replace(result, outcomes=tuple(o for o in result.outcomes if o.delivery_id in asked))
