"""Subscriptions: what is refused and with which words, and the life of one on the command line."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from orchestration.delivery import subscriptions
from orchestration.delivery.planning import plan
from orchestration.delivery.subscriptions import Subscription
from orchestration.errors import MetricpressError

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("change", "message", "remedy"),
    [
        ({"tenant_id": "nobody"}, 'no tenant "nobody"', "tenants list"),
        ({"report": "execcutive"}, "no report 'execcutive'", "executive, lead_performance"),
        ({"frequency": "hourly"}, "'hourly' is not a frequency", "daily, weekly, monthly"),
        ({"report": "lead_performance", "frequency": "monthly"}, "'monthly'", "daily, weekly"),
        ({"parameters": {"colour": "red"}}, "colour", "parameters.schema.json"),
        ({"recipients": ()}, "needs a recipient", "--to"),
        ({"recipients": ("ceo",)}, "'ceo' is not a mail address", "name@example.com"),
        ({"recipients": ("a@b@c",)}, "'a@b@c' is not a mail address", ""),
        ({"recipients": ("a b@c.example",)}, "is not a mail address", ""),
        ({"recipients": ("a@c.example\nBcc: x@y.example",)}, "is not a mail address", ""),
        ({"recipients": ("a@c..example",)}, "is not a mail address", ""),
        ({"recipients": ("spy@elsewhere.example",)}, "allows mail to gym.example, c", ""),
        ({"timezone": "Mars/Olympus"}, "'Mars/Olympus' is not an IANA time zone", "Europe/Lisbon"),
        ({"timezone": "../etc/passwd"}, "is not an IANA time zone", ""),
        ({"delivery_days": ("funday",)}, "funday", "--days"),
        ({"delivery_days": ("mon", "tue"), "frequency": "weekly"}, "one delivery day", "--days"),
        ({"delivery_method": "fax"}, "'fax' is not a delivery method", "email, slack, webhook, file"),
        ({"formats": ("docx",)}, "'docx' is not a format", "pdf"),
        ({"formats": ("csv-raw",)}, "'csv-raw' is not a format", "pdf, html, xlsx, csv, json"),
        ({"formats": ()}, "needs a format", "pdf"),
        ({"branch_id": "moon"}, "'moon' is not a branch of tenant gym", "Known: none"),
        ({"locale": "klingon"}, "unknown locale 'klingon'", ""),
        ({"locale": "fr_CA"}, "cannot be written in French (fr_CA)", "Languages: en, de"),
        ({"max_lateness": timedelta(0)}, "max lateness", "hours"),
        ({"misfire_policy": "panic"}, "'panic' is not a misfire policy", "catch_up, skip"),
        ({"name": " "}, "needs a name", "--name"),
        ({"holiday_calendar": "DE-BX", "holiday_rule": "skip"}, "no holiday calendar 'DE-BX'", "DE-BY"),
        ({"holiday_calendar": "XNYX", "holiday_rule": "skip"}, "no holiday calendar 'XNYX'", "XNYS"),
        ({"holiday_calendar": "de", "holiday_rule": "skip"}, "no holiday calendar 'de'", "Near it: DE"),
        ({"holiday_calendar": "DE"}, "'' is not a holiday rule", "skip, before, after"),
        ({"holiday_rule": "skip"}, "without a holiday calendar", "--holidays"),
        ({"when_incomplete": "guess"}, "'guess' is not a choice", "notice, hold"),
        ({"owner": "boss"}, "'boss' is not a mail address", ""),
        ({"max_lateness": timedelta(days=400)}, "9600 hours", "8784"),
        ({"delivery_method": "slack", "recipients": ("Sales Team",)}, "neither a Slack channel", "#channel"),
        ({"delivery_method": "slack", "recipients": ("https://hooks.slack.com/x",)}, "neither", "secret"),
        ({"delivery_method": "webhook", "recipients": ("http://a.example/x",)}, "needs https", "a.example"),
        ({"delivery_method": "webhook", "recipients": ("https://10.0.0.7/x",)}, "no public host", "10.0.0.7"),
        ({"delivery_method": "webhook", "recipients": ("https://[::1]/x",)}, "no public host", "::1"),
        ({"delivery_method": "webhook", "recipients": ("https://intranet/x",)}, "no public host", "intranet"),
        ({"delivery_method": "webhook", "recipients": ("https://u:p@a.example/",)}, "a name or", "ledger"),
        ({"delivery_method": "webhook", "recipients": ("a.example",)}, "is not a webhook's URL", "https://"),
        ({"delivery_method": "file", "recipients": ("../../etc",)}, "'../../etc' is not a folder", ""),
    ],
)
def test_refused(module_warehouse, change, message, remedy) -> None:
    good = {"tenant_id": "gym", "name": "x", "report": "executive", "frequency": "daily",
            "recipients": ("ceo@gym.example",)}  # fmt: skip
    with pytest.raises(MetricpressError) as caught:
        subscriptions.add(module_warehouse, Subscription(**(good | change)))
    assert message in str(caught.value)
    assert remedy in caught.value.remedy
    assert subscriptions.listed(module_warehouse) == []


@pytest.fixture(scope="module")
def module_warehouse(module_database):
    module_database.execute("insert into raw.tenants (tenant_id, name) values ('gym', 'Gym')")
    module_database.execute(
        "insert into reporting.tenant_settings (tenant_id, allowed_recipient_domains) "
        "values ('gym', '{gym.example,c.example,c..example}')"
    )
    return module_database


def test_stored_form(database) -> None:
    database.execute(
        "insert into raw.tenants (tenant_id, name, timezone) values ('gym', 'Gym', 'Asia/Tokyo')"
    )
    stored = subscriptions.add(
        database,
        Subscription(
            tenant_id="gym", name=" Board ", report="executive", frequency="daily",
            delivery_days=("fri", "Mon"),
            recipients=("ceo@gym.example", " ceo@gym.example", "x@gym.example"), formats=("pdf", "pdf"),
        ),
    )  # fmt: skip
    (found,) = subscriptions.listed(database)
    assert (found.name, found.delivery_days) == ("Board", ["monday", "friday"])
    assert (found.recipients, found.formats) == (["ceo@gym.example", "x@gym.example"], ["pdf"])
    assert subscriptions.find(database, "Board") == found
    assert subscriptions.find(database, str(stored.subscription_id)[:8]) == found
    with pytest.raises(MetricpressError, match="already has a subscription named 'Board'"):
        subscriptions.add(database, stored)


def test_on_the_command_line(metricpress, database, settings) -> None:
    """The life of a subscription as an operator types it, with exit codes and JSON."""
    database.execute(
        "insert into raw.tenants (tenant_id, name, timezone) values ('gym', 'Gym', 'America/New_York')"
    )
    database.commit()
    added = metricpress(
        "subscriptions", "add", "--tenant", "gym", "--report", "executive", "--to", "ceo@gym.example",
        "--to", "cfo@gym.example", "--time", "02:30", "--starts-on", "2026-03-01", "--json",
    )  # fmt: skip
    assert added.returncode == 0, added.stderr
    subscription = json.loads(added.stdout)
    assert subscription["recipients"] == ["ceo@gym.example", "cfo@gym.example"]

    explained = metricpress(
        "subscriptions", "explain", "executive daily", "--after", "2026-03-06", "--count", "3", "--json"
    )
    due = json.loads(explained.stdout)
    assert [(row["due"], row["due_at"], row["period_end"]) for row in due] == [
        ("Sat 2026-03-07 02:30", "2026-03-07T07:30:00+00:00", "2026-03-06"),
        ("Sun 2026-03-08 03:30", "2026-03-08T07:30:00+00:00", "2026-03-07"),
        ("Mon 2026-03-09 02:30", "2026-03-09T06:30:00+00:00", "2026-03-08"),
    ]
    assert due[1]["remark"] == "clocks skip 02:30: sent at 03:30"

    listed = metricpress("subscriptions", "list")
    assert "executive daily" in listed.stdout
    assert max(len(line) for line in listed.stdout.splitlines()) <= 80

    waits = metricpress("deliver", "--at", "2026-03-10", "--json")
    assert waits.returncode == 0, waits.stderr
    result = json.loads(waits.stdout)
    assert {row["recipient"] for row in result["waiting"]} == {"ceo@gym.example", "cfo@gym.example"}
    assert all("not been built" in row["reason"] for row in result["waiting"])

    refused = metricpress(
        "subscriptions", "add", "--tenant", "gym", "--report", "exec", "--to", "a@b.example"
    )
    assert refused.returncode == 2
    assert refused.stderr.startswith("error: there is no report 'exec'\nremedy: ")

    for command in ("pause", "resume"):
        assert metricpress("subscriptions", command, subscription["subscription_id"][:8]).returncode == 0
    assert metricpress("subscriptions", "delete", "executive daily", "--yes").returncode == 0
    assert json.loads(metricpress("subscriptions", "list", "--json").stdout) == []
    changes = database.execute(
        "select action from reporting.audit_log where object_type = 'report_subscriptions' order by audit_id"
    ).fetchall()
    assert [action for (action,) in changes] == ["insert", "update", "update", "update"]


def test_edited_and_explained_on_the_command_line(metricpress, database) -> None:
    """What changes is told before -> after; a moved and a left out date say why, within 80 columns.

    An edit closes the dates before it, hence the year.
    """
    database.execute(
        """insert into raw.tenants (tenant_id, name, timezone) values
        ('gym', 'Gym', 'Europe/Berlin'), ('spa', 'Spa', 'Asia/Tokyo')"""
    )
    database.commit()
    for tenant in ("gym", "spa"):
        added = metricpress(
            "subscriptions", "add", "--tenant", tenant, "--report", "executive", "--name", "Board",
            "--to", "ceo@gym.example", "--holidays", "DE-BY", "--holiday-rule", "after",
            "--starts-on", "2026-01-01", "--owner", "boss@gym.example", "--when-incomplete", "hold",
        )  # fmt: skip
        assert added.returncode == 0, added.stderr
    ambiguous = metricpress("subscriptions", "edit", "Board", "--time", "08:00")
    assert ambiguous.returncode == 2
    assert "2 subscriptions are called 'Board'" in ambiguous.stderr

    def run(command: str, *more: str) -> str:
        ran = metricpress("subscriptions", command, "Board", "--tenant", "gym", *more)
        assert ran.returncode == 0, ran.stderr
        assert max(len(line) for line in ran.stdout.splitlines() or [""]) <= 80
        return ran.stdout

    moved = json.loads(run("explain", "--after", "2026-10-02T12:00+00:00", "--count", "3", "--json"))
    assert [(row["due"], row["covers"], row["holiday"]) for row in moved] == [
        ("Sun 2026-10-04 09:00", "2026-10-03", None),
        ("Mon 2026-10-05 09:00", "2026-10-02", "Tag der Deutschen Einheit"),
        ("Mon 2026-10-05 09:00", "2026-10-04", None),
    ]
    assert moved[1]["remark"] == "instead of Sat 10-03, holiday: Tag der Deutschen Einheit"
    run("explain", "--after", "2026-10-02T12:00+00:00")

    edited = run(
        "edit",
        "--holiday-rule",
        "skip",
        "--time",
        "10:30",
        "--owner",
        "none",
        "--param",
        'sections=["leads"]',
    )
    assert edited.splitlines()[:5] == [
        'Subscription "Board" of tenant gym changed:',
        "    delivery_time: 09:00 -> 10:30",
        "    parameters: none -> {'sections': ['leads']}",
        "    holiday_rule: after -> skip",
        "    owner: boss@gym.example -> none",
    ]
    assert metricpress("subscriptions", "edit", "Board", "--tenant", "gym", "--time", "10:30").stderr == (
        "Nothing changed.\n"
    )
    left_out = json.loads(run("explain", "--after", "2090-10-02T12:00+00:00", "--count", "1", "--json"))
    assert [(row["local_date"], row["left_out"]) for row in left_out] == [
        ("2090-10-03", True),
        ("2090-10-04", False),
    ]
    assert left_out[0]["remark"] == "left out, holiday: Tag der Deutschen Einheit"

    changed = json.loads(run("edit", "--unset", "sections", "--holidays", "none", "--json"))
    assert [change["field"] for change in changed["changes"]] == [
        "parameters",
        "holiday_calendar",
        "holiday_rule",
    ]
    assert (changed["parameters"], changed["holiday_calendar"], changed["holiday_rule"]) == ({}, None, None)
    refused = metricpress("subscriptions", "edit", "Board", "--tenant", "gym", "--param", "sections=[3]")
    assert "parameters $.sections[0]: 3 is not one of" in refused.stderr

    assert json.loads(run("pause", "--json"))["is_active"] is False
    paused = json.loads(run("explain", "--count", "1", "--json"))
    assert paused[0]["remark"] == "paused"
    assert json.loads(run("resume", "--json"))["is_active"] is True
    assert json.loads(run("delete", "--yes", "--json"))["name"] == "Board"


def test_a_day_that_a_new_timezone_leaves_out_is_told(warehouse, metricpress) -> None:
    """Over the date line to the west the local date comes again: its one report went out before."""
    warehouse.add_tenant("gym")
    now = datetime.now(UTC)
    warehouse.subscribe(
        "gym", "ceo@gym.example", timezone="Pacific/Kiritimati", starts_on=now.date() - timedelta(days=2)
    )
    plan(warehouse.conn, now)
    (last,) = warehouse.rows("select max(report_period_end) as day from reporting.report_occurrences")
    edited = metricpress("subscriptions", "edit", "daily executive", "--timezone", "Pacific/Pago_Pago")
    assert edited.returncode == 0, edited.stderr
    assert edited.stderr.startswith(f"No report of it covers {last['day'] + timedelta(days=1)}: ")
    assert f"about {last['day'] + timedelta(days=2)}." in edited.stdout


def test_dry_run_writes_nothing(warehouse, metricpress) -> None:
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "ceo@gym.example", starts_on=date(2026, 11, 20))
    told = metricpress("deliver", "--at", "2026-11-20T12:00+00:00", "--dry-run", "--json")
    assert told.returncode == 0, told.stderr
    result = json.loads(told.stdout)
    assert [row["delivery_status"] for row in result["waiting"]] == ["ready"]
    assert warehouse.rows("select * from reporting.report_occurrences") == []
