"""What a dispatch tells: one line a delivery, and whether a person has to look.

Belongs here: the result of a dispatch and its plain form. Does not: how it is printed (cli).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from uuid import UUID

from orchestration.delivery.planning import Problem
from orchestration.delivery.records import Outcome

WAITING = frozenset({"pending", "rendering", "ready", "sending", "held"})


@dataclass(frozen=True)
class DispatchResult:
    """`planned`: new occurrences. `outcomes`: every delivery this run touched, and those that wait.

    `places`: delivery_id -> where it went in this run: a path, or the mail server's answer.
    """

    planned: int
    outcomes: tuple[Outcome, ...]
    problems: tuple[Problem, ...] = ()
    places: Mapping[UUID, str] = field(default_factory=dict)

    @property
    def sent(self) -> tuple[Outcome, ...]:
        """Taken by the receiver in this run."""
        return self._of(frozenset({"sent"}))

    @property
    def waiting(self) -> tuple[Outcome, ...]:
        """Not out yet: for their data, or for another dispatcher that holds them."""
        return self._of(WAITING)

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """Surely not delivered; those with next_attempt_at are tried again."""
        return self._of(frozenset({"failed"}))

    @property
    def unknown(self) -> tuple[Outcome, ...]:
        """Perhaps delivered; never sent again by themselves."""
        return self._of(frozenset({"unknown"}))

    @property
    def skipped(self) -> tuple[Outcome, ...]:
        """Left out on purpose."""
        return self._of(frozenset({"skipped"}))

    @property
    def is_fine(self) -> bool:
        """Whether nobody has to look."""
        return not (self.failed or self.unknown or self.problems)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "planned": self.planned,
            "sent": [
                asdict(outcome) | {"place": self.places.get(outcome.delivery_id)} for outcome in self.sent
            ],
            "waiting": [asdict(outcome) for outcome in self.waiting],
            "failed": [asdict(outcome) for outcome in self.failed],
            "unknown": [asdict(outcome) for outcome in self.unknown],
            "skipped": [asdict(outcome) for outcome in self.skipped],
            "problems": [asdict(problem) for problem in self.problems],
        }

    def _of(self, statuses: frozenset[str]) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.delivery_status in statuses)
