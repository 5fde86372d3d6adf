"""Suppressions: who is left out of what, and that the audit log tells of it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from orchestration.delivery import suppressions
from orchestration.delivery.service import dispatch
from orchestration.delivery.unsubscribe import Unsubscribing
from orchestration.warehouse.tenants import remove_tenant
from tests.conftest import PROJECT, environment_of

pytestmark = pytest.mark.integration
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_a_recipient_is_suppressed_once_whatever_its_case(warehouse) -> None:
    warehouse.add_tenant("gym")
    assert suppressions.suppress(warehouse.conn, "gym", "CEO@gym.example", "left", "command")
    assert not suppressions.suppress(warehouse.conn, "gym", "ceo@gym.example", "no mailbox", "bounce")
    (only,) = suppressions.listed(warehouse.conn, "gym")
    assert (only.recipient, only.reason, only.source) == ("ceo@gym.example", "left", "command")
    assert suppressions.listed(warehouse.conn, "other") == []


def test_one_subscription_is_left_out_and_the_other_goes_on(warehouse) -> None:
    warehouse.add_tenant("gym")
    first = warehouse.subscribe("gym", "ceo@gym.example", "cfo@gym.example", name="first")
    warehouse.subscribe("gym", "ceo@gym.example", name="second")
    suppressions.suppress(
        warehouse.conn, "gym", "ceo@gym.example", "asked", "unsubscribe", first.subscription_id
    )
    result = dispatch(warehouse.settings, NOON)
    assert {(one.subscription, one.recipient, one.delivery_status) for one in result.outcomes} == {
        ("first", "ceo@gym.example", "skipped"),
        ("first", "cfo@gym.example", "sent"),
        ("second", "ceo@gym.example", "sent"),
    }


def test_a_report_that_nobody_may_get_is_skipped_and_says_so(warehouse) -> None:
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "ceo@gym.example", "cfo@gym.example")
    for recipient in ("ceo@gym.example", "cfo@gym.example"):
        suppressions.suppress(warehouse.conn, "gym", recipient, "left", "command")
    assert {one.delivery_status for one in dispatch(warehouse.settings, NOON).outcomes} == {"skipped"}
    assert warehouse.rows("select state, reason from reporting.report_occurrences") == [
        {"state": "skipped", "reason": "every recipient is suppressed"}
    ]


def test_lifting_one_subscription_leaves_the_ban_of_the_tenant(warehouse) -> None:
    warehouse.add_tenant("gym")
    own = warehouse.subscribe("gym", "ceo@gym.example").subscription_id
    for subscription in (own, None):
        suppressions.suppress(warehouse.conn, "gym", "ceo@gym.example", "asked", "command", subscription)
    (lifted,) = suppressions.lift(warehouse.conn, "gym", "CEO@gym.example", own)
    assert lifted.subscription == "daily executive"
    assert [one.subscription_id for one in suppressions.listed(warehouse.conn)] == [None]
    suppressions.suppress(warehouse.conn, "gym", "ceo@gym.example", "asked", "command", own)
    assert len(suppressions.lift(warehouse.conn, "gym", "ceo@gym.example")) == 2
    assert suppressions.lift(warehouse.conn, "gym", "ceo@gym.example") == []


def test_the_audit_log_tells_of_every_change(warehouse) -> None:
    warehouse.add_tenant("gym")
    suppressions.suppress(warehouse.conn, "gym", "ceo@gym.example", "no mailbox", "bounce")
    suppressions.lift(warehouse.conn, "gym", "ceo@gym.example")
    told = warehouse.rows(
        "select tenant_id, action, object, coalesce(after, before) ->> 'source' as source "
        "from reporting.audit_log where object_type = 'suppressions' order by audit_id"
    )
    assert [row["action"] for row in told] == ["insert", "delete"]
    assert {(row["tenant_id"], row["object"], row["source"]) for row in told} == {
        ("gym", "ceo@gym.example", "bounce")
    }


def test_a_tenant_goes_with_its_suppressions(warehouse, database) -> None:
    warehouse.add_tenant("gym")
    own = warehouse.subscribe("gym", "ceo@gym.example").subscription_id
    suppressions.suppress(warehouse.conn, "gym", "ceo@gym.example", "asked", "unsubscribe", own)
    assert remove_tenant(database, "gym")["reporting.suppressions"] == 1


# --- the command


def test_the_command_adds_lists_and_removes(metricpress, warehouse) -> None:
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "ceo@gym.example", name="weekly for the board")
    ban = ("CEO@gym.example", "--tenant", "gym")
    one = ("--subscription", "weekly for the board")
    assert metricpress("suppressions", "add", *ban, "--reason", "left the company").stdout == (
        "ceo@gym.example gets all reports of gym no more.\n"
    )
    assert "gets \"weekly for the board\" of gym" in metricpress(
        "suppressions", "add", *ban, *one, "--reason", "too many"
    ).stdout  # fmt: skip
    again = metricpress("suppressions", "add", *ban, "--reason", "other", "--json")
    assert {key: json.loads(again.stdout)[key] for key in ("new", "reason", "source")} == {
        "new": False, "reason": "left the company", "source": "command"
    }  # fmt: skip
    shown = metricpress("suppressions", "list")
    assert "(report at" in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 80
    listed = json.loads(metricpress("suppressions", "list", "--tenant", "gym", "--json").stdout)
    assert [row["subscription"] for row in listed] == [None, "weekly for the board"]
    assert metricpress("suppressions", "remove", *ban, *one).returncode == 0
    assert len(json.loads(metricpress("suppressions", "remove", *ban, "--json").stdout)) == 1
    none = metricpress("suppressions", "remove", *ban)
    assert (none.returncode, none.stdout) == (2, "")
    assert "is not suppressed" in none.stderr


def test_the_command_names_what_it_does_not_know(metricpress, warehouse) -> None:
    warehouse.add_tenant("gym")
    stranger = metricpress("suppressions", "add", "x@y.example", "--tenant", "gym", "--reason", "spam trap")
    assert stranger.returncode == 0
    assert "No subscription of gym names x@y.example" in stranger.stderr
    for wrong in (("--tenant", "gmy"), ("--tenant", "gym", "--subscription", "nope")):
        refused = metricpress("suppressions", "add", "x@y.example", *wrong, "--reason", "x")
        assert refused.returncode == 2
        assert "remedy: " in refused.stderr


# --- unsubscribing

KEY = "k" * 40
SIGNED = {"METRICPRESS_SIGNING_KEY": KEY}
UNSUBSCRIBE = ("suppressions", "unsubscribe")


@pytest.fixture
def token(warehouse) -> str:
    """The token that ceo@gym.example got with a report."""
    warehouse.add_tenant("gym")
    own = str(warehouse.subscribe("gym", "ceo@gym.example", "cfo@gym.example").subscription_id)
    uri = Unsubscribing("leave@mp.example", (KEY,)).uri("gym", own, "ceo@gym.example")
    return uri.partition("%20")[2]


def test_who_unsubscribes_gets_that_report_no_more(metricpress, warehouse, token) -> None:
    first = metricpress(*UNSUBSCRIBE, token, env=SIGNED)
    assert first.returncode == 0
    assert first.stdout.startswith("ceo@gym.example is unsubscribed from subscription ")
    again = metricpress(*UNSUBSCRIBE, token, "--json", env=SIGNED)
    assert (again.returncode, json.loads(again.stdout)["new"]) == (0, False)
    outcomes = {one.recipient: one for one in dispatch(warehouse.settings, NOON).outcomes}
    assert outcomes["cfo@gym.example"].delivery_status == "sent"
    assert "the recipient unsubscribed" in outcomes["ceo@gym.example"].reason
    (told,) = warehouse.rows(
        "select after ->> 'source' as source from reporting.audit_log where object_type = 'suppressions'"
    )
    assert told == {"source": "unsubscribe"}


def test_who_unsubscribed_is_not_written_to_again_unasked(metricpress, warehouse, token) -> None:
    metricpress(*UNSUBSCRIBE, token, env=SIGNED)
    again = ("suppressions", "remove", "ceo@gym.example", "--tenant", "gym")
    assert metricpress(*again, stdin="n\n").returncode == 1
    assert len(suppressions.listed(warehouse.conn)) == 1
    assert metricpress(*again, "--yes").stdout == 'ceo@gym.example gets "daily executive" of gym again.\n'
    assert suppressions.listed(warehouse.conn) == []


def test_a_mail_as_the_mail_server_pipes_it(warehouse, token) -> None:
    environment = environment_of(warehouse.settings) | SIGNED
    mail = f"From: CEO <ceo@gym.example>\nSubject: unsubscribe\n {token}\n\nbye \xff".encode("latin-1")
    command = [sys.executable, "-m", "orchestration.cli.main", *UNSUBSCRIBE]
    done = subprocess.run(command, input=mail, env=environment, cwd=PROJECT, capture_output=True, check=True)
    assert done.stderr == b""
    assert [one.recipient for one in suppressions.listed(warehouse.conn)] == ["ceo@gym.example"]


def test_mail_servers_are_told_what_to_do_with_the_mail(metricpress, warehouse, token) -> None:
    good = f"Subject: unsubscribe {token}\n\n"
    for bad in ("", "Subject: hello\n\nunsubscribe me", f"Subject: unsubscribe A{token}\n\n"):
        refused = metricpress(*UNSUBSCRIBE, stdin=bad, env=SIGNED)
        assert refused.returncode == 65, refused.stderr
        assert "remedy: " in refused.stderr
    for setting in (
        {"METRICPRESS_SIGNING_KEY": ""},
        {"METRICPRESS_SIGNING_KEY": "short"},
        {"METRICPRESS_DATABASE_URL": "postgresql://nobody:secret@127.0.0.1:1/none"},
    ):
        later = metricpress(*UNSUBSCRIBE, stdin=good, env=SIGNED | setting)
        assert later.returncode == 75, later.stderr
        assert "secret" not in later.stderr
    assert metricpress(*UNSUBSCRIBE, stdin=good, env=SIGNED).returncode == 0


def test_a_token_given_by_a_person(metricpress, token) -> None:
    forged = metricpress(*UNSUBSCRIBE, "forged", env=SIGNED)
    assert forged.returncode == 65
    assert "not one of this installation" in forged.stderr
    keyless = metricpress(*UNSUBSCRIBE, token)
    assert keyless.returncode == 2
    assert "METRICPRESS_SIGNING_KEY is not set" in keyless.stderr


def test_the_link_of_a_removed_tenant_is_no_error(metricpress, database, token) -> None:
    remove_tenant(database, "gym")
    database.commit()
    done = metricpress(*UNSUBSCRIBE, token, env=SIGNED)
    assert done.returncode == 0
    assert "gets nothing any more" in done.stdout
