"""Slack and webhooks with the ledger: nothing twice, the rest alone, gone recipients, killed dispatchers."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

import pytest

from orchestration.delivery.service import dispatch
from tests.integration.delivery.faults.conftest import wait_until_gone

pytestmark = pytest.mark.integration
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def online(warehouse, web_server):
    """A warehouse with one tenant whose Slack and webhooks are the web server."""
    base = f"http://127.0.0.1:{web_server.port}"
    warehouse.settings = replace(
        warehouse.settings,
        slack_bot_token="xoxb-test-token",
        slack_api_base=f"{base}/api/",
        slack_webhooks={"sales": f"{base}/services/hush"},
        signing_keys=("k" * 40,),
        webhook_private_hosts=("127.0.0.1",),
    )
    warehouse.hook = f"{base}/hook"
    warehouse.add_tenant("gym")
    return warehouse


def subscribe(warehouse, method: str, *recipients: str, **more) -> None:
    """The private host is the server's: what a subscription may name is tested in test_subscriptions.py."""
    warehouse.subscribe("gym", "ceo@gym.example", **more)
    warehouse.conn.execute(
        "update reporting.report_subscriptions set delivery_method = %s, recipients = %s",
        (method, list(recipients)),
    )


def ledger(warehouse) -> dict[str, dict]:
    rows = warehouse.rows("select * from reporting.report_deliveries")
    return {row["recipient"]: row for row in rows}


def wait_for_request(web_server, name: str) -> None:
    ends = time.monotonic() + 20
    while not web_server.requests(name):
        assert time.monotonic() < ends, "no request came"
        time.sleep(0.02)


def test_a_channel_and_an_incoming_webhook(online, web_server) -> None:
    subscribe(online, "slack", "#board", "sales")
    assert dispatch(online.settings, NOON).is_fine
    assert online.statuses() == {"#board": "sent", "sales": "sent"}
    for request in (*web_server.taken("chat.postMessage"), *web_server.taken("services")):
        texts = json.dumps(json.loads(request["body"])["blocks"], ensure_ascii=False)
        assert "All is well" in texts
        assert "MRR\\n*$12,346*" in texts
    assert len(web_server.taken("files.completeUploadExternal")) == 1
    assert not dispatch(online.settings, NOON).outcomes
    assert len(web_server.taken("chat.postMessage")) == 1


def test_only_the_files_are_done_again(online, web_server) -> None:
    subscribe(online, "slack", "#board")
    web_server.behave("files.completeUploadExternal", "status 429 120")
    (failed,) = dispatch(online.settings, NOON).failed
    assert "the message is posted, its files are not" in failed.reason
    assert failed.next_attempt_at >= NOON + timedelta(seconds=120)
    kept = ledger(online)["#board"]["progress"]
    (sent,) = dispatch(online.settings, NOON + timedelta(minutes=5)).sent
    assert sent.attempts == 2
    (message,) = web_server.taken("chat.postMessage")
    (shared,) = web_server.taken("files.completeUploadExternal")
    assert message["answer"]["ts"] == kept["ts"] == parse_qs(shared["body"].decode())["thread_ts"][0]
    assert ledger(online)["#board"]["progress"] is None


def test_files_that_may_be_there_are_left_to_a_person(online, web_server) -> None:
    subscribe(online, "slack", "#board")
    web_server.behave("files.completeUploadExternal", "drop")
    (unknown,) = dispatch(online.settings, NOON).unknown
    assert "its files may be" in unknown.reason
    (message,) = web_server.taken("chat.postMessage")
    assert ledger(online)["#board"]["progress"]["ts"] == message["answer"]["ts"]


def test_an_archived_channel_is_suppressed_and_one_that_was_not_found_is_not(online, web_server) -> None:
    subscribe(online, "slack", "#board", "#general")
    web_server.behave("chat.postMessage", "error is_archived", "error channel_not_found")
    assert len(dispatch(online.settings, NOON).failed) == 2
    rows = online.rows("select recipient, source from reporting.suppressions")
    assert [(row["recipient"], row["source"]) for row in rows] == [("#board", "gone")]


def test_a_webhook_that_is_gone_is_suppressed(online, web_server) -> None:
    subscribe(online, "webhook", online.hook)
    web_server.behave("hook", "status 410")
    (failed,) = dispatch(online.settings, NOON).failed
    assert failed.error_class == "permanent"
    (row,) = online.rows("select recipient, source from reporting.suppressions")
    assert (row["recipient"], row["source"]) == (online.hook, "gone")


def test_a_webhook_carries_what_the_ledger_says(online, web_server) -> None:
    subscribe(online, "webhook", online.hook)
    web_server.behave("hook", "drop", "status 503 30")
    for minutes in (0, 5, 15):
        dispatch(online.settings, NOON + timedelta(minutes=minutes))
    row = ledger(online)[online.hook]
    assert (row["delivery_status"], row["attempts"]) == ("sent", 3)
    requests = web_server.requests("hook")
    assert {request["headers"]["webhook-id"] for request in requests} == {str(row["delivery_id"])}
    assert len({request["body"] for request in requests}) == 1
    data = json.loads(requests[0]["body"])["data"]
    assert data["data_version"] == row["data_version"]
    assert b'"mrr": 12345.678901234567890123' in requests[0]["body"]
    (pdf,) = (entry for entry in row["files"] if entry["format"] == "pdf")
    assert data["files"][0]["sha256"] == pdf["sha256"]


def test_a_notice_by_webhook(online, web_server) -> None:
    online.conn.execute("update marts.tenants set complete_date = '2026-11-17'")
    subscribe(online, "webhook", online.hook, max_lateness=timedelta(hours=1))
    dispatch(online.settings, NOON - timedelta(hours=3))
    dispatch(online.settings, NOON)
    (request,) = web_server.taken("hook")
    body = json.loads(request["body"])
    assert body["type"] == "report.notice"
    assert (body["data"]["data_version"], body["data"]["figures"], body["data"]["files"]) == (None, {}, [])
    assert "complete through" in body["data"]["text"]


def test_a_dispatcher_killed_at_a_webhook_sends_it_again(online, web_server, start_dispatcher) -> None:
    subscribe(online, "webhook", online.hook)
    web_server.behave("hook", "slow 10")
    dispatcher = start_dispatcher()
    wait_for_request(web_server, "hook")
    dispatcher.kill()
    wait_until_gone(online)
    dispatch(online.settings, NOON)
    assert online.statuses() == {online.hook: "sent"}
    first, second = web_server.taken("hook")
    assert first["headers"]["webhook-id"] == second["headers"]["webhook-id"]


def test_a_dispatcher_killed_at_a_message_leaves_it_unknown(online, web_server, start_dispatcher) -> None:
    subscribe(online, "slack", "#board")
    web_server.behave("chat.postMessage", "slow 10")
    dispatcher = start_dispatcher()
    wait_for_request(web_server, "chat.postMessage")
    dispatcher.kill()
    wait_until_gone(online)
    (unknown,) = dispatch(online.settings, NOON).unknown
    assert unknown.recipient == "#board"
    dispatch(online.settings, NOON + timedelta(hours=1))
    assert len(web_server.requests("chat.postMessage")) == 1


def test_what_is_missing_is_named_and_nobody_suppressed(online) -> None:
    subscribe(online, "slack", "#board", "support")
    settings = replace(online.settings, slack_bot_token=None)
    reasons = {one.recipient: one.reason for one in dispatch(settings, NOON).failed}
    assert "SLACK_BOT_TOKEN is not set" in reasons["#board"]
    assert "SLACK_WEBHOOK_SUPPORT is not set" in reasons["support"]
    assert not online.rows("select from reporting.suppressions")
