"""What the ledger holds, read: promises to keep, deliveries, their history.

Belongs here: rows as dataclasses and every SELECT over occurrences and deliveries. Does not: changes
(ledger, planning).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]

STATUSES = ("pending", "rendering", "ready", "sending", "sent", "failed", "unknown", "held", "skipped")

#: Class of the advisory locks by which a dispatcher shows that it lives; the object is its database process.
DISPATCHER_LOCKS = 730_511

RETRY_DUE = "d.delivery_status = 'failed' and d.next_attempt_at <= %(now)s"
#: A dispatch may take it up now.
WORK = f"(d.delivery_status in ('pending', 'ready') or {RETRY_DUE})"
#: May go out: of an active subscription, or because a person asked for it.
GOES = "(s.is_active or o.origin = 'on_demand' or d.requested_by is not null)"
#: What still has something to come by itself; a held delivery waits for a person.
OPEN = """(d.delivery_status in ('pending', 'rendering', 'ready', 'sending')
    or d.delivery_status = 'failed' and d.next_attempt_at is not null)"""
#: Waiting and retries end here. Occurrences that migration 0011 found have no moment of their own.
GIVE_UP_AT = "coalesce(o.give_up_at, o.due_at + s.max_lateness)"

#: Claims of dispatchers that have ended: a dispatcher holds its advisory lock as long as its session lives.
ORPHANED = """d.delivery_status in ('rendering', 'sending') and (
        d.claimed_by is null
        or d.claimed_by = pg_backend_pid()
        or not exists (
            select from pg_locks as l
            where l.locktype = 'advisory' and l.granted
                and l.classid = %(locks)s and l.objid = d.claimed_by::bigint::oid
                and l.database = (select oid from pg_database where datname = current_database())
        )
    )"""


@dataclass(frozen=True)
class Promise:
    """A report that is due: the occurrence with what its subscription asks for.

    `needs_rendering`: some of its deliveries have no files yet. `give_up_at`: then it waits no longer.
    """

    tenant_id: str
    tenant: str
    occurrence_id: UUID
    subscription_id: UUID
    subscription: str
    report: str
    frequency: str
    local_date: date
    period_start: date
    period_end: date
    due_at: datetime
    give_up_at: datetime
    max_lateness: timedelta
    when_incomplete: str
    is_late: bool
    reason: str | None
    branch_id: str | None
    parameters: dict[str, Any]
    formats: list[str]
    locale: str
    template_id: UUID | None
    needs_rendering: bool

    @property
    def notice_give_up_at(self) -> datetime:
        """A notice goes out when the report is given up, so its own retries get the same time again."""
        return self.give_up_at + self.max_lateness


@dataclass(frozen=True)
class Delivery:
    """A rendered row of the ledger as a sender needs it. `figures` is JSON text."""

    tenant_id: str
    delivery_id: UUID
    occurrence_id: UUID
    channel: str
    recipient: str
    kind: str
    attempts: int
    files: list[dict[str, Any]]
    render_key: str | None
    data_version: str | None
    figures: str
    progress: dict[str, Any] | None


@dataclass(frozen=True)
class Outcome:
    """Where one delivery stands. `kind`: report, or notice when the data were incomplete.

    `reason`: why it waits, failed or was skipped; `files`: as rendered.
    """

    tenant_id: str
    subscription: str
    report: str
    frequency: str
    local_date: date
    period_start: date
    period_end: date
    due_at: datetime
    channel: str
    recipient: str
    delivery_id: UUID
    kind: str
    delivery_status: str
    attempts: int
    next_attempt_at: datetime | None
    delivered_at: datetime | None
    error_class: str | None
    reason: str | None
    message_id: str | None
    data_version: str | None
    files: Sequence[Mapping[str, Any]]


def promises(
    conn: Connection, now: datetime, tenant: str | None = None, occurrences: Collection[UUID] | None = None
) -> list[Promise]:
    """Occurrences with something left to do now, oldest first within their tenant."""
    with conn.cursor(row_factory=class_row(Promise)) as cursor:
        return cursor.execute(
            f"""
            select o.tenant_id, coalesce(t.name, o.tenant_id) as tenant, o.occurrence_id, o.subscription_id,
                s.name as subscription, s.report, coalesce(o.period_kind, s.frequency) as frequency,
                o.local_date, o.report_period_start as period_start, o.report_period_end as period_end,
                o.due_at, {GIVE_UP_AT} as give_up_at, s.max_lateness, s.when_incomplete, o.is_late, o.reason,
                coalesce(o.branch_id, s.branch_id) as branch_id,
                coalesce(o.parameters, s.parameters) as parameters, coalesce(o.formats, s.formats) as formats,
                coalesce(o.locale, s.locale, c.locale, 'en') as locale,
                coalesce(o.template_id, s.template_id) as template_id, d.needs_rendering
            from reporting.report_occurrences as o
            join reporting.report_subscriptions as s using (tenant_id, subscription_id)
            left join raw.tenants as t using (tenant_id)
            left join reporting.tenant_settings as c using (tenant_id)
            cross join lateral (
                select bool_or(d.files = '[]') as needs_rendering
                from reporting.report_deliveries as d
                where d.tenant_id = o.tenant_id and d.occurrence_id = o.occurrence_id and {WORK} and {GOES}
            ) as d
            where o.state = 'pending' and o.due_at <= %(now)s and d.needs_rendering is not null
                and (%(tenant)s::text is null or o.tenant_id = %(tenant)s)
                and (%(occurrences)s::uuid[] is null or o.occurrence_id = any(%(occurrences)s))
            order by o.tenant_id, o.due_at, o.occurrence_id
            """,
            {"now": now, "tenant": tenant, "occurrences": _ids(occurrences)},
        ).fetchall()


def sendable(conn: Connection, batch: Sequence[Promise], now: datetime) -> list[Delivery]:
    """What is rendered and waits for a sender; deliveries of one rendering stand together."""
    with conn.cursor(row_factory=class_row(Delivery)) as cursor:
        return cursor.execute(
            f"""
            select d.tenant_id, d.delivery_id, d.occurrence_id, d.channel, d.recipient, d.kind, d.attempts,
                d.files, d.render_key, d.data_version, coalesce(d.report_data::text, '{{}}') as figures,
                d.progress
            from {BATCH}
            join reporting.report_occurrences as o using (tenant_id, occurrence_id)
            join reporting.report_subscriptions as s using (tenant_id, subscription_id)
            join reporting.report_deliveries as d using (tenant_id, occurrence_id)
            where {GOES} and d.files <> '[]'
                and (d.delivery_status = 'ready' or {RETRY_DUE})
            order by d.tenant_id, d.render_key, o.due_at, d.occurrence_id, d.channel, d.recipient
            """,
            batch_values(batch) | {"now": now},
        ).fetchall()


#: Occurrences a dispatcher works on together, as a table of a statement.
BATCH = "unnest(%(tenants)s::text[], %(occurrences)s::uuid[]) as b (tenant_id, occurrence_id)"


def batch_values(batch: Iterable[Promise]) -> dict[str, Any]:
    """The values of BATCH."""
    keys = [(promise.tenant_id, promise.occurrence_id) for promise in batch]
    return {"tenants": [key[0] for key in keys], "occurrences": [key[1] for key in keys]}


def has_loose_ends(conn: Connection, now: datetime, tenant: str | None = None) -> bool:
    """Whether something can be sent, given up or closed at once, or was left behind by a dead dispatcher."""
    row = conn.execute(
        f"""
        select exists (select from reporting.report_deliveries as d where {ORPHANED})
            or exists (
                select from reporting.report_occurrences as o
                join reporting.report_subscriptions as s using (tenant_id, subscription_id)
                cross join lateral (
                    select bool_or({OPEN}) as is_open, bool_or({OPEN} and {GOES}) as goes,
                        bool_or({GOES} and (d.delivery_status = 'pending' or {RETRY_DUE} and d.files = '[]'))
                            as is_bare,
                        bool_or({GOES} and (d.delivery_status = 'ready' or {RETRY_DUE} and d.files <> '[]'))
                            as is_rendered
                    from reporting.report_deliveries as d
                    where d.tenant_id = o.tenant_id and d.occurrence_id = o.occurrence_id
                ) as d
                where o.state = 'pending' and o.due_at <= %(now)s
                    and (%(tenant)s::text is null or o.tenant_id = %(tenant)s)
                    and case
                        when not coalesce(d.is_open, false) then d.is_open is not null
                        when d.goes
                            then d.is_rendered or d.is_bare and {GIVE_UP_AT} <= %(now)s
                        else {GIVE_UP_AT} <= %(now)s
                    end
            )
        """,
        {"now": now, "tenant": tenant, "locks": DISPATCHER_LOCKS},
    ).fetchone()
    return row is not None and bool(row[0])


def next_moment(conn: Connection, now: datetime, until: datetime) -> datetime | None:
    """The first moment after `now`, up to `until`, at which a report is due, given up or tried again."""
    row = conn.execute(
        f"""
        select min(m.at)
        from reporting.report_occurrences as o
        join reporting.report_subscriptions as s using (tenant_id, subscription_id)
        join reporting.report_deliveries as d using (tenant_id, occurrence_id)
        cross join lateral (values (o.due_at), ({GIVE_UP_AT}), (d.next_attempt_at)) as m (at)
        where o.state = 'pending' and m.at > %(now)s and m.at <= %(until)s and {OPEN} and {GOES}
        """,
        {"now": now, "until": until},
    ).fetchone()
    return row[0] if row else None


def waiting_periods(conn: Connection, now: datetime, tenant: str | None = None) -> list[tuple[str, date]]:
    """Tenants and last days of the periods that due reports wait for."""
    return conn.execute(
        f"""
        select distinct o.tenant_id, o.report_period_end
        from reporting.report_occurrences as o
        join reporting.report_subscriptions as s using (tenant_id, subscription_id)
        join reporting.report_deliveries as d using (tenant_id, occurrence_id)
        where o.state = 'pending' and o.due_at <= %(now)s and d.files = '[]' and {WORK}
            and {GOES}
            and (%(tenant)s::text is null or o.tenant_id = %(tenant)s)
        """,
        {"now": now, "tenant": tenant},
    ).fetchall()


def outcomes(
    conn: Connection,
    touched: Collection[UUID],
    now: datetime,
    tenant: str | None,
    occurrences: Collection[UUID] | None,
) -> list[Outcome]:
    """The deliveries a dispatch touched, and those that are due and still open."""
    return _outcomes(
        conn,
        f"""
        d.delivery_id = any(%(touched)s) or ({OPEN} or d.delivery_status = 'held') and o.due_at <= %(now)s
            and (%(tenant)s::text is null or d.tenant_id = %(tenant)s)
            and (%(occurrences)s::uuid[] is null or d.occurrence_id = any(%(occurrences)s))
        """,
        {"touched": list(touched), "now": now, "tenant": tenant, "occurrences": _ids(occurrences)},
    )


def _ids(given: Collection[UUID] | None) -> list[UUID] | None:
    return None if given is None else list(given)


def history(
    conn: Connection,
    tenant: str | None = None,
    status: str | None = None,
    limit: int = 50,
    *,
    subscription: UUID | None = None,
    since: datetime | None = None,
    all_attempts: bool = False,
) -> list[Outcome]:
    """The newest deliveries of the ledger: of one tenant or subscription, in one status, due since then.

    Of each report and recipient the newest attempt group, or with `all_attempts` also those it replaced.
    """
    return _outcomes(
        conn,
        """
        (%(tenant)s::text is null or d.tenant_id = %(tenant)s)
            and (%(all_attempts)s or not exists (
                select from reporting.report_deliveries as n
                where n.tenant_id = d.tenant_id and n.occurrence_id = d.occurrence_id
                    and n.channel = d.channel and n.recipient = d.recipient
                    and n.attempt_group > d.attempt_group
            ))
            and (%(status)s::text is null or d.delivery_status = %(status)s)
            and (%(subscription)s::uuid is null or o.subscription_id = %(subscription)s)
            and (%(since)s::timestamptz is null or o.due_at >= %(since)s)
        """,
        {
            "tenant": tenant,
            "status": status,
            "limit": limit,
            "subscription": subscription,
            "since": since,
            "all_attempts": all_attempts,
        },
        "order by o.due_at desc, d.created_at desc, d.recipient limit %(limit)s",
    )


def figures(conn: Connection, outcome: Outcome) -> dict[str, Any]:
    """The figures a delivered report shows, as they were printed."""
    row = conn.execute(
        "select report_data from reporting.report_deliveries where tenant_id = %s and delivery_id = %s",
        (outcome.tenant_id, outcome.delivery_id),
    ).fetchone()
    return dict(row[0]) if row and row[0] else {}


@dataclass(frozen=True)
class Stage:
    """One request to bring a report to a recipient: the schedule's first, then those of people."""

    delivery_id: UUID
    attempt_group: int
    kind: str
    delivery_status: str
    attempts: int
    requested_by: str | None
    created_at: datetime
    claimed_at: datetime | None
    delivered_at: datetime | None
    next_attempt_at: datetime | None
    updated_at: datetime
    error_message: str | None
    files_removed_at: datetime | None


def stages(conn: Connection, outcome: Outcome) -> list[Stage]:
    """Everything that was done to bring that report to that recipient, oldest first."""
    with conn.cursor(row_factory=class_row(Stage)) as cursor:
        return cursor.execute(
            """
            select n.delivery_id, n.attempt_group, n.kind, n.delivery_status, n.attempts, n.requested_by,
                n.created_at, n.claimed_at, n.delivered_at, n.next_attempt_at, n.updated_at, n.error_message,
                n.files_removed_at
            from reporting.report_deliveries as d
            join reporting.report_deliveries as n using (tenant_id, occurrence_id, channel, recipient)
            where d.tenant_id = %s and d.delivery_id = %s
            order by n.attempt_group
            """,
            (outcome.tenant_id, outcome.delivery_id),
        ).fetchall()


def lookup(conn: Connection, key: str) -> list[Outcome]:
    """Deliveries whose id begins with `key`."""
    return _outcomes(conn, "starts_with(d.delivery_id::text, %(key)s)", {"key": key.lower()})


def _outcomes(
    conn: Connection,
    condition: str,
    values: Mapping[str, Any],
    order: str = "order by d.tenant_id, o.due_at, s.name, d.channel, d.recipient",
) -> list[Outcome]:
    with conn.cursor(row_factory=class_row(Outcome)) as cursor:
        return cursor.execute(
            f"""
            select d.tenant_id, s.name as subscription, s.report,
                coalesce(o.period_kind, s.frequency) as frequency, o.local_date,
                o.report_period_start as period_start, o.report_period_end as period_end, o.due_at,
                d.channel, d.recipient, d.delivery_id, d.kind, d.delivery_status, d.attempts,
                d.next_attempt_at, d.delivered_at, d.error_class,
                case when d.delivery_status in ('pending', 'held') or d.kind = 'notice'
                    then coalesce(d.error_message, o.reason) else d.error_message end as reason,
                d.message_id, d.data_version, d.files
            from reporting.report_deliveries as d
            join reporting.report_occurrences as o using (tenant_id, occurrence_id)
            join reporting.report_subscriptions as s using (tenant_id, subscription_id)
            where {condition} {order}
            """,
            values,
        ).fetchall()
