"""The mail server fails in every way it can: what it did not take comes later, nothing comes twice."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.integration.delivery.conftest import NOON

pytestmark = pytest.mark.integration

#: Before the whole message is there: the next attempt may not be the second copy.
STEPS_BEFORE = ("connect", "ehlo", "mail", "rcpt", "data", "dot")


def answer(step: str, text: str, **more):
    return {"step": step, "do": "answer", "text": text, **more}


@pytest.mark.parametrize("greeting", ["250-old.example\r\n250 HELP", "250-new.example\r\n250 PIPELINING"])
def test_it_works(post, greeting) -> None:
    post.server.fails(answer("ehlo", greeting))
    post.promise("a", "b", "c")
    post.dispatch()
    assert post.statuses() == {"a": "sent", "b": "sent", "c": "sent"}
    post.reconcile()


def test_slow_answers(post) -> None:
    post.promise("a", "b", "c")
    post.server.fails(*({"step": step, "do": "delay", "seconds": 0.1} for step in (*STEPS_BEFORE, "answer")))
    post.dispatch()
    assert set(post.statuses().values()) == {"sent"}
    post.reconcile()


@pytest.mark.parametrize("step", STEPS_BEFORE)
def test_temporary_refusals_at_each_step(post, step) -> None:
    """421, 450 and 451 there, one after another, then it recovers."""
    post.promise("a", "b", "c", "d")
    codes = ("421 4.3.2 closing", "450 4.2.1 busy", "451 4.3.0 later")
    post.server.fails(*(answer(step, code, skip=n, times=1) for n, code in enumerate(codes)))
    post.dispatch()
    assert "failed" in post.statuses().values()
    post.reconcile(settled=False)
    post.recover()
    assert set(post.statuses().values()) == {"sent"}
    post.reconcile()


@pytest.mark.parametrize("step", STEPS_BEFORE[:-1])
def test_connection_lost_before_the_text(post, step) -> None:
    post.promise("a", "b", "c")
    post.server.fails({"step": step, "do": "drop", "times": 3})
    post.dispatch()
    post.reconcile(settled=False)
    post.recover()
    assert set(post.statuses().values()) == {"sent"}
    post.reconcile()


def test_connection_lost_within_the_text(post) -> None:
    """The final dot never left: surely not taken, so it is sent again."""
    post.promise("a", "b", "c")
    post.server.fails({"step": "text", "to": "b", "do": "drop"})
    post.variables = {"REPORT_BYTES": "6000000", "METRICPRESS_MAIL_MAX_MB": "30"}
    post.dispatch()
    assert post.statuses() == {"a": "sent", "b": "failed", "c": "sent"}
    post.recover()
    assert set(post.statuses().values()) == {"sent"}
    post.reconcile()


@pytest.mark.parametrize(("step", "received"), [("dot", 0), ("answer", 1)])
def test_connection_lost_instead_of_the_answer(post, step, received) -> None:
    """It may have been taken or not: unknown, and never sent again by itself."""
    post.promise("a", "b", "c")
    post.server.fails({"step": step, "to": "b", "do": "drop"})
    post.dispatch()
    post.recover()
    post.dispatch(NOON + timedelta(hours=12))
    assert post.statuses() == {"a": "sent", "b": "unknown", "c": "sent"}
    assert post.server.recipients().count("b@gym.example") == received
    post.reconcile()


def test_each_recipient_its_own_answer(post) -> None:
    """550 fails that one alone; 450, 451, 421 come through later; an answer that never came is unknown."""
    names = ("a", "busy", "gone", "later", "lost", "no", "refused", "z")
    post.promise(*names)
    post.server.fails(
        answer("rcpt", "450 4.2.1 busy", to="busy"),
        answer("rcpt", "421 4.3.2 closing", to="gone"),
        answer("dot", "451 4.3.0 later", to="later"),
        answer("rcpt", "550 5.1.1 no such mailbox", to="no"),
        answer("dot", "554 5.7.1 content refused", to="refused"),
        {"step": "answer", "to": "lost", "do": "drop"},
    )
    refused = ("no@gym.example", "refused@gym.example")
    post.dispatch()
    post.reconcile(excused=refused, settled=False)
    assert [row.recipient.partition("@")[0] for row in post.ledger() if row.is_open] == [
        "busy",
        "gone",
        "later",
    ]
    post.recover()
    failed = {"lost": "unknown", "no": "failed", "refused": "failed"}
    assert post.statuses() == dict.fromkeys(names, "sent") | failed
    post.reconcile(excused=refused)


@pytest.mark.parametrize("every", [1, 2, 3])
def test_connection_closed_every_few_messages(post, every) -> None:
    """Some relays take so many messages a connection; the batch goes on over new ones."""
    post.promise(*"abcdefg")
    post.server.fails({"step": "after", "do": "drop", "every": every})
    post.dispatch()
    assert set(post.statuses().values()) == {"sent"}
    post.reconcile()


def test_goodbye_421_every_few_messages(post) -> None:
    """The same, said politely at the next command."""
    post.promise(*"abcdefg")
    post.server.fails(answer("mail", "421 4.7.0 too many messages", every=3))
    post.dispatch()
    post.recover()
    assert set(post.statuses().values()) == {"sent"}
    post.reconcile()


def test_refused_connections_then_recovery(post) -> None:
    for tenant in ("gym", "spa"):
        post.promise("a", "b", tenant=tenant, name=f"daily {tenant}")
    post.server.refuse()
    post.dispatch()
    post.dispatch(NOON + timedelta(minutes=2))
    assert {row.delivery_status for row in post.ledger()} == {"failed"}
    post.reconcile(settled=False)
    post.server.accept()
    post.recover(minutes=10)
    assert {row.delivery_status for row in post.ledger()} == {"sent"}
    post.reconcile()


def test_server_dies_in_the_middle_and_comes_back(post) -> None:
    """Held with one whole message in its hands, it drops everybody and its port."""
    post.promise(*"abcdef")
    post.server.fails({"step": "answer", "to": "c", "do": "hold"})
    dispatcher = post.start()
    post.server.wait_until_held()
    post.server.refuse()
    dispatcher.end()
    post.reconcile(settled=False)
    assert post.statuses()["c"] == "unknown"
    post.server.accept()
    post.recover()
    assert post.statuses() == dict.fromkeys("abdef", "sent") | {"c": "unknown"}
    post.reconcile()
