"""Both change days in three zones, dispatched minute by minute: one report a local day, at its moment in UTC.

The moments were worked out by hand from the zones' rules of 2026: New York leaves out 02:00 to 03:00 on
8 March and repeats 01:00 to 02:00 on 1 November; Lisbon leaves out 01:00 to 02:00 on 29 March and repeats it
on 25 October; Lord Howe moves by half an hour: repeats 01:30 to 02:00 on 5 April, leaves out 02:00 to 02:30
on 4 October.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from tests.integration.delivery.conftest import PROJECT

pytestmark = pytest.mark.integration
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")


@dataclass(frozen=True)
class Change:
    """A change of the clocks; due moments in UTC on the day before, the day itself and the day after."""

    zone: str
    day: date
    at: time  # a local time that is left out or comes twice
    due: tuple[str, str, str]
    due_at_nine: tuple[str, str, str]


NEW_YORK, LISBON, LORD_HOWE = "America/New_York", "Europe/Lisbon", "Australia/Lord_Howe"
CHANGES = (
    Change(
        NEW_YORK, date(2026, 3, 8), time(2, 30),
        ("2026-03-07T07:30", "2026-03-08T07:30", "2026-03-09T06:30"),
        ("2026-03-07T14:00", "2026-03-08T13:00", "2026-03-09T13:00"),
    ),
    Change(
        NEW_YORK, date(2026, 11, 1), time(1, 30),
        ("2026-10-31T05:30", "2026-11-01T05:30", "2026-11-02T06:30"),
        ("2026-10-31T13:00", "2026-11-01T14:00", "2026-11-02T14:00"),
    ),
    Change(
        LISBON, date(2026, 3, 29), time(1, 30),
        ("2026-03-28T01:30", "2026-03-29T01:30", "2026-03-30T00:30"),
        ("2026-03-28T09:00", "2026-03-29T08:00", "2026-03-30T08:00"),
    ),
    Change(
        LISBON, date(2026, 10, 25), time(1, 30),
        ("2026-10-24T00:30", "2026-10-25T00:30", "2026-10-26T01:30"),
        ("2026-10-24T08:00", "2026-10-25T09:00", "2026-10-26T09:00"),
    ),
    Change(
        LORD_HOWE, date(2026, 4, 5), time(1, 45),
        ("2026-04-03T14:45", "2026-04-04T14:45", "2026-04-05T15:15"),
        ("2026-04-03T22:00", "2026-04-04T22:30", "2026-04-05T22:30"),
    ),
    Change(
        LORD_HOWE, date(2026, 10, 4), time(2, 15),
        ("2026-10-02T15:45", "2026-10-03T15:45", "2026-10-04T15:15"),
        ("2026-10-02T22:30", "2026-10-03T22:00", "2026-10-04T22:00"),
    ),
)  # fmt: skip
IDS = [f"{change.zone} {change.day}" for change in CHANGES]


def world(post, change: Change, starts_on: date, *names: str) -> None:
    """A tenant in that zone with a report at the odd time, one at nine, or both."""
    post.warehouse.add_tenant("gym", change.zone, complete="2027-12-31")
    for name in names:
        at = change.at if name == "odd" else time(9)
        post.warehouse.subscribe(
            "gym", f"{name}@gym.example", name=name, delivery_time=at, starts_on=starts_on
        )


def received(post) -> list[tuple[str, str]]:
    """Recipient and period of each message, in order."""
    periods = {row["message_id"]: row for row in occurrences(post)}
    return [
        (message.recipients[0].partition("@")[0], str(periods[message.key]["report_period_end"]))
        for message in post.server.received()
    ]


def occurrences(post) -> list[dict]:
    return post.warehouse.rows(
        """select d.message_id, o.local_date, o.report_period_start, o.report_period_end, o.due_at
        from reporting.report_occurrences as o
        join reporting.report_deliveries as d using (tenant_id, occurrence_id)"""
    )


def moments(change: Change) -> list[tuple[datetime, str, str]]:
    """Due moment, subscription and the period it covers, in order."""
    days = [str(change.day + DAY * n) for n in (-2, -1, 0)]
    found = []
    for name, due in (("odd", change.due), ("nine", change.due_at_nine)):
        found += [
            (datetime.fromisoformat(at).replace(tzinfo=UTC), name, day)
            for at, day in zip(due, days, strict=True)
        ]
    return sorted(found)


@pytest.mark.parametrize("change", CHANGES, ids=IDS)
def test_one_report_a_day_at_its_moment(post, change) -> None:
    world(post, change, change.day - DAY, "odd", "nine")
    expected: list[tuple[str, str]] = []
    for at, name, period in moments(change):
        post.dispatch(at - MINUTE)
        assert received(post) == expected, f"too early: {at - MINUTE}"
        post.dispatch(at)
        expected.append((name, period))
        assert received(post) == expected, f"not at {at}"
    post.dispatch(at + timedelta(hours=3))
    assert received(post) == expected
    assert all(row["report_period_start"] == row["report_period_end"] for row in occurrences(post))
    post.reconcile(change.day - DAY, change.day, change.day + DAY)


@pytest.mark.skipif(not FAKETIME.exists(), reason="libfaketime is not installed")
@pytest.mark.parametrize(
    ("change", "offsets"),
    [(CHANGES[0], {-MINUTE: 0, MINUTE: 1}), (CHANGES[1], {MINUTE: 1, 61 * MINUTE: 1})],
    ids=["left out", "comes twice"],
)
def test_by_the_clock_of_the_machine(post, change, offsets) -> None:
    """No moment is told: the dispatcher reads the clock, which libfaketime has set."""
    world(post, change, change.day, "odd")
    for offset, count in offsets.items():
        by_the_clock(post, datetime.fromisoformat(change.due[1]) + offset)
        assert len(post.server.received()) == count
    post.reconcile(change.day)


def by_the_clock(post, at: datetime) -> dict:
    """`metricpress deliver --json` with the machine's clock at that moment in UTC."""
    clock = {"LD_PRELOAD": str(FAKETIME), "FAKETIME": f"@{at:%Y-%m-%d %H:%M:%S}", "TZ": "UTC"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.delivery.faults.dispatcher", "deliver", "--json"],
        cwd=PROJECT,
        env=post.environment | clock | {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_reader_and_tenant_in_different_zones(post) -> None:
    """Sent by New York's clock across both its changes, about days of Tokyo: each day once, none left out."""
    post.warehouse.add_tenant("gym", "Asia/Tokyo", complete="2027-12-31")
    post.warehouse.subscribe(
        "gym", "a@gym.example", timezone=NEW_YORK, delivery_time=time(10, 30), starts_on=date(2026, 3, 6)
    )
    days = [date(2026, 3, 6) + DAY * n for n in range(5)]
    for day in days:
        # 10:30 in New York is 15:30 UTC before the change and 14:30 after it.
        at = datetime(day.year, day.month, day.day, 15 if day < date(2026, 3, 8) else 14, 30, tzinfo=UTC)
        post.dispatch(at - MINUTE)
        post.dispatch(at)
    ends = sorted(row["report_period_end"] for row in occurrences(post))
    assert ends == [ends[0] + DAY * n for n in range(5)]
    assert len(post.server.received()) == 5
    post.reconcile(*days)
