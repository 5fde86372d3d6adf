"""Channels: how a finished parcel reaches one recipient.

Belongs here: the choice of the channel by name and settings. Does not: when to send, what was sent before
(ledger), and the making of documents (reports).
"""

from __future__ import annotations

from pathlib import Path

from orchestration.delivery.channels.folder import FolderChannel, OutboxChannel
from orchestration.delivery.channels.message import Composer
from orchestration.delivery.channels.parcel import Channel
from orchestration.delivery.channels.smtp import SmtpChannel, SmtpServer
from orchestration.errors import MetricpressError
from orchestration.settings import Settings

#: Channels whose second attempt overwrites the first: after a crash they are sent again, never `unknown`.
REPEATABLE = frozenset({"file"})
CHANNELS = ("email", "file")


def open_channel(name: str, settings: Settings) -> Channel:
    """The channel of that name as the settings ask; raises MetricpressError for an unknown name."""
    match name:
        case "email" if settings.smtp_url:
            return SmtpChannel(SmtpServer.from_url(settings.smtp_url), Composer.of(settings))
        case "email":
            return OutboxChannel(outbox(settings), Composer.of(settings))
        case "file":
            return FolderChannel(outbox(settings))
    raise MetricpressError(
        f"delivery method {name!r} is not available", remedy=f"Use one of: {', '.join(CHANNELS)}."
    )


def outbox(settings: Settings) -> Path:
    """The folder that takes mail while no SMTP server is set, and relative folders of the file channel."""
    return settings.home / "outbox"
