"""Mail over a real SMTP server with STARTTLS and login: each recipient's outcome, and what TLS refuses."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest

from orchestration.delivery import suppressions
from orchestration.delivery.channels.smtp import SmtpServer
from orchestration.delivery.service import dispatch
from orchestration.errors import MetricpressError

pytestmark = pytest.mark.integration
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_mail_arrives_as_the_ledger_says(warehouse, mail_server) -> None:
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "ceo@gym.example", "cfo@gym.example")
    result = dispatch(warehouse.settings, NOON)
    assert result.is_fine
    assert mail_server.recipients() == ["ceo@gym.example", "cfo@gym.example"]
    assert all(mail["tls"] and mail["login"] for mail in mail_server.mails())
    assert {mail["from"] for mail in mail_server.mails()} == {"reports@mp.example"}
    assert mail_server.connections() == 1
    by_recipient = {outcome.recipient: outcome for outcome in result.sent}
    for message in mail_server.messages():
        outcome = by_recipient[message["To"]]
        assert message["Message-ID"] == outcome.message_id
        assert message["From"] == "Reports <reports@mp.example>"
        (pdf,) = (part.get_payload(decode=True) for part in message.iter_attachments())
        assert hashlib.sha256(pdf).hexdigest() == outcome.files[0]["sha256"]
        assert ".leading dot" in message.get_body(("plain",)).get_content().splitlines()
        assert message.get_body(("html",)).get_content().startswith("<html>")


def test_each_recipient_has_an_outcome_of_its_own(warehouse, mail_server) -> None:
    warehouse.add_tenant("gym")
    names = ("a", "busy450", "data451", "data550", "drop", "gone421", "reject550", "z")
    warehouse.subscribe("gym", *(f"{name}@gym.example" for name in names))
    result = dispatch(warehouse.settings, NOON)

    assert warehouse.statuses() == {
        "a@gym.example": "sent",
        "busy450@gym.example": "failed",
        "data451@gym.example": "failed",
        "data550@gym.example": "failed",
        "drop@gym.example": "unknown",
        "gone421@gym.example": "failed",
        "reject550@gym.example": "failed",
        "z@gym.example": "sent",
    }
    failed = {outcome.recipient.partition("@")[0]: outcome for outcome in result.failed}
    assert {name: outcome.error_class for name, outcome in failed.items()} == {
        "busy450": "transient", "data451": "transient", "gone421": "transient",
        "data550": "permanent", "reject550": "permanent",
    }  # fmt: skip
    assert all(
        (outcome.next_attempt_at is None) == (outcome.error_class == "permanent")
        for outcome in failed.values()
    )
    assert "550 5.1.1 no such mailbox" in failed["reject550"].reason
    assert "no answer after the whole message" in result.unknown[0].reason
    # The server kept the dropped one: that is why it may not be sent again.
    assert mail_server.recipients() == ["a@gym.example", "drop@gym.example", "z@gym.example"]

    later = dispatch(warehouse.settings, NOON + timedelta(minutes=2))
    assert sorted(outcome.recipient for outcome in later.failed) == [
        "busy450@gym.example", "data451@gym.example", "gone421@gym.example",
    ]  # fmt: skip
    assert {outcome.attempts for outcome in later.failed} == {2}
    assert mail_server.recipients() == ["a@gym.example", "drop@gym.example", "z@gym.example"]


def test_a_mailbox_that_is_gone_is_written_to_no_more_and_nothing_else_is(warehouse, mail_server) -> None:
    warehouse.add_tenant("gym")
    names = ("reject550", "rcpt-550-5.7.1", "rcpt-552-5.2.2", "data550", "busy450", "a")
    warehouse.subscribe("gym", *(f"{name}@gym.example" for name in names))
    dispatch(warehouse.settings, NOON)
    (gone,) = suppressions.listed(warehouse.conn)
    assert (gone.recipient, gone.source, gone.subscription) == ("reject550@gym.example", "bounce", None)
    assert "550 5.1.1 no such mailbox" in gone.reason
    warehouse.conn.execute("update marts.tenants set complete_date = '2026-11-20'")
    tomorrow = dispatch(warehouse.settings, NOON + timedelta(days=1)).outcomes
    assert {one.recipient for one in tomorrow if one.delivery_status == "skipped"} == {gone.recipient}


def test_a_report_can_be_unsubscribed_by_the_mail_it_came_in(warehouse, mail_server, metricpress) -> None:
    key = "k" * 40
    warehouse.settings = replace(
        warehouse.settings, signing_keys=(key,), unsubscribe_address="leave@mp.example"
    )
    warehouse.add_tenant("gym")
    first = warehouse.subscribe("gym", "ceo@gym.example", "cfo@gym.example", name="first")
    warehouse.subscribe("gym", "ceo@gym.example", name="second")
    dispatch(warehouse.settings, NOON)
    (mail,) = (
        one
        for one in mail_server.messages()
        if one["To"] == "ceo@gym.example" and '"first"' in one.get_body(("plain",)).get_content()
    )
    answer = unquote(mail["List-Unsubscribe"].strip("<>").partition("?subject=")[2])
    env = {"METRICPRESS_SIGNING_KEY": key}
    done = metricpress("suppressions", "unsubscribe", stdin=f"Subject: {answer}\n\n", env=env)
    assert done.returncode == 0, done.stderr
    (only,) = suppressions.listed(warehouse.conn)
    assert (only.recipient, only.subscription_id) == ("ceo@gym.example", first.subscription_id)


def test_a_server_that_comes_back(warehouse, mail_server, start_mail_server) -> None:
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "a@gym.example", "b@gym.example")
    mail_server.stop()
    down = dispatch(warehouse.settings, NOON)
    assert [outcome.error_class for outcome in down.failed] == ["transient", "transient"]
    assert all("cannot use the mail server 127.0.0.1" in outcome.reason for outcome in down.failed)
    assert warehouse.rows("select state from reporting.report_occurrences") == [{"state": "pending"}]
    start_mail_server(port=mail_server.port)
    up = dispatch(warehouse.settings, NOON + timedelta(minutes=2))
    assert mail_server.recipients() == ["a@gym.example", "b@gym.example"]
    # The same Message-ID in every attempt: a mailbox that has it can tell.
    assert [one.message_id for one in up.sent] == [one.message_id for one in down.failed]
    assert warehouse.rows("select state from reporting.report_occurrences") == [{"state": "sent"}]


def test_untrusted_certificate_is_refused_and_nothing_is_said(warehouse, mail_server, monkeypatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "ceo@gym.example")
    (failed,) = dispatch(warehouse.settings, NOON).failed
    assert failed.error_class == "transient"
    assert "certificate not trusted" in failed.reason
    assert (mail_server.connections(), mail_server.mails()) == (0, [])


def test_certificate_of_another_host_is_refused(warehouse, mail_server) -> None:
    settings = replace(warehouse.settings, smtp_url=mail_server.url().replace("127.0.0.1", "localhost"))
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "ceo@gym.example")
    (failed,) = dispatch(settings, NOON).failed
    assert "certificate not trusted" in failed.reason
    assert mail_server.connections() == 0


def test_wrong_password_is_told_without_it(warehouse, mail_server) -> None:
    settings = replace(warehouse.settings, smtp_url=mail_server.url("hush"))
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "a@gym.example", "b@gym.example")
    result = dispatch(settings, NOON)
    assert {one.reason.partition(": ")[2] for one in result.failed} == {
        "it refused the login of METRICPRESS_SMTP_URL (535)"
    }
    assert all("hush" not in one.reason for one in result.failed)
    assert mail_server.connections() == 2  # PLAIN and LOGIN, once: the rest of the batch does not knock
    later = dispatch(warehouse.settings, NOON + timedelta(minutes=2))
    assert len(later.sent) == 2


def test_smtps(warehouse, start_mail_server, certificate, monkeypatch) -> None:
    server = start_mail_server("tls")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "ceo@gym.example")
    assert len(dispatch(replace(warehouse.settings, smtp_url=server.url()), NOON).sent) == 1
    assert server.recipients() == ["ceo@gym.example"]


def test_a_server_without_starttls_gets_no_password(warehouse, start_mail_server) -> None:
    server = start_mail_server("plain")
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "ceo@gym.example")
    (failed,) = dispatch(replace(warehouse.settings, smtp_url=server.url()), NOON).failed
    assert "STARTTLS" in failed.reason
    assert server.connections() == 0


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example", ("mail.example", 587, "starttls", None, None)),
        ("smtp://u:p%40ss@mail.example:2525", ("mail.example", 2525, "starttls", "u", "p@ss")),
        ("smtps://u%40x:p@mail.example", ("mail.example", 465, "tls", "u@x", "p")),
        ("smtp://127.0.0.1:1025?tls=none", ("127.0.0.1", 1025, "none", None, None)),
    ],
)
def test_smtp_url(url, expected) -> None:
    server = SmtpServer.from_url(url)
    assert (server.host, server.port, server.security, server.username, server.password) == expected
    assert "p@ss" not in repr(server)


@pytest.mark.parametrize(
    "url", ["smtp://", "http://u:secret@h", "smtp://u:secret@h?tls=none", "smtps://h?tls=none"]
)
def test_smtp_url_refused_without_repeating_it(url) -> None:
    with pytest.raises(MetricpressError) as caught:
        SmtpServer.from_url(url)
    assert "secret" not in str(caught.value)
