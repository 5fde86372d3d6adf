"""Tokens to unsubscribe: only ours, whole, whichever of the keys signed them, however a mail carries them."""

from __future__ import annotations

import pytest
from itsdangerous import URLSafeSerializer

from orchestration.delivery.unsubscribe import NoValidToken, Unsubscribing, read_token, token_in

OLD, NEW, OTHER = "o" * 32, "n" * 32, "x" * 32
SUBSCRIPTION = "7d1f54b8-1111-4000-8000-000000000000"


def token(*keys: str) -> str:
    uri = Unsubscribing("leave@mp.example", keys).uri("gym", SUBSCRIPTION, "ceo@gym.example")
    return uri.partition("%20")[2]


def test_tokens_of_the_old_key_hold_while_it_is_kept() -> None:
    before = token(OLD)
    assert read_token(before, (NEW, OLD)).recipient == "ceo@gym.example"
    assert read_token(token(NEW, OLD), (NEW,)).tenant_id == "gym"  # the first signs
    with pytest.raises(NoValidToken):
        read_token(before, (NEW,))


def test_no_other_token_is_taken() -> None:
    good = token(OLD)
    changed = ("A" if good[5] != "A" else "B").join((good[:5], good[6:]))
    for_other_things = URLSafeSerializer(OLD, salt="other").dumps(["gym", SUBSCRIPTION, "ceo@gym.example"])
    for forged in (changed, good[:-1], good + "x", "", ".", "gym", str(for_other_things), token(OTHER), "é"):
        with pytest.raises(NoValidToken):
            read_token(forged, (OLD,))


@pytest.mark.parametrize(
    "subject",
    [
        "unsubscribe {}",
        "Unsubscribe {}",
        "Re: unsubscribe {} ",
        "unsubscribe\r\n {}",
        "=?utf-8?q?unsubscribe_{}?=",
    ],
)
def test_the_token_is_found_however_the_subject_is_written(subject) -> None:
    good = token(OLD)
    head = b"From: ceo@gym.example\r\n"
    written = good.replace("_", "=5F") if "=?" in subject else good
    mail = head + f"Subject: {subject.format(written)}\r\n\r\nbye".encode()
    assert token_in(mail) == good


def test_a_token_broken_over_lines_is_whole_again() -> None:
    good = token(OLD)
    mail = f"Subject: unsubscribe {good[:40]}\r\n {good[40:]}\r\n\r\nunsubscribe nothing".encode()
    assert read_token(token_in(mail), (OLD,)).recipient == "ceo@gym.example"


@pytest.mark.parametrize(
    "mail", [b"", b"Subject: hello\r\n\r\nunsubscribe x", b"Subject: unsubscribe\r\n\r\n", b"\x00\xff\n\n"]
)
def test_a_mail_without_a_token_is_named(mail) -> None:
    with pytest.raises(NoValidToken, match="no token"):
        token_in(mail)
