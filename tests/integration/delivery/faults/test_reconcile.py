"""The test of the tests: the invariant fails for every kind of breach planted into mailbox and ledger."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.integration.delivery.faults.reconcile import Promise, Received, Row, violations

pytestmark = pytest.mark.unit
DAY = datetime(2026, 11, 20, 9, tzinfo=UTC)


@dataclass
class World:
    """Recipients of one report: sent, unknown and received, failed for good, unknown and lost."""

    ledger: list[Row]
    received: list[Received]
    promised: list[Promise]

    def edit(self, number: int, **changes: Any) -> None:
        self.ledger[number] = replace(self.ledger[number], **changes)

    def violations(self) -> list[str]:
        return violations(self.received, self.ledger, self.promised, excused=["c@gym.example"])


def row(name: str, status: str) -> Row:
    return Row(
        tenant_id="gym",
        occurrence_id=UUID(int=1),
        subscription="daily",
        local_date=DAY.date(),
        recipient=f"{name}@gym.example",
        attempt_group=1,
        kind="report",
        delivery_status=status,
        message_id=f"<{name}@mp.example>",
        delivered_at=DAY if status == "sent" else None,
        next_attempt_at=None,
        digests=frozenset({"abc"}),
        state="partial",
        is_repeatable=False,
    )


def received(of: Row) -> Received:
    return Received(of.message_id or "", (of.recipient,), of.recipient, of.digests)


@pytest.fixture
def world() -> World:
    ledger = [row("a", "sent"), row("b", "unknown"), row("c", "failed"), row("d", "unknown")]
    return World(ledger, [received(ledger[0]), received(ledger[1])], [one.promise for one in ledger])


def test_the_invariant_holds(world: World) -> None:
    assert world.violations() == []


BREACHES: dict[str, Callable[[World], object]] = {
    "sent twice": lambda w: w.received.append(w.received[0]),
    "unknown sent twice": lambda w: w.received.append(w.received[1]),
    "said sent and lost": lambda w: w.received.remove(w.received[0]),
    "said failed and received": lambda w: w.received.append(received(w.ledger[2])),
    "said skipped and received": lambda w: w.edit(0, delivery_status="skipped", delivered_at=None),
    "said held and received": lambda w: w.edit(0, delivery_status="held", delivered_at=None),
    "wrongly sent": lambda w: w.edit(2, delivery_status="sent", delivered_at=DAY),
    "sent without a time": lambda w: w.edit(0, delivered_at=None),
    "unknown with a time": lambda w: w.edit(1, delivered_at=DAY),
    "given up": lambda w: (w.received.pop(0), w.edit(0, delivery_status="failed", delivered_at=None)),
    "left out": lambda w: (w.received.pop(0), w.edit(0, delivery_status="skipped", delivered_at=None)),
    "left pending": lambda w: w.edit(2, delivery_status="pending", state="pending"),
    "left sending": lambda w: w.edit(2, delivery_status="sending"),
    "left to be tried again": lambda w: w.edit(2, next_attempt_at=DAY + timedelta(hours=1)),
    "never promised": lambda w: w.ledger.pop(3),
    "promised twice": lambda w: w.ledger.append(
        replace(w.ledger[2], occurrence_id=UUID(int=2), message_id=None)
    ),
    "promised for another day": lambda w: w.edit(2, local_date=DAY.date() - timedelta(days=1)),
    "promised to a stranger": lambda w: w.edit(2, recipient="x@gym.example"),
    "received by a stranger": lambda w: w.received.append(replace(w.received[0], key="<x@mp.example>")),
    "received by another": lambda w: w.received.__setitem__(
        0, replace(w.received[0], recipients=("b@gym.example",))
    ),
    "received by two": lambda w: w.received.__setitem__(
        0, replace(w.received[0], recipients=("a@gym.example", "b@gym.example"))
    ),
    "addressed to another": lambda w: w.received.__setitem__(
        0, replace(w.received[0], addressed_to="b@gym.example")
    ),
    "figures in a notice": lambda w: w.edit(0, kind="notice"),
    "half a file": lambda w: w.received.__setitem__(0, replace(w.received[0], digests=frozenset({"ab"}))),
    "no file": lambda w: w.received.__setitem__(0, replace(w.received[0], digests=frozenset())),
    "two rows of one message": lambda w: w.edit(2, message_id="<a@mp.example>"),
    "occurrence left open": lambda w: w.ledger.__setitem__(
        slice(None), [replace(one, state="pending") for one in w.ledger]
    ),
    "occurrence said sent": lambda w: w.ledger.__setitem__(
        slice(None), [replace(one, state="sent") for one in w.ledger]
    ),
}  # fmt: skip


@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_is_seen(world: World, breach: str) -> None:
    BREACHES[breach](world)
    assert world.violations() != []
