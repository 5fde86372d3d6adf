"""How a delivery can fail: each class says what may be done about it.

Belongs here: the types channels raise. Does not: the retry times (service) and errors of the command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class DeliveryFailure(Exception):
    """A parcel did not, or not surely, reach its recipient; the message goes to the ledger: no secrets."""


class TransientFailure(DeliveryFailure):
    """Nothing was delivered, a later attempt may succeed; `retry_after`: the receiver's wish in seconds."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class PermanentFailure(DeliveryFailure):
    """Nothing was delivered and the same attempt would fail again.

    `recipient_gone`: the recipient itself is refused for good (no such mailbox, 410, archived channel), not
    this content or our settings; the recipient is suppressed.
    """

    def __init__(self, message: str, *, recipient_gone: bool = False) -> None:
        super().__init__(message)
        self.recipient_gone = recipient_gone


class PartialFailure(TransientFailure):
    """A delivery of several steps stopped midway; with `progress` (JSON) the next attempt does the rest."""

    def __init__(
        self, message: str, *, progress: Mapping[str, Any], retry_after: float | None = None
    ) -> None:
        super().__init__(message, retry_after=retry_after)
        self.progress = progress


class UnknownOutcome(DeliveryFailure):
    """All was handed over and no answer came: it may have arrived, so nothing sends it again unasked.

    `progress` (JSON): what was surely done before, and a person's request to send again need not repeat.
    """

    def __init__(self, message: str, *, progress: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.progress = progress
