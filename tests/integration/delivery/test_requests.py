"""What people ask for: reports on demand, resend, an existing report to someone else; by the commands."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from orchestration.delivery import requests, resending, subscriptions
from orchestration.delivery.requests import OnDemand
from orchestration.delivery.service import dispatch
from orchestration.errors import MetricpressError
from tests.integration.delivery.conftest import HERE, environment_for

pytestmark = pytest.mark.integration
NOW = datetime.now(UTC)
#: When a daily report was last due, whatever the time of day is: commands act in the present.
LAST_DUE = (NOW - timedelta(hours=9)).replace(hour=9, minute=0, second=0, microsecond=0)
#: Complete up to here: enough for that report, and for none that is due later.
COMPLETE = LAST_DUE.date() - timedelta(days=1)


@pytest.fixture
def gym(warehouse):
    warehouse.add_tenant("gym", complete=COMPLETE.isoformat())
    return warehouse


@pytest.fixture
def command(gym, metricpress) -> Callable[..., Any]:
    """`metricpress deliver ...` on the warehouse of the test."""

    def call(*arguments: str) -> Any:
        return metricpress(*arguments, env=environment_for(gym.settings))

    return call


def deliveries(warehouse) -> list[dict[str, Any]]:
    return warehouse.rows(
        "select * from reporting.report_deliveries order by created_at, recipient, attempt_group"
    )


def executive(**more: Any) -> OnDemand:
    return OnDemand(**({"tenant": "gym", "report": "executive", "recipients": ("ceo@gym.example",)} | more))


def pdf(row: dict[str, Any]) -> str:
    return next(entry["sha256"] for entry in row["files"] if entry["format"] == "pdf")


def test_a_range_for_two_people_nobody_subscribed(gym, mail_server, command) -> None:
    first, last = COMPLETE - timedelta(days=9), COMPLETE - timedelta(days=2)
    done = command(
        "deliver", "send", "--tenant", "gym", "--report", "executive", "--from", str(first), "--to",
        str(last), "--to", "ceo@gym.example", "--to", "cfo@gym.example", "--param", 'sections=["revenue"]',
        "--format", "pdf,html", "--locale", "de", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [one["recipient"] for one in json.loads(done.stdout)["sent"]] == [
        "ceo@gym.example",
        "cfo@gym.example",
    ]
    assert mail_server.recipients() == ["ceo@gym.example", "cfo@gym.example"]
    (occurrence,) = gym.rows("select * from reporting.report_occurrences")
    assert (occurrence["origin"], occurrence["period_kind"], occurrence["state"]) == (
        "on_demand", "range", "sent",
    )  # fmt: skip
    assert (occurrence["report_period_start"], occurrence["report_period_end"]) == (first, last)
    assert (occurrence["parameters"], occurrence["locale"]) == ({"sections": ["revenue"]}, "de")
    assert all(row["requested_by"] for row in deliveries(gym))
    assert [sorted(e["format"] for e in row["files"])[:2] for row in deliveries(gym)] == [
        ["html", "mail.html"]
    ] * 2
    assert subscriptions.listed(gym.conn) == []
    assert dispatch(gym.settings, NOW + timedelta(days=30)).outcomes == (), "it is never due by itself"
    audited = gym.rows("select object_type from reporting.audit_log where tenant_id = 'gym' order by 1")
    kinds = [row["object_type"] for row in audited]
    assert kinds.count("report_occurrences") == 1
    assert kinds.count("report_deliveries") == 2


DAYS_MEANT = [
    ({"days": 10}, "range", "2026-11-10", "2026-11-19"),
    ({"period": "2026-10"}, "monthly", "2026-10-01", "2026-10-31"),
    ({"period": "2026-11-11", "frequency": "weekly"}, "weekly", "2026-11-09", "2026-11-15"),
    ({"frequency": "monthly"}, "monthly", "2026-10-01", "2026-10-31"),
    ({"frequency": "daily"}, "daily", "2026-11-19", "2026-11-19"),
    ({"first": date(2026, 11, 3), "last": date(2026, 11, 4)}, "range", "2026-11-03", "2026-11-04"),
]


def test_which_days_are_meant(warehouse) -> None:
    warehouse.add_tenant("gym", complete="2026-11-19")
    for asked, kind, first, last in DAYS_MEANT:
        order = requests.make_out(warehouse.conn, executive(**asked), NOW, None)
        assert (order.kind, str(order.due.period_start), str(order.due.period_end)) == (kind, first, last)


REFUSED = [
    ({}, "not said for which days"),
    ({"period": "2026-11-11"}, "lies in a day, a week and a month"),
    ({"period": "2026-11", "frequency": "weekly"}, "is a month, not weekly"),
    ({"period": "someday", "frequency": "weekly"}, "no day and no month"),
    ({"days": 3, "period": "2026-11"}, "name different days"),
    ({"days": 3, "frequency": "daily"}, "do not go together"),
    ({"days": 0}, "needs a day"),
    ({"first": date(2026, 11, 3)}, "its first and its last day"),
    ({"first": date(2026, 11, 3), "last": date(2026, 11, 2)}, "before it begins"),
    ({"on": date(2026, 11, 3)}, "on which a subscription is due"),
    ({"frequency": "hourly"}, "is no frequency"),
    ({"report": None}, "not said which report"),
    ({"report": "lead_performance", "frequency": "monthly"}, "is not made monthly"),
    ({"days": 3, "tenant": "gum"}, 'no tenant "gum"'),
    ({"days": 3, "parameters": {"sections": ["wine"]}}, "sections"),
    ({"days": 3, "parameters": {"colour": 1}}, "colour"),
    ({"days": 3, "recipients": ("nobody",)}, "not a mail address"),
    ({"days": 3, "recipients": ()}, "nobody is named"),
    ({"days": 3, "branch": "moon"}, "branch of tenant"),
    ({"days": 3, "formats": ("doc",)}, "not a format"),
    ({"first": date(2026, 11, 3), "last": date(2999, 1, 1)}, "lies ahead"),
]


def test_what_cannot_be_asked_is_refused_and_nothing_written(warehouse) -> None:
    warehouse.add_tenant("gym", complete="2026-11-19")
    for asked, words in REFUSED:
        with pytest.raises(MetricpressError, match=words):
            requests.send(warehouse.settings, executive(**asked))
    assert warehouse.rows("select * from reporting.report_occurrences") == []
    assert warehouse.rows("select * from reporting.report_subscriptions") == []


def test_a_subscription_with_overrides_stays_as_it_is(gym) -> None:
    gym.subscribe("gym", "ceo@gym.example", frequency="weekly", parameters={"sections": ["calls"]})
    asked = OnDemand(
        subscription="daily executive", days=5, recipients=("aud@gym.example",), formats=("html",),
        locale="de", parameters={"metrics": ["mrr"]},
    )  # fmt: skip
    result = requests.send(gym.settings, asked, NOW)
    assert [outcome.recipient for outcome in result.sent] == ["aud@gym.example"]
    (occurrence,) = gym.rows("select * from reporting.report_occurrences")
    assert occurrence["parameters"] == {"sections": ["calls"], "metrics": ["mrr"]}
    assert (occurrence["formats"], occurrence["locale"]) == (["html"], "de")
    assert occurrence["report_period_end"] == COMPLETE
    (kept,) = subscriptions.listed(gym.conn)
    assert (kept.recipients, kept.formats, kept.locale) == (["ceo@gym.example"], ["pdf"], None)


def test_the_same_key_asks_once(gym) -> None:
    key = uuid4()
    for _ in range(2):
        requests.send(gym.settings, executive(days=2), key=key)
    assert [row["delivery_status"] for row in deliveries(gym)] == ["sent"]
    assert len(list((gym.settings.home / "outbox").iterdir())) == 1
    requests.send(gym.settings, executive(days=2))
    assert len(deliveries(gym)) == 2


def test_a_preview_writes_files_and_nothing_else(gym, command, tmp_path) -> None:
    gym.subscribe("gym", "ceo@gym.example")
    done = command("deliver", "preview", "daily executive", "--days", "3", "--folder", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    names = [Path(line).name for line in done.stdout.splitlines()]
    assert names[0] == f"gym_executive_range_{COMPLETE - timedelta(days=2)}_{COMPLETE}.pdf"
    assert all((tmp_path / "out" / name).is_file() for name in names)
    assert gym.rows("select * from reporting.report_occurrences") == []
    assert not (gym.settings.home / "outbox").exists()


def test_all_formats_are_attached_under_their_names_and_types(gym, command, tmp_path) -> None:
    gym.subscribe("gym", "ceo@gym.example")
    formats = "html,xlsx,csv,json"
    sent = command("deliver", "send", "daily executive", "--format", formats)
    assert sent.returncode == 0, sent.stderr
    (mail,) = (gym.settings.home / "outbox").rglob("*.eml")
    parts = message_from_bytes(mail.read_bytes(), policy=policy.default).iter_attachments()
    assert {Path(part.get_filename()).suffix: part.get_content_type() for part in parts} == {
        ".html": "text/html", ".csv": "text/csv", ".json": "application/json",
        ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    }  # fmt: skip
    folder = tmp_path / "raw"
    shown = command("deliver", "preview", "daily executive", "--format", "csv-raw", "--folder", str(folder))
    assert shown.returncode == 0, shown.stderr
    assert [path.name for path in folder.glob("*.csv")] == [f"{Path(shown.stdout.split()[0]).name}"]
    assert shown.stdout.split()[0].endswith(".raw.csv")
    refused = command("deliver", "send", "daily executive", "--format", "csv-raw")
    assert refused.returncode == 2
    assert "'csv-raw' is not a format" in refused.stderr


def test_after_the_mail_server_was_mended_only_the_failed_go_out_again(
    gym, start_mail_server, certificate, monkeypatch, command
) -> None:
    server = start_mail_server()
    port = server.port
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    gym.settings = replace(gym.settings, smtp_url=server.url(), mail_from="Reports <reports@mp.example>")
    gym.subscribe("gym", "ceo@gym.example", "cfo@gym.example")
    server.stop()
    assert command("deliver", "send", "daily executive").returncode == 1
    before = deliveries(gym)
    assert {row["delivery_status"] for row in before} == {"failed"}

    start_mail_server(port=port)
    listed = command("deliveries", "list", "--status", "failed", "--json")
    assert len(json.loads(listed.stdout)) == 2
    done = command("deliver", "resend", "--failed-only")
    assert done.returncode == 0, done.stderr
    again = [row for row in deliveries(gym) if row["attempt_group"] == 2]
    assert [row["delivery_status"] for row in again] == ["sent", "sent"]
    assert {pdf(row) for row in again} == {pdf(row) for row in before}
    assert {row["data_version"] for row in again} == {row["data_version"] for row in before}
    assert all(row["report_data"] == before[0]["report_data"] for row in again)
    assert all(row["requested_by"] for row in again)
    assert (gym.settings.home / "renderings").read_text().count("\n") == 1, "not rendered anew"
    assert server.recipients() == ["ceo@gym.example", "cfo@gym.example"]
    assert gym.rows("select state from reporting.report_occurrences") == [{"state": "sent"}]

    assert json.loads(command("deliveries", "list", "--status", "failed", "--json").stdout) == []
    idle = command("deliver", "resend", "--failed-only")
    assert (idle.returncode, "Nothing to send again" in idle.stderr) == (0, True)
    assert not any(row["next_attempt_at"] for row in deliveries(gym)), "the failed rows retry no more"
    assert len(server.recipients()) == 2


def test_who_has_it_gets_no_second_one_and_who_is_gone_none(gym, mail_server, command) -> None:
    gym.subscribe("gym", "ceo@gym.example", "data550@gym.example", "reject550@gym.example")
    dispatch(gym.settings, LAST_DUE)
    assert gym.statuses()["ceo@gym.example"] == "sent"
    sent = next(row for row in deliveries(gym) if row["recipient"] == "ceo@gym.example")
    refused = command("deliver", "resend", str(sent["delivery_id"]))
    assert (refused.returncode, "has it since" in refused.stderr) == (2, True)

    gym.conn.execute(
        "insert into reporting.suppressions (tenant_id, recipient, reason) "
        "values ('gym', 'reject550@gym.example', 'no such mailbox') on conflict do nothing"
    )
    done = command("deliver", "resend", "daily executive", "--failed-only", "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert [one["recipient"] for one in told["failed"]] == ["data550@gym.example"]
    assert [one["recipient"] for one in told["skipped"]] == ["reject550@gym.example"], "suppressed"
    assert mail_server.recipients() == ["ceo@gym.example"]


def test_two_resends_at_once_give_one(gym, start_mail_server, certificate, monkeypatch) -> None:
    server = start_mail_server()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    gym.settings = replace(gym.settings, smtp_url=server.url(), mail_from="Reports <reports@mp.example>")
    people = [f"p{number}@gym.example" for number in range(6)]
    gym.subscribe("gym", *people)
    server.stop()
    dispatch(gym.settings, LAST_DUE)
    start_mail_server(port=server.port)
    go = gym.settings.home / "go"
    processes = [
        subprocess.Popen(
            [sys.executable, str(HERE / "command.py"), str(go), "deliver", "resend", "--failed-only"],
            env=os.environ | environment_for(gym.settings), stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    while len(list(gym.settings.home.glob("go.*"))) < 2:
        assert all(process.poll() is None for process in processes)
        time.sleep(0.02)
    go.touch()
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
    assert server.recipients() == sorted(people)
    assert sorted(row["attempt_group"] for row in deliveries(gym)) == [1] * 6 + [2] * 6


def test_unknown_goes_again_only_on_request_which_says_so(gym, mail_server, command) -> None:
    gym.subscribe("gym", "drop@gym.example")
    dispatch(gym.settings, LAST_DUE)
    assert gym.statuses() == {"drop@gym.example": "unknown"}
    assert "Nothing to send again" in command("deliver", "resend", "--failed-only").stderr
    done = command("deliver", "resend", "--failed-only", "--unknown")
    assert "may be a second copy" in done.stderr
    (first, _) = deliveries(gym)
    done = command("deliver", "resend", str(first["delivery_id"])[:8])
    assert "may be a second copy" in done.stderr
    assert mail_server.recipients() == ["drop@gym.example"] * 3


def test_a_held_report_goes_back_to_wait_for_good_data(gym, command) -> None:
    (build,) = gym.rows("select build_id::text from build.builds")
    gym.fail_check("gym", build["build_id"])
    gym.subscribe("gym", "ceo@gym.example", max_lateness=timedelta(minutes=1))
    gym.conn.execute("update reporting.report_subscriptions set when_incomplete = 'hold'")
    dispatch(gym.settings, LAST_DUE)
    dispatch(gym.settings, LAST_DUE + timedelta(minutes=2))
    assert gym.statuses() == {"ceo@gym.example": "held"}

    done = command("deliver", "resend", "--failed-only", "--json")
    assert [one["recipient"] for one in json.loads(done.stdout)["waiting"]] == ["ceo@gym.example"]
    assert gym.statuses() == {"ceo@gym.example": "pending"}, "the check still fails"
    assert not (gym.settings.home / "outbox").exists()
    gym.add_build()
    assert len(dispatch(gym.settings).sent) == 1
    (row,) = deliveries(gym)
    assert (row["attempt_group"], row["delivery_status"]) == (1, "sent")
    assert row["requested_by"]


def test_an_existing_report_to_someone_else(gym, mail_server, command) -> None:
    gym.subscribe("gym", "ceo@gym.example")
    dispatch(gym.settings, LAST_DUE)
    (first,) = deliveries(gym)
    gym.conn.execute("update marts.tenants set complete_date = '2020-01-01'")
    done = command("deliver", "send", str(first["delivery_id"])[:8], "--to", "aud@gym.example")
    assert done.returncode == 0, done.stderr
    copy = next(row for row in deliveries(gym) if row["recipient"] == "aud@gym.example")
    assert (copy["delivery_status"], copy["files"]) == ("sent", first["files"])
    assert (copy["report_data"], copy["data_version"]) == (first["report_data"], first["data_version"])
    assert copy["requested_by"]
    (message,) = [m for m in mail_server.messages() if m["To"] == "aud@gym.example"]
    attached = next(iter(message.iter_attachments())).get_payload(decode=True)
    assert hashlib.sha256(attached).hexdigest() == pdf(first)
    second = command("deliver", "send", str(first["delivery_id"]), "--to", "ceo@gym.example")
    assert "may be a second copy" in second.stderr
    assert mail_server.recipients() == ["aud@gym.example", "ceo@gym.example", "ceo@gym.example"]
    other = command("deliver", "send", str(first["delivery_id"]), "--to", "x@gym.example", "--days", "3")
    assert (other.returncode, "as it is" in other.stderr) == (2, True)


def test_a_copy_by_hand_takes_the_place_of_what_is_still_to_come(gym, mail_server) -> None:
    """Sent to somebody whose own delivery is to be tried again: the copy goes out, and nothing stays open."""
    gym.subscribe("gym", "ceo@gym.example", "busy450@gym.example", starts_on=LAST_DUE.date())
    dispatch(gym.settings, LAST_DUE)
    first = next(row for row in deliveries(gym) if row["recipient"] == "ceo@gym.example")
    gym.settings = replace(gym.settings, outbox_only=True)
    sent = resending.forward(gym.settings, first["delivery_id"], ["busy450@gym.example"], now=LAST_DUE)
    assert [one.delivery_status for one in sent.result.outcomes] == ["sent"]
    assert [row["next_attempt_at"] for row in deliveries(gym)] == [None] * 3
    assert gym.rows("select state from reporting.report_occurrences") == [{"state": "sent"}]
    assert dispatch(gym.settings, LAST_DUE + timedelta(hours=2)).outcomes == ()


def test_allow_list_and_suppressions_hold_for_copies(gym, command) -> None:
    gym.subscribe("gym", "ceo@gym.example")
    dispatch(gym.settings, LAST_DUE)
    (first,) = deliveries(gym)
    gym.conn.execute(
        "insert into reporting.tenant_settings (tenant_id, allowed_recipient_domains) "
        "values ('gym', '{gym.example}')"
    )
    gym.conn.execute(
        "insert into reporting.suppressions (tenant_id, recipient, reason) "
        "values ('gym', 'left@gym.example', 'left')"
    )
    spy = command("deliver", "send", str(first["delivery_id"]), "--to", "spy@elsewhere.example")
    assert (spy.returncode, "gym.example only" in spy.stderr) == (2, True)
    gone = command("deliver", "send", str(first["delivery_id"]), "--to", "left@gym.example")
    assert (gone.returncode, "skipped: suppressed" in gone.stderr) == (1, True)
    assert len(list((gym.settings.home / "outbox").iterdir())) == 1


def test_files_that_are_gone_or_changed_are_not_sent(gym, command) -> None:
    gym.subscribe("gym", "ceo@gym.example")
    dispatch(gym.settings, LAST_DUE)
    (first,) = deliveries(gym)
    kept = next(Path(entry["path"]) for entry in first["files"] if entry["format"] == "pdf")
    kept.write_bytes(b"%PDF forged")
    refused = command("deliver", "send", str(first["delivery_id"]), "--to", "aud@gym.example")
    assert (refused.returncode, "--period" in refused.stderr) == (2, True)
    gym.conn.execute("update reporting.report_deliveries set delivery_status = 'failed'")
    lost = command("deliver", "resend", str(first["delivery_id"]))
    assert (lost.returncode, "--fresh" in lost.stderr) == (2, True)
    many = command("deliver", "resend", "--failed-only", "--json")
    assert (many.returncode, [one["recipient"] for one in json.loads(many.stdout)["left"]]) == (
        1, ["ceo@gym.example"],
    )  # fmt: skip
    fresh = command("deliver", "resend", str(first["delivery_id"]), "--fresh")
    assert fresh.returncode == 0, fresh.stderr
    assert [row["delivery_status"] for row in deliveries(gym)] == ["failed", "sent"]
    assert (gym.settings.home / "renderings").read_text().count("\n") == 2


def test_a_paused_subscription_sends_what_a_person_asks_for(gym) -> None:
    subscription = gym.subscribe("gym", "ceo@gym.example", "cfo@gym.example")
    dispatch(gym.settings, LAST_DUE)
    subscriptions.pause(gym.conn, subscription)
    gym.conn.execute(
        "update reporting.report_deliveries set delivery_status = 'failed', delivered_at = null "
        "where recipient = 'cfo@gym.example'"
    )
    resent = resending.resend(gym.settings, resending.Again(subscription=subscription.subscription_id))
    assert [outcome.recipient for outcome in resent.result.sent] == ["cfo@gym.example"]


def test_who_was_suppressed_while_asking_gets_it_after_that_was_undone(gym, mail_server) -> None:
    gym.subscribe("gym", "reject550@gym.example")
    dispatch(gym.settings, LAST_DUE)
    asked = resending.Again(tenant="gym")
    (left,) = resending.resend(gym.settings, asked).result.outcomes
    assert (left.delivery_status, left.reason[:16]) == ("skipped", "suppressed since")
    assert resending.resend(gym.settings, asked).result.outcomes == ()
    gym.conn.execute("delete from reporting.suppressions")
    (tried,) = resending.resend(gym.settings, asked).result.outcomes
    assert tried.delivery_status == "failed", "sent to the server again, which has no such mailbox yet"


def test_resend_says_what_it_needs(gym, command) -> None:
    vague = command("deliver", "resend")
    assert (vague.returncode, "--failed-only" in vague.stderr) == (2, True)
    unknown = command("deliver", "resend", "no such report", "--failed-only")
    assert unknown.returncode == 2


def test_the_ledger_is_listed_and_shown(gym, mail_server, command) -> None:
    one = gym.subscribe("gym", "ceo@gym.example", "data550@gym.example")
    gym.subscribe("gym", "cfo@gym.example", name="other")
    dispatch(gym.settings, LAST_DUE)
    command("deliver", "resend", "--failed-only")

    def listed(*options: str) -> list[str]:
        done = command("deliveries", "list", "--json", *options)
        assert done.returncode == 0, done.stderr
        return sorted(row["recipient"] for row in json.loads(done.stdout))

    assert len(listed()) == 3, "of each recipient what holds now"
    assert len(listed("--all-attempts")) == 4
    assert listed("--status", "failed") == ["data550@gym.example"]
    assert listed("--status", "failed", "--all-attempts") == ["data550@gym.example"] * 2
    assert listed("--subscription", "other") == ["cfo@gym.example"]
    assert listed("--tenant", "gym", "--since", str(NOW.date() + timedelta(days=1))) == []
    assert command("deliveries", "list", "--status", "lost").returncode == 2
    table = command("deliveries", "list")
    assert max(map(len, table.stdout.splitlines())) <= 80
    assert table.stdout.startswith("gym ")
    assert "data550@gym.example" in table.stdout
    assert f"due {LAST_DUE:%m-%d}" in table.stdout

    failed = next(row for row in deliveries(gym) if row["attempt_group"] == 2)
    shown = json.loads(command("deliveries", "show", str(failed["delivery_id"]), "--json").stdout)
    assert [stage["delivery_status"] for stage in shown["history"]] == ["failed", "failed"]
    assert [bool(stage["requested_by"]) for stage in shown["history"]] == [False, True]
    assert shown["report_data"]["customers"] == 7
    assert {entry["format"] for entry in shown["files"]} >= {"pdf", "mail.txt"}
    text = command("deliveries", "show", str(failed["delivery_id"])[:8]).stdout
    assert max(len(line) for line in text.splitlines() if "/" not in line) <= 80
    assert "refused content" in text
    assert pdf(failed) in text.replace("\n", "").replace(" ", "") or pdf(failed)[:20] in text
    assert one.name in text
