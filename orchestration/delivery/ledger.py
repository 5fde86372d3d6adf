"""The ledger: claims and outcomes of deliveries, safe for any number of dispatchers.

Belongs here: every change of reporting.report_deliveries and the state of an occurrence. Does not: planning,
rendering, sending. A change of state is one statement `update ... where delivery_status = ... returning`:
who gets the row back has it.

    pending -> rendering -> ready -> sending -> sent
                                             -> failed   (transient: tried again at next_attempt_at)
                                             -> unknown  (no answer after the whole message: never sent again)
    pending, ready -> skipped (suppressed), failed (domain not allowed)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from orchestration.delivery.channels import REPEATABLE
from orchestration.delivery.records import (
    DELIVERY_COLUMNS,
    DISPATCHER_LOCKS,
    OPEN,
    ORPHANED,
    RETRY_DUE,
    Delivery,
    Promise,
)

Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class Rendition:
    """What a rendering leaves in the ledger. `figures` is JSON text: numbers keep their digits."""

    key: str
    figures: str
    data_version: str
    template_version: str
    files: Sequence[Mapping[str, Any]]


class Ledger:
    """One dispatcher's hands on the ledger; the connection must be in autocommit and its own."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        row = conn.execute(
            "select pg_backend_pid(), pg_advisory_lock(%s, pg_backend_pid())", (DISPATCHER_LOCKS,)
        ).fetchone()
        assert row is not None
        self.process: int = row[0]
        #: Deliveries this dispatcher changed.
        self.touched: set[UUID] = set()

    def close(self) -> None:
        """Show that this dispatcher has ended."""
        self.conn.execute("select pg_advisory_unlock(%s, %s)", (DISPATCHER_LOCKS, self.process))

    def recover(self) -> int:
        """Take over what dispatchers that died left behind; returns how many outcomes became unknown.

        A message that was being sent may have arrived. A rendering, or a file that a second attempt would
        overwrite with the same content, is done again.
        """
        rows = self.conn.execute(
            f"""
            update reporting.report_deliveries as d set
                delivery_status = case
                    when delivery_status = 'rendering' then 'pending'
                    when channel = any(%(repeatable)s) then 'ready'
                    else 'unknown'
                end,
                error_message = case
                    when delivery_status = 'sending' and channel <> all(%(repeatable)s)
                        then 'the dispatcher ended while it was sending'
                end
            where {ORPHANED}
            returning d.delivery_status, d.tenant_id, d.occurrence_id, d.delivery_id
            """,
            {"repeatable": list(REPEATABLE), "locks": DISPATCHER_LOCKS},
        ).fetchall()
        for _, tenant_id, occurrence_id, delivery_id in rows:
            self.touched.add(delivery_id)
            self.close_occurrence(tenant_id, occurrence_id)
        return sum(status == "unknown" for status, *_ in rows)

    def screen(self, promise: Promise) -> list[Delivery]:
        """Take out the recipients who may not be written to; returns them with the reason."""
        return self._change(
            """
            update reporting.report_deliveries as d set
                delivery_status = case when x.reason is null then 'failed' else 'skipped' end,
                error_class = case when x.reason is null then 'permanent' end,
                error_message = coalesce(
                    'suppressed since ' || x.since::date || ': ' || x.reason,
                    'mail is allowed to ' || array_to_string(c.allowed_recipient_domains, ', ') || ' only'
                ),
                next_attempt_at = null
            from reporting.report_deliveries as own
            left join reporting.suppressions as x
                on x.tenant_id = own.tenant_id and x.recipient = lower(own.recipient)
                and (x.subscription_id is null or x.subscription_id = %(subscription)s)
            left join reporting.tenant_settings as c on c.tenant_id = own.tenant_id
            where own.tenant_id = d.tenant_id and own.delivery_id = d.delivery_id
                and d.tenant_id = %(tenant)s and d.occurrence_id = %(occurrence)s
                and (
                    d.delivery_status in ('pending', 'ready')
                    or d.delivery_status = 'failed' and d.next_attempt_at is not null
                )
                and (
                    x.reason is not null
                    or d.channel = 'email' and c.allowed_recipient_domains is not null
                        and split_part(lower(d.recipient), '@', 2)
                            <> all(array(select lower(a) from unnest(c.allowed_recipient_domains) as a))
                )
            """,
            {**_key(promise), "subscription": promise.subscription_id},
        )

    def claim_rendering(self, promise: Promise, now: datetime) -> list[Delivery]:
        """Claim what has to be rendered; empty when another dispatcher was first or nothing is left to."""
        return self._change(
            f"""
            update reporting.report_deliveries as d set
                delivery_status = 'rendering', claimed_by = %(process)s, claimed_at = clock_timestamp(),
                error_class = null, error_message = null
            where tenant_id = %(tenant)s and occurrence_id = %(occurrence)s
                and (delivery_status = 'pending' or {RETRY_DUE} and files = '[]')
            """,
            {**_key(promise), "process": self.process, "now": now},
        )

    def kept_rendition(self, key: str) -> Rendition | None:
        """What an earlier rendering with that key left in the ledger."""
        with self.conn.cursor(row_factory=class_row(Rendition)) as cursor:
            return cursor.execute(
                """
                select render_key as key, report_data::text as figures, data_version, template_version, files
                from reporting.report_deliveries where render_key = %s and files <> '[]'
                order by claimed_at desc limit 1
                """,
                (key,),
            ).fetchone()

    def rendered(self, promise: Promise, rendition: Rendition) -> list[Delivery]:
        """Make what this dispatcher rendered ready to be sent."""
        return self._change(
            """
            update reporting.report_deliveries as d set
                delivery_status = 'ready', claimed_by = null, report_data = %(figures)s::jsonb,
                data_version = %(data_version)s, template_version = %(template_version)s,
                render_key = %(key)s, files = %(files)s
            where tenant_id = %(tenant)s and occurrence_id = %(occurrence)s
                and delivery_status = 'rendering' and claimed_by = %(process)s
            """,
            {
                **_key(promise),
                "process": self.process,
                "key": rendition.key,
                "figures": rendition.figures,
                "data_version": rendition.data_version,
                "template_version": rendition.template_version,
                "files": Jsonb([dict(file) for file in rendition.files]),
            },
        )

    def rendering_failed(
        self, promise: Promise, error_class: str, message: str, next_attempt_at: datetime | None
    ) -> list[Delivery]:
        """Record that nothing could be rendered for what this dispatcher claimed."""
        return self._change(
            """
            update reporting.report_deliveries as d set
                delivery_status = 'failed', attempts = attempts + 1, error_class = %(class)s,
                error_message = %(message)s, next_attempt_at = %(next)s, claimed_by = null
            where tenant_id = %(tenant)s and occurrence_id = %(occurrence)s
                and delivery_status = 'rendering' and claimed_by = %(process)s
            """,
            {
                **_key(promise),
                "process": self.process,
                "class": error_class,
                "message": message,
                "next": next_attempt_at,
            },
        )

    def sendable(self, promise: Promise, now: datetime) -> list[Delivery]:
        """What is rendered and waits for a sender."""
        return self._read(
            f"""
            select {DELIVERY_COLUMNS} from reporting.report_deliveries as d
            where tenant_id = %(tenant)s and occurrence_id = %(occurrence)s and files <> '[]'
                and (delivery_status = 'ready' or {RETRY_DUE})
            order by channel, recipient
            """,
            {**_key(promise), "now": now},
        )

    def claim_sending(self, delivery: Delivery, message_id: str, now: datetime) -> bool:
        """Claim one delivery; False when another dispatcher was first."""
        claimed = self._change(
            f"""
            update reporting.report_deliveries as d set
                delivery_status = 'sending', attempts = attempts + 1, claimed_by = %(process)s,
                claimed_at = clock_timestamp(), message_id = %(message_id)s
            where tenant_id = %(tenant)s and delivery_id = %(delivery)s
                and (delivery_status = 'ready' or {RETRY_DUE})
            """,
            {**self._claim(delivery), "message_id": message_id, "now": now},
        )
        return bool(claimed)

    def sent(self, delivery: Delivery) -> None:
        """Record that the receiver took it; also over an `unknown` that another dispatcher assumed."""
        self._settle(
            delivery,
            """delivery_status = 'sent', delivered_at = clock_timestamp(), error_class = null,
            error_message = null, next_attempt_at = null""",
        )

    def failed(
        self, delivery: Delivery, error_class: str, message: str, next_attempt_at: datetime | None
    ) -> None:
        """Record that it surely did not arrive, and when it is tried again (None: not by itself)."""
        self._settle(
            delivery,
            """delivery_status = 'failed', error_class = %(class)s, error_message = %(message)s,
            next_attempt_at = %(next)s""",
            {"class": error_class, "message": message, "next": next_attempt_at},
        )

    def unknown(self, delivery: Delivery, message: str) -> None:
        """Record that nobody knows whether it arrived."""
        self._settle(
            delivery,
            "delivery_status = 'unknown', error_message = %(message)s, next_attempt_at = null",
            {"message": message},
        )

    def waits(self, promise: Promise, reason: str) -> None:
        """Keep the reason why an occurrence is not out yet."""
        self.conn.execute(
            """
            update reporting.report_occurrences set reason = %(reason)s
            where tenant_id = %(tenant)s and occurrence_id = %(occurrence)s and state = 'pending'
                and reason is distinct from %(reason)s
            """,
            {**_key(promise), "reason": reason},
        )

    def close_occurrence(self, tenant_id: str, occurrence_id: UUID) -> None:
        """Settle an occurrence whose deliveries have all come to an end."""
        self.conn.execute(
            f"""
            update reporting.report_occurrences as o
            set state = e.state, reason = null, closed_at = clock_timestamp()
            from (
                select case
                        when bool_and(delivery_status = 'skipped') then 'skipped'
                        when bool_and(delivery_status in ('sent', 'skipped')) then 'sent'
                        when bool_or(delivery_status = 'sent') then 'partial'
                        else 'failed'
                    end as state
                from reporting.report_deliveries as d
                where tenant_id = %(tenant)s and occurrence_id = %(occurrence)s
                having not bool_or({OPEN})
            ) as e
            where o.tenant_id = %(tenant)s and o.occurrence_id = %(occurrence)s and o.state <> e.state
            """,
            {"tenant": tenant_id, "occurrence": occurrence_id},
        )

    def _settle(self, delivery: Delivery, changes: str, values: Mapping[str, Any] | None = None) -> None:
        self._change(
            f"""
            update reporting.report_deliveries as d set {changes}
            where tenant_id = %(tenant)s and delivery_id = %(delivery)s
                and delivery_status in ('sending', 'unknown') and claimed_by = %(process)s
            """,
            {**self._claim(delivery), **(values or {})},
        )

    def _claim(self, delivery: Delivery) -> dict[str, Any]:
        return {
            "tenant": delivery.tenant_id,
            "delivery": delivery.delivery_id,
            "process": self.process,
        }

    def _change(self, statement: str, values: Mapping[str, Any]) -> list[Delivery]:
        changed = self._read(f"{statement} returning {DELIVERY_COLUMNS}", values)
        self.touched.update(delivery.delivery_id for delivery in changed)
        return changed

    def _read(self, statement: str, values: Mapping[str, Any]) -> list[Delivery]:
        with self.conn.cursor(row_factory=class_row(Delivery)) as cursor:
            return cursor.execute(statement, values).fetchall()


def _key(promise: Promise) -> dict[str, Any]:
    return {"tenant": promise.tenant_id, "occurrence": promise.occurrence_id}
