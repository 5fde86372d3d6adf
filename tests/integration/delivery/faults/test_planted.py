"""The test of the tests: a bug built into the dispatcher breaks the invariant in its scenario."""

from __future__ import annotations

import pytest

from tests.integration.delivery.faults.conftest import Post, wait_until_gone

pytestmark = pytest.mark.integration


def lost_answer(post: Post, bug: str) -> None:
    post.server.fails(
        {"step": "answer", "to": "b", "do": "drop", "times": 1},
        {"step": "dot", "to": "c", "do": "drop", "times": 1},
    )
    post.dispatch(PLANT=bug)
    post.recover(PLANT=bug)


def refusal(post: Post, bug: str) -> None:
    post.server.fails({"step": "rcpt", "to": "b", "do": "answer", "text": "451 later", "times": 1})
    post.dispatch(PLANT=bug)
    post.recover(PLANT=bug)


def killed_sending(post: Post, bug: str) -> None:
    post.server.fails({"step": "answer", "to": "b", "do": "hold"})
    dispatcher = post.start()
    post.server.wait_until_held()
    dispatcher.kill()
    post.server.release()
    wait_until_gone(post.warehouse)
    post.recover(PLANT=bug)


def two_at_once(post: Post, bug: str) -> None:
    """The first is held with a message in its hands while the second works."""
    post.server.fails({"step": "rcpt", "to": "b", "do": "hold", "times": 1})
    first = post.start(PLANT=bug)
    post.server.wait_until_held()
    post.dispatch(PLANT=bug)
    post.server.release()
    first.end()
    post.recover(PLANT=bug)


SCENARIOS = {
    "recovery sends again": killed_sending,
    "no answer is taken for no": lost_answer,
    "no answer is taken for sent": lost_answer,
    "not now is taken for never": refusal,
    "not now is taken for sent": refusal,
    "claim claims nothing": two_at_once,
}


@pytest.mark.parametrize("scenario", [lost_answer, refusal, killed_sending, two_at_once])
def test_without_a_bug(post, scenario) -> None:
    post.promise("a", "b", "c")
    scenario(post, "")
    post.reconcile()


@pytest.mark.parametrize("bug", SCENARIOS)
def test_with_a_bug(post, bug) -> None:
    post.promise("a", "b", "c")
    SCENARIOS[bug](post, bug)
    assert post.violations() != []
