"""The time of the next attempt: doubling, with jitter, never sooner than the receiver asked, and an end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orchestration.delivery.service import retry_at

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(("attempts", "minutes"), [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (11, 60)])
def test_waits_double_up_to_an_hour(attempts: int, minutes: int) -> None:
    waits = {retry_at(NOW, attempts) - NOW for _ in range(50)}
    assert timedelta(minutes=minutes * 0.75) <= min(waits) < max(waits) <= timedelta(minutes=minutes * 1.25)


def test_the_receivers_wish_and_the_end() -> None:
    assert retry_at(NOW, 1, retry_after=600) == NOW + timedelta(minutes=10)
    assert retry_at(NOW, 12) is None
