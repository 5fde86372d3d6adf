"""What the ledger holds, read: promises to keep, deliveries, their history.

Belongs here: rows as dataclasses and every SELECT over occurrences and deliveries. Does not: changes
(ledger, planning).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row

Connection = psycopg.Connection[Any]

STATUSES = ("pending", "rendering", "ready", "sending", "sent", "failed", "unknown", "held", "skipped")

#: Class of the advisory locks by which a dispatcher shows that it lives; the object is its database process.
DISPATCHER_LOCKS = 730_511

RETRY_DUE = "delivery_status = 'failed' and next_attempt_at <= %(now)s"
#: What still has something to come, by itself.
OPEN = """(d.delivery_status in ('pending', 'rendering', 'ready', 'sending', 'held')
    or d.delivery_status = 'failed' and d.next_attempt_at is not null)"""

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

DELIVERY_COLUMNS = """d.tenant_id, d.delivery_id, d.occurrence_id, d.channel, d.recipient, d.delivery_status,
    d.attempts, d.files, d.error_message"""


@dataclass(frozen=True)
class Promise:
    """A report that is due: the occurrence with what its subscription asks for."""

    tenant_id: str
    occurrence_id: UUID
    subscription_id: UUID
    subscription: str
    report: str
    frequency: str
    local_date: date
    period_start: date
    period_end: date
    due_at: datetime
    is_late: bool
    branch_id: str | None
    parameters: dict[str, Any]
    formats: list[str]
    locale: str
    is_rendered: bool


@dataclass(frozen=True)
class Delivery:
    """A row of the ledger as a sender needs it."""

    tenant_id: str
    delivery_id: UUID
    occurrence_id: UUID
    channel: str
    recipient: str
    delivery_status: str
    attempts: int
    files: list[dict[str, Any]]
    error_message: str | None


@dataclass(frozen=True)
class Outcome:
    """Where one delivery stands. `reason`: why it waits, failed or was skipped; `files`: as rendered."""

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
    conn: Connection, now: datetime, tenant: str | None = None, occurrence: str | None = None
) -> list[Promise]:
    """Occurrences with something left to do now, oldest first within their tenant."""
    with conn.cursor(row_factory=class_row(Promise)) as cursor:
        return cursor.execute(
            f"""
            select o.tenant_id, o.occurrence_id, o.subscription_id, s.name as subscription, s.report,
                s.frequency, o.local_date, o.report_period_start as period_start,
                o.report_period_end as period_end, o.due_at, o.is_late, s.branch_id, s.parameters, s.formats,
                coalesce(s.locale, c.locale, 'en') as locale, d.is_rendered
            from reporting.report_occurrences as o
            join reporting.report_subscriptions as s using (tenant_id, subscription_id)
            left join reporting.tenant_settings as c using (tenant_id)
            cross join lateral (
                select bool_or(d.files <> '[]') as is_rendered
                from reporting.report_deliveries as d
                where d.tenant_id = o.tenant_id and d.occurrence_id = o.occurrence_id
                    and (d.delivery_status in ('pending', 'ready') or {RETRY_DUE})
            ) as d
            where o.state = 'pending' and o.due_at <= %(now)s and d.is_rendered is not null
                and (s.is_active or o.origin = 'on_demand')
                and (%(tenant)s::text is null or o.tenant_id = %(tenant)s)
                and (%(occurrence)s::uuid is null or o.occurrence_id = %(occurrence)s)
            order by o.tenant_id, o.due_at, o.occurrence_id
            """,
            {"now": now, "tenant": tenant, "occurrence": occurrence},
        ).fetchall()


def has_orphans(conn: Connection) -> bool:
    """Whether a dispatcher ended with claims in its hands."""
    row = conn.execute(
        f"select exists (select from reporting.report_deliveries as d where {ORPHANED})",
        {"locks": DISPATCHER_LOCKS},
    ).fetchone()
    return row is not None and bool(row[0])


def outcomes(
    conn: Connection, touched: Collection[UUID], now: datetime, tenant: str | None, occurrence: str | None
) -> list[Outcome]:
    """The deliveries a dispatch touched, and those that are due and still open."""
    return _outcomes(
        conn,
        f"""
        d.delivery_id = any(%(touched)s) or {OPEN} and o.due_at <= %(now)s
            and (%(tenant)s::text is null or d.tenant_id = %(tenant)s)
            and (%(occurrence)s::uuid is null or d.occurrence_id = %(occurrence)s)
        """,
        {"touched": list(touched), "now": now, "tenant": tenant, "occurrence": occurrence},
    )


def history(
    conn: Connection, tenant: str | None = None, status: str | None = None, limit: int = 50
) -> list[Outcome]:
    """The newest deliveries of the ledger, of one tenant or in one status."""
    return _outcomes(
        conn,
        """
        (%(tenant)s::text is null or d.tenant_id = %(tenant)s)
            and (%(status)s::text is null or d.delivery_status = %(status)s)
        """,
        {"tenant": tenant, "status": status, "limit": limit},
        "order by o.due_at desc, d.created_at desc, d.recipient limit %(limit)s",
    )


def figures(conn: Connection, outcome: Outcome) -> dict[str, Any]:
    """The figures a delivered report shows, as they were printed."""
    row = conn.execute(
        "select report_data from reporting.report_deliveries where tenant_id = %s and delivery_id = %s",
        (outcome.tenant_id, outcome.delivery_id),
    ).fetchone()
    return dict(row[0]) if row and row[0] else {}


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
            select d.tenant_id, s.name as subscription, s.report, s.frequency, o.local_date,
                o.report_period_start as period_start, o.report_period_end as period_end, o.due_at,
                d.channel, d.recipient, d.delivery_id, d.delivery_status, d.attempts, d.next_attempt_at,
                d.delivered_at, d.error_class,
                case when d.delivery_status = 'pending' then coalesce(o.reason, d.error_message)
                    else d.error_message end as reason,
                d.message_id, d.data_version, d.files
            from reporting.report_deliveries as d
            join reporting.report_occurrences as o using (tenant_id, occurrence_id)
            join reporting.report_subscriptions as s using (tenant_id, subscription_id)
            where {condition} {order}
            """,
            values,
        ).fetchall()
