"""Slack over a real HTTP server that plays it: what is posted, once, and what each answer means."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

import pytest

from orchestration.delivery.channels import open_channel
from orchestration.delivery.channels.parcel import Attachment, Highlight
from orchestration.delivery.channels.slack import SlackChannel, check_recipient
from orchestration.delivery.failures import (
    DeliveryFailure,
    PartialFailure,
    PermanentFailure,
    TransientFailure,
    UnknownOutcome,
)
from orchestration.errors import MetricpressError
from orchestration.settings import Settings

TOKEN = "xoxb-test-token"
SECRET_PATH = "services/T000/B000/hushhush"


@pytest.fixture
def slack(web_server) -> SlackChannel:
    base = f"http://127.0.0.1:{web_server.port}"
    return SlackChannel(TOKEN, f"{base}/api/", {"sales": f"{base}/{SECRET_PATH}"}, seconds=1)


def form(request: Mapping[str, Any]) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request["body"].decode()).items()}


def posted(web_server) -> list[dict[str, Any]]:
    return [json.loads(request["body"]) for request in web_server.taken("chat.postMessage")]


def failure_of(slack: SlackChannel, parcel) -> DeliveryFailure:
    with pytest.raises(DeliveryFailure) as caught:
        slack.send(parcel)
    assert TOKEN not in str(caught.value)
    assert "hush" not in str(caught.value)
    return caught.value


def test_message_and_files_as_an_executive_reads_them(slack, web_server, make_parcel) -> None:
    place = slack.send(make_parcel("#board", is_late=True))
    (message,) = posted(web_server)
    assert message["channel"] == "#board"
    assert message["text"] == "Executive report: gym, 2026-11-19 – MRR rose &amp; churn fell."
    header, when, said, figures, files = message["blocks"]
    assert header["text"]["text"] == "Executive report: Iron & Steel <Gym>"
    assert when["elements"][0]["text"] == (
        "Thursday, November 19, 2026  |  Late: due earlier  |  Compared with the day before  |  "
        "Data as of November 20, 2026, 05:00 (UTC)"
    )
    assert said["text"]["text"] == "*MRR rose &amp; churn fell.*\nTwo &lt;new&gt; customers."
    assert [field["text"] for field in figures["fields"]] == [
        "MRR\n*$12,346*\nup 4.2% – on target",
        "Paying customers\n*7*\noff target",
        "Net revenue retention\n*—*\nno customers before",
    ]
    assert files["elements"][0]["text"] == "The full report is in the thread."
    (asked,) = web_server.taken("files.getUploadURLExternal")
    assert form(asked) == {"filename": "gym_executive.pdf", "length": "11"}
    (upload,) = web_server.taken("upload")
    assert upload["body"] == b"%PDF-1.7 \x00\xff"
    assert "Authorization" not in upload["headers"]
    (complete,) = web_server.taken("files.completeUploadExternal")
    shared = form(complete)
    assert f"{shared['channel_id']} {shared['thread_ts']}" == place
    assert [file["title"] for file in json.loads(shared["files"])] == ["gym_executive.pdf"]


def test_a_notice_carries_its_words_and_no_figure(slack, web_server, make_parcel) -> None:
    parcel = make_parcel("C0GENERAL1", is_notice=True)
    slack.send(replace(parcel, text=f"{parcel.subject}\n\n{parcel.text}"))
    (message,) = posted(web_server)
    header, said = message["blocks"]
    assert header["text"]["text"] == "Executive report: gym, 2026-11-19"
    assert said["text"]["text"] == "Data incomplete: &lt;marts&gt; end on 2026-11-18."
    assert "12,346" not in json.dumps(message)
    assert len(web_server.requests()) == 1


def test_a_long_report_stays_within_the_limits(slack, web_server, make_parcel) -> None:
    """The server refuses what Slack would; & takes five characters and is not cut in two."""
    parcel = make_parcel("#general")
    long = replace(
        parcel.summary,
        title="T" * 400,
        lines=("&" * 2_000, "<" * 4_000),
        highlights=tuple(Highlight(f"{i}" + "&" * 300, "1" * 300, "&" * 900, ">" * 900) for i in range(90)),
    )
    files = tuple(Attachment("csv", f"{i}.csv", "text/csv", b"x", "/kept/" + "p" * 300) for i in range(12))
    slack.send(replace(parcel, summary=long, attachments=files))
    slack.send(replace(parcel, recipient="sales", summary=long, attachments=files))
    blocks = json.loads(web_server.taken("services")[0]["body"])["blocks"]
    assert len([block for block in blocks if "fields" in block]) == 4
    assert blocks[2]["text"]["text"].count("…") == 2
    assert blocks[2]["text"]["text"].endswith("&lt;…")


@pytest.mark.parametrize(
    ("behaviour", "kind", "words"),
    [
        ("status 429 7", TransientFailure, "429"),
        ("error ratelimited", TransientFailure, "ratelimited"),
        ("status 503", TransientFailure, "503"),
        ("status 500", TransientFailure, "500"),
        ("status 504", UnknownOutcome, "504"),
        ("error internal_error", UnknownOutcome, "internal_error"),
        ("error fatal_error", UnknownOutcome, "fatal_error"),
        ("error is_archived", PermanentFailure, "is_archived"),
        ("error channel_not_found", PermanentFailure, "invite"),
        ("error not_in_channel", PermanentFailure, "invite"),
        ("error missing_scope", PermanentFailure, "files:write"),
        ("error invalid_auth", PermanentFailure, "SLACK_BOT_TOKEN"),
        ("error account_inactive", PermanentFailure, "SLACK_BOT_TOKEN"),
        ("drop", UnknownOutcome, "no usable answer"),
        ("slow 2", UnknownOutcome, "timed out"),
        ("html", UnknownOutcome, "200"),
        ("redirect /elsewhere", UnknownOutcome, "200"),
        ("text 400 what", PermanentFailure, "400"),
    ],
)
def test_what_answers_to_the_message_mean(slack, web_server, make_parcel, behaviour, kind, words) -> None:
    web_server.behave("chat.postMessage", behaviour)
    failure = failure_of(slack, make_parcel("#general"))
    assert type(failure) is kind
    assert words in str(failure)
    assert len(web_server.requests("chat.postMessage")) == 1  # slack-sdk does not retry by itself
    assert not web_server.requests("files.completeUploadExternal")
    if behaviour == "status 429 7":
        assert failure.retry_after == 7
    if kind is PermanentFailure:
        assert failure.recipient_gone == (words == "is_archived")


@pytest.mark.parametrize(
    ("step", "behaviour", "kind"),
    [
        ("files.getUploadURLExternal", "status 429 9", TransientFailure),
        ("files.getUploadURLExternal", "drop", TransientFailure),
        ("files.getUploadURLExternal", "error fatal_error", TransientFailure),
        ("files.getUploadURLExternal", "error missing_scope", PermanentFailure),
        ("upload", "status 429 9", TransientFailure),
        ("upload", "status 503", TransientFailure),
        ("upload", "drop", TransientFailure),
        ("upload", "refuse", TransientFailure),
        ("upload", "status 403", PermanentFailure),
    ],
)
def test_before_the_message_nothing_is_seen(slack, web_server, make_parcel, step, behaviour, kind) -> None:
    web_server.behave(step, behaviour)
    failure = failure_of(slack, make_parcel("#general"))
    assert type(failure) is kind
    assert getattr(failure, "retry_after", None) == (9 if "429" in behaviour else None)
    assert not posted(web_server)


@pytest.mark.parametrize("behaviour", ["drop", "refuse", "error internal_error"])
def test_an_unclear_end_of_the_files_is_unknown(slack, web_server, make_parcel, behaviour) -> None:
    web_server.behave("files.completeUploadExternal", behaviour)
    failure = failure_of(slack, make_parcel("#general"))
    assert type(failure) is UnknownOutcome
    assert "the message is posted, its files may be" in str(failure)
    assert set(failure.progress) == {"channel", "ts"}


@pytest.mark.parametrize("behaviour", ["status 429 9", "status 503", "error not_in_channel"])
def test_a_failure_after_the_message_leaves_the_rest_to_do(slack, web_server, make_parcel, behaviour) -> None:
    web_server.behave("files.completeUploadExternal", behaviour)
    parcel = make_parcel("#general")
    failure = failure_of(slack, parcel)
    assert type(failure) is PartialFailure
    assert failure.retry_after == (9 if "429" in behaviour else None)
    progress = json.loads(json.dumps(failure.progress))
    web_server.behave("upload", "status 503")
    again = failure_of(slack, replace(parcel, progress=progress))
    assert type(again) is PartialFailure
    assert dict(again.progress) == progress
    place = slack.send(replace(parcel, progress=progress))
    assert place == f"{progress['channel']} {progress['ts']}"
    assert len(posted(web_server)) == 1
    (complete,) = web_server.taken("files.completeUploadExternal")
    assert form(complete)["thread_ts"] == progress["ts"]


def test_nobody_listens_is_found_out_once(make_parcel, web_server) -> None:
    """What the dead end cost is not paid again for each recipient of the batch."""
    slack = SlackChannel(TOKEN, "http://127.0.0.1:9/api/", {"sales": "http://127.0.0.1:9/hushhush"})
    first = {name: failure_of(slack, make_parcel(name)) for name in ("#general", "sales")}
    assert all(isinstance(failure, TransientFailure) for failure in first.values())
    assert failure_of(slack, make_parcel("#board")) is first["#general"]
    alone = SlackChannel(TOKEN, f"http://127.0.0.1:{web_server.port}/api/", {"sales": "http://127.0.0.1:9/"})
    failure_of(alone, make_parcel("sales"))
    alone.send(make_parcel("#board"))


def test_an_incoming_webhook_names_the_files(slack, web_server, make_parcel) -> None:
    assert slack.send(make_parcel("sales")) == "the incoming webhook sales"
    (request,) = web_server.taken("services")
    assert request["path"] == f"/{SECRET_PATH}"
    *_, files = json.loads(request["body"])["blocks"]
    assert files["elements"][0]["text"] == "The full report is kept as gym_executive.pdf (/kept/g.pdf)"


@pytest.mark.parametrize(
    ("behaviour", "kind", "gone"),
    [
        ("status 429 5", TransientFailure, None),
        ("text 500 rollup_error", TransientFailure, None),
        ("status 502", UnknownOutcome, None),
        ("drop", UnknownOutcome, None),
        ("html", UnknownOutcome, None),
        ("redirect /elsewhere", UnknownOutcome, None),
        ("text 404 no_service", PermanentFailure, True),
        ("text 404 channel_not_found", PermanentFailure, True),
        ("text 410 channel_is_archived", PermanentFailure, True),
        ("text 403 action_prohibited", PermanentFailure, False),
        ("text 400 invalid_payload", PermanentFailure, False),
    ],
)
def test_what_answers_to_an_incoming_webhook_mean(
    slack, web_server, make_parcel, behaviour, kind, gone
) -> None:
    web_server.behave("services", behaviour)
    failure = failure_of(slack, make_parcel("sales"))
    assert type(failure) is kind
    assert getattr(failure, "recipient_gone", None) == gone
    assert len(web_server.requests("services")) == 1


@pytest.mark.parametrize(
    ("recipient", "settings", "words"),
    [
        ("#general", {}, "SLACK_BOT_TOKEN is not set"),
        ("support", {}, "SLACK_WEBHOOK_SUPPORT is not set"),
        ("#general", {"token": TOKEN, "api_base": "http://slack.example/api/"}, "SLACK_API_BASE"),
        ("sales", {"webhooks": {"sales": "http://hooks.example/hushhush"}}, "SLACK_WEBHOOK_SALES"),
        ("sales", {"webhooks": {"sales": "hushhush"}}, "SLACK_WEBHOOK_SALES"),
        ("Ceo@gym.example", {"token": TOKEN}, "neither a Slack channel"),
    ],
)
def test_what_is_missing_or_wrong_is_named(make_parcel, recipient, settings, words) -> None:
    slack = SlackChannel(
        settings.get("token"),
        settings.get("api_base", "https://slack.com/api/"),
        settings.get("webhooks", {}),
    )
    failure = failure_of(slack, make_parcel(recipient))
    assert isinstance(failure, PermanentFailure)
    assert not failure.recipient_gone
    assert words in str(failure)


def test_no_secret_in_the_log(slack, web_server, make_parcel, caplog) -> None:
    caplog.set_level(logging.DEBUG)
    slack.send(make_parcel("#general"))
    slack.send(make_parcel("sales"))
    web_server.behave("chat.postMessage", "drop")
    web_server.behave("services", "drop")
    failure_of(slack, make_parcel("#general"))
    failure_of(slack, make_parcel("sales"))
    assert TOKEN not in caplog.text
    assert "hush" not in caplog.text


@pytest.mark.parametrize("text", ["#general", "#büro-münchen", "C0GENERAL1", "U024BE7LH", "sales_eu"])
def test_recipients(text) -> None:
    check_recipient(text)


@pytest.mark.parametrize(
    "text",
    ["", "#", "# a", "general channel", "#a<b", "Sales", "https://hooks.slack.com/x", "ceo@gym.example"],
)
def test_no_recipients(text) -> None:
    with pytest.raises(MetricpressError, match="neither a Slack channel"):
        check_recipient(text)


def test_the_doctor_looks_at_token_and_scopes(metricpress, web_server) -> None:
    slack_is = {
        "SLACK_BOT_TOKEN": TOKEN,
        "SLACK_API_BASE": f"http://127.0.0.1:{web_server.port}/api/",
        "METRICPRESS_OUTBOX_ONLY": "1",
    }

    def found(**changed: str) -> dict[str, dict[str, str]]:
        result = metricpress("doctor", "--json", env=slack_is | changed)
        return {finding["check"]: finding for finding in json.loads(result.stdout)}

    first = found()
    assert first["Slack"] == {
        "check": "Slack", "state": "fine", "detail": "metricpress in Gyms may post messages and files",
        "remedy": "",
    }  # fmt: skip
    assert first["outbox"]["state"] == "remark"
    web_server.behave("scopes", "chat:write")
    assert found()["Slack"]["detail"] == "metricpress in Gyms lacks files:write"
    refused = found(SLACK_BOT_TOKEN="xoxb-wrong")["Slack"]
    assert refused["state"] == "broken"
    assert "invalid_auth" in refused["detail"]
    assert not posted(web_server)


def test_the_outbox_takes_it_when_nothing_may_go_out(tmp_path, make_parcel) -> None:
    settings = Settings(home=tmp_path, output_dir=tmp_path, slack_bot_token=TOKEN, outbox_only=True)
    with open_channel("slack", settings) as channel:
        path = channel.send(make_parcel("#general"))
    assert path == str(tmp_path / "outbox" / "gym_executive__general_1b4e28ba.slack.json")
    written = json.loads((tmp_path / "outbox" / "gym_executive__general_1b4e28ba.slack.json").read_text())
    assert written["channel"] == "#general"
    assert written["blocks"][0]["type"] == "header"
