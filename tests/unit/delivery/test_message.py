"""Messages: what every mail program must be able to read, and headers nobody can smuggle into."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes
from email.policy import default

import pytest

from orchestration.delivery.channels.message import compose, message_id
from orchestration.delivery.channels.parcel import Attachment, Parcel
from orchestration.delivery.failures import PermanentFailure

PDF = bytes(range(256)) * 50
PARCEL = Parcel(
    delivery_id="0b6fa4e2-0000-4000-8000-000000000000",
    message_id="<x@mp.example>",
    recipient="ceo@gym.example",
    subject="Métriques — novembre",
    text="Umsatz: 12.345,67 €\n.\n" + "long " * 400,
    html="<p>Umsatz: 12.345,67 €</p>" + "<td>x</td>" * 2000,
    attachments=(Attachment("pdf", "rapport été.pdf", "application/pdf", PDF),),
)


def test_parts_survive_and_lines_are_as_smtp_wants_them() -> None:
    raw = compose(PARCEL, "Métriques <reports@mp.example>")
    assert raw.isascii()
    assert raw.count(b"\n") == raw.count(b"\r\n")
    assert max(len(line) for line in raw.splitlines()) <= 998
    message = message_from_bytes(raw, policy=default)
    assert message.defects == []
    assert message["Subject"] == PARCEL.subject
    assert message["From"].addresses[0].addr_spec == "reports@mp.example"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_body(("plain",)).get_content().splitlines() == PARCEL.text.splitlines()
    assert message.get_body(("html",)).get_content().strip() == PARCEL.html
    (attachment,) = message.iter_attachments()
    assert attachment.get_filename() == "rapport été.pdf"
    assert attachment.get_payload(decode=True) == PDF
    assert message.get_content_type() == "multipart/mixed"


def test_recipients_share_a_body_but_not_their_headers() -> None:
    first = compose(PARCEL, "reports@mp.example")
    second = compose(
        replace(PARCEL, recipient="cfo@gym.example", message_id="<y@mp.example>"), "r@mp.example"
    )
    assert b"ceo@gym.example" in first
    assert b"ceo@gym.example" not in second


@pytest.mark.parametrize(
    "recipient", ["a@b.example\r\nBcc: spy@x.example", "a@b.example,c@d.example e", "jörg@b.example"]
)
def test_a_recipient_that_is_no_address(recipient) -> None:
    with pytest.raises(PermanentFailure):
        compose(replace(PARCEL, recipient=recipient), "reports@mp.example")


def test_a_subject_of_several_lines_adds_no_header() -> None:
    raw = compose(replace(PARCEL, subject="Report\r\nBcc: spy@x.example"), "reports@mp.example")
    assert message_from_bytes(raw, policy=default)["Bcc"] is None


def test_message_id_is_the_deliverys() -> None:
    assert message_id("abc", "Reports <r@mp.example>") == "<abc@mp.example>"
