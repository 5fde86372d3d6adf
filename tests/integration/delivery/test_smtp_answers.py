"""What a mail server's answers mean, at each step, for one recipient and for the rest of the batch."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from orchestration.delivery.channels.message import Composer
from orchestration.delivery.channels.parcel import Attachment, Parcel
from orchestration.delivery.channels.smtp import SmtpChannel, SmtpServer
from orchestration.delivery.failures import (
    DeliveryFailure,
    PermanentFailure,
    TransientFailure,
    UnknownOutcome,
)

COMPOSER = Composer("Reports <reports@mp.example>", "help@mp.example")
PARCEL = Parcel(
    delivery_id="0b6fa4e2-0000-4000-8000-000000000000",
    message_id="<x@mp.example>",
    recipient="",
    subject="Report",
    text="All is well.\n.\n",
    html="<p>All is well.</p>",
    attachments=(),
)
Send = Callable[..., str]


@pytest.fixture
def opened(start_mail_server, certificate, monkeypatch) -> Iterator[Callable[..., Any]]:
    """`server, send = opened(*habits)`: a batch of messages over one channel."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    channels = []

    def open_(*habits: str, **options: Any) -> tuple[Any, Send]:
        server = start_mail_server("starttls", 0, *habits)
        channel = SmtpChannel(SmtpServer.from_url(server.url()), COMPOSER, **options).__enter__()
        channels.append(channel)
        return server, lambda name, **change: channel.send(
            replace(PARCEL, recipient=f"{name}@gym.example", **change)
        )

    yield open_
    for channel in channels:
        channel.__exit__(None, None, None)


def outcome(send: Send, name: str, **change: Any) -> DeliveryFailure | str:
    try:
        return send(name, **change)
    except DeliveryFailure as failure:
        return failure


KINDS = (PermanentFailure, TransientFailure, UnknownOutcome)
#: name of the recipient -> its failure, and whether it is gone
ANSWERS = {
    "rcpt-550-5.1.1": (PermanentFailure, True),
    "rcpt-550-5.1.2": (PermanentFailure, True),
    "rcpt-556-5.1.10": (PermanentFailure, True),
    "rcpt-550-5.2.1": (PermanentFailure, True),
    "rcpt-550": (PermanentFailure, True),
    "rcpt-553": (PermanentFailure, True),
    "rcpt-550-5.7.1": (PermanentFailure, False),
    "rcpt-550-5.1.0": (PermanentFailure, False),
    "rcpt-550-5.1.8": (PermanentFailure, False),
    "rcpt-550-5.3.0": (PermanentFailure, False),
    "rcpt-552-5.2.2": (PermanentFailure, False),
    "rcpt-552": (PermanentFailure, False),
    "rcpt-554": (PermanentFailure, False),
    "rcpt-503": (PermanentFailure, False),
    "data-550-5.1.1": (PermanentFailure, False),
    "data-554-5.7.1": (PermanentFailure, False),
    "data-550": (PermanentFailure, False),
    "rcpt-450-4.7.1-greylisted": (TransientFailure, None),
    "rcpt-451-4.7.1": (TransientFailure, None),
    "rcpt-452-4.2.2": (TransientFailure, None),
    "gone421": (TransientFailure, None),
    "data421": (TransientFailure, None),
    "data-451-4.3.0": (TransientFailure, None),
    "garbage": (TransientFailure, None),
    "drop": (UnknownOutcome, None),
    "babble": (UnknownOutcome, None),
    "again": (UnknownOutcome, None),
}


@pytest.mark.parametrize("habits", [(), ("pipelining",)], ids=" ".join)
def test_every_answer_is_one_recipients(opened, habits) -> None:
    server, send = opened(*habits)
    seen = {}
    for number, name in enumerate(ANSWERS):
        failure = outcome(send, name)
        assert isinstance(failure, DeliveryFailure), name
        kind = next(kind for kind in KINDS if isinstance(failure, kind))
        seen[name] = (kind, getattr(failure, "recipient_gone", None))
        assert send(f"fine{number}") == "250 2.0.0 kept"
    assert seen == ANSWERS
    # Only what was accepted is in the mailbox, each once: also those whose answer was lost.
    expected = [f"fine{number}@gym.example" for number in range(len(ANSWERS))]
    assert server.recipients() == sorted(
        [*expected, *(f"{name}@gym.example" for name in ("drop", "babble", "again"))]
    )
    assert all(message["Subject"] == "Report" for message in server.messages())


def test_words_of_the_server_decide_where_it_gives_no_enhanced_code(opened) -> None:
    _, send = opened()
    for words in ("relay_not_permitted", "spam_list", "access_denied", "mailbox_full"):
        failure = outcome(send, f"rcpt-550-{words}")
        assert isinstance(failure, PermanentFailure)
        assert not failure.recipient_gone, words
    gone = outcome(send, "rcpt-550-unknown_user")
    assert isinstance(gone, PermanentFailure)
    assert gone.recipient_gone


def test_a_refused_sender_suppresses_no_recipient(opened) -> None:
    for habits in (("sender550",), ("sender550", "pipelining")):
        _, send = opened(*habits)
        failure = outcome(send, "a")
        assert isinstance(failure, PermanentFailure)
        assert not failure.recipient_gone
        assert "to MAIL FROM" in str(failure)


@pytest.mark.parametrize("habits", [("most=2",), ("most=2", "pipelining")], ids=" ".join)
def test_a_server_that_takes_two_messages_a_connection(opened, habits) -> None:
    server, send = opened(*habits)
    for name in "abcde":
        send(name)
    assert server.recipients() == [f"{name}@gym.example" for name in "abcde"]
    assert server.connections() == 3


def test_a_busy_server_is_asked_once_for_a_batch(opened) -> None:
    server, send = opened("busy")
    for name in "ab":
        failure = outcome(send, name)
        assert isinstance(failure, TransientFailure)
        assert "421 4.3.2 too many connections" in str(failure)
    assert server.connections() == 0


@pytest.mark.parametrize("habits", [(), ("pipelining",)], ids=" ".join)
def test_commands_go_together_only_where_the_server_offers_it(opened, habits) -> None:
    server, send = opened(*habits)
    for name in "abc":
        send(name)
    assert server.connections() == 1
    assert [mail["pipelined"] for mail in server.mails()] == [bool(habits)] * 3


def test_a_connection_that_breaks_within_the_text(opened) -> None:
    server, send = opened()
    large = (Attachment("pdf", "r.pdf", "application/pdf", os.urandom(6_000_000)),)
    failure = outcome(send, "cut", attachments=large)
    assert isinstance(failure, TransientFailure)
    assert "within the message" in str(failure)
    assert send("a") == "250 2.0.0 kept"
    assert server.recipients() == ["a@gym.example"]


def test_a_slow_server_is_waited_for(opened) -> None:
    _, send = opened()
    assert send("slow") == "250 2.0.0 kept"
    assert send("tarpit") == "250 2.0.0 kept"


@pytest.mark.parametrize("habits", [(), ("pipelining",)], ids=" ".join)
def test_a_server_slow_for_one_recipient_costs_that_one(opened, habits) -> None:
    server, send = opened(*habits, command_seconds=0.3)
    send("a")
    assert isinstance(outcome(send, "tarpit"), TransientFailure)
    assert send("b") == "250 2.0.0 kept"
    assert server.recipients() == ["a@gym.example", "b@gym.example"]
    assert server.connections() == 2


def test_a_server_that_hangs_costs_a_batch_one_wait(opened) -> None:
    _, send = opened("hang", command_seconds=0.3)
    began = time.monotonic()
    assert all(isinstance(outcome(send, name), TransientFailure) for name in "abcdef")
    assert time.monotonic() - began < 1.5


def test_silence_after_the_text_makes_one_unknown_not_the_batch(opened) -> None:
    server, send = opened(answer_seconds=0.3)
    failure = outcome(send, "mute")
    assert isinstance(failure, UnknownOutcome)
    assert "timed out" in str(failure)
    assert all(isinstance(outcome(send, name), TransientFailure) for name in "abc")
    assert server.recipients() == ["mute@gym.example"]


def test_a_server_that_is_gone_when_the_next_message_comes(opened, start_mail_server) -> None:
    server, send = opened()
    send("a")
    server.stop()
    start_mail_server("starttls", server.port)
    assert send("b") == "250 2.0.0 kept"
    assert server.recipients() == ["b@gym.example"]  # the new one counts from 1 again


def test_what_a_server_says_can_be_kept_and_shown(opened) -> None:
    _, send = opened()
    failure = outcome(send, "garbage")
    assert "\x00" not in str(failure)
    assert "\x1b" not in str(failure)


@pytest.mark.parametrize("first", ["a", "reject550"])
def test_what_was_prepared_and_then_left_is_not_sent(
    start_mail_server, certificate, monkeypatch, first
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    server = start_mail_server()
    left, sent = (replace(PARCEL, delivery_id=name, recipient=f"{name}@gym.example") for name in (first, "b"))
    with SmtpChannel(SmtpServer.from_url(server.url()), COMPOSER) as channel:
        channel.prepare(left)
        channel.prepare(sent)
        channel.send(sent)
        channel.prepare(left)
        channel.send(sent)
        channel.prepare(left)
    assert server.recipients() == ["b@gym.example"] * 2


def test_a_prepared_parcel_tells_its_refusal_when_it_is_sent(
    start_mail_server, certificate, monkeypatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    server = start_mail_server()
    refused = replace(PARCEL, recipient="reject550@gym.example")
    with SmtpChannel(SmtpServer.from_url(server.url()), COMPOSER) as channel:
        channel.prepare(refused)
        with pytest.raises(PermanentFailure, match=r"550 5\.1\.1"):
            channel.send(refused)
    assert server.recipients() == []
