"""The body of a message: MIME parts encoded once for all recipients, with room for words to one of them.

Belongs here: the tree of parts, inline images, encodings, the size limit. Does not: headers and the words of
the footer (message).

    mixed( related( alternative( text, html ), images... ), attachments... )

A level with nothing beside its first part is left out.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import MIMEPart
from email.policy import SMTP
from functools import cached_property

from orchestration.delivery.channels.parcel import Attachment

#: Not every server takes 8-bit lines; encoded text passes everywhere.
POLICY = SMTP.clone(cte_type="7bit")
LINE_START_DOT = re.compile(rb"(?m)^\.")
#: Gmail and Outlook show no image of a data: URI, and no mail program an SVG one.
IMAGE = re.compile(r"""(?<=["'])data:image/(png|jpeg|gif);base64,([A-Za-z0-9+/=\s]+)(?=["'])""")
#: Where the words to one recipient go; on a line of its own its encoding depends on nothing around it.
GAP = f"metricpress-{secrets.token_hex(16)}"
_ENCODED_GAP = GAP.encode() + b"\r\n"


@dataclass(frozen=True)
class Body:
    """Encoded parts from their first MIME header on, in three pieces: the gaps of text and HTML between."""

    pieces: tuple[bytes, bytes, bytes]

    @cached_property
    def for_smtp(self) -> tuple[bytes, bytes, bytes]:
        """The pieces as they go over SMTP."""
        first, second, third = (double_dots(piece) for piece in self.pieces)
        return first, second, third

    @cached_property
    def size(self) -> int:
        """Bytes of all pieces."""
        return sum(map(len, self.pieces))


def double_dots(lines: bytes) -> bytes:
    """Whole lines as they go over SMTP: a dot that begins a line is doubled (RFC 5321, 4.5.2)."""
    return LINE_START_DOT.sub(b"..", lines)


def filling(words: str) -> bytes:
    """Words for a gap, encoded as the text around it is; empty, or whole lines."""
    if not words:
        return b""
    return binascii.b2a_qp(words.replace("\n", "\r\n").encode() + b"\r\n", istext=True)


def build(text: str, html: str, attachments: Sequence[Attachment]) -> Body:
    """Encode what all recipients share. The text's gap is at its end, the HTML's before </body>."""
    html, images = _inlined(html)
    head, closing, tail = html.rpartition("</body>")
    with_gap = f"{head}\n{GAP}\n{closing}{tail}" if closing else f"{html}\n{GAP}\n"
    whole = _parts("alternative", _text(f"{text}\n{GAP}\n", "plain"), _text(with_gap, "html"))
    if images:
        whole = _parts("related", whole, *images)
        whole.set_param("type", "multipart/alternative")
    if attachments:
        whole = _parts("mixed", whole, *(_file(attachment) for attachment in attachments))
    whole["MIME-Version"] = "1.0"
    first, second, third = whole.as_bytes().split(_ENCODED_GAP)
    return Body((first, second, third))


def encoded_size(attachment: Attachment) -> int:
    """About how many bytes an attachment takes in a message: base64 in lines of 76, and its headers."""
    return len(attachment.content) * 78 // 57 + 300


def plain_name(name: str) -> str:
    """The name of a file in letters that mean nothing to a header or a file system."""
    return "".join(letter if letter.isalnum() or letter in " -_.()+," else "_" for letter in name)


def _inlined(html: str) -> tuple[str, list[MIMEPart]]:
    """HTML whose images are parts of the message, and those parts; equal images are one part."""
    parts: dict[str, MIMEPart] = {}

    def refer(match: re.Match[str]) -> str:
        content = base64.b64decode(match[2])
        name = f"{hashlib.sha256(content).hexdigest()[:32]}@metricpress"
        if name not in parts:
            image = MIMEPart(policy=POLICY)
            image.set_content(content, "image", match[1], disposition="inline", cid=f"<{name}>")
            parts[name] = image
        return f"cid:{name}"

    return IMAGE.sub(refer, html), list(parts.values())


def _text(content: str, subtype: str) -> MIMEPart:
    part = MIMEPart(policy=POLICY)
    # Always this encoding: it is made line by line, so the gap can be filled later.
    part.set_content(content, subtype=subtype, cte="quoted-printable")
    return part


def _file(attachment: Attachment) -> MIMEPart:
    maintype, _, subtype = attachment.media_type.partition("/")
    part = MIMEPart(policy=POLICY)
    part.set_content(
        attachment.content,
        maintype,
        subtype,
        disposition="attachment",
        filename=plain_name(attachment.filename),
        params={"charset": "utf-8"} if maintype == "text" else None,
    )
    return part


def _parts(subtype: str, *parts: MIMEPart) -> MIMEPart:
    whole = MIMEPart(policy=POLICY)
    # Drawn, not searched for: no text of a report contains it.
    whole["Content-Type"] = f'multipart/{subtype}; boundary="=_{secrets.token_hex(16)}"'
    for part in parts:
        whole.attach(part)
    return whole
