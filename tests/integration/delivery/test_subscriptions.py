"""Subscriptions: what is refused and with which words, and the life of one on the command line."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest

from orchestration.delivery import subscriptions
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
        ({"formats": ()}, "needs a format", "pdf"),
        ({"branch_id": "moon"}, "'moon' is not a branch of tenant gym", "Known: none"),
        ({"locale": "klingon"}, "unknown locale 'klingon'", ""),
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


def test_dry_run_writes_nothing(warehouse, metricpress) -> None:
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "ceo@gym.example", starts_on=date(2026, 11, 20))
    told = metricpress("deliver", "--at", "2026-11-20T12:00+00:00", "--dry-run", "--json")
    assert told.returncode == 0, told.stderr
    result = json.loads(told.stdout)
    assert [row["delivery_status"] for row in result["waiting"]] == ["ready"]
    assert warehouse.rows("select * from reporting.report_occurrences") == []
