"""A parcel as an Internet message: text and HTML alternatives, attachments, stable Message-ID.

Belongs here: headers, MIME structure, the domain of the sender. Does not: the transport, and the words of
a report.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from functools import lru_cache

from orchestration.delivery.channels.parcel import Attachment, Parcel
from orchestration.delivery.failures import PermanentFailure

#: Not every server takes 8-bit lines; encoded text passes everywhere.
POLICY = SMTP.clone(cte_type="7bit")


def compose(parcel: Parcel, sender: str) -> bytes:
    """The message for one recipient, lines ending in CR LF; `sender` may carry a display name.

    Raises PermanentFailure for a recipient that cannot be written to.
    """
    if not parcel.recipient.isascii() or any(letter.isspace() for letter in parcel.recipient):
        raise PermanentFailure(f"{parcel.recipient!r} is not a mail address")
    head = EmailMessage(policy=POLICY)
    head["From"] = sender
    head["To"] = parcel.recipient
    head["Subject"] = " ".join(parcel.subject.split())
    head["Date"] = format_datetime(datetime.now(UTC))
    head["Message-ID"] = parcel.message_id
    # Keeps vacation responders silent (RFC 3834).
    head["Auto-Submitted"] = "auto-generated"
    head["X-Metricpress-Delivery"] = parcel.delivery_id
    lines = head.as_bytes().removesuffix(b"\r\n")
    return lines + _body(parcel.text, parcel.html, parcel.attachments)


@lru_cache(maxsize=4)
def _body(text: str, html: str, attachments: tuple[Attachment, ...]) -> bytes:
    """The part all recipients share, beginning with its MIME headers: encoded once, not for each of them."""
    message = EmailMessage(policy=POLICY)
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    for attachment in attachments:
        maintype, _, subtype = attachment.media_type.partition("/")
        message.add_attachment(
            attachment.content, maintype=maintype, subtype=subtype, filename=attachment.filename
        )
    return message.as_bytes()


def message_id(delivery_id: str, sender: str) -> str:
    """The Message-ID of a delivery, the same in every attempt, in the sender's domain."""
    return f"<{delivery_id}@{sender_address(sender).rpartition('@')[2]}>"


def sender_address(sender: str) -> str:
    """The bare address of `Name <address>`."""
    return parseaddr(sender)[1]
