"""A parcel as an Internet message: text and HTML alternatives, attachments, stable Message-ID.

Belongs here: headers, MIME structure, the domain of the sender. Does not: the transport, and the words of
a report.
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr

from orchestration.delivery.channels.parcel import Parcel

#: Not every server takes 8-bit lines; encoded text passes everywhere.
POLICY = SMTP.clone(cte_type="7bit")


def compose(parcel: Parcel, sender: str) -> EmailMessage:
    """The message for one recipient; `sender` may carry a display name."""
    message = EmailMessage(policy=POLICY)
    message["From"] = sender
    message["To"] = parcel.recipient
    message["Subject"] = parcel.subject
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = parcel.message_id
    # Keeps vacation responders silent (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message["X-Metricpress-Delivery"] = parcel.delivery_id
    message.set_content(parcel.text)
    message.add_alternative(parcel.html, subtype="html")
    for attachment in parcel.attachments:
        maintype, _, subtype = attachment.media_type.partition("/")
        message.add_attachment(
            attachment.content, maintype=maintype, subtype=subtype, filename=attachment.filename
        )
    return message


def message_id(delivery_id: str, sender: str) -> str:
    """The Message-ID of a delivery, the same in every attempt, in the sender's domain."""
    return f"<{delivery_id}@{sender_address(sender).rpartition('@')[2]}>"


def sender_address(sender: str) -> str:
    """The bare address of `Name <address>`."""
    return parseaddr(sender)[1]
