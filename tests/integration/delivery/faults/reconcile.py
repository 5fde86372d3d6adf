"""The invariant: what the receivers hold against what the ledger says, recipient by recipient.

Belongs here: the comparison, pure, over what a test read from the server's mailbox and from the database.
Does not: running anything, and how to read either.

1. Nothing lost: the promises are exactly those the subscriptions ask for, one row each; at the end none of
   them is still open, and only those failed or were left out whom the case excuses (refused for good).
2. `sent` was received once. `unknown`, and what is being sent, once or not at all. Of a row that says
   anything else nothing was; save one that is to be tried again and whose receiver takes the repetition for
   the same (webhook-id, a file of the same name) or has the first part of it (progress).
3. Nothing strange: whatever was received belongs to one row, went to that row's recipient alone, and carries
   the files of which the row keeps the digests.
   A notice carries none.
4. An occurrence is closed if and only if its deliveries are, and says what became of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

#: How often the receiver may hold what a row in that state stands for.
RECEIVED = {"sent": (1, 1), "unknown": (0, 1), "sending": (0, 1)}
CLOSED = ("sent", "unknown", "failed", "skipped", "held")


class Promise(NamedTuple):
    """A report somebody was promised."""

    subscription: str
    local_date: date
    recipient: str


@dataclass(frozen=True)
class Received:
    """A message in the receiver's hands. `key`: the Message-ID, or what a channel has in its place."""

    key: str
    recipients: tuple[str, ...]
    addressed_to: str
    digests: frozenset[str]


@dataclass(frozen=True)
class Row:
    """A row of reporting.report_deliveries with what its occurrence and subscription say."""

    tenant_id: str
    occurrence_id: UUID
    subscription: str
    local_date: date
    recipient: str
    attempt_group: int
    kind: str
    delivery_status: str
    message_id: str | None
    delivered_at: datetime | None
    next_attempt_at: datetime | None
    digests: frozenset[str]
    state: str
    is_repeatable: bool

    @property
    def promise(self) -> Promise:
        """Whom it was promised to."""
        return Promise(self.subscription, self.local_date, self.recipient)

    @property
    def is_open(self) -> bool:
        """Whether it has something to come by itself."""
        return self.delivery_status not in CLOSED or self.next_attempt_at is not None


def violations(
    received: Sequence[Received],
    ledger: Sequence[Row],
    promised: Iterable[Promise],
    *,
    excused: Collection[str] = (),
    settled: bool = True,
) -> list[str]:
    """Every breach of the invariant in words; empty when it holds.

    excused: recipients who need not get theirs. settled: nothing may be open any more; else dispatchers may
    have died since, and nobody has looked after it.
    """
    found = [*_promises(ledger, promised), *_received(received, ledger), *_strange(received, ledger)]
    for row in ledger:
        if not row.is_open and row.delivery_status not in RECEIVED and row.recipient not in excused:
            found.append(f"lost: {row.promise} is {row.delivery_status} without an excuse")
    if settled:
        found += [f"lost: {row.promise} is still {row.delivery_status}" for row in ledger if row.is_open]
        found += _occurrences(ledger)
    return found


def _promises(ledger: Sequence[Row], promised: Iterable[Promise]) -> Iterable[str]:
    asked = Counter(promised)
    written = Counter(row.promise for row in ledger if row.attempt_group == 1)
    for promise in asked.keys() | written.keys():
        if asked[promise] != written[promise]:
            yield f"{promise} was promised {asked[promise]} times and has {written[promise]} rows"


def _received(received: Sequence[Received], ledger: Sequence[Row]) -> Iterable[str]:
    count = Counter(message.key for message in received)
    for row in ledger:
        times = count[row.message_id] if row.message_id else 0
        open_end = 1 if row.is_open and row.is_repeatable else 0
        least, most = RECEIVED.get(row.delivery_status, (0, open_end))
        if not least <= times <= most:
            yield f"{row.promise} is {row.delivery_status} and was received {times} times"
        if (row.delivery_status == "sent") != (row.delivered_at is not None):
            yield f"{row.promise} is {row.delivery_status} with delivered_at {row.delivered_at}"


def _strange(received: Sequence[Received], ledger: Sequence[Row]) -> Iterable[str]:
    rows = {row.message_id: row for row in ledger if row.message_id}
    if len(rows) != sum(row.message_id is not None for row in ledger):
        yield "two rows have the same message_id"
    for message in received:
        row = rows.get(message.key)
        if row is None:
            yield f"{message.key} was received by {message.recipients} and is in no row"
        elif message.recipients != (row.recipient,) or message.addressed_to != row.recipient:
            yield f"{row.promise} was received by {message.recipients}, addressed to {message.addressed_to}"
        elif message.digests != row.digests or (row.kind == "notice" and row.digests):
            yield f"{row.promise} was received with other files than the ledger keeps"


def _occurrences(ledger: Sequence[Row]) -> Iterable[str]:
    rows_of: dict[tuple[str, UUID], list[Row]] = defaultdict(list)
    for row in ledger:
        rows_of[row.tenant_id, row.occurrence_id].append(row)
    for rows in rows_of.values():
        state, expected = rows[0].state, _state(rows)
        if state != expected:
            yield f"the occurrence of {rows[0].promise} is {state}, not {expected}"


def _state(rows: Sequence[Row]) -> str:
    """What the occurrence of these deliveries is; of a recipient the newest attempt group counts."""
    newest = list({row.recipient: row for row in sorted(rows, key=lambda row: row.attempt_group)}.values())
    statuses = {row.delivery_status for row in newest}
    if any(row.is_open for row in newest):
        return "pending"
    if "held" in statuses:
        return "held"
    if statuses == {"skipped"}:
        return "skipped"
    if statuses <= {"sent", "skipped"}:
        return "notified" if any(row.kind == "notice" for row in newest) else "sent"
    return "partial" if "sent" in statuses else "failed"
