"""A parcel as an Internet message: headers, the words at its end, what is left out of one that is too large.

Belongs here: the composer, headers nobody can smuggle into, addresses. Does not: MIME parts (mime), the
transport, and the words of a report.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.header import Header
from email.utils import format_datetime, parseaddr, quote
from functools import cached_property, lru_cache
from html import escape
from typing import Self

from orchestration.delivery.channels.mime import Body, build, double_dots, encoded_size, filling, plain_name
from orchestration.delivery.channels.parcel import Attachment, Parcel
from orchestration.delivery.failures import PermanentFailure
from orchestration.delivery.unsubscribe import Unsubscribing
from orchestration.errors import MetricpressError
from orchestration.reports.formatting import Formatter
from orchestration.reports.messages import N_
from orchestration.settings import MEGABYTE, Settings

logger = logging.getLogger(__name__)

#: A line of the text part, and what a template puts around its HTML twin: left out when it is not true.
ATTACHED = N_("The full report is attached.")
ATTACHED_HTML = re.compile(r"<!--attached-->.*?<!--/attached-->", re.DOTALL)
#: Kept free for headers and the words at the end, which differ between recipients.
HEADER_BYTES = 8_000
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
ADDRESS = re.compile(rf"(?=.{{3,254}}\Z){_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")
#: Longer ones would make a line too long; encoded they can be broken.
LONGEST_WORD = 60

_SMALL = "font-family:Helvetica,Arial,sans-serif;font-size:12px;line-height:18px;color:#5c646c"
_ROW = (
    '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"'
    ' style="background-color:#ececea"><tr><td align="center" style="padding:{padding}">'
    '<table role="presentation" width="600" cellpadding="0" cellspacing="0" border="0"'
    ' style="width:100%;max-width:600px"><tr><td class="edge" style="{style}">{words}</td></tr></table>'
    "</td></tr></table>"
)


@dataclass(frozen=True)
class Composer:
    """Makes messages. `sender` may carry a display name; `contact`: whom recipients ask for what is left out.

    `max_bytes` limits the encoded message. `unsubscribing` None: messages tell nothing of it.
    """

    sender: str
    contact: str
    max_bytes: int = 10 * MEGABYTE
    unsubscribing: Unsubscribing | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the settings ask. Raises MetricpressError for a sender that is no address."""
        sender = _require("METRICPRESS_MAIL_FROM", sender_address(settings.mail_from))
        unsubscribing = None
        if settings.signing_keys and settings.unsubscribe_address:
            address = _require("METRICPRESS_UNSUBSCRIBE_ADDRESS", settings.unsubscribe_address)
            unsubscribing = Unsubscribing(address, settings.signing_keys)
        contact = settings.operator or sender
        return cls(settings.mail_from, contact, settings.mail_max_bytes, unsubscribing)

    @cached_property
    def envelope_sender(self) -> str:
        """The bare address that bounces go to."""
        return sender_address(self.sender)

    def compose(self, parcel: Parcel) -> bytes:
        """The message for one recipient, lines ending in CR LF.

        Raises PermanentFailure for a recipient that cannot be written to, and for words alone too large.
        """
        uri = self._unsubscribe_uri(parcel)
        text, html = _closing_words(parcel, uri)
        first, second, third = self._body(parcel).pieces
        return b"".join((self._head(parcel, uri), first, filling(text), second, filling(html), third))

    def for_smtp(self, parcel: Parcel) -> bytes:
        """The same message as it goes over SMTP before the final dot: dots that begin a line are doubled."""
        uri = self._unsubscribe_uri(parcel)
        text, html = (double_dots(filling(words)) for words in _closing_words(parcel, uri))
        first, second, third = self._body(parcel).for_smtp
        return b"".join((self._head(parcel, uri), first, text, second, html, third))

    def _body(self, parcel: Parcel) -> Body:
        room = self.max_bytes - HEADER_BYTES
        return _fitting(parcel.text, parcel.html, parcel.attachments, room, self.contact, parcel.words)

    def _head(self, parcel: Parcel, unsubscribe_uri: str | None) -> bytes:
        if not is_address(parcel.recipient):
            raise PermanentFailure(
                f"{parcel.recipient!r} is not a mail address; a domain beyond ASCII is written as xn--..."
            )
        lines = [
            _from(self.sender),
            f"To: {parcel.recipient}",
            _subject(parcel.subject),
            f"Date: {format_datetime(datetime.now(UTC))}",
            f"Message-ID: {parcel.message_id}",
            # Keep vacation responders silent: RFC 3834, and Exchange's own.
            "Auto-Submitted: auto-generated",
            "X-Auto-Response-Suppress: OOF, AutoReply",
            f"X-Metricpress-Delivery: {parcel.delivery_id}",
        ]
        if unsubscribe_uri:
            lines.append(f"List-Unsubscribe: <{unsubscribe_uri}>")
        return "".join(f"{line}\r\n" for line in lines).encode("ascii")

    def _unsubscribe_uri(self, parcel: Parcel) -> str | None:
        if self.unsubscribing is None or parcel.about is None:
            return None
        about = parcel.about
        return self.unsubscribing.uri(about.tenant_id, about.subscription_id, parcel.recipient)


def message_id(delivery_id: str, sender: str) -> str:
    """The Message-ID of a delivery, the same in every attempt, in the sender's domain."""
    return f"<{delivery_id}@{sender_address(sender).rpartition('@')[2]}>"


def sender_address(sender: str) -> str:
    """The bare address of `Name <address>`."""
    return parseaddr(sender)[1]


def is_address(text: str) -> bool:
    """Whether mail can go there: an ASCII address without quotes, of at most 254 letters."""
    return ADDRESS.fullmatch(text) is not None


def _require(variable: str, address: str) -> str:
    if not is_address(address):
        raise MetricpressError(
            f"{variable} holds no mail address: {address!r}", remedy="Write it as name@example.com."
        )
    return address


@lru_cache(maxsize=4)
def _fitting(
    text: str, html: str, attachments: tuple[Attachment, ...], room: int, contact: str, words: Formatter
) -> Body:
    """The body with all attachments, with the PDF alone, or with none: the first that has room."""
    pdf = tuple(attachment for attachment in attachments if attachment.format == "pdf")
    for kept in dict.fromkeys((attachments, pdf, ())):
        if sum(map(encoded_size, kept)) > room:
            continue
        left_out = tuple(attachment for attachment in attachments if attachment not in kept)
        body = build(*_told(text, html, left_out, bool(kept), contact, words), kept)
        if body.size <= room:
            for attachment in left_out:
                logger.warning("%s does not fit into a mail and is left out", attachment.filename)
            return body
    raise PermanentFailure(
        "the words of the mail alone are larger than METRICPRESS_MAIL_MAX_MB allows; make the report shorter"
    )


def _told(
    text: str,
    html: str,
    left_out: tuple[Attachment, ...],
    something_kept: bool,
    contact: str,
    form: Formatter,
) -> tuple[str, str]:
    """Text and HTML that tell first of all which attachments are left out and who has them."""
    if not left_out:
        return text, html
    names = ", ".join(f"{plain_name(part.filename)} ({form.size(len(part.content))})" for part in left_out)
    words = form.n(
        "Not attached, because the mail would be too large: {names}. It is kept with us; please ask "
        "{contact}.",
        "Not attached, because the mail would be too large: {names}. They are kept with us; please ask "
        "{contact}.",
        len(left_out), names=names, contact=contact,
    )  # fmt: skip
    if not something_kept:
        text = text.replace(f"{form.t(ATTACHED)}\n", "")
        html = ATTACHED_HTML.sub("", html)
    style = f"{_SMALL};color:#1d2125;background-color:#ffffff;border-left:4px solid #8a3324;padding:12px 28px"
    row = _ROW.format(padding="24px 8px 0 8px", style=style, words=escape(words))
    told = re.sub(r"<body[^>]*>", lambda body: f"{body[0]}\n{row}", html, count=1)
    return f"{words}\n\n{text}", told if told != html else f"{row}\n{html}"


def _closing_words(parcel: Parcel, unsubscribe_uri: str | None) -> tuple[str, str]:
    """How to unsubscribe, as text and as HTML; empty where nobody can."""
    if unsubscribe_uri is None or parcel.about is None:
        return "", ""
    name, text = " ".join(parcel.about.subscription.split()), parcel.words
    goes = text.t('Sent to {recipient} by the subscription "{name}".', recipient=parcel.recipient, name=name)
    label, how = text.t("Unsubscribe"), text.t("(sends a mail; it may take a moment)")
    link = f'<a href="{escape(unsubscribe_uri)}" style="color:#5c646c">{escape(label)}</a>'
    words = f"{escape(goes)}<br>{link} {escape(how)}."
    html = _ROW.format(padding="0 8px 24px 8px", style=f"{_SMALL};padding:0 32px", words=words)
    return f"{goes}\n{text.t('To unsubscribe, send this mail: {address}', address=unsubscribe_uri)}", html


@lru_cache(maxsize=4)
def _from(sender: str) -> str:
    name, address = parseaddr(sender)
    name = _one_line(name)
    if not name:
        return f"From: {address}"
    if _is_plain(name):
        return f'From: "{quote(name)}" <{address}>'
    return f"From: {_encoded(name, 'From', 'utf-8')} <{address}>"


@lru_cache(maxsize=64)
def _subject(subject: str) -> str:
    line = _one_line(subject) or "Report"
    return f"Subject: {_encoded(line, 'Subject', 'us-ascii' if _is_plain(line) else 'utf-8')}"


def _encoded(words: str, header: str, charset: str) -> str:
    """Words as a header's value, folded. The policies of the email package are of no use for foreign words:

    they decode "=?utf-8?q?=0D=0A...?=" in the name of a tenant, and so let it add headers (CVE-2024-6923).
    """
    return Header(words, charset, header_name=header).encode(linesep="\r\n")


def _is_plain(text: str) -> bool:
    """Whether it may stand in a header as it is: ASCII that folds, and reads as nothing else."""
    return text.isascii() and "=?" not in text and max(map(len, text.split())) <= LONGEST_WORD


def _one_line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
