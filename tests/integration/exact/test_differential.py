"""Incremental equals full: random histories, each compared with a full refresh, row by row.

    .venv/bin/pytest tests/integration/exact -k differential --histories 50 --domain leads

tries 50 fresh histories of one domain (see strategies.DOMAINS); without options, the same 25 each time. The
seed of a failing one is printed: `--histories 1 --histories-seed 4711` plays it again.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.integration.exact.conftest import Players
from tests.integration.exact.history import History
from tests.integration.exact.strategies import histories

pytestmark = [pytest.mark.integration, pytest.mark.timeout(7200)]

IN_SUITE = 25


@pytest.mark.once
def test_differential(player: Players, request: pytest.FixtureRequest) -> None:
    asked = request.config.getoption("--histories")
    domain = request.config.getoption("--domain")
    first = request.config.getoption("--histories-seed")
    if first is None:
        first = 0 if asked is None else random.SystemRandom().randrange(10**6)
        print(f"\n--histories-seed {first}")
    for number in range(first, first + (asked or IN_SUITE)):
        try_history(player, number, domain)


def try_history(player: Players, number: int, domain: str | None) -> None:
    """Play the history of one seed; a failing one is shrunk."""

    def incremental_equals_full(history: History) -> None:
        with player(history.start) as playing:
            differing = playing.play(history)
        assert not differing, f"seed {number}\n{history!r}\n{differing}"

    with_history(number, domain, incremental_equals_full)


def with_history(number: int, domain: str | None, use: Callable[[History], None]) -> None:
    """Hand the history of one seed to a test; it is called again with smaller ones when it fails.

    Hypothesis varies each example several times before it draws a new one, and begins with the simplest: with
    a seed for each history all are drawn afresh.
    """
    is_first = True

    @seed(number)
    @settings(
        max_examples=2,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(histories(domain))
    def with_drawn(history: History) -> None:
        nonlocal is_first
        if not is_first:
            use(history)
        is_first = False

    with_drawn()
