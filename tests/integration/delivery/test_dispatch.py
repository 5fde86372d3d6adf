"""Dispatch without a mail server: the gate before the data, the outbox, the ledger, the second run."""

from __future__ import annotations

import hashlib
import json
import time as clock
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from orchestration.delivery import sending, subscriptions
from orchestration.delivery.channels.parcel import Parcel
from orchestration.delivery.failures import PartialFailure, PermanentFailure, TransientFailure
from orchestration.delivery.service import dispatch, has_work, plan_occurrences
from orchestration.warehouse.connection import connect

pytestmark = pytest.mark.integration
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_outbox_holds_what_the_ledger_says(warehouse) -> None:
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "ceo@gym.example", formats=("pdf", "html"))
    result = dispatch(warehouse.settings, NOON)

    assert [outcome.recipient for outcome in result.sent] == ["ceo@gym.example"]
    (row,) = warehouse.rows("select * from reporting.report_deliveries")
    assert (row["delivery_status"], row["attempts"], row["error_class"]) == ("sent", 1, None)
    (eml,) = (warehouse.settings.home / "outbox").glob("*.eml")
    assert result.places == {row["delivery_id"]: str(eml)}
    message = message_from_bytes(eml.read_bytes(), policy=default)
    assert message["Message-ID"] == row["message_id"] == f"<{row['delivery_id']}@localhost>"
    assert message["To"] == "ceo@gym.example"
    assert message["Subject"] == "Tiny: gym, 2026-11-19"
    assert "MRR: $12,345.68" in message.get_body(("plain",)).get_content()
    assert ".All is well" in message.get_body(("html",)).get_content()

    kept = {entry["format"]: entry for entry in row["files"]}
    attached = {part.get_content_type(): part for part in message.iter_attachments()}
    for name, media_type in (("pdf", "application/pdf"), ("html", "text/html")):
        content = attached[media_type].get_payload(decode=True)
        assert hashlib.sha256(content).hexdigest() == kept[name]["sha256"]
        assert len(content) == kept[name]["bytes"]
        assert content == Path(kept[name]["path"]).read_bytes()
        assert Path(kept[name]["path"]).is_relative_to(warehouse.settings.output_dir)
    (build,) = warehouse.rows("select build_id::text from build.builds")
    assert row["data_version"] == build["build_id"]
    (figures,) = warehouse.rows("select report_data::text as text from reporting.report_deliveries")
    assert json.loads(figures["text"], parse_float=str) == {
        "mrr": "12345.678901234567890123",
        "customers": 7,
        "nrr": None,
    }
    (occurrence,) = warehouse.rows("select * from reporting.report_occurrences")
    assert occurrence["state"] == "sent"
    assert occurrence["due_at"] == datetime(2026, 11, 20, 9, tzinfo=UTC)
    assert occurrence["report_period_start"] == occurrence["report_period_end"] == date(2026, 11, 19)


def test_second_dispatch_of_the_period_sends_nothing(warehouse) -> None:
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "ceo@gym.example")
    assert len(dispatch(warehouse.settings, NOON).sent) == 1
    folder = warehouse.settings.home / "outbox"
    outbox = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    again = dispatch(warehouse.settings, NOON + timedelta(hours=3))
    assert (again.planned, again.outcomes) == (0, ())
    assert {
        path: path.stat().st_mtime_ns for path in (warehouse.settings.home / "outbox").iterdir()
    } == outbox
    assert not has_work(warehouse.conn, NOON)


def test_not_before_its_time(warehouse) -> None:
    warehouse.add_tenant("gym", "America/New_York")
    warehouse.subscribe("gym", "ceo@gym.example", starts_on=date(2026, 11, 20))
    assert dispatch(warehouse.settings, datetime(2026, 11, 20, 13, 59, tzinfo=UTC)).outcomes == ()
    assert len(dispatch(warehouse.settings, datetime(2026, 11, 20, 14, tzinfo=UTC)).sent) == 1


def test_rendered_once_for_all_recipients_and_like_subscriptions(warehouse) -> None:
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "a@gym.example", "b@gym.example")
    warehouse.subscribe("gym", "c@gym.example", "reports", name="to a folder", delivery_method="file")
    result = dispatch(warehouse.settings, NOON)
    assert len(result.sent) == 4
    assert (warehouse.settings.home / "renderings").read_text().splitlines() == ["gym executive 2026-11-19"]
    (pdf,) = (warehouse.settings.home / "outbox" / "reports").iterdir()
    (entry,) = {entry["sha256"] for one in result.sent for entry in one.files if entry["format"] == "pdf"}
    assert hashlib.sha256(pdf.read_bytes()).hexdigest() == entry


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        ("delete from marts.tenants where tenant_id = 'held'", "no rows of tenant held"),
        (
            "update marts.tenants set complete_date = '2026-11-18' where tenant_id = 'held'",
            "complete to 2026-11-18",
        ),
        ("check", "mrr_identity on revenue_metrics failed with 3 rows"),
    ],
)
def test_one_tenant_waits_alone_and_goes_out_when_its_data_is_there(warehouse, spoil, reason) -> None:
    for tenant in ("held", "gym"):
        warehouse.add_tenant(tenant)
        warehouse.subscribe(tenant, f"ceo@{tenant}.example")
    if spoil == "check":
        (build,) = warehouse.rows("select build_id::text from build.builds")
        warehouse.fail_check("held", build["build_id"])
        warehouse.fail_check("gym", build["build_id"], severity="warn")
    else:
        warehouse.conn.execute(spoil if "where" in spoil else f"{spoil} where tenant_id = 'held'")
    result = dispatch(warehouse.settings, NOON)
    assert [outcome.recipient for outcome in result.sent] == ["ceo@gym.example"]
    (waiting,) = result.waiting
    assert (waiting.tenant_id, waiting.delivery_status) == ("held", "pending")
    assert reason in waiting.reason
    assert result.is_fine
    assert not has_work(warehouse.conn, NOON)

    warehouse.add_build()
    warehouse.conn.execute(
        "insert into marts.tenants (tenant_id, complete_date) values ('held', '2026-11-19') "
        "on conflict (tenant_id) do update set complete_date = excluded.complete_date"
    )
    assert has_work(warehouse.conn, NOON)
    assert [outcome.recipient for outcome in dispatch(warehouse.settings, NOON).sent] == ["ceo@held.example"]


@pytest.mark.parametrize(
    ("status", "marts", "reason"),
    [
        ("failed", ("tenants", "daily_metrics"), "the last build failed"),
        ("running", ("tenants", "daily_metrics"), "a build is running"),
        ("complete", ("tenants",), "1 marts are of an earlier build, such as daily_metrics"),
    ],
)
def test_all_wait_until_all_marts_come_from_one_finished_build(warehouse, status, marts, reason) -> None:
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "ceo@gym.example")
    warehouse.add_build(status, marts)
    (waiting,) = dispatch(warehouse.settings, NOON).waiting
    assert reason in waiting.reason


def test_a_failed_check_that_names_no_tenant_holds_everybody(warehouse) -> None:
    for tenant in ("gym", "agency"):
        warehouse.add_tenant(tenant)
        warehouse.subscribe(tenant, f"ceo@{tenant}.example")
    (build,) = warehouse.rows("select build_id::text from build.builds")
    warehouse.fail_check("(all)", build["build_id"])
    result = dispatch(warehouse.settings, NOON)
    assert (len(result.sent), len(result.waiting)) == (0, 2)


def test_without_marts_it_waits(warehouse) -> None:
    warehouse.add_tenant("gym", complete=None)
    warehouse.subscribe("gym", "ceo@gym.example")
    warehouse.conn.execute("drop table marts.tenants")
    (waiting,) = dispatch(warehouse.settings, NOON).waiting
    assert "metricpress build" in waiting.reason


def test_clock_of_a_tenant_that_stopped(warehouse) -> None:
    warehouse.add_tenant("closed", complete="2015-03-31")
    warehouse.conn.execute(
        "insert into reporting.tenant_settings (tenant_id, clock_stops_at) "
        "values ('closed', '2015-04-01 12:00Z')"
    )
    warehouse.subscribe("closed", "ceo@closed.example", starts_on=date(2015, 4, 1))
    result = dispatch(warehouse.settings, NOON)
    assert [(outcome.local_date, outcome.period_end) for outcome in result.sent] == [
        (date(2015, 4, 1), date(2015, 3, 31))
    ]
    assert dispatch(warehouse.settings, NOON + timedelta(days=9)).outcomes == ()


def test_suppressed_and_forbidden_recipients_get_nothing(warehouse) -> None:
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "Gone@gym.example", "spy@elsewhere.example", "ceo@gym.example")
    warehouse.conn.execute(
        "insert into reporting.suppressions (tenant_id, recipient, reason) "
        "values ('gym', 'gone@gym.example', 'left')"
    )
    warehouse.conn.execute(
        "insert into reporting.tenant_settings (tenant_id, allowed_recipient_domains) "
        "values ('gym', '{Gym.example}')"
    )
    result = dispatch(warehouse.settings, NOON)
    assert warehouse.statuses() == {
        "Gone@gym.example": "skipped",
        "spy@elsewhere.example": "failed",
        "ceo@gym.example": "sent",
    }
    assert "left" in result.skipped[0].reason
    assert "Gym.example only" in result.failed[0].reason
    assert warehouse.rows("select state from reporting.report_occurrences") == [{"state": "partial"}]


def test_a_full_outbox_is_tried_again_later(warehouse) -> None:
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "ceo@gym.example")
    warehouse.settings.home.mkdir(exist_ok=True)
    (warehouse.settings.home / "outbox").symlink_to("/dev/full/outbox")
    (failed,) = dispatch(warehouse.settings, NOON).failed
    assert failed.error_class == "permanent"  # a file stands where the folder should be
    assert "/outbox" in failed.reason


def test_a_fault_in_one_report_stops_no_other(warehouse, monkeypatch) -> None:
    from orchestration.delivery import rendering

    real = rendering.render

    def broken(conn, request, formats):
        if request.tenant_id == "broken":
            raise ZeroDivisionError("division by zero")
        return real(conn, request, formats)

    monkeypatch.setattr(rendering, "render", broken)
    for tenant in ("broken", "gym"):
        warehouse.add_tenant(tenant)
        warehouse.subscribe(tenant, f"ceo@{tenant}.example")
    result = dispatch(warehouse.settings, NOON)
    assert [outcome.tenant_id for outcome in result.sent] == ["gym"]
    (failed,) = result.failed
    assert (failed.error_class, failed.next_attempt_at) == ("permanent", None)
    assert "ZeroDivisionError" in failed.reason


def test_rendering_that_may_work_later_is_tried_again(warehouse, monkeypatch) -> None:
    from orchestration.delivery import rendering

    real, tries = rendering.render, []

    def full_once(conn, request, formats):
        tries.append(1)
        if len(tries) == 1:
            raise OSError(28, "No space left on device")
        return real(conn, request, formats)

    monkeypatch.setattr(rendering, "render", full_once)
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "ceo@gym.example")
    (failed,) = dispatch(warehouse.settings, NOON).failed
    assert (failed.error_class, failed.attempts) == ("transient", 1)
    assert NOON + timedelta(seconds=45) <= failed.next_attempt_at <= NOON + timedelta(seconds=75)
    assert len(dispatch(warehouse.settings, NOON + timedelta(seconds=30)).failed) == 1
    assert len(tries) == 1
    assert len(dispatch(warehouse.settings, NOON + timedelta(minutes=2)).sent) == 1
    assert warehouse.rows("select state from reporting.report_occurrences") == [{"state": "sent"}]


def test_changed_files_are_not_sent(warehouse) -> None:
    """What the ledger calls rendered is what goes out: a file changed in between fails the delivery."""
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "ceo@gym.example")
    dispatch(warehouse.settings, NOON)
    warehouse.conn.execute(
        "update reporting.report_deliveries set delivery_status = 'ready', delivered_at = null;"
    )
    warehouse.conn.execute("update reporting.report_occurrences set state = 'pending'")
    (pdf,) = warehouse.settings.output_dir.rglob("*.pdf")
    pdf.write_bytes(b"something else")
    (failed,) = dispatch(warehouse.settings, NOON).failed
    assert "was changed" in failed.reason


def test_after_an_outage_the_newest_goes_out_and_the_older_are_skipped(warehouse) -> None:
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "ceo@gym.example", starts_on=date(2026, 11, 10))
    warehouse.subscribe(
        "gym", "cfo@gym.example", name="no catching up", starts_on=date(2026, 11, 16), frequency="weekly",
        misfire_policy="skip",
    )  # fmt: skip
    warehouse.subscribe(
        "gym", "coo@gym.example", name="catching up", starts_on=date(2026, 11, 16), frequency="weekly"
    )
    result = dispatch(warehouse.settings, NOON)
    assert [(one.recipient, one.local_date.day) for one in result.sent] == [
        ("coo@gym.example", 16),
        ("ceo@gym.example", 20),
    ]
    skipped = warehouse.rows(
        "select local_date, reason from reporting.report_occurrences "
        "where state = 'skipped' order by local_date"
    )
    assert [row["local_date"].day for row in skipped] == [10, 11, 12, 13, 14, 15, 16, 16, 17, 18, 19]
    assert all("max_lateness" in row["reason"] for row in skipped)
    late = next((warehouse.settings.home / "outbox").glob("*coo@*.eml")).read_bytes()
    assert message_from_bytes(late, policy=default)["Subject"].endswith("(late)")


def test_a_held_report_of_a_deleted_subscription_waits_for_nobody(warehouse) -> None:
    warehouse.add_tenant("gym", complete="2026-11-18")
    made = warehouse.subscribe(
        "gym", "ceo@gym.example", when_incomplete="hold", max_lateness=timedelta(hours=1)
    )
    dispatch(warehouse.settings, NOON - timedelta(hours=3))
    dispatch(warehouse.settings, NOON - timedelta(hours=1, minutes=30))
    assert warehouse.statuses() == {"ceo@gym.example": "held"}
    subscriptions.delete(warehouse.conn, made)
    assert warehouse.statuses() == {"ceo@gym.example": "skipped"}
    assert warehouse.rows("select state from reporting.report_occurrences") == [{"state": "skipped"}]


def test_resuming_what_is_active_loses_no_report(warehouse) -> None:
    """Nobody dispatched yesterday's report yet; then somebody resumes the subscription, which had no rest."""
    warehouse.add_tenant("gym")
    made = warehouse.subscribe("gym", "ceo@gym.example", starts_on=date(2026, 11, 19))
    subscriptions.resume(warehouse.conn, made, NOON.date())
    dispatch(warehouse.settings, NOON - timedelta(hours=4))
    assert warehouse.statuses() == {"ceo@gym.example": "sent"}


def test_a_pause_and_an_edit_at_once_do_not_wait_for_each_other(warehouse) -> None:
    warehouse.add_tenant("gym")
    made = warehouse.subscribe("gym", "ceo@gym.example")

    def pause() -> None:
        with connect(warehouse.settings, "pipeline") as conn:
            subscriptions.pause(conn, made)

    with ThreadPoolExecutor(1) as other, connect(warehouse.settings, "pipeline") as editor:
        editor.execute("select from reporting.report_planning for update")
        paused = other.submit(pause)
        while not warehouse.rows("select from pg_locks where not granted"):
            clock.sleep(0.01)
        assert subscriptions.reread(editor, made).is_active
        editor.commit()
        paused.result(timeout=10)
    assert not subscriptions.find(warehouse.conn, "daily executive").is_active


def test_what_a_pause_holds_back_is_no_work(warehouse) -> None:
    """One recipient was asked for by hand and waits for its next attempt, the other is ready and paused."""
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "ceo@gym.example", "cfo@gym.example")
    dispatch(warehouse.settings, NOON)
    warehouse.conn.execute(
        "update reporting.report_deliveries set delivery_status = 'ready', delivered_at = null"
    )
    warehouse.conn.execute(
        "update reporting.report_deliveries set delivery_status = 'failed', next_attempt_at = %s,"
        " requested_by = 'ada' where recipient = 'ceo@gym.example'",
        (NOON + timedelta(hours=1),),
    )
    warehouse.conn.execute("update reporting.report_occurrences set state = 'pending'")
    warehouse.conn.execute("update reporting.report_subscriptions set is_active = false")
    assert not has_work(warehouse.conn, NOON)
    assert has_work(warehouse.conn, NOON + timedelta(hours=1))


def test_paused_resumed_deleted(warehouse) -> None:
    warehouse.add_tenant("gym")
    subscription = warehouse.subscribe("gym", "ceo@gym.example")
    subscriptions.pause(warehouse.conn, subscription)
    assert dispatch(warehouse.settings, NOON).outcomes == ()
    subscriptions.resume(warehouse.conn, subscription, date(2026, 11, 21))
    assert dispatch(warehouse.settings, NOON).outcomes == ()
    assert plan_occurrences(warehouse.conn, NOON + timedelta(days=1)) == 1
    subscriptions.delete(warehouse.conn, subscription)
    assert dispatch(warehouse.settings, NOON + timedelta(days=2)).outcomes == ()
    assert warehouse.statuses() == {"ceo@gym.example": "skipped"}
    assert subscriptions.listed(warehouse.conn) == []


def test_a_zone_python_does_not_know_stops_only_its_subscription(warehouse) -> None:
    warehouse.add_tenant("gym")
    odd = warehouse.subscribe("gym", "odd@gym.example", name="odd zone")
    warehouse.subscribe("gym", "ceo@gym.example")
    warehouse.conn.execute(  # PostgreSQL takes it, the IANA database has no such name
        "update reporting.report_subscriptions set timezone = 'CEST' where subscription_id = %s",
        (odd.subscription_id,),
    )
    result = dispatch(warehouse.settings, NOON)
    assert [outcome.recipient for outcome in result.sent] == ["ceo@gym.example"]
    assert "'CEST' is not an IANA time zone" in result.problems[0].message
    assert not result.is_fine


def test_mail_from_names_the_message_id(warehouse) -> None:
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "ceo@gym.example")
    settings = replace(warehouse.settings, mail_from="Metrics <metrics@agency.example>")
    (sent,) = dispatch(settings, NOON).sent
    assert sent.message_id == f"<{sent.delivery_id}@agency.example>"


class Doubtful:
    """A channel that does as its next instruction says, and keeps what it was handed."""

    def __init__(self, *instructions: Exception | None) -> None:
        self.instructions = list(instructions)
        self.parcels: list[Parcel] = []

    def __enter__(self) -> Doubtful:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def send(self, parcel: Parcel) -> str:
        self.parcels.append(parcel)
        failure = self.instructions.pop(0)
        if failure is not None:
            raise failure
        return "taken"


def with_channel(monkeypatch: pytest.MonkeyPatch, *instructions: Exception | None) -> Doubtful:
    channel = Doubtful(*instructions)
    monkeypatch.setattr(sending, "open_channel", lambda name, settings: channel)
    return channel


def test_what_a_partial_attempt_did_is_handed_to_the_next(warehouse, monkeypatch) -> None:
    channel = with_channel(
        monkeypatch,
        PartialFailure("the second part failed", progress={"message": "1.2"}),
        TransientFailure("busy"),
        None,
    )
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "ceo@gym.example")
    for minutes in (0, 2, 8):
        dispatch(warehouse.settings, NOON + timedelta(minutes=minutes))
    assert [parcel.progress for parcel in channel.parcels] == [None, {"message": "1.2"}, {"message": "1.2"}]
    (row,) = warehouse.rows("select delivery_status, progress, send_seconds from reporting.report_deliveries")
    assert (row["delivery_status"], row["progress"]) == ("sent", None)
    assert row["send_seconds"] >= 0


def test_a_recipient_who_is_gone_is_suppressed_with_the_outcome(warehouse, monkeypatch) -> None:
    with_channel(monkeypatch, PermanentFailure("550 5.1.1 no such user", recipient_gone=True), None)
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "Ceo@gym.example")
    warehouse.subscribe("gym", "CEO@gym.example", name="another", delivery_time=time(10))
    result = dispatch(warehouse.settings, NOON)
    assert [outcome.recipient for outcome in result.failed] == ["Ceo@gym.example"]
    assert result.sent[0].recipient == "CEO@gym.example"  # it was in the same batch
    (row,) = warehouse.rows("select recipient, source, reason from reporting.suppressions")
    assert (row["recipient"], row["source"]) == ("ceo@gym.example", "bounce")
    assert "550 5.1.1" in row["reason"]
    assert len(dispatch(warehouse.settings, NOON + timedelta(days=1)).skipped) == 2


def test_channels_are_told_what_a_parcel_is_about(warehouse, monkeypatch) -> None:
    channel = with_channel(monkeypatch, None)
    warehouse.add_tenant("gym")
    subscription = warehouse.subscribe("gym", "ceo@gym.example")
    dispatch(warehouse.settings, NOON)
    (about,) = [parcel.about for parcel in channel.parcels]
    (build,) = warehouse.rows("select build_id::text from build.builds")
    assert about is not None
    assert (about.tenant_id, about.report, about.subscription) == ("gym", "executive", "daily executive")
    assert about.subscription_id == str(subscription.subscription_id)
    assert about.period_start == about.period_end == date(2026, 11, 19)
    assert about.data_version == build["build_id"]
    assert "12345.678901234567890123" in about.figures


def test_what_an_occurrence_asks_for_comes_before_its_subscription(warehouse) -> None:
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "ceo@gym.example")
    has_work(warehouse.conn, NOON)
    warehouse.conn.execute(
        "update reporting.report_occurrences set period_kind = 'range', formats = '{html}', "
        "report_period_start = '2026-11-10'"
    )
    (sent,) = dispatch(warehouse.settings, NOON).sent
    assert sent.frequency == "range"
    assert {entry["format"] for entry in sent.files if "." not in entry["format"]} == {"html"}
    assert any("2026-11-10_2026-11-19" in entry["path"] for entry in sent.files)
    (row,) = warehouse.rows("select render_seconds from reporting.report_deliveries")
    assert row["render_seconds"] > 0


def test_an_occurrence_whose_dispatcher_died_before_closing_it_is_closed(warehouse) -> None:
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "ceo@gym.example")
    dispatch(warehouse.settings, NOON)
    warehouse.conn.execute("update reporting.report_occurrences set state = 'pending', closed_at = null")
    assert has_work(warehouse.conn, NOON)
    dispatch(warehouse.settings, NOON)
    assert warehouse.rows("select state from reporting.report_occurrences") == [{"state": "sent"}]


def test_of_a_recipient_the_newest_attempt_group_counts(warehouse) -> None:
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "ceo@gym.example")
    dispatch(warehouse.settings, NOON)
    warehouse.conn.execute("update reporting.report_deliveries set delivery_status = 'unknown'")
    warehouse.conn.execute(
        "insert into reporting.report_deliveries "
        "(tenant_id, occurrence_id, channel, recipient, attempt_group) "
        "select tenant_id, occurrence_id, channel, recipient, 2 from reporting.report_deliveries"
    )
    warehouse.conn.execute("update reporting.report_occurrences set state = 'pending'")
    assert len(dispatch(warehouse.settings, NOON).sent) == 1
    assert warehouse.rows("select state from reporting.report_occurrences") == [{"state": "sent"}]
    assert (warehouse.settings.home / "renderings").read_text().count("\n") == 1


def test_an_output_folder_that_cannot_be_written_is_tried_again(warehouse, tmp_path) -> None:
    """Not a byte of what could not be kept goes out."""
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "ceo@gym.example")
    blocked = tmp_path / "blocked"
    blocked.write_text("a file, where a folder should be")
    (failed,) = dispatch(replace(warehouse.settings, output_dir=blocked), NOON).failed
    assert (failed.error_class, failed.files) == ("transient", [])
    assert failed.next_attempt_at is not None
    assert "not rendered" in failed.reason
    blocked.unlink()
    later = dispatch(replace(warehouse.settings, output_dir=blocked), failed.next_attempt_at)
    assert len(later.sent) == 1


def test_a_fault_while_preparing_is_told_by_the_attempt_and_stops_no_other(warehouse, monkeypatch) -> None:
    class Early(Doubtful):
        def prepare(self, parcel: Parcel) -> None:
            raise ZeroDivisionError("a fault in the channel")

    channel = Early(ValueError("the same fault"), None)
    monkeypatch.setattr(sending, "open_channel", lambda name, settings: channel)
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "a@gym.example", "b@gym.example")
    dispatch(warehouse.settings, NOON)
    assert warehouse.statuses() == {"a@gym.example": "unknown", "b@gym.example": "sent"}
