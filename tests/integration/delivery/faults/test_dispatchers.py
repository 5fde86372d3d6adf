"""Several dispatchers at once, also with one killed at a random moment: each report once."""

from __future__ import annotations

import random
import time
from datetime import timedelta

import pytest

from tests.integration.delivery.conftest import NOON
from tests.integration.delivery.faults.conftest import Dispatcher, Post, wait_until, wait_until_gone

pytestmark = pytest.mark.integration


def promise_many(post: Post, tenants: int, recipients: str) -> None:
    for number in range(tenants):
        tenant = f"tenant{number:02}"
        for name in ("board", "sales"):
            post.promise(*recipients, tenant=tenant, name=f"{name} {tenant}")


@pytest.mark.parametrize("count", [2, 4])
def test_planning_and_rendering_at_once(post, count) -> None:
    """All plan, render and send the same 20 occurrences to 5 recipients each."""
    promise_many(post, 10, "abcde")
    with post.hold("report_occurrences", "insert") as hold:
        dispatchers = [post.start() for _ in range(count)]
        hold.wait_until_reached()
        hold.let_go()
        told = [dispatcher.end() for dispatcher in dispatchers]
    assert sum(one["planned"] for one in told) == 20
    assert len(post.server.received()) == 100
    post.reconcile()


@pytest.mark.parametrize("count", [2, 4])
def test_sending_at_once(post, count) -> None:
    """100 rendered deliveries wait; all dispatchers stand at the first claim before one may have it."""
    promise_many(post, 10, "abcde")
    post.server.refuse()
    post.dispatch()
    post.server.accept()
    with post.hold("report_deliveries", "update", "new.delivery_status = 'sending'") as hold:
        dispatchers = [post.start(NOON + timedelta(minutes=5)) for _ in range(count)]
        hold.wait_until_reached(count)
        hold.let_go()
        for dispatcher in dispatchers:
            dispatcher.end()
    workers = post.warehouse.rows("select count(distinct claimed_by) as n from reporting.report_deliveries")
    assert workers[0]["n"] > 1, "one did all the work: this proved nothing"
    assert len(post.server.received()) == 100
    post.reconcile()


def killed_at_random(post: Post, seed: int) -> None:
    """Two work, one is killed when some number of messages is out; a third does what is left."""
    chance = random.Random(seed)
    print(f"seed {seed}")
    promise_many(post, 6, "abcde")
    victim, other = post.start(), post.start()
    after = chance.randint(0, 55)
    _wait_until_received(post, after, [victim])
    time.sleep(chance.uniform(0, 0.01))
    victim.kill()
    other.end()
    wait_until_gone(post.warehouse)
    post.recover()
    unknown = [row for row in post.ledger() if row.delivery_status == "unknown"]
    assert len(unknown) <= 1, "one dispatcher has one message in its hands"
    post.reconcile()


@pytest.mark.parametrize("seed", range(5))
def test_one_killed_at_random(post, seed) -> None:
    killed_at_random(post, seed)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("number", range(100))
def test_one_killed_at_random_many_times(post, number) -> None:
    """A fresh seed each time; it is printed when the case fails."""
    killed_at_random(post, random.SystemRandom().randrange(10**9))


def test_all_killed_again_and_again(post) -> None:
    """No dispatcher ever comes to its end; the promises are kept all the same."""
    promise_many(post, 6, "abcde")
    for enough in range(8, 48, 8):
        crowd = [post.start(NOON) for _ in range(2)]
        _wait_until_received(post, enough, crowd)
        for one in crowd:
            one.kill()
        wait_until_gone(post.warehouse)
        post.reconcile(settled=False)
    post.recover()
    post.reconcile()


def _wait_until_received(post: Post, enough: int, dispatchers: list[Dispatcher]) -> None:
    """Until so many messages arrived, or all of these dispatchers ended before."""
    wait_until(
        lambda: (
            len(post.server.received()) >= enough
            or not any(dispatcher.process.is_alive() for dispatcher in dispatchers)
        )
    )
