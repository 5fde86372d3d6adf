"""What the operator is told: each thing once, in one mail, also when mail was broken meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestration.delivery import subscriptions
from orchestration.delivery.operator_mail import AGAIN, MOST_MAILS, tell
from orchestration.delivery.operator_summary import summarize_day
from orchestration.delivery.resending import Again, resend
from orchestration.delivery.service import dispatch

pytestmark = pytest.mark.integration
PROJECT = Path(__file__).parents[3]
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
#: Too early for the summary of the day before.
EARLY = datetime(2026, 11, 20, 5, tzinfo=UTC)
OPERATOR = "operator@mp.example"


@pytest.fixture
def watched(warehouse, mail_server):
    """A warehouse with one tenant, a mail server and an operator."""
    warehouse.settings = replace(warehouse.settings, operator=OPERATOR)
    warehouse.add_tenant("gym")
    return warehouse


def to_operator(mail_server, recipient: str = OPERATOR) -> list[Any]:
    return [message for message in mail_server.messages() if message["To"] == recipient]


def text_of(message) -> str:
    return message.get_body(("plain",)).get_content().replace("\r\n", "\n")


def test_failures_are_told_once_and_together(watched, mail_server) -> None:
    """Two failures for good and one unknown, of two subscriptions: one mail; a second look sends none."""
    watched.subscribe("gym", "reject550@gym.example", "drop@gym.example", "fine@gym.example")
    watched.subscribe("gym", "data550@gym.example", name="Board", owner="Owner@gym.example")
    dispatch(watched.settings, NOON)
    told = tell(watched.settings, EARLY)
    assert {alert.subject for alert in told.alerts} == {
        "gym: daily executive failed for reject550@gym.example",
        "gym: daily executive may not have reached drop@gym.example",
        "gym: Board failed for data550@gym.example",
    }
    (mail,) = to_operator(mail_server)
    assert mail["Subject"].startswith("metricpress: 3 alerts, the first: ")
    text = text_of(mail)
    assert "550 5.1.1 no such mailbox" in " ".join(text.split())
    assert "metricpress deliver resend" in " ".join(text.split())
    assert "fine@gym.example" not in text
    assert "12345" not in text, "no figure leaves with an alert"
    html = mail.get_body(("html",)).get_content()
    assert "<b>gym: Board failed for data550@gym.example</b>" in html
    (owned,) = to_operator(mail_server, "Owner@gym.example")
    assert owned["Subject"] == "metricpress: gym: Board failed for data550@gym.example"
    assert "as the owner of the subscription" in text_of(owned)
    (occurrence,) = watched.rows(
        "select alerted_at from reporting.report_occurrences as o join reporting.report_subscriptions as s"
        " using (tenant_id, subscription_id) where s.name = 'Board'"
    )
    assert occurrence["alerted_at"] is not None
    again = tell(watched.settings, EARLY + MINUTE)
    assert (again.alerts, again.mails) == ((), ())


def test_what_was_sent_again_is_no_failure(watched, mail_server) -> None:
    """The row that a person's request replaced has come to its end; the recipient has the report."""
    watched.subscribe("gym", "busy450@gym.example")
    dispatch(watched.settings, NOON)
    assert watched.statuses() == {"busy450@gym.example": "failed"}, "to be tried again by itself"
    watched.settings = replace(watched.settings, outbox_only=True)
    resend(watched.settings, Again(tenant="gym"), NOON)
    rows = watched.rows("select delivery_status from reporting.report_deliveries order by attempt_group")
    assert [row["delivery_status"] for row in rows] == ["failed", "sent"]
    assert tell(watched.settings, NOON).alerts == ()


def test_the_alert_of_an_address_that_is_gone_says_what_to_do(watched, mail_server) -> None:
    """An attempt that a person replaced before anybody looked; of an address that is gone: what to do."""
    watched.subscribe("gym", "fine@gym.example", "reject550@gym.example")
    good = watched.settings
    watched.settings = replace(good, smtp_url="smtp://127.0.0.1:9?tls=none")
    assert len(dispatch(watched.settings, NOON).failed) == 2
    watched.settings = good
    resend(watched.settings, Again(tenant="gym"), NOON + MINUTE)
    assert mail_server.recipients() == ["fine@gym.example"]
    (alert,) = tell(watched.settings, EARLY).alerts
    assert alert.subject == "gym: daily executive failed for reject550@gym.example"
    assert "metricpress suppressions remove reject550@gym.example --tenant gym" in " ".join(
        alert.body.split()
    )


def test_a_report_that_waits_too_long_is_told_once(watched, mail_server) -> None:
    watched.conn.execute("update marts.tenants set complete_date = '2026-11-18'")
    watched.subscribe("gym", "ceo@gym.example")
    nine = datetime(2026, 11, 20, 9, tzinfo=UTC)
    for minutes, expected in ((1, 0), (29, 0), (30, 1), (31, 0), (600, 0)):
        now = nine + minutes * MINUTE
        dispatch(watched.settings, now)
        assert len(tell(watched.settings, now).alerts) == expected, minutes
    alert = next(m for m in to_operator(mail_server) if "is not out yet" in m["Subject"])
    assert "the marts are complete to 2026-11-18" in " ".join(text_of(alert).split())
    assert "Of 2026-11-19, due 2026-11-20 09:00 UTC." in text_of(alert)


def test_one_caught_up_after_an_outage_has_its_time(watched, mail_server) -> None:
    """Planned hours late: it is not told of before the dispatch had its half hour."""
    watched.conn.execute("update marts.tenants set complete_date = '2026-11-18'")
    watched.subscribe("gym", "ceo@gym.example", max_lateness=timedelta(hours=1))
    dispatch(watched.settings, NOON)
    assert tell(watched.settings, NOON + MINUTE).alerts == ()
    assert len(tell(watched.settings, NOON + 31 * MINUTE).alerts) == 1


@pytest.mark.parametrize(
    ("when_incomplete", "words"),
    [("hold", "is held back"), ("notice", "went out as a notice without figures")],
)
def test_held_and_notified_are_told(watched, mail_server, when_incomplete: str, words: str) -> None:
    watched.settings = replace(watched.settings, alert_after=timedelta(hours=20))
    watched.conn.execute("update marts.tenants set complete_date = '2026-11-18'")
    watched.subscribe(
        "gym", "ceo@gym.example", when_incomplete=when_incomplete, max_lateness=timedelta(hours=1)
    )
    dispatch(watched.settings, NOON - 3 * 60 * MINUTE)
    now = NOON - 2 * 60 * MINUTE
    dispatch(watched.settings, now)
    (alert,) = tell(watched.settings, now).alerts
    assert words in alert.subject
    assert [words in mail["Subject"] for mail in to_operator(mail_server)].count(True) == 1


def test_a_subscription_that_cannot_be_planned(watched, mail_server) -> None:
    watched.subscribe("gym", "ceo@gym.example")
    watched.conn.execute("update reporting.report_subscriptions set holiday_calendar = 'ZZ',"
                         " holiday_rule = 'skip'")  # fmt: skip
    (alert,) = tell(watched.settings, NOON).alerts
    assert alert.subject == "gym: daily executive cannot be planned"
    assert "ZZ" in alert.body
    assert tell(watched.settings, NOON + MINUTE).alerts == ()


def test_an_alert_waits_for_mail_to_work_again(watched, mail_server, start_mail_server) -> None:
    """Mail is down: written at once, tried again with pauses, out when the server is back."""
    watched.subscribe("gym", "reject550@gym.example")
    dispatch(watched.settings, NOON)
    mail_server.stop()
    (failed,) = tell(watched.settings, EARLY).mails
    assert failed.error is not None
    assert "cannot use the mail server" in failed.error
    (row,) = watched.rows("select * from reporting.operator_notices")
    assert (row["sent_at"], row["attempts"], row["attempted_at"]) == (None, 1, None)
    assert EARLY + 0.7 * MINUTE < row["next_attempt_at"] < EARLY + 1.3 * MINUTE
    assert tell(watched.settings, EARLY + 0.5 * MINUTE).mails == (), "no storm of attempts"
    start_mail_server("starttls", mail_server.port)
    (sent,) = tell(watched.settings, EARLY + 2 * MINUTE).mails
    assert (sent.error, sent.notices) == (None, 1)
    assert len(to_operator(mail_server)) == 1
    assert tell(watched.settings, EARLY + 60 * MINUTE).mails == ()


def test_an_attempt_without_an_answer_is_made_again_and_says_so(watched, mail_server) -> None:
    watched.settings = replace(watched.settings, operator="drop@mp.example")
    watched.subscribe("gym", "reject550@gym.example")
    dispatch(watched.settings, NOON)
    (unknown,) = tell(watched.settings, EARLY).mails
    assert unknown.error is not None
    watched.subscribe("gym", "data550@gym.example", name="Another")
    dispatch(watched.settings, NOON)
    tell(watched.settings, EARLY + 20 * MINUTE)
    mails = to_operator(mail_server, "drop@mp.example")
    first, *others = mails
    repeats = [mail for mail in others if mail["Message-ID"] == first["Message-ID"]]
    assert len(repeats) == 1
    assert AGAIN not in text_of(first)
    assert AGAIN in text_of(repeats[0])
    assert len(mails) == 3, "the new alert goes in a mail of its own, so that the repeat is known as one"


def test_many_failures_make_no_storm(watched, mail_server) -> None:
    """Sixty at once are one mail; then failures trickle in: at most MOST_MAILS an hour, none is lost."""
    watched.subscribe("gym", *(f"reject550@{number}.example" for number in range(60)))
    dispatch(watched.settings, NOON)
    now = EARLY
    assert [mail.notices for mail in tell(watched.settings, now).mails] == [60]
    assert "And 10 more: metricpress operator alerts" in text_of(to_operator(mail_server)[0])
    for number in range(MOST_MAILS + 2):
        watched.subscribe("gym", "data550@gym.example", name=f"report {number}")
        dispatch(watched.settings, NOON)
        tell(watched.settings, now + (number + 1) * MINUTE)
    assert len(to_operator(mail_server)) == MOST_MAILS
    (held_back,) = tell(watched.settings, now + 61 * MINUTE).mails
    assert held_back.notices == 3
    assert watched.rows("select count(*) from reporting.operator_notices where sent_at is null") == [
        {"count": 0}
    ]


TELLER = """
import sys
from datetime import datetime
from orchestration.delivery.operator_mail import tell
from orchestration.settings import Settings
sys.stdin.readline()
print(len(tell(Settings.from_env(), datetime.fromisoformat(sys.argv[1])).mails))
"""


def test_two_processes_tell_once(watched, mail_server) -> None:
    watched.subscribe("gym", "reject550@gym.example")
    dispatch(watched.settings, NOON)
    environment = os.environ | {
        "PYTHONPATH": str(PROJECT),
        "METRICPRESS_HOME": str(watched.settings.home),
        "METRICPRESS_DATABASE_URL": watched.settings.database_url or "",
        "METRICPRESS_SMTP_URL": watched.settings.smtp_url or "",
        "METRICPRESS_OPERATOR": OPERATOR,
    }
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", TELLER, NOON.isoformat()],
            env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    counts = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert sum(counts) == 2, "one alert and one summary"
    assert len(to_operator(mail_server)) == 2


def test_without_an_operator_alerts_are_kept_and_owners_told(watched, mail_server) -> None:
    watched.settings = replace(watched.settings, operator=None)
    watched.subscribe("gym", "reject550@gym.example", owner="owner@gym.example")
    dispatch(watched.settings, NOON)
    told = tell(watched.settings, NOON)
    assert [mail.recipient for mail in told.mails] == ["owner@gym.example"]
    watched.settings = replace(watched.settings, operator=OPERATOR)
    next_day = EARLY + timedelta(days=1)
    assert [mail.recipient for mail in tell(watched.settings, next_day).mails] == [OPERATOR]


# --- the summary


def test_the_summary_of_a_day(watched, mail_server) -> None:
    """Every state once, by two tenants; a second call sends none; figures beside the ledger's own."""
    watched.add_tenant("shop", complete="2026-11-18")
    watched.subscribe("gym", "a@gym.example", "b@gym.example", "reject550@gym.example", "drop@gym.example")
    watched.subscribe("gym", "c@gym.example", name="late", report="lead_performance")
    watched.subscribe("shop", "d@shop.example", name="waits")
    watched.subscribe(
        "shop", "e@shop.example", name="held", when_incomplete="hold", max_lateness=timedelta(hours=1)
    )
    dispatch(watched.settings, NOON - 3 * 60 * MINUTE)
    dispatch(watched.settings, NOON)
    watched.conn.execute(
        "update reporting.report_deliveries set delivered_at = timestamptz '2026-11-20 09:45Z'"
        " where recipient = 'c@gym.example'"
    )
    watched.conn.execute(
        "update reporting.report_deliveries set delivered_at = timestamptz '2026-11-20 09:00:12Z'"
        " where recipient in ('a@gym.example', 'b@gym.example')"
    )
    day = summarize_day(watched.conn, watched.settings, date(2026, 11, 20), NOON)
    told = {(line.tenant_id, line.report): line for line in day.lines}
    gym = told["gym", "executive"]
    assert (gym.due, gym.sent, gym.late, gym.failed, gym.unknown) == (1, 2, 0, 1, 1)
    late = told["gym", "lead_performance"]
    assert (late.due, late.sent, late.late) == (1, 1, 1)
    shop = told["shop", "executive"]
    assert (shop.due, shop.sent, shop.held, shop.waiting) == (2, 0, 1, 1)
    rows = watched.rows("select count(*) from reporting.report_deliveries")[0]["count"]
    assert rows == sum(
        day.total(name) for name in ("sent", "notices", "failed", "unknown", "held", "skipped", "waiting")
    )
    assert day.slowest[0].subscription == "late"
    assert max(map(len, day.body.splitlines()[:6])) <= 80
    assert day.subject == "reports of 2026-11-20: 3 sent, 1 failed, 1 unknown, 1 held, 1 waiting"

    before_seven = datetime(2026, 11, 21, 6, 59, tzinfo=UTC)
    assert not any("reports of" in mail.subject for mail in tell(watched.settings, before_seven).mails)
    for minutes in (1, 2, 600):
        tell(watched.settings, before_seven + minutes * MINUTE)
    (mail,) = [m for m in to_operator(mail_server) if "reports of" in m["Subject"]]
    assert "Reports due on Friday 2026-11-20 (UTC)" in text_of(mail)
    assert "<table" in mail.get_body(("html",)).get_content()


def test_a_day_without_reports_is_told_in_a_line(watched, mail_server) -> None:
    watched.settings = replace(watched.settings, operator_timezone="Asia/Tokyo")
    assert tell(watched.settings, datetime(2026, 11, 20, 21, 59, tzinfo=UTC)).mails == ()
    (sent,) = tell(watched.settings, datetime(2026, 11, 20, 22, 0, tzinfo=UTC)).mails
    assert sent.subject == "metricpress: no report was due on 2026-11-20"
    (mail,) = to_operator(mail_server)
    assert text_of(mail).strip().splitlines()[-1] == "Nothing to do."


def test_on_the_command_line(warehouse, metricpress) -> None:
    """`deliver` tells at its end; `operator` shows the same in 80 columns, and as JSON."""
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "person.with.a.long.name@headquarters.gym.example")
    warehouse.conn.execute(
        "insert into reporting.tenant_settings (tenant_id, allowed_recipient_domains)"
        " values ('gym', '{x.example}')"
    )
    operator = {"METRICPRESS_OPERATOR": OPERATOR}
    delivered = metricpress("deliver", "--at", "2026-11-20T06:00+00:00", env=operator)
    assert delivered.returncode == 0, delivered.stderr
    delivered = metricpress("deliver", "--at", "2026-11-20T23:30+00:00", env=operator)
    assert delivered.returncode == 1
    assert "told of: metricpress: gym: daily executive failed" in delivered.stderr
    listed = metricpress("operator", "alerts")
    assert "daily executive failed for person.with.a.long.name" in listed.stdout
    assert "to operator, mailed 2026-11-20 23:30" in listed.stdout
    (alert,) = json.loads(metricpress("operator", "alerts", "--json").stdout)
    assert alert["sent_at"] == "2026-11-20T23:30:00+00:00"
    assert json.loads(metricpress("operator", "alerts", "--unsent", "--json").stdout) == []
    summary = metricpress("operator", "summary", "--day", "2026-11-20")
    assert summary.returncode == 0, summary.stderr
    assert "failed: metricpress deliveries list --status failed" in summary.stdout
    as_json = json.loads(metricpress("operator", "summary", "--day", "2026-11-20", "--json").stdout)
    assert as_json["lines"][0]["failed"] == 1
    assert "No mail was due" in metricpress("operator", "tell").stderr
    warehouse.conn.execute("delete from reporting.operator_notices where kind = 'alert'")
    told = metricpress("operator", "tell", env=operator)
    subject = "gym: daily executive failed for person.with"
    assert (told.stdout.count(f"\n{subject}") + told.stdout.startswith(subject), subject in told.stderr) == (
        1, False,
    ), "printed once, not also by the log"  # fmt: skip


def test_dagster_does_the_same(watched, mail_server) -> None:
    """The sensor tells and starts no run; the jobs end well."""
    import dagster as dg  # three seconds, needed here only

    from orchestration.defs.watch import operator_alerts, operator_summary, remove_old_files

    made = watched.subscribe("gym", "reject550@gym.example")
    dispatch(watched.settings, NOON)
    subscriptions.pause(watched.conn, made)  # the sensor looks at the present, when another may be due
    resources = {"settings": watched.settings}
    for expected in ("1 new alerts; operator@mp.example: metricpress", "nothing new"):
        with dg.build_sensor_context(resources=resources) as context:
            told = operator_alerts(context)
        assert isinstance(told, dg.SkipReason)
        assert expected in (told.skip_message or "")
    assert operator_summary.execute_in_process(resources=resources).success

    @dg.job
    def cleaning() -> None:
        remove_old_files()

    assert cleaning.execute_in_process(resources=resources).success
