"""Channels: how a finished parcel reaches one recipient.

Belongs here: the choice of the channel by name and settings. Does not: when to send, what was sent before
(ledger), and the making of documents (reports).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestration.delivery.channels import folder as folders
from orchestration.delivery.channels.folder import FolderChannel, OutboxChannel
from orchestration.delivery.channels.message import Composer
from orchestration.delivery.channels.parcel import Channel
from orchestration.delivery.channels.smtp import SmtpChannel, SmtpServer
from orchestration.errors import MetricpressError
from orchestration.settings import Settings

#: Channels whose second attempt does no harm: files are overwritten, webhooks known by their id.
#: After a crash these are sent again, never `unknown`.
REPEATABLE = frozenset({"file", "webhook"})
CHANNELS = ("email", "slack", "webhook", "file")


def open_channel(name: str, settings: Settings) -> Channel:
    """The channel of that name as the settings ask; raises MetricpressError for an unknown name."""
    match name:
        case "email" if settings.smtp_url and not settings.outbox_only:
            return SmtpChannel(SmtpServer.from_url(settings.smtp_url), Composer.of(settings))
        case "email":
            return OutboxChannel(outbox(settings), Composer.of(settings).compose, ".eml")
        case "slack":
            return _slack(settings)
        case "webhook":
            return _webhook(settings)
        case "file":
            return FolderChannel(outbox(settings))
    raise MetricpressError(
        f"delivery method {name!r} is not available", remedy=f"Use one of: {', '.join(CHANNELS)}."
    )


def check_recipient(name: str, recipient: str, private_hosts: Sequence[str] = ()) -> None:
    """Raise MetricpressError when that channel could never reach the recipient; connects to nothing.

    Mail addresses are not checked here: that needs the tenant's allowed domains (recipients.py).
    """
    match name:
        case "slack":
            from orchestration.delivery.channels import slack

            slack.check_recipient(recipient)
        case "webhook":
            from orchestration.delivery.channels.outbound import PrivateHosts, Target

            Target.of(recipient, PrivateHosts.of(private_hosts))
        case "file":
            folders.check_recipient(recipient)


def outbox(settings: Settings) -> Path:
    """The folder that takes mail while no SMTP server is set, and the folders of the file channel."""
    return settings.home / "outbox"


# The libraries of these two take a tenth of a second and more to import: only for those who use them.
def _slack(settings: Settings) -> Channel:
    from orchestration.delivery.channels import slack, slack_blocks

    if settings.outbox_only:
        return OutboxChannel(outbox(settings), slack_blocks.as_file, ".slack.json")
    return slack.SlackChannel(settings.slack_bot_token, settings.slack_api_base, settings.slack_webhooks)


def _webhook(settings: Settings) -> Channel:
    from orchestration.delivery.channels import webhook

    if settings.outbox_only:
        return OutboxChannel(outbox(settings), webhook.payload, ".webhook.json")
    return webhook.WebhookChannel(settings.signing_keys, settings.webhook_private_hosts)
