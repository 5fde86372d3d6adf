"""Subscriptions as YAML: written, read with the line of each fault, applied once and for all."""

from __future__ import annotations

import json
import re
from datetime import date, time, timedelta
from pathlib import Path

import pytest
import yaml

from orchestration.delivery import subscription_files, subscriptions
from orchestration.delivery.subscription_changes import plain
from orchestration.delivery.subscriptions import Subscription
from orchestration.errors import MetricpressError

pytestmark = pytest.mark.integration
PROJECT = Path(__file__).parents[3]


@pytest.fixture
def tenants(database):
    database.execute(
        """insert into raw.tenants (tenant_id, name, timezone) values
        ('gym', 'Gym', 'Europe/Berlin'), ('spa', 'Spa', 'UTC')"""
    )
    database.execute("insert into raw.branches (tenant_id, branch_id, name) values ('gym', 'north', 'North')")
    database.commit()
    return database


def some_of_everything() -> list[Subscription]:
    """Names and values that YAML likes to misread among them."""
    start = date(2026, 11, 2)
    return [
        Subscription("gym", "NO", "executive", "daily", ("a@x.example",), starts_on=start),
        Subscription(
            "gym", "10:30: #1 'ä' \"x\"", "executive", "weekly", ("b@x.example", "a@x.example"),
            delivery_time=time(10, 30), delivery_days=("monday",), timezone="America/New_York",
            starts_on=start, branch_id="north", parameters={"sections": ["leads"], "metrics": ["NO", "1e3"]},
            formats=("html", "pdf"), locale="de", misfire_policy="skip", max_lateness=timedelta(minutes=90),
            holiday_calendar="NO", holiday_rule="before", when_incomplete="hold", owner="o@x.example",
        ),
        Subscription("gym", "null", "executive", "monthly", ("#team", "C0123456789"), delivery_method="slack",
                     delivery_days=("1", "31"), starts_on=start),
        Subscription("spa", "2026-11-02", "lead_performance", "daily", ("https://hooks.example/x?a=1",),
                     delivery_method="webhook", parameters={"staff_rows": 7}, starts_on=start),
    ]  # fmt: skip


def apply(conn, path: Path, prune: bool = False) -> subscription_files.Difference:
    difference = subscription_files.compare(conn, subscription_files.read(path), None, ())
    subscription_files.apply(conn, difference, prune=prune)
    return difference


def test_round_trip_changes_nothing(tenants, tmp_path) -> None:
    for one in some_of_everything():
        subscriptions.add(tenants, one)
    before = [plain(one) for one in subscriptions.listed(tenants)]
    file = tmp_path / "all.yaml"
    file.write_text(subscription_files.exported(subscriptions.listed(tenants)))
    # What others read as YAML 1.1 is the same.
    read = yaml.safe_load(file.read_text())["gym"]
    assert [one["holiday_calendar"] for one in read if "holiday_calendar" in one] == ["NO"]
    difference = apply(tenants, file, prune=True)
    assert (difference.added, difference.changed, difference.absent) == ([], [], [])
    assert len(difference.unchanged) == len(before)
    assert [plain(one) for one in subscriptions.listed(tenants)] == before

    # Into an empty installation, and out again: the same file.
    for one in subscriptions.listed(tenants):
        subscriptions.delete(tenants, one)
    assert len(apply(tenants, file).added) == len(before)
    assert subscription_files.exported(subscriptions.listed(tenants)) == file.read_text()
    assert apply(tenants, file).changed == []


def test_a_file_is_applied_with_a_diff_and_only_once(metricpress, tenants, tmp_path) -> None:
    file = tmp_path / "gym.yaml"
    file.write_text(
        """\
gym:
  - {name: Board, report: executive, frequency: weekly, delivery_time: 10:30, delivery_days: [mon],
     recipients: [ceo@x.example], starts_on: 2026-11-02}
  - {name: Team, report: executive, frequency: daily, recipients: [team@x.example], starts_on: 2026-11-02}
"""
    )
    assert metricpress("subscriptions", "import", str(file), "--dry-run").returncode == 1
    assert subscriptions.listed(tenants) == []
    tenants.rollback()
    first = metricpress("subscriptions", "import", str(file))
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout.splitlines() == [
        '+ gym: "Board"',
        '+ gym: "Team"',
        "2 added, 0 changed, 0 unchanged.",
    ]
    again = metricpress("subscriptions", "import", str(file), "--dry-run")
    assert (again.returncode, again.stdout) == (0, "0 would be added, 0 would be changed, 2 unchanged.\n")
    audited = tenants.execute("select count(*) from reporting.audit_log").fetchone()
    tenants.rollback()
    assert metricpress("subscriptions", "import", str(file)).returncode == 0
    assert tenants.execute("select count(*) from reporting.audit_log").fetchone() == audited
    tenants.rollback()

    file.write_text(
        """\
gym:
  - {name: Board, report: executive, frequency: weekly, delivery_time: "08:00", delivery_days: [mon],
     recipients: [ceo@x.example, cfo@x.example], holiday_calendar: DE-BY, holiday_rule: after}
spa: []
"""
    )
    changed = metricpress("subscriptions", "import", str(file))
    assert changed.stdout.splitlines() == [
        '~ gym: "Board"',
        "    recipients: ceo@x.example -> ceo@x.example, cfo@x.example",
        "    delivery_time: 10:30 -> 08:00",
        "    holiday_calendar: none -> DE-BY",
        "    holiday_rule: none -> after",
        "0 added, 1 changed, 0 unchanged.",
    ]
    assert changed.stderr.splitlines() == ['not in the file, left as it is: gym: "Team" (--prune deletes it)']
    pruned = json.loads(metricpress("subscriptions", "import", str(file), "--prune", "--json").stdout)
    assert pruned["deleted"] == [{"tenant_id": "gym", "name": "Team"}]
    assert [one["name"] for one in pruned["unchanged"]] == ["Board"]
    assert [one.name for one in subscriptions.listed(tenants)] == ["Board"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("gym:\n  - name: x\n    report: executive\n    frequency: hourly\n    recipients: [a@x.example]\n",
         "{file}:4: gym: x: frequency: 'hourly' is not one of"),
        ("gym:\n  - name: x\n    report: executive\n    frequency: daily\n    recipients: [a@x.example]\n"
         "    colour: red\n", "{file}:2: gym: x: Additional properties are not allowed ('colour'"),
        ("gym:\n  - report: executive\n    frequency: daily\n    recipients: [a@x.example]\n",
         "{file}:2: gym: entry 1: 'name' is a required property"),
        ("gym:\n  - name: x\n    report: executive\n    frequency: daily\n    recipients:\n"
         "      - a@x.example\n      - nobody\n",
         "{file}:5: gym: x: recipients: 'nobody' is not a mail address"),
        ("gym:\n  - name: x\n    report: executive\n    frequency: daily\n    recipients: [a@x.example]\n"
         "    parameters:\n      sections: [leads, sauna]\n",
         "{file}:6: gym: x: parameters: report executive: parameters $.sections[1]: 'sauna' is not one of"),
        ("gym:\n  - name: x\n    report: executive\n    frequency: daily\n    recipients: [a@x.example]\n"
         "    starts_on: 2026-02-30\n", "{file}:6: gym: x: starts_on: day is out of range"),
        ("gym:\n  - name: x\n    report: executive\n    frequency: daily\n    recipients: [a@x.example]\n"
         "    delivery_time: 9:00\n", "{file}:6: gym: x: delivery_time: '9:00' does not match"),
        ("gym:\n  - name: x\n    report: executive\n    frequency: daily\n    recipients: [a@x.example]\n"
         "    max_lateness_hours: 10000\n", "{file}:6: gym: x: max_lateness_hours: a max lateness of 10000"),
        ("gym:\n  - name: x\n    name: y\n    report: executive\n    frequency: daily\n"
         "    recipients: [a@x.example]\n", "{file}:3: 'name' stands there twice"),
        ("gim: []\n", '{file}:1: gim: there is no tenant "gim"'),
        ("gym: 7\n", "{file}:1: gym: 7 is not of type 'array', 'null'"),
        ("- gym\n", "{file}:1: ['gym'] is not of type 'object'"),
        ("gym: [\n", "{file} is no YAML"),
        ("gym: &a\n  - *a\n", "an alias stands for something that holds it"),
    ],
)  # fmt: skip
def test_faults_tell_their_place(module_tenants, tmp_path, text, told) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(text)
    with pytest.raises(MetricpressError) as caught:
        subscription_files.compare(module_tenants, subscription_files.read(file), None, ())
    assert told.format(file=file) in str(caught.value)


@pytest.fixture(scope="module")
def module_tenants(module_database):
    module_database.execute("insert into raw.tenants (tenant_id, name) values ('gym', 'Gym')")
    return module_database


def test_every_fault_is_told_and_nothing_changed(metricpress, tenants, tmp_path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(
        """\
gym:
  - {name: Good, report: executive, frequency: daily, recipients: [a@x.example]}
  - name: Twice
    report: executive
    frequency: daily
    recipients: [a@x.example]
    timezone: Europe/Berln
  - name: Bad
    report: executiv
    frequency: daily
    recipients: [a@x.example]
"""
    )
    told = metricpress("subscriptions", "import", str(file))
    assert told.returncode == 2
    lines = told.stderr.splitlines()
    assert lines[0] == f"error: {file} has 2 faults, nothing was changed:"
    assert lines[1].startswith(f"{file}:7: gym: Twice: timezone: Twice: 'Europe/Berln' is not an IANA")
    assert "Did you mean Europe/Berlin" in lines[1]
    assert lines[2].startswith(f"{file}:9: gym: Bad: report: there is no report 'executiv'")
    assert subscriptions.listed(tenants) == []


def test_a_refusal_of_the_database_changes_nothing(tenants, tmp_path) -> None:
    """One transaction: what was stored before the refused row is taken back."""
    file = tmp_path / "two.yaml"
    file.write_text(
        "".join(
            f"{tenant}:\n  - {{name: x, report: executive, frequency: daily, recipients: [a@x.example]}}\n"
            for tenant in ("gym", "spa")
        )
    )
    difference = subscription_files.compare(tenants, subscription_files.read(file), None, ())
    subscriptions.add(tenants, difference.added[1])
    with pytest.raises(MetricpressError, match="already has a subscription named 'x'"):
        subscription_files.apply(tenants, difference, prune=False)
    assert [one.tenant_id for one in subscriptions.listed(tenants)] == ["spa"]


def test_the_example_of_the_documentation(tenants, tmp_path) -> None:
    text = (PROJECT / "docs" / "interfaces.md").read_text()
    (example,) = re.findall(r"```yaml\n(# subscriptions\.yaml.*?)```", text, re.DOTALL)
    tenants.execute("insert into raw.tenants (tenant_id, name) values ('acme', 'Acme')")
    tenants.execute("insert into raw.branches (tenant_id, branch_id, name) values ('acme', 'north', 'North')")
    file = tmp_path / "subscriptions.yaml"
    file.write_text(example)
    assert len(apply(tenants, file).added) == 2
    assert apply(tenants, file).changed == []
    named = {field for entry in yaml.safe_load(example)["acme"] for field in entry}
    assert named == set(subscription_files.ENTRY_SCHEMA["properties"]), "the example shows every field"
