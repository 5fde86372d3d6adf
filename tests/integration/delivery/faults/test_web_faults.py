"""Slack and webhooks fail, and dispatchers die over them: the web server's requests against the ledger.

A message in Slack counts like a mail. A webhook may be sent again, for its receiver knows it by webhook-id:
what counts are the ids, and that every request of an id is the same.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import parse_qs

import pytest

from tests.integration.delivery.conftest import NOON, WebServer
from tests.integration.delivery.faults.conftest import TODAY, Post, wait_until, wait_until_gone
from tests.integration.delivery.faults.reconcile import Received, violations

pytestmark = pytest.mark.integration
LATER = NOON + timedelta(minutes=5)


@dataclass
class Web:
    """A world whose receivers are a web server."""

    post: Post
    server: WebServer

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def promise(self, method: str, *recipients: str) -> None:
        """The address is private, which a subscription may not name without the operator's word."""
        self.post.promise("nobody")
        self.post.warehouse.conn.execute(
            "update reporting.report_subscriptions set delivery_method = %s, recipients = %s",
            (method, list(recipients)),
        )

    def received(self) -> list[Received]:
        """Messages in Slack, and webhooks by their ids; files are compared by the channels' own tests."""
        rows = {row.recipient: row for row in self.post.ledger()}
        arrived = [json.loads(one["body"])["channel"] for one in self.server.taken("chat.postMessage")]
        arrived += ["sales" for _ in self.server.taken("services")]
        ids = {one["headers"]["webhook-id"] for one in self.server.taken("hook")}
        found = [Received(rows[name].message_id or "", (name,), name, rows[name].digests) for name in arrived]
        hooks = {str(row.message_id).split("@")[0].lstrip("<"): row for row in rows.values()}
        for name in ids:
            row = hooks[name]
            found.append(Received(row.message_id or "", (row.recipient,), row.recipient, row.digests))
        return found

    def reconcile(self, *excused: str, settled: bool = True) -> None:
        promised = self.post.promised(TODAY)
        found = violations(self.received(), self.post.ledger(), promised, excused=excused, settled=settled)
        assert found == []
        bodies = {(one["headers"]["webhook-id"], one["body"]) for one in self.server.taken("hook")}
        assert len(bodies) == len({name for name, _ in bodies}), "the same webhook with another content"
        shared = [
            parse_qs(one["body"].decode())["thread_ts"][0]
            for one in self.server.taken("files.completeUploadExternal")
        ]
        assert len(shared) == len(set(shared)), "the same files twice in a thread"

    def statuses(self) -> dict[str, str]:
        return {row.recipient: row.delivery_status for row in self.post.ledger()}


@pytest.fixture
def web(post: Post, web_server: WebServer) -> Web:
    world = Web(post, web_server)
    post.variables = {
        "SLACK_BOT_TOKEN": "xoxb-test-token",
        "SLACK_API_BASE": f"{world.base}/api/",
        "SLACK_WEBHOOK_SALES": f"{world.base}/services/hush",
        "METRICPRESS_SIGNING_KEY": "k" * 40,
        "METRICPRESS_WEBHOOK_PRIVATE_HOSTS": "127.0.0.1",
    }
    return world


@pytest.mark.parametrize("trouble", ["refuse", "status 503", "status 429 30", "error ratelimited"])
def test_slack_recovers(web, trouble) -> None:
    web.promise("slack", "#board", "#general", "sales")
    web.server.behave("chat.postMessage", trouble)
    web.server.behave("services", trouble if trouble.startswith(("status", "refuse")) else "status 503")
    web.post.dispatch()
    web.reconcile(settled=False)
    web.post.recover()
    # A connection that closes before the whole request was read may also look like a lost answer.
    assert trouble == "refuse" or set(web.statuses().values()) == {"sent"}
    web.reconcile()


@pytest.mark.parametrize("name", ["chat.postMessage", "services", "files.completeUploadExternal"])
def test_slack_gives_no_answer(web, name) -> None:
    """It took the request: one is unknown, the others go out."""
    web.promise("slack", "#board", "#general", "sales")
    web.server.behave(name, "drop")
    web.post.dispatch()
    web.post.recover()
    assert sorted(web.statuses().values()) == ["sent", "sent", "unknown"]
    web.reconcile()


def test_slack_takes_the_message_and_refuses_the_files(web) -> None:
    """The next attempt shares the files alone."""
    web.promise("slack", "#board", "#general")
    web.server.behave("files.completeUploadExternal", "status 503", "status 429 5")
    web.post.dispatch()
    web.reconcile(settled=False)
    web.post.recover()
    assert set(web.statuses().values()) == {"sent"}
    web.reconcile()


@pytest.mark.parametrize("name", ["chat.postMessage", "services", "files.completeUploadExternal"])
def test_killed_while_slack_thinks(web, name) -> None:
    web.promise("slack", "#board", "sales")
    web.server.behave(name, "slow 5")
    dispatcher = web.post.start()
    wait_until(lambda: web.server.taken(name))
    dispatcher.kill()
    wait_until_gone(web.post.warehouse)
    web.post.recover()
    assert sorted(web.statuses().values()) == ["sent", "unknown"]
    web.reconcile()


@pytest.mark.parametrize("trouble", ["refuse", "drop", "status 503", "status 429 30", "html"])
def test_webhook_recovers(web, trouble) -> None:
    """Also an answer that never came: the receiver knows the id."""
    hooks = [f"{web.base}/hook?{number}" for number in range(3)]
    web.promise("webhook", *hooks)
    web.server.behave("hook", trouble)
    web.post.dispatch()
    web.reconcile(settled=False)
    web.post.recover()
    assert set(web.statuses().values()) == {"sent"}
    web.reconcile()


def test_a_webhook_that_is_gone_fails_alone(web) -> None:
    hooks = [f"{web.base}/hook?{number}" for number in range(3)]
    web.promise("webhook", *hooks)
    web.server.behave("hook", "status 410")
    web.post.dispatch()
    web.post.recover()
    assert sorted(web.statuses().values()) == ["failed", "sent", "sent"]
    (gone,) = (name for name, status in web.statuses().items() if status == "failed")
    web.reconcile(gone)


def test_killed_while_a_webhook_thinks(web) -> None:
    """It is sent again under the same id, which the receiver takes once."""
    web.promise("webhook", *(f"{web.base}/hook?{number}" for number in range(2)))
    web.server.behave("hook", "slow 5")
    dispatcher = web.post.start()
    wait_until(lambda: web.server.taken("hook"))
    dispatcher.kill()
    wait_until_gone(web.post.warehouse)
    web.post.recover()
    assert set(web.statuses().values()) == {"sent"}
    assert len(web.server.taken("hook")) == 3
    web.reconcile()


@pytest.mark.parametrize("method", ["slack", "webhook"])
@pytest.mark.parametrize("goes_through", [False, True], ids=["rolled back", "went through"])
@pytest.mark.parametrize("state", ["ready", "sending", "sent"])
def test_killed_in_a_statement(web, method, state, goes_through) -> None:
    """As with mail: at the end everyone has it once, or is unknown."""
    recipients = ["#board", "sales"] if method == "slack" else [f"{web.base}/hook?{n}" for n in range(2)]
    web.promise(method, *recipients)
    with web.post.hold("report_deliveries", "update", f"new.delivery_status = '{state}'") as hold:
        dispatcher = web.post.start()
        hold.wait_until_reached()
        dispatcher.kill()
        if goes_through:
            hold.let_go()
        else:
            hold.roll_back()
        wait_until_gone(web.post.warehouse)
    web.post.recover()
    expected = {"sent"} if method == "webhook" else {"sent", "unknown"}
    assert set(web.statuses().values()) <= expected
    web.reconcile()


def test_four_dispatchers_at_once(web) -> None:
    web.promise("webhook", *(f"{web.base}/hook?{number}" for number in range(8)))
    web.server.behave("hook", *["status 503"] * 8)
    web.post.dispatch()
    with web.post.hold("report_deliveries", "update", "new.delivery_status = 'sending'") as hold:
        dispatchers = [web.post.start(LATER) for _ in range(4)]
        hold.wait_until_reached(4)
        hold.let_go()
        for dispatcher in dispatchers:
            dispatcher.end()
    assert len(web.server.taken("hook")) == 8
    web.reconcile()
