"""Dispatch: plan what is due, wait for data, render once, send to each recipient once.

Belongs here: the order of the steps, the meaning of failures, the time of the next attempt. Does not: SQL of
the ledger, transports, documents. Any number of dispatchers may run at once, in any number of processes.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from orchestration.delivery import records, rendering
from orchestration.delivery.channels import open_channel
from orchestration.delivery.channels.message import message_id
from orchestration.delivery.channels.parcel import Channel, Parcel
from orchestration.delivery.failures import PermanentFailure, TransientFailure, UnknownOutcome
from orchestration.delivery.ledger import Ledger, Rendition
from orchestration.delivery.outcome import DispatchResult
from orchestration.delivery.planning import plan
from orchestration.delivery.readiness import Readiness, readiness
from orchestration.delivery.records import Delivery, Promise
from orchestration.delivery.rendering import Content
from orchestration.errors import MetricpressError
from orchestration.reports import ReportRequest
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

Connection = psycopg.Connection[Any]
#: Called after each report with (done, total, name).
Progress = Callable[[int, int, str], None]

logger = logging.getLogger(__name__)

FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(hours=1)
#: About seven hours of attempts; after that a person has to look.
MAX_ATTEMPTS = 12


def plan_occurrences(conn: Connection, now: datetime, tenant: str | None = None) -> int:
    """Write the occurrences due up to `now`; returns how many are new. Problems are logged."""
    return plan(conn, now, tenant)[0]


def has_work(conn: Connection, now: datetime, tenant: str | None = None) -> bool:
    """Whether a dispatch would do something: plans, then looks for what can be rendered, sent or recovered.

    Cheap enough for every tick of a scheduler; reports that wait for their data are no work.
    """
    plan_occurrences(conn, now, tenant)
    if records.has_orphans(conn):
        return True
    judged: dict[tuple[str, object], bool] = {}
    for promise in records.promises(conn, now, tenant):
        key = (promise.tenant_id, promise.period_end)
        if promise.is_rendered:
            return True
        if key not in judged:
            judged[key] = readiness(conn, promise.tenant_id, promise.period_end).is_ready
        if judged[key]:
            return True
    return False


def dispatch(
    settings: Settings,
    now: datetime | None = None,
    tenant: str | None = None,
    progress: Progress | None = None,
    *,
    occurrence: str | None = None,
) -> DispatchResult:
    """Plan, render and send what is due at `now` (default: the present), for one tenant or all.

    With `occurrence` only that one is worked on and nothing is planned. What fails or waits is in the result;
    raises MetricpressError only when nothing can be done at all (database, settings).
    """
    now = now or datetime.now(UTC)
    with connect(settings, "pipeline", autocommit=True, application_name="metricpress deliver") as conn:
        book = Ledger(conn)
        book.recover()
        planned, problems = (0, []) if occurrence else plan(conn, now, tenant)
        promises = records.promises(conn, now, tenant, occurrence)
        places: dict[UUID, str] = {}
        if promises:
            with (
                connect(settings, "pipeline", application_name="metricpress deliver, marts") as marts,
                ExitStack() as stack,
            ):
                work = _Dispatch(settings, now, book, marts, stack)
                _each(promises, work.one, progress)
                places = work.places
        outcomes = records.outcomes(conn, book.touched, now, tenant, occurrence)
        book.close()
    return DispatchResult(planned, tuple(outcomes), tuple(problems), places)


def rehearse(settings: Settings, now: datetime, tenant: str | None = None) -> DispatchResult:
    """What `dispatch` would do, without writing: `ready` would be sent, `pending` would wait and why."""
    with connect(settings, "pipeline", application_name="metricpress deliver --dry-run") as conn:
        book = Ledger(conn)
        planned, problems = plan(conn, now, tenant)
        for promise in records.promises(conn, now, tenant):
            book.screen(promise)
        outcomes = []
        for outcome in records.outcomes(conn, book.touched, now, tenant, None):
            judged = readiness(conn, outcome.tenant_id, outcome.period_end)
            status = "ready" if judged.is_ready else "pending"
            told = replace(outcome, delivery_status=status, reason=judged.reason or None)
            outcomes.append(told if outcome.delivery_status == "pending" else outcome)
        conn.rollback()
    return DispatchResult(planned, tuple(outcomes), tuple(problems))


def preview(settings: Settings, request: ReportRequest, formats: Sequence[str], folder: Path) -> list[Path]:
    """Render a report into a folder; nothing is recorded, no data is waited for."""
    with connect(settings, "pipeline", application_name="metricpress deliver preview") as conn:
        return rendering.preview(conn, request, formats, folder)


def retry_at(now: datetime, attempts: int, retry_after: float | None = None) -> datetime | None:
    """When to try again after that many attempts: doubling with jitter; None when it was the last."""
    if attempts >= MAX_ATTEMPTS:
        return None
    delay: timedelta = min(FIRST_RETRY * 2.0 ** (attempts - 1), LONGEST_RETRY) * random.uniform(0.75, 1.25)
    return now + max(delay, timedelta(seconds=retry_after or 0))


def _each(promises: list[Promise], work: Callable[[Promise], None], progress: Progress | None) -> None:
    for done, promise in enumerate(promises, start=1):
        work(promise)
        if progress is not None:
            progress(done, len(promises), f"{promise.tenant_id}: {promise.subscription}")


class _Dispatch:
    """One run of a dispatcher: its ledger, its look at the marts, its open channels."""

    def __init__(
        self, settings: Settings, now: datetime, book: Ledger, marts: Connection, stack: ExitStack
    ) -> None:
        self.settings = settings
        self.now = now
        self.book = book
        self.marts = marts
        self.stack = stack
        self.channels: dict[str, Channel] = {}
        self.looks: dict[str, str] = {}
        self.places: dict[UUID, str] = {}

    def one(self, promise: Promise) -> None:
        """Bring one occurrence as far as it goes now."""
        self.book.screen(promise)
        self._prepare(promise)
        self._send(promise)
        self.book.close_occurrence(promise.tenant_id, promise.occurrence_id)

    def _prepare(self, promise: Promise) -> None:
        """Render when the data is there; judged and rendered in one snapshot of the marts."""
        with self.marts.transaction():
            self.marts.execute("set transaction isolation level repeatable read, read only")
            ready = readiness(self.marts, promise.tenant_id, promise.period_end)
            if not ready.is_ready:
                self.book.waits(promise, ready.reason)
                return
            claimed = self.book.claim_rendering(promise, self.now)
            if claimed:
                self._render(promise, ready, max(delivery.attempts for delivery in claimed))

    def _render(self, promise: Promise, ready: Readiness, attempts: int) -> None:
        assert ready.data_version is not None
        try:
            self.book.rendered(promise, self._rendition(promise, ready.data_version))
        except MetricpressError as error:
            message = f"{error}. {error.remedy}".strip()
            self.book.rendering_failed(promise, "permanent", message, None)
        except (OSError, psycopg.Error) as error:
            next_attempt = retry_at(self.now, attempts + 1)
            self.book.rendering_failed(promise, "transient", f"not rendered: {error}", next_attempt)
        except Exception as error:  # a fault in one template must not stop the other reports
            logger.exception("rendering %s for %s failed", promise.report, promise.tenant_id)
            message = f"not rendered: {type(error).__name__}: {error}"
            self.book.rendering_failed(promise, "permanent", message, None)

    def _rendition(self, promise: Promise, data_version: str) -> Rendition:
        if promise.report not in self.looks:
            self.looks[promise.report] = rendering.template_version(self.settings, promise.report)
        look = self.looks[promise.report]
        kept = self.book.kept_rendition(rendering.render_key(promise, data_version, look))
        if kept is not None and rendering.intact(kept.files):
            return kept
        return rendering.render_and_keep(self.marts, promise, self.settings, data_version, look)

    def _send(self, promise: Promise) -> None:
        content: Content | None = None
        for delivery in self.book.sendable(promise, self.now):
            own_id = message_id(str(delivery.delivery_id), self.settings.mail_from)
            if not self.book.claim_sending(delivery, own_id, self.now):
                continue
            try:
                content = content or rendering.read_back(delivery.files)
                parcel = _parcel(promise, delivery, own_id, content)
                self.places[delivery.delivery_id] = self._channel(delivery.channel).send(parcel)
            except UnknownOutcome as failure:
                self.book.unknown(delivery, str(failure))
            except PermanentFailure as failure:
                self.book.failed(delivery, "permanent", str(failure), None)
            except TransientFailure as failure:
                again = retry_at(self.now, delivery.attempts + 1, failure.retry_after)
                self.book.failed(delivery, "transient", str(failure), again)
            except Exception as error:  # nobody knows how far a fault in a channel let it come
                logger.exception("delivery %s failed", delivery.delivery_id)
                self.book.unknown(delivery, f"{type(error).__name__}: {error}")
            else:
                self.book.sent(delivery)

    def _channel(self, name: str) -> Channel:
        if name not in self.channels:
            try:
                channel = open_channel(name, self.settings)
            except MetricpressError as error:
                raise PermanentFailure(f"{error}. {error.remedy}") from error
            self.channels[name] = self.stack.enter_context(channel)
        return self.channels[name]


def _parcel(promise: Promise, delivery: Delivery, own_id: str, content: Content) -> Parcel:
    return Parcel(
        delivery_id=str(delivery.delivery_id),
        message_id=own_id,
        recipient=delivery.recipient,
        subject=content.subject + (" (late)" if promise.is_late else ""),
        text=content.text,
        html=content.html,
        attachments=content.attachments,
        summary=content.summary,
    )
