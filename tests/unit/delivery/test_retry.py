"""The time of the next attempt: doubling, with jitter, never sooner than the receiver asked, and an end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orchestration.delivery.backoff import retry_at

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=30)


@pytest.mark.parametrize(
    ("attempts", "minutes"), [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (11, 60), (5000, 60)]
)
def test_waits_double_up_to_an_hour(attempts: int, minutes: int) -> None:
    waits = {retry_at(NOW, attempts, LATER) - NOW for _ in range(50)}
    assert timedelta(minutes=minutes * 0.75) <= min(waits) < max(waits) <= timedelta(minutes=minutes * 1.25)


def test_never_sooner_than_the_receiver_wishes() -> None:
    assert retry_at(NOW, 1, LATER, retry_after=600) == NOW + timedelta(minutes=10)
    assert retry_at(NOW, 1, LATER, retry_after=0) >= NOW + timedelta(seconds=45)


def test_the_last_attempt_is_made_when_it_is_given_up() -> None:
    give_up_at = NOW + timedelta(seconds=20)
    assert retry_at(NOW, 1, give_up_at) == give_up_at
    assert retry_at(give_up_at, 1, give_up_at) is None
    assert retry_at(give_up_at + timedelta(hours=1), 1, give_up_at) is None


def test_a_wish_beyond_the_end_leaves_no_attempt() -> None:
    assert retry_at(NOW, 1, NOW + timedelta(minutes=5), retry_after=600) is None
