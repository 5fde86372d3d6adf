"""The ledger: claims and outcomes of deliveries, safe for any number of dispatchers.

Belongs here: what a dispatcher changes in reporting.report_deliveries while it renders and sends. Does not:
what is recovered, taken out and closed (upkeep), planning, rendering, sending. A change of state is one
statement `update ... where delivery_status = ...`: whose statement changes the row has it.

    pending -> rendering -> ready -> sending -> sent
                                             -> failed   (transient: tried again at next_attempt_at)
                                             -> unknown  (no answer after the whole message: never sent again)
    pending, failed -> held    (no good data until give_up_at; a person lets it go)
                    -> rendering -> ready as kind notice
    pending, ready  -> skipped (suppressed, missed), failed (domain not allowed)
    ready           -> pending (a check of its build has failed since)
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from orchestration.delivery.records import (
    DISPATCHER_LOCKS,
    RETRY_DUE,
    Delivery,
    Promise,
    batch_values,
)
from orchestration.delivery.suppressions import Source, suppress
from orchestration.errors import MetricpressError

Connection = psycopg.Connection[Any]
logger = logging.getLogger(__name__)

#: Class of the advisory locks under which a rendering is made; the object is a hash of its key.
RENDERING_LOCKS = 730_512
#: How long the outcome of a message under way is tried to be recorded when the database has gone.
RESCUE_SECONDS = 60.0
RESCUE_PAUSE = 0.5
LOST = (psycopg.OperationalError, psycopg.InterfaceError)


@dataclass(frozen=True)
class Rendition:
    """What a rendering leaves in the ledger. `figures` is JSON text: numbers keep their digits."""

    key: str
    figures: str
    data_version: str
    template_version: str
    files: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Settlement:
    """How an attempt ended; `seconds` is what it took. `is_gone`: the recipient gets nothing any more."""

    delivery: Delivery
    status: str
    error_class: str | None = None
    message: str | None = None
    next_attempt_at: datetime | None = None
    progress: Mapping[str, Any] | None = None
    is_gone: bool = False
    seconds: float | None = None


class Ledger:
    """One dispatcher's hands on the ledger; the connection must be in autocommit and its own.

    `reopen` makes another connection when that one is lost with a message under way.
    """

    def __init__(self, conn: Connection, reopen: Callable[[], Connection] | None = None) -> None:
        self.conn = conn
        self.reopen = reopen
        row = conn.execute(_BEGIN, (DISPATCHER_LOCKS,)).fetchone()
        assert row is not None
        self.process: int = row[0]
        #: Deliveries this dispatcher changed.
        self.touched: set[UUID] = set()

    def close(self) -> None:
        """Show that this dispatcher has ended."""
        self.conn.execute("select pg_advisory_unlock(%s, %s)", (DISPATCHER_LOCKS, self.process))

    def claim_rendering(self, promise: Promise, now: datetime) -> int | None:
        """Claim what has to be rendered; returns the most attempts one of them has behind it.

        None when another dispatcher was first or nothing is left to render.
        """
        attempts = self._change(
            f"""
            update reporting.report_deliveries as d set
                delivery_status = 'rendering', claimed_by = %(process)s, claimed_at = clock_timestamp(),
                error_class = null, error_message = null
            where tenant_id = %(tenant)s and occurrence_id = %(occurrence)s
                and (delivery_status = 'pending' or {RETRY_DUE} and files = '[]')
            """,
            self._own(promise) | {"now": now},
        )
        return max(attempts, default=None)

    @contextmanager
    def rendering_alone(self, key: str) -> Iterator[None]:
        """Wait until no other dispatcher renders the same; what it made is then found as kept."""
        lock = (RENDERING_LOCKS, key)
        self.conn.execute("select pg_advisory_lock(%s, hashtext(%s))", lock)
        try:
            yield
        finally:
            if not self.conn.closed:  # a lock does not outlive its session
                self.conn.execute("select pg_advisory_unlock(%s, hashtext(%s))", lock)

    def try_rendering_alone(self, key: str) -> bool:
        """As `rendering_alone`, for one of several at once: False where another dispatcher renders it.

        Waiting with a lock in hand could wait for a dispatcher that waits for this one.
        """
        row = self.conn.execute(
            "select pg_try_advisory_lock(%s, hashtext(%s))", (RENDERING_LOCKS, key)
        ).fetchone()
        return row is not None and bool(row[0])

    def let_render(self, key: str) -> None:
        """Give back what `try_rendering_alone` took."""
        if not self.conn.closed:  # a lock does not outlive its session
            self.conn.execute("select pg_advisory_unlock(%s, hashtext(%s))", (RENDERING_LOCKS, key))

    def kept_rendition(self, tenant_id: str, key: str) -> Rendition | None:
        """What an earlier rendering with that key left in the ledger."""
        with self.conn.cursor(row_factory=class_row(Rendition)) as cursor:
            return cursor.execute(
                """
                select render_key as key, report_data::text as figures, data_version, template_version, files
                from reporting.report_deliveries
                where tenant_id = %s and render_key = %s and files <> '[]' and files_removed_at is null
                order by claimed_at desc limit 1
                """,
                (tenant_id, key),
            ).fetchone()

    def rendered(self, promise: Promise, rendition: Rendition, seconds: float | None) -> None:
        """Make what was rendered ready to be sent; `seconds`: None when it was kept from before."""
        self._rendered(
            promise,
            """kind = 'report', report_data = %(figures)s::jsonb, data_version = %(data_version)s,
            template_version = %(template_version)s, render_key = %(key)s, files = %(files)s,
            render_seconds = %(seconds)s""",
            {
                "key": rendition.key,
                "figures": rendition.figures,
                "data_version": rendition.data_version,
                "template_version": rendition.template_version,
                "files": Jsonb([dict(file) for file in rendition.files]),
                "seconds": seconds,
            },
        )

    def noticed(self, promise: Promise, files: Sequence[Mapping[str, Any]]) -> None:
        """Make the notice that stands in for the report ready to be sent: it has no figures and no data."""
        self._rendered(
            promise,
            """kind = 'notice', report_data = null, data_version = null, template_version = null,
            render_key = null, files = %(files)s""",
            {"files": Jsonb([dict(file) for file in files])},
        )

    def rendering_failed(
        self, promise: Promise, error_class: str, message: str, next_attempt_at: datetime | None
    ) -> None:
        """Record that nothing could be rendered for what this dispatcher claimed."""
        self._change(
            """
            update reporting.report_deliveries as d set
                delivery_status = 'failed', attempts = attempts + 1, error_class = %(class)s,
                error_message = %(message)s, next_attempt_at = %(next)s, claimed_by = null
            where tenant_id = %(tenant)s and occurrence_id = %(occurrence)s
                and delivery_status = 'rendering' and claimed_by = %(process)s
            """,
            self._own(promise) | {"class": error_class, "message": message, "next": next_attempt_at},
        )

    def hold(self, promise: Promise, now: datetime) -> None:
        """Hold what could not be rendered for want of good data, until a person lets it go."""
        self._change(
            f"""
            update reporting.report_deliveries as d set delivery_status = 'held', next_attempt_at = null
            where tenant_id = %(tenant)s and occurrence_id = %(occurrence)s
                and (delivery_status = 'pending' or {RETRY_DUE} and files = '[]')
            """,
            self._own(promise) | {"now": now},
        )

    def turn(
        self, done: Settlement | None, claim: Delivery | None, message_id: str | None, now: datetime
    ) -> Delivery | None:
        """Record how the last attempt ended and claim the next delivery, in one commit.

        Returns the claimed delivery; None when there was none to claim or another dispatcher was first. When
        the database goes away the outcome is recorded as soon as it is back, within RESCUE_SECONDS, and the
        error is raised: a dispatcher that lost its session has lost its claims.
        """
        try:
            if done is not None and done.is_gone:
                with self.conn.transaction():
                    _suppress(self.conn, done.delivery, done.message)
                    claimed = self._turn(done, claim, message_id, now)
            else:
                claimed = self._turn(done, claim, message_id, now)
        except LOST as error:
            self._rescue(done, claim, error)
            raise
        if not claimed or claim is None:
            return None
        self.touched.add(claim.delivery_id)
        return replace(claim, attempts=claim.attempts + 1)

    def wait(self, reasons: Sequence[tuple[Promise, str]]) -> None:
        """Keep the reasons why occurrences are not out yet."""
        new = [(promise, reason) for promise, reason in reasons if promise.reason != reason]
        if not new:
            return
        self.conn.execute(
            """
            update reporting.report_occurrences as o set reason = r.reason
            from unnest(%(tenants)s::text[], %(occurrences)s::uuid[], %(reasons)s::text[])
                as r (tenant_id, occurrence_id, reason)
            where o.tenant_id = r.tenant_id and o.occurrence_id = r.occurrence_id and o.state = 'pending'
            """,
            batch_values(promise for promise, _ in new) | {"reasons": [reason for _, reason in new]},
        )

    def _turn(
        self, done: Settlement | None, claim: Delivery | None, message_id: str | None, now: datetime
    ) -> bool:
        row = self.conn.execute(
            _TURN,
            _settled_values(done, self.process)
            | {
                "claim_tenant": claim.tenant_id if claim else None,
                "claim": claim.delivery_id if claim else None,
                "claim_attempts": claim.attempts if claim else None,
                "claim_key": claim.render_key if claim else None,
                "claim_message_id": message_id,
                "now": now,
            },
        ).fetchone()
        assert row is not None
        settled, claimed = row
        if done is not None and not settled:
            logger.warning("delivery %s was taken over meanwhile", done.delivery.delivery_id)
        return bool(claimed)

    def _rescue(self, done: Settlement | None, claim: Delivery | None, error: Exception) -> None:
        """Record on a new session what is known: the outcome, and that the claimed one was not sent.

        Safe against a recovery by another dispatcher: only a row that still shows this claim is changed.
        """
        if self.reopen is None:
            return
        logger.error("the database connection was lost: %s", " ".join(str(error).split()))
        ends = time.monotonic() + RESCUE_SECONDS
        while True:
            try:
                with self.reopen() as conn:
                    if done is not None and done.is_gone:
                        _suppress(conn, done.delivery, done.message)
                    if done is not None:
                        conn.execute(_SETTLE, _settled_values(done, self.process))
                    if claim is not None:
                        conn.execute(_RELEASE, _claim_values(claim, self.process))
                return
            except (*LOST, MetricpressError):
                if time.monotonic() > ends:
                    logger.exception("the outcome of the last delivery could not be recorded")
                    return
                time.sleep(RESCUE_PAUSE)

    def _rendered(self, promise: Promise, changes: str, values: Mapping[str, Any]) -> None:
        self._change(
            f"""
            update reporting.report_deliveries as d set
                delivery_status = 'ready', claimed_by = null, progress = null, {changes}
            where tenant_id = %(tenant)s and occurrence_id = %(occurrence)s
                and delivery_status = 'rendering' and claimed_by = %(process)s
            """,
            self._own(promise) | dict(values),
        )

    def _own(self, promise: Promise) -> dict[str, Any]:
        return {
            "tenant": promise.tenant_id,
            "occurrence": promise.occurrence_id,
            "process": self.process,
        }

    def _change(self, statement: str, values: Mapping[str, Any]) -> list[int]:
        """Attempts of the deliveries that were changed."""
        rows = self.conn.execute(f"{statement} returning d.delivery_id, d.attempts", values).fetchall()
        self.touched.update(delivery_id for delivery_id, _ in rows)
        return [attempts for _, attempts in rows]


#: A claim that a crash of the database forgets would be made again: a commit waits for the disk, also where
#: the server is tuned not to. A dispatcher whose machine went away without a word is found dead in a minute.
_BEGIN = """
    select pg_backend_pid(), pg_advisory_lock(%s, pg_backend_pid()),
        case current_setting('synchronous_commit')
            when 'off' then set_config('synchronous_commit', 'on', false)
        end,
        set_config('tcp_keepalives_idle', '30', false), set_config('tcp_keepalives_interval', '10', false),
        set_config('tcp_keepalives_count', '3', false)
"""
#: Also over an `unknown` that another dispatcher assumed meanwhile.
_SETTLE = """
    update reporting.report_deliveries as d set
        delivery_status = %(status)s::text,
        delivered_at = case when %(status)s::text = 'sent' then clock_timestamp() end,
        error_class = %(class)s, error_message = %(message)s, next_attempt_at = %(next)s,
        progress = case when %(status)s::text <> 'sent' then coalesce(%(progress)s::jsonb, progress) end,
        send_seconds = %(seconds)s
    where tenant_id = %(tenant)s and delivery_id = %(delivery)s and attempts = %(attempts)s
        and delivery_status in ('sending', 'unknown') and claimed_by = %(process)s
"""
#: What was read before the claim must still hold: attempts (and with them progress) and the rendition. It
#: waits for no lock: the outcome of the last delivery stands in the same statement.
_CLAIM = f"""
    update reporting.report_deliveries as c set
        delivery_status = 'sending', attempts = c.attempts + 1, claimed_by = %(process)s,
        claimed_at = clock_timestamp(), message_id = %(claim_message_id)s
    from (
        select d.tenant_id, d.delivery_id from reporting.report_deliveries as d
        where d.tenant_id = %(claim_tenant)s and d.delivery_id = %(claim)s
            and d.attempts = %(claim_attempts)s and d.render_key is not distinct from %(claim_key)s
            and (d.delivery_status = 'ready' or {RETRY_DUE})
        for update skip locked
    ) as free
    where c.tenant_id = free.tenant_id and c.delivery_id = free.delivery_id
"""
_TURN = f"""
    with settled as ({_SETTLE} returning 1), claimed as ({_CLAIM} returning 1)
    select exists (select from settled), exists (select from claimed)
"""
_RELEASE = """
    update reporting.report_deliveries set
        delivery_status = 'ready', attempts = attempts - 1, claimed_by = null, error_message = null
    where tenant_id = %(tenant)s and delivery_id = %(delivery)s and attempts = %(attempts)s + 1
        and delivery_status in ('sending', 'unknown') and claimed_by = %(process)s
"""


def _suppress(conn: Connection, delivery: Delivery, message: str | None) -> None:
    source: Source = "bounce" if delivery.channel == "email" else "gone"
    suppress(conn, delivery.tenant_id, delivery.recipient, message or "refused for good", source)


def _settled_values(done: Settlement | None, process: int) -> dict[str, Any]:
    return {
        "tenant": done.delivery.tenant_id if done else None,
        "delivery": done.delivery.delivery_id if done else None,
        "attempts": done.delivery.attempts if done else None,
        "status": done.status if done else None,
        "class": done.error_class if done else None,
        "message": done.message if done else None,
        "next": done.next_attempt_at if done else None,
        "progress": Jsonb(dict(done.progress)) if done and done.progress is not None else None,
        "seconds": done.seconds if done else None,
        "process": process,
    }


def _claim_values(claim: Delivery, process: int) -> dict[str, Any]:
    return {
        "tenant": claim.tenant_id,
        "delivery": claim.delivery_id,
        "attempts": claim.attempts,
        "process": process,
    }
