"""What channels carry and what they promise.

Belongs here: the parcel and the protocol every channel keeps. Does not: any transport.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

from orchestration.reports.formatting import Formatter


@dataclass(frozen=True)
class Attachment:
    """A rendered file; `format` is the report format (pdf, html ...), `media_type` its IANA name.

    `path`: where it is kept, for channels that can carry no files.
    """

    format: str
    filename: str
    media_type: str
    content: bytes
    path: str = ""


@dataclass(frozen=True)
class About:
    """Which report a parcel carries, for channels that tell programs or lay out messages of their own.

    `figures` is JSON text as in reporting.report_deliveries.report_data; `data_version` the build it was read
    from, None for a notice; `locale` that of the report.
    """

    tenant_id: str
    subscription_id: str
    subscription: str
    report: str
    period_start: date
    period_end: date
    due_at: datetime
    is_late: bool = False
    data_version: str | None = None
    figures: str = "{}"
    locale: str = "en"


@dataclass(frozen=True)
class Highlight:
    """A figure as people read it, in the report's locale; `change` and `status` are words or empty."""

    label: str
    value: str
    change: str = ""
    status: str = ""


@dataclass(frozen=True)
class Summary:
    """What a report says in short, for channels that lay out messages of their own.

    `lines`: headline and what stands below it, the headline first. `against`: what changes are measured by.
    """

    title: str
    period: str
    as_of: str
    against: str = ""
    lines: tuple[str, ...] = ()
    highlights: tuple[Highlight, ...] = ()


@dataclass(frozen=True)
class Parcel:
    """One finished delivery for one recipient. `message_id` is stable: the same in every attempt.

    `about` is None for messages to the operator, `summary` for those and for notices. `progress`: what an
    earlier attempt left (PartialFailure).
    """

    delivery_id: str
    message_id: str
    recipient: str
    subject: str
    text: str
    html: str
    attachments: tuple[Attachment, ...]
    about: About | None = None
    summary: Summary | None = None
    progress: Mapping[str, Any] | None = None

    @property
    def words(self) -> Formatter:
        """The language of what channels add; messages to the operator are in English."""
        return Formatter.of(self.about.locale if self.about else "en")


class Channel(Protocol):
    """A way to recipients, opened for a batch: connections are made on the first parcel and reused."""

    def __enter__(self) -> Self:
        """Open the batch; no connection is made yet."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the batch and close what was opened."""

    def send(self, parcel: Parcel) -> str:
        """Deliver and return where it went. Raises one of orchestration.delivery.failures."""


class Unopened:
    """What a channel begins with that has nothing to open and nothing to close."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


@runtime_checkable
class EarlyChannel(Channel, Protocol):
    """A channel that can begin with a parcel before it is sure that the parcel may go."""

    def prepare(self, parcel: Parcel) -> None:
        """Do what delivers nothing yet; `send` of this parcel goes on from there and tells what went wrong.

        Anything else that follows takes it back.
        """
