"""Unsubscribing by mail: the signed token a message carries, and reading it back.

Belongs here: tokens, the mailto address of List-Unsubscribe, and finding a token in a mail. Does not: who
unsubscribed (suppressions) and the headers of a message (channels.message).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from email import policy
from email.parser import BytesHeaderParser
from functools import lru_cache
from urllib.parse import quote
from uuid import UUID

from itsdangerous import BadData, URLSafeSerializer

from orchestration.errors import EXIT_BAD_MAIL, MetricpressError

#: Says what a token is for: the same keys sign other things.
PURPOSE = "metricpress.unsubscribe"
SUBJECT = "unsubscribe"


class NoValidToken(MetricpressError):
    """A token, or a mail that should hold one, by which nobody can be unsubscribed."""

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message, remedy=remedy, exit_code=EXIT_BAD_MAIL)


@dataclass(frozen=True)
class Unsubscribing:
    """How recipients of an installation unsubscribe; `keys`: the first signs, all verify."""

    address: str
    keys: tuple[str, ...]

    def uri(self, tenant_id: str, subscription_id: str, recipient: str) -> str:
        """The mailto address that unsubscribes that recipient from that subscription."""
        token = str(_signer(self.keys).dumps([tenant_id, subscription_id, recipient]))
        return f"mailto:{quote(self.address, safe='@')}?subject={SUBJECT}%20{token}"


@dataclass(frozen=True)
class Wish:
    """What a verified token says: this recipient wants no more of this subscription."""

    tenant_id: str
    subscription_id: UUID
    recipient: str


def read_token(token: str, keys: Sequence[str]) -> Wish:
    """Verify a token. Raises NoValidToken when it was not signed with one of the keys, or not for this."""
    try:
        tenant_id, subscription_id, recipient = _signer(tuple(keys)).loads(token)
        return Wish(tenant_id, UUID(subscription_id), recipient)
    except BadData as error:
        raise NoValidToken(
            "the token is not one of this installation, or was changed",
            remedy="Copy it whole; METRICPRESS_SIGNING_KEY must still hold the key of that time.",
        ) from error


def token_in(mail: bytes) -> str:
    """The token in the Subject of a raw mail: what follows `unsubscribe`, however it was folded.

    Raises NoValidToken when there is none.
    """
    subject = str(BytesHeaderParser(policy=policy.default).parsebytes(mail)["Subject"] or "")
    found = re.search(rf"\b{SUBJECT}\s+(\S.*)", subject, re.IGNORECASE)
    if not found:
        raise NoValidToken(
            f"the mail's subject has no token: {' '.join(subject.split())[:60]!r}",
            remedy="It must be sent as the unsubscribe link of the report writes it.",
        )
    # A mail program may have broken the long word.
    return "".join(found[1].split())


@lru_cache(maxsize=4)
def _signer(keys: tuple[str, ...]) -> URLSafeSerializer:
    # The library takes the oldest key first.
    signing = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    return URLSafeSerializer(list(reversed(keys)), salt=PURPOSE, signer_kwargs=signing)
