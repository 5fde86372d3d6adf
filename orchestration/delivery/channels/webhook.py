"""Reports to programs: signed JSON after the Standard Webhooks specification (standardwebhooks.com).

Belongs here: the payload, its signature, the secret of a receiver, and what an answer means. Does not: the
connection (outbound.py) and retrying (service).
A webhook may be sent again at any time: receivers know it by its webhook-id, the same in every attempt.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from standardwebhooks import Webhook
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from orchestration.delivery.channels.message import ATTACHED
from orchestration.delivery.channels.outbound import (
    PRIVATE_HOSTS,
    Answer,
    Forbidden,
    NoAnswer,
    NotSent,
    PrivateHosts,
    Target,
    post,
)
from orchestration.delivery.channels.parcel import About, Attachment, Parcel, Unopened
from orchestration.delivery.failures import PermanentFailure, TransientFailure
from orchestration.errors import MetricpressError

#: Files are inside while their bytes together stay below this; with base64 the body then fits the 1 MB that
#: many servers take.
INLINE_BYTES = 600_000
#: Answers after which the same request may succeed.
TRY_AGAIN = frozenset({408, 425, 429})
GONE = 410


class WebhookChannel(Unopened):
    """One request a parcel, each on a connection of its own."""

    def __init__(self, signing_keys: Sequence[str], private_hosts: Sequence[str]) -> None:
        self._keys = signing_keys
        self._private = PrivateHosts.of(private_hosts)
        self._tls = ssl.create_default_context()
        #: Hosts that were not reached and URLs that gave no answer: the rest of the batch does not wait for
        #: them one by one.
        self._silent: dict[str, TransientFailure] = {}

    def send(self, parcel: Parcel) -> str:
        """Sign and post; returns the receiver's status."""
        about = _about(parcel)
        try:
            target = Target.of(parcel.recipient, self._private)
            keys = secrets(self._keys, about.tenant_id, parcel.recipient)
        except MetricpressError as error:
            raise PermanentFailure(f"{error}. {error.remedy}") from error
        for key in (target.place, parcel.recipient):
            if key in self._silent:
                raise self._silent[key]
        return _judged(target, self._answer(parcel, target, keys))

    def _answer(self, parcel: Parcel, target: Target, keys: Sequence[str]) -> Answer:
        body = payload(parcel)
        signed = headers(keys, parcel.delivery_id, body)
        try:
            return post(target, self._private, body, signed, self._tls)
        except Forbidden as refusal:
            raise PermanentFailure(f"{refusal}. {PRIVATE_HOSTS} can allow it") from refusal
        except NotSent as failure:
            silent = TransientFailure(f"{target.place} did not take the webhook: {failure}")
            self._silent[target.place] = silent
            raise silent from failure
        except NoAnswer as failure:
            silent = TransientFailure(f"{target.place} gave no answer to the webhook: {failure}")
            self._silent[parcel.recipient] = silent
            raise silent from failure


def secrets(signing_keys: Sequence[str], tenant_id: str, url: str) -> list[str]:
    """The secrets of one receiver, one for each key of METRICPRESS_SIGNING_KEY, the newest first.

    Made of key, tenant and URL: no receiver can sign for another. Raises MetricpressError without keys.
    """
    if not signing_keys:
        raise MetricpressError(
            "webhooks need METRICPRESS_SIGNING_KEY to be signed", remedy="Make one with: openssl rand -hex 32"
        )
    parts = b"\0".join(part.encode() for part in ("metricpress webhook", tenant_id, url))
    digests = (hmac.new(key.encode(), parts, hashlib.sha256).digest() for key in signing_keys)
    return [f"whsec_{base64.b64encode(digest).decode()}" for digest in digests]


def headers(keys: Sequence[str], delivery_id: str, body: bytes) -> dict[str, str]:
    """The headers of one attempt: the id stays, time and signatures are new; one signature for each key."""
    now = datetime.now(UTC)
    return {
        "Content-Type": "application/json",
        "User-Agent": "metricpress",
        "webhook-id": delivery_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(Webhook(key).sign(delivery_id, now, body.decode()) for key in keys),
    }


def payload(parcel: Parcel) -> bytes:
    """The body, the same in every attempt; its schema stands in docs/interfaces.md."""
    about = _about(parcel)
    files = _files(parcel.attachments)
    inside = all(file["content"] is not None for file in files)
    data: dict[str, Any] = {
        "tenant": about.tenant_id,
        "subscription": {"id": about.subscription_id, "name": about.subscription},
        "report": about.report,
        "period": {"start": about.period_start.isoformat(), "end": about.period_end.isoformat()},
        "is_late": about.is_late,
        "data_version": about.data_version,
        "title": parcel.subject,
        "text": parcel.text if inside else parcel.text.replace(f"{parcel.words.t(ATTACHED)}\n", ""),
        "files": files,
    }
    envelope = {
        "type": "report.notice" if about.data_version is None else "report.delivered",
        "timestamp": about.due_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
    }
    # The figures are JSON text already: parsed and written again they would lose digits.
    inner = json.dumps(data, ensure_ascii=False)[:-1] + f', "figures": {about.figures}}}'
    return (json.dumps(envelope)[:-1] + f', "data": {inner}}}').encode()


def _about(parcel: Parcel) -> About:
    if parcel.about is None:
        raise PermanentFailure("a webhook carries reports and notices of them, nothing else")
    return parcel.about


def _files(attachments: Sequence[Attachment]) -> list[dict[str, Any]]:
    fit = sum(len(file.content) for file in attachments) <= INLINE_BYTES
    return [
        {
            "name": file.filename,
            "media_type": file.media_type,
            "bytes": len(file.content),
            "sha256": hashlib.sha256(file.content).hexdigest(),
            "content": base64.b64encode(file.content).decode() if fit else None,
        }
        for file in attachments
    ]


def _judged(target: Target, answer: Answer) -> str:
    """The status when it means success; raises what it means otherwise."""
    message = f"{target.place} answered {answer.status}"
    if 200 <= answer.status < 300:
        return message
    if 300 <= answer.status < 400:
        place = _host_of(answer.headers.get("Location", ""))
        raise PermanentFailure(f"{message}, pointing to {place}: redirects are not followed")
    message += f": {answer.text}" if answer.text else ""
    if answer.status in TRY_AGAIN or answer.status >= 500:
        raise TransientFailure(message, retry_after=retry_after(answer.headers.get("Retry-After")))
    raise PermanentFailure(message, recipient_gone=answer.status == GONE)


def _host_of(location: str) -> str:
    try:
        return urlsplit(location).hostname or "another path of its own"
    except ValueError:
        return "no usable address"


def retry_after(value: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, in seconds or as a date; None without a usable one."""
    if value is None:
        return None
    try:
        return float(Retry().parse_retry_after(value))
    except (InvalidHeader, ValueError, OverflowError):
        return None
