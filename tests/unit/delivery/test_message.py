"""Messages: what every mail program must be able to read, and headers nobody can smuggle into."""

from __future__ import annotations

import base64
import os
from dataclasses import replace
from datetime import UTC, date, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.delivery.channels.message import ATTACHED, Composer, message_id
from orchestration.delivery.channels.parcel import About, Attachment, Parcel
from orchestration.delivery.failures import PermanentFailure
from orchestration.delivery.unsubscribe import Unsubscribing, read_token, token_in
from orchestration.errors import MetricpressError
from orchestration.settings import Settings

PDF = bytes(range(256)) * 50
PNG = b"\x89PNG\r\n\x1a\n" + bytes(300)
LOGO = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"
KEYS = ("k" * 32,)
ABOUT = About(
    tenant_id="gym",
    subscription_id="7d1f54b8-1111-4000-8000-000000000000",
    subscription="executive\r\nweekly <b>",
    report="executive",
    period_start=date(2026, 11, 16),
    period_end=date(2026, 11, 22),
    due_at=datetime(2026, 11, 23, 9, tzinfo=UTC),
)
PARCEL = Parcel(
    delivery_id="0b6fa4e2-0000-4000-8000-000000000000",
    message_id="<x@mp.example>",
    recipient="ceo@gym.example",
    subject="Métriques — novembre",
    text=f"Umsatz: 12.345,67 €\n.\n{ATTACHED}\n" + "long " * 400 + "\n",
    html="<html><body><p>Umsatz: 12.345,67 €</p>\n.\n<!--attached--><p>is attached</p><!--/attached-->"
    + "<td>x</td>" * 2000
    + "</body></html>",
    attachments=(Attachment("pdf", "rapport été.pdf", "application/pdf", PDF),),
)
COMPOSER = Composer("Métriques <reports@mp.example>", "help@mp.example")
WITH_LINK = replace(COMPOSER, unsubscribing=Unsubscribing("leave@mp.example", KEYS))


def parsed(parcel: Parcel, composer: Composer = COMPOSER) -> EmailMessage:
    raw = composer.compose(parcel)
    assert raw.isascii()
    assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r")
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    message = message_from_bytes(raw, policy=default)
    for part in message.walk():
        assert part.defects == []
        assert all(value.defects == () for value in part.values())
    return message


def shape(message: EmailMessage) -> object:
    """The tree of parts as nested lists of their types."""
    kind = message.get_content_type()
    if not message.is_multipart():
        return kind
    return [kind.partition("/")[2], *(shape(part) for part in message.iter_parts())]


def words(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def one_line(text: str) -> str:
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


# --- parts


def test_parts_survive() -> None:
    message = parsed(PARCEL)
    assert message["Subject"] == PARCEL.subject
    assert message["From"].addresses[0].addr_spec == "reports@mp.example"
    assert message["From"].addresses[0].display_name == "Métriques"
    assert message["To"].addresses[0].addr_spec == "ceo@gym.example"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == "<x@mp.example>"
    assert message["Date"].datetime.utcoffset() is not None
    assert words(message, "plain").splitlines() == [*PARCEL.text.splitlines(), ""]
    html = "\n".join(words(message, "html").splitlines()).strip()
    assert html.replace("\n\n</body>", "</body>").replace("\n</body>", "</body>") == PARCEL.html
    (attachment,) = message.iter_attachments()
    assert attachment.get_filename() == "rapport été.pdf"
    assert attachment.get_payload(decode=True) == PDF


def test_a_level_with_nothing_beside_its_first_part_is_left_out() -> None:
    logo = f'<html><body><img src="{LOGO}" alt="Gym"></body></html>'
    alternative = ["alternative", "text/plain", "text/html"]
    assert shape(parsed(replace(PARCEL, attachments=()))) == alternative
    assert shape(parsed(PARCEL)) == ["mixed", alternative, "application/pdf"]
    related = ["related", alternative, "image/png"]
    assert shape(parsed(replace(PARCEL, html=logo, attachments=()))) == related
    assert shape(parsed(replace(PARCEL, html=logo))) == ["mixed", related, "application/pdf"]


def test_images_are_parts_of_the_message_each_once() -> None:
    html = f'<body><img src="{LOGO}"><p style="x">data:image/png;base64,AAAA</p><img src=\'{LOGO}\'></body>'
    message = parsed(replace(PARCEL, html=html, attachments=()))
    (image,) = (part for part in message.walk() if part.get_content_maintype() == "image")
    assert image.get_payload(decode=True) == PNG
    assert image.get_content_disposition() == "inline"
    assert words(message, "html").count(f"cid:{image['Content-ID'].strip('<>')}") == 2
    assert words(message, "html").count("data:") == 1  # text, not an image


def test_text_attachments_say_their_charset() -> None:
    csv = Attachment("csv", "r.csv", "text/csv", "a,é\n".encode())
    (part,) = parsed(replace(PARCEL, attachments=(csv,))).iter_attachments()
    assert part.get_content() == "a,é\n"


def test_recipients_share_a_body_but_not_their_headers() -> None:
    first = COMPOSER.compose(PARCEL)
    second = COMPOSER.compose(replace(PARCEL, recipient="cfo@gym.example", message_id="<y@mp.example>"))
    assert (
        first.partition(b"\r\nContent-Type: multipart")[2]
        == second.partition(b"\r\nContent-Type: multipart")[2]
    )
    assert b"ceo@gym.example" in first
    assert b"ceo@gym.example" not in second


def test_over_smtp_every_dot_that_begins_a_line_is_doubled() -> None:
    about = replace(ABOUT, subscription="x" * 60 + " ." * 40)
    parcel = replace(PARCEL, about=about)
    sent, plain = WITH_LINK.for_smtp(parcel).split(b"\r\n"), WITH_LINK.compose(parcel).split(b"\r\n")
    sent, plain = ([line for line in lines if not line.startswith(b"Date:")] for lines in (sent, plain))
    assert [line[1:] if line.startswith(b".") else line for line in sent] == plain
    assert all(line.startswith(b"..") for line in sent if line.startswith(b"."))
    assert any(line.startswith(b".") for line in plain)


# --- headers

INJECTIONS = (
    "Report\r\nBcc: spy@x.example",
    "Report\nBcc: spy@x.example",
    "Report\rBcc: spy@x.example",
    "Report\x85Bcc: spy@x.example\u2028Bcc: spy@x.example",
    "=?utf-8?q?Report=0D=0ABcc:_spy=40x.example?=",
    "é =?utf-8?b?UmVwb3J0DQpCY2M6IHNweUB4LmV4YW1wbGU=?= é",
    "Report\r\n\r\n<script>",
    "R" * 2000,
    "é" * 2000,
    "Ünïcödé " * 100,
)


@pytest.mark.parametrize("text", INJECTIONS)
def test_no_name_adds_a_header(text) -> None:
    clean = parsed(PARCEL)
    file = replace(PARCEL.attachments[0], filename=f"{text}.pdf")
    parcel = replace(PARCEL, subject=text, attachments=(file,), about=replace(ABOUT, subscription=text))
    name = " ".join(text.split()).replace('"', "")
    message = parsed(parcel, replace(WITH_LINK, sender=f'"{name}" <reports@mp.example>'))
    assert sorted(message.keys()) == sorted([*clean.keys(), "List-Unsubscribe"])
    assert [part.keys() for part in message.walk()][1:] == [part.keys() for part in clean.walk()][1:]
    # Nor does a mail program read anything else into it.
    assert message["Subject"] == one_line(text)


@given(st.text(min_size=1, max_size=300))
@settings(max_examples=150, deadline=None)
def test_any_subject_reads_as_one_line_of_itself(subject) -> None:
    read = parsed(replace(PARCEL, subject=subject, attachments=()))["Subject"]
    assert read == (one_line(subject) or "Report")


@pytest.mark.parametrize(
    "recipient",
    [
        "a@b.example\r\nBcc: spy@x.example",
        "a@b.example\nRCPT",
        "a@b.example,c@d.example",
        "a@b.example> NOTIFY=NEVER",
        "a@b.example><c@d.example",
        "A <a@b.example>",
        "jörg@b.example",
        "a@bücher.example",
        "a@@b.example",
        "a@b..example",
        ".a@b.example",
        "a@-b.example",
        "a@b.example\x00",
        "a" * 250 + "@b.example",
        "",
        "@",
    ],
)
def test_a_recipient_that_is_no_address(recipient) -> None:
    with pytest.raises(PermanentFailure, match="is not a mail address"):
        COMPOSER.compose(replace(PARCEL, recipient=recipient))


@pytest.mark.parametrize("recipient", ["o'neil+x@b.example", "a@xn--bcher-kva.example", "root@localhost"])
def test_a_recipient_that_is_one(recipient) -> None:
    assert parsed(replace(PARCEL, recipient=recipient))["To"].addresses[0].addr_spec == recipient


@pytest.mark.parametrize("name", ['Say "hi"', "A, B <c@d.example>", "back\\slash", "é" * 20])
def test_display_names(name) -> None:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    (address,) = parsed(PARCEL, replace(COMPOSER, sender=f'"{quoted}" <r@mp.example>'))["From"].addresses
    assert (address.display_name, address.addr_spec) == (name, "r@mp.example")


def test_message_id_is_the_deliverys() -> None:
    assert message_id("abc", "Reports <r@mp.example>") == "<abc@mp.example>"


# --- unsubscribing


def test_the_link_to_unsubscribe_is_the_recipients_own() -> None:
    message = parsed(replace(PARCEL, about=ABOUT), WITH_LINK)
    uri = message["List-Unsubscribe"].strip("<>")
    assert uri.startswith("mailto:leave@mp.example?subject=unsubscribe%20")
    text, html = words(message, "plain"), words(message, "html")
    assert uri in text
    assert f'href="{uri}"' in html
    assert html.strip().endswith("</body></html>")
    assert "&lt;b&gt;" in html
    assert 'by the subscription "executive weekly <b>"' in text
    mail = f"Subject: {uri.partition('subject=')[2].replace('%20', ' ')}\r\n\r\n".encode()
    wish = read_token(token_in(mail), KEYS)
    assert (wish.tenant_id, wish.recipient) == ("gym", "ceo@gym.example")
    assert str(wish.subscription_id) == ABOUT.subscription_id
    other = parsed(replace(PARCEL, about=ABOUT, recipient="cfo@gym.example"), WITH_LINK)
    assert other["List-Unsubscribe"] != message["List-Unsubscribe"]


def test_no_link_where_nobody_can_unsubscribe() -> None:
    for parcel, composer in ((PARCEL, WITH_LINK), (replace(PARCEL, about=ABOUT), COMPOSER)):
        message = parsed(parcel, composer)
        assert message["List-Unsubscribe"] is None
        assert "nsubscribe" not in words(message, "plain") + words(message, "html")


def test_the_composer_of_an_installation(tmp_path) -> None:
    asked = Settings(home=tmp_path, output_dir=tmp_path, mail_from="Reports <r@mp.example>")
    assert Composer.of(asked) == Composer("Reports <r@mp.example>", "r@mp.example")
    full = replace(asked, signing_keys=KEYS, unsubscribe_address="u@mp.example", operator="o@mp.example")
    assert Composer.of(full) == Composer(
        "Reports <r@mp.example>", "o@mp.example", unsubscribing=Unsubscribing("u@mp.example", KEYS)
    )
    for half in (replace(full, signing_keys=()), replace(full, unsubscribe_address=None)):
        assert Composer.of(half).unsubscribing is None
    for wrong in (replace(full, mail_from="Reports"), replace(full, unsubscribe_address="u")):
        with pytest.raises(MetricpressError, match="holds no mail address"):
            Composer.of(wrong)


# --- size


def test_above_the_limit_the_pdf_alone_and_above_it_a_notice() -> None:
    pdf = Attachment("pdf", "r.pdf", "application/pdf", os.urandom(300_000))
    xlsx = Attachment("xlsx", "r.xlsx", "application/octet-stream", os.urandom(600_000))
    csv = Attachment("csv", "r.csv", "text/csv", b"a,b\n")
    parcel = replace(PARCEL, attachments=(csv, pdf, xlsx), about=ABOUT)
    size = len(WITH_LINK.compose(parcel))
    assert 1_250_000 < size < 1_350_000
    for limit, kept in ((size + 10_000, ["csv", "pdf", "xlsx"]), (size - 1, ["pdf"]), (400_000, [])):
        composer = replace(WITH_LINK, max_bytes=limit)
        message = parsed(parcel, composer)
        assert len(composer.compose(parcel)) <= limit
        assert [part.get_filename() for part in message.iter_attachments()] == [f"r.{one}" for one in kept]
        text, html = words(message, "plain"), words(message, "html")
        for body in (text, html):
            assert ("r.xlsx (600\u00a0kB)" in body) == (len(kept) < 3)
            assert ("please ask help@mp.example" in body) == (len(kept) < 3)
        # Nothing is called attached that is not.
        assert (ATTACHED in text.splitlines()) == bool(kept)
        assert ("is attached" in html) == bool(kept)
    assert words(parsed(parcel, replace(WITH_LINK, max_bytes=400_000)), "plain").startswith("Not attached")


def test_names_in_the_notice_are_no_markup_and_no_lines() -> None:
    file = Attachment("pdf", "r\n<b>.pdf", "application/pdf", os.urandom(300_000))
    composer = replace(COMPOSER, max_bytes=100_000, contact="Help <help@mp.example>")
    message = parsed(replace(PARCEL, attachments=(file,)), composer)
    assert "please ask Help <help@mp.example>." in words(message, "plain").splitlines()[0]
    assert "r__b_.pdf" in words(message, "html")
    assert "please ask Help &lt;help@mp.example&gt;." in words(message, "html")


def test_words_that_are_too_large_by_themselves_are_refused() -> None:
    with pytest.raises(PermanentFailure, match="METRICPRESS_MAIL_MAX_MB"):
        replace(COMPOSER, max_bytes=20_000).compose(replace(PARCEL, html="<p>" + "x" * 30_000))


def test_words_around_a_report_are_in_its_language() -> None:
    parcel = replace(
        PARCEL, about=replace(ABOUT, locale="de_AT"), text="MRR\nDer vollständige Bericht liegt bei.\n"
    )
    told = words(parsed(parcel, WITH_LINK), "plain")
    assert "An ceo@gym.example gesendet aufgrund des Abonnements „executive weekly <b>“." in told
    assert "Zum Abbestellen senden Sie diese E-Mail: mailto:leave@mp.example" in told
    html = words(parsed(parcel, WITH_LINK), "html")
    assert ">Abbestellen</a> (sendet eine E-Mail; es kann einen Moment dauern)." in html
    small = words(parsed(replace(parcel, html="<p>x</p>"), replace(WITH_LINK, max_bytes=20_000)), "plain")
    assert "Nicht beigefügt, weil die E-Mail zu groß würde: rapport été.pdf (13\u00a0kB)." in small
    assert "Bericht liegt bei" not in small
