"""When waiting ends: notices, held reports, last attempts, missed and paused occurrences."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from email.policy import default

import pytest

from orchestration import reports
from orchestration.delivery import rendering, subscriptions
from orchestration.delivery.service import dispatch, has_work

pytestmark = pytest.mark.integration
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NINE = NOON - timedelta(hours=3)


def change(warehouse, changes: str, *values: object) -> None:
    warehouse.conn.execute(f"update reporting.report_subscriptions set {changes}", values)


def incomplete(warehouse, max_lateness: timedelta = timedelta(hours=2), **more) -> None:
    """A report due at nine whose data end two days before."""
    warehouse.add_tenant("gym", complete="2026-11-17")
    warehouse.subscribe("gym", "ceo@gym.example", max_lateness=max_lateness, **more)


def states(warehouse) -> tuple[str, str]:
    (row,) = warehouse.rows(
        "select o.state, d.delivery_status from reporting.report_occurrences as o "
        "join reporting.report_deliveries as d using (tenant_id, occurrence_id)"
    )
    return row["state"], row["delivery_status"]


def test_a_notice_without_figures_goes_out_at_the_end(warehouse) -> None:
    incomplete(warehouse, locale="de")
    assert len(dispatch(warehouse.settings, NINE).waiting) == 1
    assert not has_work(warehouse.conn, NINE + timedelta(minutes=119))
    assert has_work(warehouse.conn, NINE + timedelta(hours=2))
    (sent,) = dispatch(warehouse.settings, NINE + timedelta(hours=2)).sent

    assert sent.kind == "notice"
    assert "complete to 2026-11-17" in sent.reason
    (eml,) = (warehouse.settings.home / "outbox").iterdir()
    message = message_from_bytes(eml.read_bytes(), policy=default)
    subject = "Daten unvollständig: Managementbericht, gym, Donnerstag, 19. November 2026"
    assert message["Subject"].strip() == subject
    assert [*message.iter_attachments()] == []
    for kind in ("plain", "html"):
        body = message.get_body((kind,)).get_content()
        assert "vollständig sind sie bis einschließlich 17. November 2026" in body
        assert "benötigt Daten bis einschließlich 19. November 2026" in body
    (row,) = warehouse.rows("select * from reporting.report_deliveries")
    assert (row["kind"], row["report_data"], row["data_version"]) == ("notice", None, None)
    assert not (warehouse.settings.home / "renderings").exists()
    (occurrence,) = warehouse.rows("select state, reason from reporting.report_occurrences")
    assert occurrence["state"] == "notified"
    assert "complete to 2026-11-17" in occurrence["reason"]
    warehouse.conn.execute("update marts.tenants set complete_date = '2026-11-19'")
    assert not has_work(warehouse.conn, NOON)


@pytest.mark.parametrize("is_complete", [True, False])
def test_an_older_subscription_in_a_language_without_texts(
    warehouse, monkeypatch: pytest.MonkeyPatch, is_complete: bool
) -> None:
    """Neither a report nor a notice half in English goes out; the ledger says why, and for good."""
    monkeypatch.setattr(rendering, "render", reports.render)
    warehouse.add_tenant("gym", complete="2026-11-19" if is_complete else "2026-11-17")
    warehouse.subscribe("gym", "ceo@gym.example", max_lateness=timedelta(hours=2))
    change(warehouse, "locale = 'fr'")
    has_work(warehouse.conn, NINE)
    dispatch(warehouse.settings, NINE if is_complete else NOON)
    (row,) = warehouse.rows("select * from reporting.report_deliveries")
    assert (row["delivery_status"], row["error_class"]) == ("failed", "permanent")
    assert "cannot be written in French (fr)" in row["error_message"]
    assert "Languages: en, de" in row["error_message"]
    assert row["next_attempt_at"] is None
    assert not (warehouse.settings.home / "outbox").exists()


def test_a_notice_tells_no_number_of_a_failed_check(warehouse) -> None:
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "reports", max_lateness=timedelta(hours=2), delivery_method="file")
    (build,) = warehouse.rows("select build_id::text from build.builds")
    warehouse.fail_check("gym", build["build_id"])
    has_work(warehouse.conn, NINE)
    dispatch(warehouse.settings, NOON)
    (notice,) = (warehouse.settings.home / "outbox" / "reports").iterdir()
    text = notice.read_text()
    assert "did not pass their checks" in text
    assert "3" not in text.replace("2026-11-19", "")


def test_a_report_is_held_for_a_person(warehouse) -> None:
    incomplete(warehouse)
    change(warehouse, "when_incomplete = 'hold'")
    has_work(warehouse.conn, NINE)
    (held,) = dispatch(warehouse.settings, NOON).waiting
    assert held.delivery_status == "held"
    assert states(warehouse) == ("held", "held")
    (row,) = warehouse.rows("select reason, closed_at from reporting.report_occurrences")
    assert "complete to 2026-11-17" in row["reason"]
    assert row["closed_at"] is None
    warehouse.conn.execute("update marts.tenants set complete_date = '2026-11-19'")
    assert not has_work(warehouse.conn, NOON)
    assert dispatch(warehouse.settings, NOON).sent == ()


def test_good_data_at_the_last_moment_make_a_report(warehouse) -> None:
    incomplete(warehouse)
    dispatch(warehouse.settings, NINE)
    warehouse.conn.execute("update marts.tenants set complete_date = '2026-11-19'")
    (sent,) = dispatch(warehouse.settings, NOON).sent
    assert sent.kind == "report"
    assert warehouse.rows("select state, is_late from reporting.report_occurrences") == [
        {"state": "sent", "is_late": True}
    ]
    (eml,) = (warehouse.settings.home / "outbox").iterdir()
    assert message_from_bytes(eml.read_bytes(), policy=default)["Subject"].endswith("(late)")


def test_give_up_at_of_an_occurrence_comes_before_the_subscriptions(warehouse) -> None:
    incomplete(warehouse)
    dispatch(warehouse.settings, NINE)
    warehouse.conn.execute("update reporting.report_occurrences set give_up_at = %s", (NOON,))
    assert len(dispatch(warehouse.settings, NOON - timedelta(minutes=1)).waiting) == 1
    assert len(dispatch(warehouse.settings, NOON).sent) == 1


def test_retries_end_with_an_attempt_when_it_is_given_up(warehouse, mail_server) -> None:
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "busy450@gym.example", max_lateness=timedelta(hours=3, minutes=2))
    give_up_at = NOON + timedelta(minutes=2)
    (first,) = dispatch(warehouse.settings, NOON).failed
    assert first.next_attempt_at < give_up_at
    (second,) = dispatch(warehouse.settings, first.next_attempt_at).failed
    assert second.next_attempt_at == give_up_at
    (last,) = dispatch(warehouse.settings, give_up_at).failed
    assert (last.attempts, last.next_attempt_at, last.error_class) == (3, None, "transient")
    assert "450" in last.reason
    assert "given up" in last.reason
    assert states(warehouse) == ("failed", "failed")
    assert not has_work(warehouse.conn, NOON + timedelta(days=1) - timedelta(hours=4))


def test_a_notice_is_tried_again(warehouse, mail_server) -> None:
    warehouse.add_tenant("gym", complete=None)
    warehouse.subscribe("gym", "busy450@gym.example", max_lateness=timedelta(hours=3))
    has_work(warehouse.conn, NINE)
    (failed,) = dispatch(warehouse.settings, NOON).failed
    assert failed.kind == "notice"
    assert NOON < failed.next_attempt_at < NOON + timedelta(minutes=2)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("catch_up", [(18, "skipped"), (19, "skipped"), (20, "sent")]),
        ("skip", [(18, "skipped"), (19, "skipped"), (20, "skipped")]),
    ],
)
def test_what_was_planned_before_an_outage_follows_the_policy(warehouse, policy, expected) -> None:
    """Planned day by day, dispatched by nobody: the same as if it had not been planned."""
    warehouse.add_tenant("gym")
    warehouse.subscribe(
        "gym", "ceo@gym.example", starts_on=date(2026, 11, 18), misfire_policy=policy,
        max_lateness=timedelta(hours=1),
    )  # fmt: skip
    for days in (2, 1, 0):
        has_work(warehouse.conn, NINE - timedelta(days=days))
    result = dispatch(warehouse.settings, NOON)
    assert result.planned == 0
    rows = warehouse.rows("select local_date, state from reporting.report_occurrences order by local_date")
    assert [(row["local_date"].day, row["state"]) for row in rows] == expected
    assert len(result.sent) == (policy == "catch_up")
    assert not has_work(warehouse.conn, NOON)


def test_an_older_report_that_waits_still_gets_its_notice_beside_the_newer(warehouse) -> None:
    """With the usual 24 hours a report is given up at the moment when the next one is due."""
    warehouse.add_tenant("gym", complete="2026-11-17")
    warehouse.subscribe("gym", "ceo@gym.example", starts_on=date(2026, 11, 19))
    dispatch(warehouse.settings, NINE - timedelta(days=1))
    result = dispatch(warehouse.settings, NINE + timedelta(minutes=1))
    assert [(one.local_date.day, one.kind) for one in result.sent] == [(19, "notice")]
    assert [one.local_date.day for one in result.waiting] == [20]


def test_a_pause_holds_back_what_was_planned_until_its_time_ends(warehouse) -> None:
    warehouse.add_tenant("gym")
    subscription = warehouse.subscribe("gym", "ceo@gym.example", max_lateness=timedelta(hours=3))
    has_work(warehouse.conn, NINE)
    subscriptions.pause(warehouse.conn, subscription)
    assert not has_work(warehouse.conn, NINE)
    dispatch(warehouse.settings, NINE)
    assert states(warehouse) == ("pending", "pending")
    assert has_work(warehouse.conn, NOON)
    (skipped,) = dispatch(warehouse.settings, NOON).skipped
    assert "paused" in skipped.reason
    assert states(warehouse) == ("skipped", "skipped")


def test_a_resumed_subscription_keeps_its_promise(warehouse) -> None:
    warehouse.add_tenant("gym")
    subscription = warehouse.subscribe("gym", "ceo@gym.example")
    has_work(warehouse.conn, NINE)
    subscriptions.pause(warehouse.conn, subscription)
    assert dispatch(warehouse.settings, NINE).sent == ()
    subscriptions.resume(warehouse.conn, subscription, date(2026, 11, 20))
    assert len(dispatch(warehouse.settings, NOON).sent) == 1


def test_who_was_promised_a_report_gets_it_after_an_edit(warehouse) -> None:
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "ceo@gym.example")
    has_work(warehouse.conn, NINE)
    change(warehouse, "recipients = '{cfo@gym.example}', formats = '{html}'")
    (sent,) = dispatch(warehouse.settings, NOON).sent
    assert sent.recipient == "ceo@gym.example"
    assert "html" in {entry["format"] for entry in sent.files}


def test_figures_of_a_build_found_wrong_since_are_taken_back(warehouse, mail_server) -> None:
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "busy450@gym.example")
    (failed,) = dispatch(warehouse.settings, NOON).failed
    (build,) = warehouse.rows("select build_id::text from build.builds")
    warehouse.fail_check("gym", build["build_id"])
    result = dispatch(warehouse.settings, failed.next_attempt_at)
    assert [outcome.delivery_status for outcome in result.waiting] == ["pending"]
    newer = warehouse.add_build()
    (again,) = dispatch(warehouse.settings, failed.next_attempt_at).failed
    assert again.data_version == newer


def test_a_retry_sends_the_same_figures_after_a_newer_build(warehouse, mail_server) -> None:
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "busy450@gym.example", "ceo@gym.example")
    result = dispatch(warehouse.settings, NOON)
    (failed,) = result.failed
    newer = warehouse.add_build()
    warehouse.fail_check("gym", newer)
    (again,) = dispatch(warehouse.settings, failed.next_attempt_at).failed
    assert (again.attempts, again.data_version) == (2, result.sent[0].data_version)
