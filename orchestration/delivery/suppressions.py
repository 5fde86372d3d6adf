"""Suppressions: recipients who may not be written to, of one subscription or of the whole tenant.

Belongs here: the rows of reporting.suppressions. Does not: leaving them out of a delivery (ledger), and
reading what people send to unsubscribe (unsubscribe).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from orchestration.delivery.unsubscribe import Wish

Connection = psycopg.Connection[Any]
#: Who said so: a person, the mail server (5xx), another receiver (410, no such channel), the recipient.
Source = Literal["command", "bounce", "gone", "unsubscribe"]
UNSUBSCRIBED = "the recipient unsubscribed"

_COLUMNS = """x.tenant_id, x.recipient, x.reason, x.source, x.since, x.created_by, x.suppression_id,
    x.subscription_id"""
_WITH_NAMES = f"""
    select {_COLUMNS}, s.name as subscription
    from %s as x
    left join reporting.report_subscriptions as s
        on s.tenant_id = x.tenant_id and s.subscription_id = x.subscription_id
"""


@dataclass(frozen=True)
class Suppression:
    """One row of reporting.suppressions; `subscription` None: nothing at all goes to the recipient."""

    tenant_id: str
    recipient: str
    subscription: str | None
    reason: str
    source: Source
    since: datetime
    created_by: str
    suppression_id: UUID
    subscription_id: UUID | None


def suppress(
    conn: Connection,
    tenant: str,
    recipient: str,
    reason: str,
    source: Source,
    subscription_id: UUID | str | None = None,
) -> bool:
    """Write to that recipient no more; without `subscription_id` nothing of the tenant at all.

    True when it is new; one that is there already keeps its reason and date. Case does not matter.
    """
    written = conn.execute(
        """
        insert into reporting.suppressions (tenant_id, recipient, reason, source, subscription_id)
        values (%s, lower(%s), %s, %s, %s)
        on conflict on constraint suppressions_once do nothing
        """,
        (tenant, recipient, reason, source, subscription_id),
    )
    return written.rowcount == 1


def unsubscribe(conn: Connection, wish: Wish) -> bool:
    """Honour a verified wish; True when it is new. That of a removed tenant is honoured already."""
    known = conn.execute(
        "select from reporting.report_subscriptions where tenant_id = %s and subscription_id = %s",
        (wish.tenant_id, wish.subscription_id),
    ).fetchone()
    return known is not None and suppress(
        conn, wish.tenant_id, wish.recipient, UNSUBSCRIBED, "unsubscribe", wish.subscription_id
    )


def listed(conn: Connection, tenant: str | None = None) -> list[Suppression]:
    """All suppressions, or those of one tenant, by tenant and recipient."""
    with conn.cursor(row_factory=class_row(Suppression)) as cursor:
        return cursor.execute(
            f"""
            {_WITH_NAMES % "reporting.suppressions"}
            where %(tenant)s::text is null or x.tenant_id = %(tenant)s
            order by x.tenant_id, x.recipient, s.name nulls first
            """,
            {"tenant": tenant},
        ).fetchall()


def lift(
    conn: Connection, tenant: str, recipient: str, subscription_id: UUID | str | None = None
) -> list[Suppression]:
    """Allow that recipient again: with `subscription_id` for that subscription, else for everything.

    Returns what was lifted; a suppression of the whole tenant stays when only one subscription is named.
    """
    with conn.cursor(row_factory=class_row(Suppression)) as cursor:
        return cursor.execute(
            f"""
            with lifted as (
                delete from reporting.suppressions as x
                where x.tenant_id = %(tenant)s and x.recipient = lower(%(recipient)s)
                    and (%(subscription)s::uuid is null or x.subscription_id = %(subscription)s)
                returning {_COLUMNS}
            )
            {_WITH_NAMES % "lifted"}
            order by s.name nulls first
            """,
            {"tenant": tenant, "recipient": recipient, "subscription": subscription_id},
        ).fetchall()
