"""Sending: one delivery after the other over open channels, each outcome in the ledger.

Belongs here: the order of claim, attempt and outcome, and what a failure means. Does not: rendering
(service), SQL of the ledger, transports.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from orchestration.delivery import records, rendering, upkeep
from orchestration.delivery.backoff import retry_at
from orchestration.delivery.channels import open_channel
from orchestration.delivery.channels.message import message_id
from orchestration.delivery.channels.parcel import About, Attachment, Channel, EarlyChannel, Parcel
from orchestration.delivery.failures import (
    DeliveryFailure,
    PartialFailure,
    PermanentFailure,
    TransientFailure,
    UnknownOutcome,
)
from orchestration.delivery.ledger import Ledger, Settlement
from orchestration.delivery.records import Delivery, Promise
from orchestration.delivery.rendering import Content
from orchestration.errors import MetricpressError
from orchestration.reports.formatting import Formatter
from orchestration.settings import Settings

logger = logging.getLogger(__name__)

GIVEN_UP = "given up: the time for attempts (max_lateness) is over"


class Sender:
    """A dispatcher's way out: its open channels, and where each message went (`places`).

    `clock` tells the present moment of the dispatch. At most one delivery is under way, so that a crash makes
    at most one unknown.
    """

    def __init__(
        self, settings: Settings, book: Ledger, clock: Callable[[], datetime], stack: ExitStack
    ) -> None:
        self.settings = settings
        self.book = book
        self.clock = clock
        self.stack = stack
        self.places: dict[UUID, str] = {}
        self._channels: dict[str, Channel] = {}
        # Writes to the ledger while the channel begins with the next parcel; one statement at a time.
        self._scribe = stack.enter_context(ThreadPoolExecutor(1, "ledger"))
        self._read: tuple[tuple[str, ...], Content | DeliveryFailure] | None = None

    def send(self, batch: Sequence[Promise]) -> None:
        """Send what is rendered of these occurrences and may go out."""
        self.book.touched |= upkeep.screen(self.book.conn, batch)
        self.book.touched |= upkeep.retract(self.book.conn, batch)
        promises = {promise.occurrence_id: promise for promise in batch}
        ended: Settlement | None = None
        alone = True
        try:
            for delivery in records.sendable(self.book.conn, batch, self.clock()):
                promise = promises[delivery.occurrence_id]
                parcel, began = self._parcel(promise, delivery), time.monotonic()
                # The outcome of one and the claim of the next share a commit. A server takes about as long to
                # take a text, so they run side by side; what delivers the text waits for the commit.
                last, ended = ended, None
                own_id = self._message_id(delivery)
                turn = self._scribe.submit(self.book.turn, last, delivery, own_id, self.clock())
                if alone:
                    self._prepare(delivery, parcel)
                claimed = turn.result()
                # To take back what was prepared costs a connection, and slows down who wants to overtake.
                alone = alone and claimed is not None
                if claimed is not None:
                    ended = self._attempt(promise, claimed, parcel, began)
        finally:
            if ended is not None:
                self.book.turn(ended, None, None, self.clock())

    def _prepare(self, delivery: Delivery, parcel: Parcel | DeliveryFailure) -> None:
        """Let the channel begin, if it can; a failure is told by the attempt that follows."""
        try:
            channel = self._channel(delivery.channel)
        except DeliveryFailure:
            return
        if not isinstance(channel, EarlyChannel) or isinstance(parcel, DeliveryFailure):
            return
        try:
            channel.prepare(parcel)
        except Exception:  # the attempt meets the same fault, and says what it means
            logger.exception("delivery %s could not be prepared", delivery.delivery_id)

    def _attempt(
        self, promise: Promise, delivery: Delivery, parcel: Parcel | DeliveryFailure, began: float
    ) -> Settlement:
        try:
            if isinstance(parcel, DeliveryFailure):
                raise parcel
            self.places[delivery.delivery_id] = self._channel(delivery.channel).send(parcel)
            ended = Settlement(delivery, "sent")
        except DeliveryFailure as failure:
            ended = self._failed(promise, delivery, failure)
        except Exception as error:  # nobody knows how far a fault in a channel let it come
            logger.exception("delivery %s failed", delivery.delivery_id)
            ended = Settlement(delivery, "unknown", message=f"{type(error).__name__}: {error}")
        return replace(ended, seconds=round(time.monotonic() - began, 3))

    def _failed(self, promise: Promise, delivery: Delivery, failure: DeliveryFailure) -> Settlement:
        message = str(failure)
        match failure:
            case PermanentFailure():
                return Settlement(delivery, "failed", "permanent", message, is_gone=failure.recipient_gone)
            case TransientFailure():
                ends = promise.notice_give_up_at if delivery.kind == "notice" else promise.give_up_at
                again = retry_at(self.clock(), delivery.attempts, ends, failure.retry_after)
                progress = failure.progress if isinstance(failure, PartialFailure) else None
                message = message if again else f"{message}; {GIVEN_UP}"
                return Settlement(delivery, "failed", "transient", message, again, progress)
            case UnknownOutcome():
                return Settlement(delivery, "unknown", message=message, progress=failure.progress)
        raise AssertionError(f"{type(failure).__name__} is no known kind of failure")

    def _parcel(self, promise: Promise, delivery: Delivery) -> Parcel | DeliveryFailure:
        content = self._content(delivery)
        if isinstance(content, DeliveryFailure):
            return content
        return Parcel(
            delivery_id=str(delivery.delivery_id),
            message_id=self._message_id(delivery),
            recipient=delivery.recipient,
            subject=_subject(promise, delivery, content),
            text=content.text,
            html=content.html,
            attachments=_attachments(promise, delivery, content),
            about=_about(promise, delivery),
            summary=content.summary,
            progress=delivery.progress,
        )

    def _content(self, delivery: Delivery) -> Content | DeliveryFailure:
        """The files of a delivery; those of the last one are kept in memory, as its neighbours share them."""
        key = tuple(entry["sha256"] for entry in delivery.files)
        if self._read is None or self._read[0] != key:
            try:
                self._read = key, rendering.read_back(delivery.files)
            except DeliveryFailure as failure:
                self._read = key, failure
        return self._read[1]

    def _message_id(self, delivery: Delivery) -> str:
        return message_id(str(delivery.delivery_id), self.settings.mail_from)

    def _channel(self, name: str) -> Channel:
        if name not in self._channels:
            try:
                channel = open_channel(name, self.settings)
            except MetricpressError as error:
                raise PermanentFailure(f"{error}. {error.remedy}") from error
            self._channels[name] = self.stack.enter_context(channel)
        return self._channels[name]


def _subject(promise: Promise, delivery: Delivery, content: Content) -> str:
    if not promise.is_late or delivery.kind != "report":
        return content.subject
    return Formatter.of(promise.locale).t("{subject} (late)", subject=content.subject)


def _attachments(promise: Promise, delivery: Delivery, content: Content) -> tuple[Attachment, ...]:
    """A notice carries no files, but a folder takes nothing else."""
    if delivery.kind != "notice" or delivery.channel != "file":
        return content.attachments
    name = f"{rendering.file_stem(promise)}_data_incomplete.txt"
    return (Attachment("txt", name, "text/plain", content.text.encode()),)


def _about(promise: Promise, delivery: Delivery) -> About:
    return About(
        tenant_id=promise.tenant_id,
        subscription_id=str(promise.subscription_id),
        subscription=promise.subscription,
        report=promise.report,
        period_start=promise.period_start,
        period_end=promise.period_end,
        due_at=promise.due_at,
        is_late=promise.is_late,
        data_version=delivery.data_version,
        figures=delivery.figures,
        locale=promise.locale,
    )
