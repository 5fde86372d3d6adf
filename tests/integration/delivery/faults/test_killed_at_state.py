"""kill -9 of a dispatcher at each state of the ledger, held there by a lock or by the mail server's silence.

Where a statement of the ledger is under way when its dispatcher dies, both ends are tried: it was rolled
back, or it went through although nobody was left to hear of it.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.integration.delivery.conftest import NOON
from tests.integration.delivery.faults.conftest import wait_until, wait_until_gone

pytestmark = pytest.mark.integration

DELIVERY = "report_deliveries", "update"
#: Point -> table, event, condition of the statement; state of b that the kill meets; what b is at the end,
#: and how often it was received, when the statement was rolled back and when it went through.
POINTS = {
    "planning": ("report_occurrences", "insert", "true", None, ("sent", 1), ("sent", 1)),
    "promising": ("report_deliveries", "insert", "true", None, ("sent", 1), ("sent", 1)),
    "pending": (*DELIVERY, "new.delivery_status = 'rendering'", "pending", ("sent", 1), ("sent", 1)),
    "rendered": (*DELIVERY, "new.delivery_status = 'ready'", "rendering", ("sent", 1), ("sent", 1)),
    "ready": (*DELIVERY, "new.delivery_status = 'sending'", "ready", ("sent", 1), ("unknown", 0)),
    "answered": (*DELIVERY, "new.delivery_status = 'sent'", "sending", ("unknown", 1), ("sent", 1)),
    "closing": ("report_occurrences", "update", "new.state <> 'pending'", "sent", ("sent", 1), ("sent", 1)),
}  # fmt: skip


def killed_in(post, point: str, *, goes_through: bool) -> None:
    """A dispatcher is killed in the statement of that point; the statement ends as asked."""
    table, event, condition, state, *_ = POINTS[point]
    if table == "report_deliveries":
        condition = f"new.recipient like 'b@%%' and {condition}"
    with post.hold(table, event, condition) as hold:
        dispatcher = post.start()
        hold.wait_until_reached()
        assert post.statuses().get("b") == state
        dispatcher.kill()
        if goes_through:
            hold.let_go()
        else:
            hold.roll_back()
        wait_until_gone(post.warehouse)


BOTH_ENDS = pytest.mark.parametrize("goes_through", [False, True], ids=["rolled back", "went through"])


@BOTH_ENDS
@pytest.mark.parametrize("point", POINTS)
def test_killed_in_a_statement(post, point, goes_through) -> None:
    post.promise("a", "b", "c")
    killed_in(post, point, goes_through=goes_through)
    post.recover()
    status, received = POINTS[point][4 + goes_through]
    others = post.statuses()
    assert others.pop("b") == status
    # One statement records an outcome and claims the next: a neighbour may have been in it.
    assert sorted(others.values()) in (["sent", "sent"], ["sent", "unknown"])
    assert post.server.recipients().count("b@gym.example") == received
    post.reconcile()


@BOTH_ENDS
def test_killed_while_recording_a_failure(post, goes_through) -> None:
    """The server said 451. Recorded: tried again. Not recorded: nobody knows what it said."""
    post.promise("a", "b", "c")
    post.server.fails({"step": "dot", "to": "b", "do": "answer", "text": "451 4.3.0 later"})
    with post.hold(*DELIVERY, "new.delivery_status = 'failed'") as hold:
        dispatcher = post.start()
        hold.wait_until_reached()
        dispatcher.kill()
        if goes_through:
            hold.let_go()
        else:
            hold.roll_back()
        wait_until_gone(post.warehouse)
    post.recover()
    assert post.statuses() | {"c": "sent"} == {
        "a": "sent",
        "b": "sent" if goes_through else "unknown",
        "c": "sent",
    }
    post.reconcile()


def test_killed_while_rendering(post) -> None:
    post.promise("a", "b", "c")
    hold = post.settings.home / "hold"
    hold.touch()
    dispatcher = post.start()
    wait_until((post.settings.home / "renderings").exists)
    assert set(post.statuses().values()) == {"rendering"}
    dispatcher.kill()
    hold.unlink()
    wait_until_gone(post.warehouse)
    post.recover()
    assert set(post.statuses().values()) == {"sent"}
    post.reconcile()


@pytest.mark.parametrize(
    ("step", "ends", "received"),
    [
        ("connect", "hold", 0),
        ("rcpt", "hold", 0),
        ("data", "hold", 0),
        ("text", "hold", 0),
        ("dot", "drop", 0),
        ("dot", "hold", 1),
        ("answer", "hold", 1),
    ],
)  # fmt: skip
def test_killed_while_sending(post, step, ends, received) -> None:
    """The server keeps silent at that step while the dispatcher dies: unknown, wherever it was.

    ends: after the death the server goes on as if nothing were, or forgets the message.
    """
    post.promise("a", "b", "c")
    target = {} if step == "connect" else {"to": "b"}
    rules = [{"step": step, "do": "hold", **target}]
    post.server.fails(*rules, *([{"step": step, "do": "drop", **target}] if ends == "drop" else []))
    if step == "text":
        post.variables = {"REPORT_BYTES": "8000000", "METRICPRESS_MAIL_MAX_MB": "30"}
    dispatcher = post.start()
    post.server.wait_until_held()
    victim = "a" if step == "connect" else "b"
    # The recipient is named to the server while the claim is committed; the text goes out after it.
    wait_until(lambda: post.statuses()[victim] == "sending")
    dispatcher.kill()
    wait_until_gone(post.warehouse)
    post.server.release()
    wait_until(lambda: post.server.recipients().count("b@gym.example") == received)
    post.recover()
    post.dispatch(NOON + timedelta(hours=12))
    assert post.statuses() == {name: "unknown" if name == victim else "sent" for name in "abc"}
    post.reconcile()
