"""Webhooks over a real HTTP server: signed, sent to checked addresses alone, and what each answer means."""

from __future__ import annotations

import base64
import datetime
import hashlib
import ipaddress
import json
import logging
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from orchestration.delivery.channels import check_recipient, open_channel, outbound
from orchestration.delivery.channels.outbound import PrivateHosts, Target, is_public
from orchestration.delivery.channels.parcel import Attachment
from orchestration.delivery.channels.webhook import INLINE_BYTES, WebhookChannel, payload, secrets
from orchestration.delivery.failures import DeliveryFailure, PermanentFailure, TransientFailure
from orchestration.errors import MetricpressError
from orchestration.settings import Settings

NEW_KEY, OLD_KEY = "new key" * 8, "old key" * 8
DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch) -> WebhookChannel:
    monkeypatch.setattr(outbound, "TOTAL_SECONDS", 1.0)
    return WebhookChannel((NEW_KEY, OLD_KEY), ("127.0.0.1",))


def hook(web_server, path: str = "hook/s3cret") -> str:
    return f"http://127.0.0.1:{web_server.port}/{path}"


def failure_of(channel: WebhookChannel, parcel) -> DeliveryFailure:
    with pytest.raises(DeliveryFailure) as caught:
        channel.send(parcel)
    assert "s3cret" not in str(caught.value)
    return caught.value


def schema() -> dict[str, Any]:
    """The schema as docs/interfaces.md publishes it."""
    (text,) = re.findall(r"```json\n(\{\n *\"\$schema\".*?)```", (DOCS / "interfaces.md").read_text(), re.S)
    return json.loads(text)


def test_a_receiver_verifies_and_reads_it(channel, web_server, make_parcel) -> None:
    parcel = make_parcel(hook(web_server))
    assert channel.send(parcel) == f"127.0.0.1:{web_server.port} answered 200"
    (request,) = web_server.taken("hook")
    assert request["headers"]["webhook-id"] == parcel.delivery_id
    assert request["headers"]["Host"] == f"127.0.0.1:{web_server.port}"
    for secret in secrets((NEW_KEY, OLD_KEY), "gym", parcel.recipient):
        Webhook(secret).verify(request["body"], request["headers"])
    (other,) = secrets((NEW_KEY,), "spa", parcel.recipient)
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(request["body"], request["headers"])
    body = json.loads(request["body"])
    jsonschema.validate(body, schema(), format_checker=jsonschema.FormatChecker())
    assert (body["type"], body["timestamp"]) == ("report.delivered", "2026-11-20T12:00:00Z")
    assert b'"mrr": 12345.678901234567890123' in request["body"]
    (file,) = body["data"]["files"]
    assert base64.b64decode(file["content"]) == parcel.attachments[0].content
    assert file["sha256"] == hashlib.sha256(parcel.attachments[0].content).hexdigest()


def test_id_and_body_are_the_same_in_every_attempt(channel, web_server, make_parcel) -> None:
    web_server.behave("hook", "drop", "status 503")
    parcel = make_parcel(hook(web_server))
    for _ in range(2):
        with WebhookChannel((NEW_KEY,), ("127.0.0.1",)) as batch:
            assert type(failure_of(batch, parcel)) is TransientFailure
    channel.send(parcel)
    requests = web_server.requests("hook")
    assert len(requests) == 3
    assert len({(one["headers"]["webhook-id"], one["body"]) for one in requests}) == 1


def test_a_notice_says_that_data_are_missing(make_parcel) -> None:
    body = json.loads(payload(make_parcel("https://h.example", is_notice=True)))
    jsonschema.validate(body, schema())
    assert body["type"] == "report.notice"
    assert (body["data"]["figures"], body["data"]["files"], body["data"]["data_version"]) == ({}, [], None)
    assert "Data incomplete" in body["data"]["text"]


def test_large_files_are_named_only(make_parcel) -> None:
    large = Attachment("csv", "large.csv", "text/csv", b"x" * INLINE_BYTES)
    parcel = make_parcel("https://h.example", text="MRR: 7\nThe full report is attached.\n")
    assert json.loads(payload(parcel))["data"]["text"] == parcel.text
    body = json.loads(payload(replace(parcel, attachments=(*parcel.attachments, large))))
    assert body["data"]["text"] == "MRR: 7\n"
    jsonschema.validate(body, schema())
    assert [file["content"] for file in body["data"]["files"]] == [None, None]
    assert body["data"]["files"][1]["bytes"] == INLINE_BYTES
    assert (
        len(payload(replace(parcel, attachments=(replace(large, content=b"x" * INLINE_BYTES),)))) < 1_000_000
    )


@pytest.mark.parametrize(
    ("behaviour", "kind", "words", "wait"),
    [
        ("status 429 7", TransientFailure, "429", 7),
        ("status 503 11", TransientFailure, "503", 11),
        ("status 500", TransientFailure, "500", None),
        ("status 503 soon", TransientFailure, "503", None),
        ("status 408", TransientFailure, "408", None),
        ("text 400 no such thing", PermanentFailure, "400: no such thing", None),
        ("status 401", PermanentFailure, "401", None),
        ("status 410", PermanentFailure, "410", None),
        ("redirect http://169.254.169.254/s3cret", PermanentFailure, "169.254.169.254", None),
        ("redirect /s3cret", PermanentFailure, "redirects are not followed", None),
        ("redirect http://[s3cret", PermanentFailure, "redirects are not followed", None),
        ("drop", TransientFailure, "no answer", None),
        ("refuse", TransientFailure, "webhook", None),
        ("slow 2", TransientFailure, "no answer", None),
        ("drip", TransientFailure, "no answer", None),
        ("huge 400", PermanentFailure, "400", None),
    ],
)
def test_what_answers_mean(channel, web_server, make_parcel, caplog, behaviour, kind, words, wait) -> None:
    caplog.set_level(logging.DEBUG)
    web_server.behave("hook", behaviour)
    started = time.monotonic()
    failure = failure_of(channel, make_parcel(hook(web_server)))
    assert time.monotonic() - started < 1.9
    assert type(failure) is kind
    assert words in str(failure)
    assert len(str(failure)) < 400
    assert getattr(failure, "retry_after", None) == wait
    assert getattr(failure, "recipient_gone", False) == ("410" in behaviour)
    assert len(web_server.requests()) <= 1
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("behaviour", ["huge 200", "html", "status 204", "status 202"])
def test_any_2xx_is_taken_whatever_it_says(channel, web_server, make_parcel, behaviour) -> None:
    web_server.behave("hook", behaviour)
    channel.send(make_parcel(hook(web_server)))


def test_retry_after_as_a_date(channel, web_server, make_parcel) -> None:
    at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=90)
    web_server.behave("hook", f"status 503 {at:%a,_%d_%b_%Y_%H:%M:%S_GMT}")
    failure = failure_of(channel, make_parcel(hook(web_server)))
    assert 80 < failure.retry_after <= 90


def test_a_host_without_answer_is_asked_once_in_a_batch(web_server, make_parcel, channel) -> None:
    dead = failure_of(channel, make_parcel("http://127.0.0.1:9/s3cret"))
    assert type(dead) is TransientFailure
    assert failure_of(channel, make_parcel("http://127.0.0.1:9/other")) is dead
    web_server.behave("hook", "slow 2")
    slow = failure_of(channel, make_parcel(hook(web_server)))
    assert failure_of(channel, make_parcel(hook(web_server))) is slow
    channel.send(make_parcel(hook(web_server, "hook/of/another")))
    assert len(web_server.requests("hook")) == 2


def test_a_proxy_of_the_environment_is_not_used(channel, web_server, make_parcel, monkeypatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    channel.send(make_parcel(hook(web_server)))


def test_tls_is_verified_for_the_name(start_web_server, make_parcel, certificate, monkeypatch) -> None:
    """The certificate is for 127.0.0.1; localhost is the same machine under a name it does not carry."""
    server = start_web_server(*certificate)
    private = ("127.0.0.1", "localhost")
    stranger = WebhookChannel((NEW_KEY,), private)
    assert "certificate" in str(failure_of(stranger, make_parcel(f"https://127.0.0.1:{server.port}/hook")))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    channel = WebhookChannel((NEW_KEY,), private)
    channel.send(make_parcel(f"https://127.0.0.1:{server.port}/hook"))
    failure = failure_of(channel, make_parcel(f"https://localhost:{server.port}/hook"))
    assert type(failure) is TransientFailure
    assert "localhost" in str(failure)
    assert len(server.requests("hook")) == 1


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0177.0.0.1",
        "127.1", "169.254.169.254", "10.0.0.7", "0.0.0.0", "[::]", "[fe80::1]", "[fd00::1]",
        "[64:ff9b::7f00:1]", "100.64.0.1", "224.0.0.1", "[2002:7f00:1::]",
    ],
)  # fmt: skip
def test_private_addresses_are_not_reached(web_server, make_parcel, host) -> None:
    channel = WebhookChannel((NEW_KEY,), ())
    failure = failure_of(channel, make_parcel(f"https://{host}:{web_server.port}/hook"))
    assert type(failure) is PermanentFailure
    assert "METRICPRESS_WEBHOOK_PRIVATE_HOSTS" in str(failure)
    assert not failure.recipient_gone
    assert not web_server.requests()


@pytest.mark.parametrize("answers", [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"]])
def test_one_private_address_of_many_is_enough(web_server, make_parcel, monkeypatch, answers) -> None:
    looked_up = resolve_to(monkeypatch, web_server.port, answers)
    channel = WebhookChannel((NEW_KEY,), ())
    failure = failure_of(channel, make_parcel(f"https://hooks.example:{web_server.port}/hook"))
    assert "hooks.example has the address 127.0.0.1" in str(failure)
    assert looked_up == ["hooks.example"]


def test_the_checked_address_is_the_one_connected_to(web_server, make_parcel, monkeypatch) -> None:
    """A name that answers differently the second time is asked once."""
    looked_up = resolve_to(monkeypatch, web_server.port, ["127.0.0.1"])
    channel = WebhookChannel((NEW_KEY,), ("hooks.example",))
    channel.send(make_parcel(f"http://hooks.example:{web_server.port}/hook"))
    assert looked_up == ["hooks.example"]
    (request,) = web_server.taken("hook")
    assert request["headers"]["Host"] == f"hooks.example:{web_server.port}"


def resolve_to(monkeypatch, port: int, answers: list[str]) -> list[str]:
    """Let names (not addresses) resolve to `answers`, the first time alone; returns what was looked up."""
    looked_up: list[str] = []
    real = outbound.socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        try:
            ipaddress.ip_address(host)
        except ValueError:
            looked_up.append(host)
            found = answers if len(looked_up) == 1 else ["127.0.0.99"]
            return [entry for one in found for entry in real(one, port, type=outbound.socket.SOCK_STREAM)]
        return real(host, *arguments, **options)

    monkeypatch.setattr(outbound.socket, "getaddrinfo", getaddrinfo)
    return looked_up


def test_the_next_address_is_tried_when_nobody_listens_at_the_first(
    web_server, make_parcel, monkeypatch
) -> None:
    resolve_to(monkeypatch, web_server.port, ["127.0.0.2", "127.0.0.1"])
    channel = WebhookChannel((NEW_KEY,), ("127.0.0.0/8", "hooks.example"))
    channel.send(make_parcel(f"http://hooks.example:{web_server.port}/hook"))
    assert len(web_server.taken("hook")) == 1


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
)
def test_public_addresses(address) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "hooks.example.com/x", "ftp://hooks.example.com/", "https://", "https:///path", "https://user:pw@h.example/",
        "https://user@h.example/", "https://h.example:0/", "https://h.example:99999/", "https://h.example/#x",
        "https://h.example/a b", "https://h.exämple/", "https://good.example\\@evil.example/", "https://[fe80::1%25e]/",
        "http://h.example/", "https://h.example/" + "x" * 2_000, "https://h.example/\n", "",
    ],
)  # fmt: skip
def test_urls_that_are_refused(url) -> None:
    with pytest.raises(MetricpressError) as caught:
        check_recipient("webhook", url)
    assert "pw" not in str(caught.value)
    assert caught.value.remedy


def test_a_url_is_read_once() -> None:
    private = PrivateHosts.of(())
    assert Target.of("https://Hooks.Example.com/a?b=c", private) == Target(
        "https", "hooks.example.com", 443, "/a?b=c"
    )
    assert Target.of("https://[2606:2800:220:1::1]:8443", private).place == "[2606:2800:220:1::1]:8443"


@pytest.mark.parametrize("entry", ["10.0.0.0/33", "localhost:8080", "a/b"])
def test_a_private_host_that_is_none(entry) -> None:
    with pytest.raises(MetricpressError, match="METRICPRESS_WEBHOOK_PRIVATE_HOSTS"):
        WebhookChannel((NEW_KEY,), (entry,))


def test_without_a_key_nothing_goes_out(web_server, make_parcel) -> None:
    failure = failure_of(WebhookChannel((), ("127.0.0.1",)), make_parcel(hook(web_server)))
    assert type(failure) is PermanentFailure
    assert "METRICPRESS_SIGNING_KEY" in str(failure)
    assert not web_server.requests()


def test_the_outbox_takes_it_when_nothing_may_go_out(tmp_path, make_parcel) -> None:
    settings = Settings(home=tmp_path, output_dir=tmp_path, outbox_only=True)
    with open_channel("webhook", settings) as channel:
        path = Path(channel.send(make_parcel("https://hooks.example/" + "p" * 300)))
    assert path.name.endswith("_1b4e28ba.webhook.json")
    jsonschema.validate(json.loads(path.read_text()), schema())


def test_the_command_prints_the_receivers_secrets(metricpress, warehouse) -> None:
    warehouse.add_tenant("gym")
    url, keys = "https://hooks.example/x", {"METRICPRESS_SIGNING_KEY": f"{NEW_KEY},{OLD_KEY}"}
    command = ("deliver", "webhook-secret", "--tenant")
    refused = metricpress(*command, "gym", url)
    assert refused.returncode == 2
    assert "METRICPRESS_SIGNING_KEY" in refused.stderr
    expected = secrets((NEW_KEY, OLD_KEY), "gym", url)
    assert metricpress(*command, "gym", url, env=keys).stdout.split() == expected
    assert json.loads(metricpress(*command, "gym", url, "--json", env=keys).stdout) == expected
    assert metricpress(*command, "gmy", url, env=keys).returncode == 2
    assert metricpress(*command, "gym", "http://hooks.example/x", env=keys).returncode == 2


def test_the_receiver_of_the_runbook_verifies(channel, web_server, make_parcel) -> None:
    """The example that docs/runbook.md gives, as it stands there."""
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "runbook.md").read_text(), re.S)
    (code,) = (block for block in blocks if "standardwebhooks" in block)
    example: dict[str, Any] = {}
    exec(compile(code, "docs/runbook.md", "exec"), example)
    parcel = make_parcel(hook(web_server))
    channel.send(parcel)
    channel.send(parcel)
    first, second = web_server.taken("hook")
    for secret in secrets((NEW_KEY, OLD_KEY), "gym", parcel.recipient):
        seen: set[str] = set()
        received = example["receive"](first["body"], first["headers"], secret, seen)
        assert received["data"]["report"] == "executive"
        assert example["receive"](second["body"], second["headers"], secret, seen) is None
        with pytest.raises(ValueError, match="signature"):
            example["receive"](first["body"] + b" ", first["headers"], secret, seen)
