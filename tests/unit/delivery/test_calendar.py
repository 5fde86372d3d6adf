"""Due dates, due moments and report periods, as the zones' published clock changes say."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.delivery import calendar
from orchestration.delivery.calendar import Schedule


def schedule(frequency="daily", at="09:00", zone="UTC", tenant_zone=None, days=(), **more) -> Schedule:
    return Schedule(
        frequency=frequency,
        delivery_time=time.fromisoformat(at),
        timezone=ZoneInfo(zone),
        tenant_timezone=ZoneInfo(tenant_zone or zone),
        week_start=more.pop("week_start", "monday"),
        starts_on=more.pop("starts_on", date(2020, 1, 1)),
        delivery_days=tuple(days),
    )


def planned(found: list[calendar.Due]) -> calendar.Planned | None:
    """What the ledger knows after these were written."""
    if not found:
        return None
    return calendar.Planned(found[-1].local_date, found[-1].period_start, found[-1].period_end)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "local", "moment"),
    [
        # New York 2026: 8 March 02:00 EST -> 03:00 EDT; 1 November 02:00 EDT -> 01:00 EST.
        ("America/New_York", "2026-03-07T02:30", "2026-03-07T07:30"),
        ("America/New_York", "2026-03-08T02:30", "2026-03-08T07:30"),  # skipped: shown as 03:30 EDT
        ("America/New_York", "2026-03-09T02:30", "2026-03-09T06:30"),
        ("America/New_York", "2026-11-01T01:30", "2026-11-01T05:30"),  # twice: the first, EDT
        ("America/New_York", "2026-11-02T01:30", "2026-11-02T06:30"),
        # Lisbon 2026: 29 March 01:00 WET -> 02:00 WEST; 25 October 02:00 WEST -> 01:00 WET.
        ("Europe/Lisbon", "2026-03-29T01:30", "2026-03-29T01:30"),  # skipped: shown as 02:30 WEST
        ("Europe/Lisbon", "2026-10-25T01:30", "2026-10-25T00:30"),  # twice: the first, WEST
        ("Europe/Lisbon", "2026-10-26T01:30", "2026-10-26T01:30"),
        # Lord Howe 2026, half an hour: 5 April 02:00 (+11) -> 01:30 (+10:30); 4 October 02:00 -> 02:30.
        ("Australia/Lord_Howe", "2026-04-05T01:45", "2026-04-04T14:45"),  # twice: the first, +11
        ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:45"),  # skipped: shown as 02:45
        ("Australia/Lord_Howe", "2026-10-05T02:15", "2026-10-04T15:15"),
        # Asuncion and Cairo change at midnight; Cairo 24 April 2026 00:00 -> 01:00.
        ("Africa/Cairo", "2026-04-24T00:30", "2026-04-23T22:30"),
    ],
)
def test_due_moment_on_change_days(zone: str, local: str, moment: str) -> None:
    at = datetime.fromisoformat(local)
    assert calendar.due_moment(at.date(), at.time(), ZoneInfo(zone)) == utc(moment)


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Lisbon", "Australia/Lord_Howe", "Africa/Cairo"])
@pytest.mark.parametrize("at", ["00:00", "00:30", "01:30", "01:45", "02:00", "02:15", "02:30", "23:59"])
def test_exactly_one_occurrence_each_day_of_the_year(zone: str, at: str) -> None:
    plan = schedule(at=at, zone=zone, starts_on=date(2026, 1, 1))
    found = calendar.due_between(plan, None, utc("2027-01-02T12:00"))
    dates = [due.local_date for due in found if due.local_date.year == 2026]
    assert dates == [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    assert all(due.period_end == due.local_date - timedelta(days=1) for due in found)
    assert all(a.due_at < b.due_at for a, b in pairwise(found))


def test_a_date_the_zone_left_out_has_no_occurrence() -> None:
    plan = schedule(zone="Pacific/Apia", starts_on=date(2011, 12, 28))
    found = calendar.due_between(plan, None, utc("2012-01-01T12:00"))
    assert [due.local_date.isoformat() for due in found] == [
        "2011-12-28", "2011-12-29", "2011-12-31", "2012-01-01",
    ]  # fmt: skip


def test_polling_in_steps_finds_each_date_once() -> None:
    """Looking every ten minutes across a change day finds what one look at the end finds."""
    plan = schedule(at="01:45", zone="Australia/Lord_Howe", starts_on=date(2026, 4, 3))
    seen: list[calendar.Due] = []
    now = utc("2026-04-02T00:00")
    while now < utc("2026-04-08T00:00"):
        seen += calendar.due_between(plan, planned(seen), now)
        now += timedelta(minutes=10)
    assert seen == calendar.due_between(plan, None, now)
    assert [due.local_date.day for due in seen] == [3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize(
    ("zone", "tenant_zone", "at", "local", "period"),
    [
        # 09:00 on the 21st in Tokyo is 19:00 on the 20th in New York: its last finished day is the 19th.
        ("Asia/Tokyo", "America/New_York", "09:00", date(2026, 11, 21), date(2026, 11, 19)),
        # 20:00 on the 20th in New York is the 21st in Tokyo: the 20th has ended there.
        ("America/New_York", "Asia/Tokyo", "20:00", date(2026, 11, 20), date(2026, 11, 20)),
        ("UTC", "Pacific/Kiritimati", "09:00", date(2026, 11, 20), date(2026, 11, 19)),
        ("UTC", "Pacific/Kiritimati", "10:00", date(2026, 11, 20), date(2026, 11, 20)),
        ("Pacific/Pago_Pago", "Pacific/Kiritimati", "09:00", date(2026, 11, 20), date(2026, 11, 20)),
    ],
)
def test_period_is_the_tenants_last_finished_day(zone, tenant_zone, at, local, period) -> None:
    due = calendar.occurrence(schedule(at=at, zone=zone, tenant_zone=tenant_zone), local)
    assert (due.period_start, due.period_end) == (period, period)


@pytest.mark.parametrize(
    ("zone", "tenant_zone"),
    [
        ("America/New_York", "Europe/Lisbon"),
        ("Europe/Lisbon", "America/New_York"),
        ("UTC", "America/New_York"),
        ("Australia/Lord_Howe", "America/New_York"),
    ],
)
@pytest.mark.parametrize("hour", range(24))
def test_periods_follow_each_other_across_zones_with_other_change_days(zone, tenant_zone, hour) -> None:
    plan = schedule(at=f"{hour:02}:30", zone=zone, tenant_zone=tenant_zone, starts_on=date(2025, 12, 1))
    found = calendar.due_between(plan, None, utc("2027-02-01T00:00"))
    assert len(found) > 400
    for before, after in pairwise(found):
        assert after.period_start == before.period_end + timedelta(days=1)
    for due in found:
        ended = datetime.combine(due.period_end + timedelta(days=1), time(), ZoneInfo(tenant_zone))
        assert ended.astimezone(UTC) <= due.due_at + timedelta(hours=2)


@pytest.mark.parametrize(
    ("week_start", "days", "local", "start", "end"),
    [
        ("monday", (), "2026-11-23", "2026-11-16", "2026-11-22"),
        ("sunday", (), "2026-11-22", "2026-11-15", "2026-11-21"),
        ("monday", ("wednesday",), "2026-11-25", "2026-11-16", "2026-11-22"),
        ("sunday", ("monday",), "2026-11-23", "2026-11-15", "2026-11-21"),
    ],
)
def test_weekly(week_start, days, local, start, end) -> None:
    plan = schedule("weekly", days=days, week_start=week_start, starts_on=date(2026, 11, 21))
    (due,) = calendar.upcoming(plan, utc("2026-11-21T12:00"), 1)
    assert [due.local_date.isoformat(), due.period_start.isoformat(), due.period_end.isoformat()] == [
        local,
        start,
        end,
    ]


def test_weekly_default_day_waits_for_the_tenants_week() -> None:
    """Monday 09:00 in Tokyo is Sunday in New York: by default Tuesday, when the week has ended there."""
    plan = schedule("weekly", zone="Asia/Tokyo", tenant_zone="America/New_York", starts_on=date(2026, 11, 21))
    (due,) = calendar.upcoming(plan, utc("2026-11-21T12:00"), 1)
    assert (due.local_date, due.period_end) == (date(2026, 11, 24), date(2026, 11, 22))


def test_monthly_on_the_31st_falls_on_the_last_day() -> None:
    plan = schedule("monthly", days=("31",), starts_on=date(2028, 1, 1))
    found = calendar.due_between(plan, None, utc("2028-12-31T23:00"))
    assert [due.local_date.day for due in found] == [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    assert (found[2].period_start, found[2].period_end) == (date(2028, 2, 1), date(2028, 2, 29))


def test_days_29_to_31_meet_in_february_once() -> None:
    plan = schedule("monthly", days=("29", "30", "31"), starts_on=date(2027, 2, 1))
    assert [due.local_date.day for due in calendar.due_between(plan, None, utc("2027-02-28T23:00"))] == [28]


def test_monthly_default_is_the_first() -> None:
    plan = schedule("monthly", starts_on=date(2026, 11, 21))
    (due,) = calendar.upcoming(plan, utc("2026-11-21T12:00"), 1)
    assert due == calendar.Due(
        date(2026, 12, 1), utc("2026-12-01T09:00"), date(2026, 11, 1), date(2026, 11, 30)
    )


def test_delivery_days_and_start_are_kept() -> None:
    plan = schedule(days=("monday", "friday"), starts_on=date(2026, 11, 20))
    found = calendar.due_between(plan, None, utc("2026-11-27T08:59"))
    assert [due.local_date.day for due in found] == [20, 23]  # the 27th is due at 09:00 only
    assert (
        calendar.due_between(
            plan,
            calendar.Planned(date(2026, 11, 23), date(2026, 11, 22), date(2026, 11, 22)),
            utc("2026-11-27T08:59"),
        )
        == []
    )


@pytest.mark.parametrize(
    ("zone", "at", "day", "said"),
    [
        ("America/New_York", "02:30", date(2026, 3, 8), "clocks skip 02:30: sent at 03:30"),
        ("America/New_York", "01:30", date(2026, 11, 1), "01:30 comes twice: sent at the first"),
        ("America/New_York", "01:30", date(2026, 11, 2), ""),
        ("Australia/Lord_Howe", "02:15", date(2026, 10, 4), "clocks skip 02:15: sent at 02:45"),
    ],
)
def test_peculiarity_of_change_days(zone, at, day, said) -> None:
    plan = schedule(at=at, zone=zone)
    assert calendar.peculiarity(plan, calendar.occurrence(plan, day)) == said


def test_latest_looks_behind_the_start() -> None:
    plan = schedule("monthly", starts_on=date(2026, 12, 1))
    found = calendar.latest(plan, utc("2026-11-21T12:00"))
    assert found is not None
    assert (found.local_date, found.period_start) == (date(2026, 11, 1), date(2026, 10, 1))


@pytest.mark.parametrize(
    ("frequency", "given_days", "stored"),
    [
        ("daily", ["Fri", "mon"], ("monday", "friday")),
        ("daily", ["weekdays"], ("monday", "tuesday", "wednesday", "thursday", "friday")),
        ("weekly", ["Sunday"], ("sunday",)),
        ("monthly", ["31", "1", "01"], ("1", "31")),
        ("daily", [], ()),
    ],
)
def test_parse_delivery_days(frequency, given_days, stored) -> None:
    assert calendar.parse_delivery_days(frequency, given_days) == stored


@pytest.mark.parametrize(
    ("frequency", "given_days", "message"),
    [
        ("daily", ["funday"], "funday"),
        ("weekly", ["mon", "tue"], "one delivery day"),
        ("monthly", ["32"], "1 to 31"),
        ("monthly", ["monday"], "day of the month"),
    ],
)
def test_parse_delivery_days_refuses(frequency, given_days, message) -> None:
    with pytest.raises(ValueError, match=message):
        calendar.parse_delivery_days(frequency, given_days)


@given(
    zone=st.sampled_from(["America/New_York", "Europe/Lisbon", "Australia/Lord_Howe", "Asia/Kolkata"]),
    minute=st.integers(0, 24 * 60 - 1),
    day=st.dates(date(2024, 1, 1), date(2029, 12, 31)),
)
def test_due_moment_shows_the_local_time_or_skipped_by_the_jump(zone, minute, day) -> None:
    at = time(minute // 60, minute % 60)
    shown = calendar.due_moment(day, at, ZoneInfo(zone)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    wanted = datetime.combine(day, at)
    assert shown - wanted in (timedelta(0), timedelta(minutes=30), timedelta(hours=1))
