"""Holidays: which are known by which name, and what they do to due dates, over years and calendars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.delivery import calendar
from orchestration.delivery.calendar import Due, Planned, Schedule
from orchestration.delivery.holiday_calendar import LONGEST_BREAK, calendar_names, holiday_calendar
from orchestration.errors import MetricpressError

DAY = timedelta(days=1)
NINE = time(9)


def schedule(
    frequency="daily", rule="after", name="DE-BY", days=(), zone="Europe/Berlin", **more
) -> Schedule:
    return Schedule(
        frequency=frequency,
        delivery_time=more.pop("at", NINE),
        timezone=ZoneInfo(zone),
        tenant_timezone=ZoneInfo(more.pop("tenant_zone", zone)),
        week_start=more.pop("week_start", "monday"),
        starts_on=more.pop("starts_on", date(2026, 1, 1)),
        delivery_days=tuple(days),
        holidays=holiday_calendar(name),
        holiday_rule=rule,
    )


def until(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T23:00").replace(tzinfo=UTC)


def local(plan: Schedule, due: Due) -> date:
    return due.due_at.astimezone(plan.timezone).date()


@pytest.mark.parametrize(
    ("name", "day", "told"),
    [
        ("DE", date(2026, 10, 3), "Tag der Deutschen Einheit"),
        ("DE-BY", date(2026, 6, 4), "Fronleichnam"),
        ("DE-BE", date(2026, 6, 4), None),
        ("US-NY", date(2026, 11, 26), "Thanksgiving Day"),
        ("XNYS", date(2026, 4, 3), "Good Friday"),
        ("US", date(2026, 4, 3), None),
        ("ECB", date(2026, 12, 26), "Christmas Holiday"),
        ("PT", date(2026, 4, 25), "Dia da Liberdade"),
    ],
)
def test_names_and_languages(name: str, day: date, told: str | None) -> None:
    assert holiday_calendar(name).holiday(day) == told


@pytest.mark.parametrize(
    ("name", "near"),
    [("DE-BX", "DE-B"), ("de", "DE"), ("GERMANY", "country"), ("XNYX", "XNYS"), ("US-N", "US-N"), ("", "DE")],
)
def test_an_unknown_calendar_names_the_nearest(name: str, near: str) -> None:
    with pytest.raises(MetricpressError, match="no holiday calendar") as caught:
        holiday_calendar(name)
    assert near in caught.value.remedy


def test_every_calendar_the_library_offers_works_and_has_short_breaks() -> None:
    """Each country and market, and every seventh region: a working day is never far."""
    names = [name for name, (_, part, _) in calendar_names().items() if part is None]
    names += [name for name, (_, part, _) in calendar_names().items() if part is not None][::7]
    for name in names:
        days = holiday_calendar(name)
        worked = [day for n in range(0, 800) if days.is_working_day(day := date(2025, 1, 1) + n * DAY)]
        assert all(b - a < LONGEST_BREAK for a, b in pairwise(worked)), name


def test_skip_leaves_out_the_holiday_and_its_period() -> None:
    plan = schedule(rule="skip", starts_on=date(2026, 10, 1))
    found = calendar.due_between(plan, None, until("2026-10-05"))
    assert [due.local_date.day for due in found] == [1, 2, 4, 5]
    assert [due.period_end.day for due in found] == [30, 1, 3, 4]


def test_after_goes_to_the_next_working_day_and_keeps_its_period() -> None:
    """3 October 2026 is a Saturday: its report joins that of Monday, after those of Sunday."""
    plan = schedule(rule="after", starts_on=date(2026, 10, 1))
    found = calendar.due_between(plan, None, until("2026-10-05"))
    assert [(due.local_date.day, local(plan, due).day, due.period_end.day) for due in found] == [
        (1, 1, 30), (2, 2, 1), (3, 5, 2), (4, 4, 3), (5, 5, 4),
    ]  # fmt: skip
    assert found[2].holiday == "Tag der Deutschen Einheit"


def test_dates_are_closed_in_their_order() -> None:
    """On the 4th the report of the 3rd is planned with it, for the 5th."""
    plan = schedule(rule="after", starts_on=date(2026, 10, 3))
    assert calendar.due_between(plan, None, until("2026-10-03")) == []
    found = calendar.due_between(plan, None, until("2026-10-04"))
    assert [(due.local_date.day, local(plan, due).day) for due in found] == [(3, 5), (4, 4)]


def test_before_moves_a_month_back_over_holiday_and_weekend() -> None:
    """Monday 6 April 2026 is Easter Monday, Friday the 3rd Good Friday: Thursday the 2nd."""
    plan = schedule("monthly", "before", days=("6",))
    # On the 2nd, and no minute before 09:00 (07:00 UTC), it is due.
    (due,) = calendar.due_between(
        replace_start(plan, "2026-04-01"), None, datetime(2026, 4, 2, 7, tzinfo=UTC)
    )
    assert calendar.due_between(plan, None, datetime(2026, 4, 2, 6, 59, tzinfo=UTC))[-1].local_date.month == 3
    assert (due.local_date.day, local(plan, due), due.period_end) == (6, date(2026, 4, 2), date(2026, 3, 31))


def test_before_never_comes_before_the_period_is_over() -> None:
    """A week that ends on Sunday cannot be told on Friday: Easter Monday's report goes out on Tuesday."""
    plan = schedule("weekly", "before", days=("monday",), starts_on=date(2026, 4, 1))
    (due,) = calendar.due_between(plan, None, until("2026-04-07"))
    assert (due.local_date.day, local(plan, due).day, due.period_end.day) == (6, 7, 5)
    assert calendar.peculiarity(plan, due) == (
        "instead of Mon 04-06, holiday: Ostermontag; after it, as its period is not over before"
    )


def test_the_same_months_report_meets_itself_once() -> None:
    """25 and 26 December are holidays, the 27th and 28th a weekend or free: two reminders become one."""
    plan = schedule("monthly", "after", days=("24", "25", "26"), starts_on=date(2027, 12, 1))
    found = calendar.due_between(plan, None, until("2027-12-31"))
    assert [(due.local_date.day, local(plan, due).day) for due in found] == [(24, 24), (25, 27)]
    left = [due for due in calendar.agenda(plan, until("2027-12-01"), 3) if due.left_out]
    assert [due.local_date.day for due in left] == [26]
    assert "the report of Sat 12-25 is the same" in calendar.peculiarity(plan, left[0])


def test_moved_before_the_start_is_left_out() -> None:
    plan = schedule("monthly", "before", days=("6",), starts_on=date(2026, 4, 3))
    assert calendar.due_between(plan, None, until("2026-04-30")) == []


def replace_start(plan: Schedule, day: str) -> Schedule:
    return Schedule(**{**vars(plan), "starts_on": date.fromisoformat(day)})


plans = st.builds(
    schedule,
    frequency=st.sampled_from(["daily", "weekly", "monthly"]),
    rule=st.sampled_from(["skip", "before", "after"]),
    name=st.sampled_from(["DE-BY", "US-NY", "CN", "SA", "JP", "IL", "XNYS", "XSHG", "NP", "BR", "VU"]),
    zone=st.sampled_from(["Europe/Berlin", "Asia/Shanghai", "America/Santiago", "Pacific/Kiritimati"]),
    at=st.sampled_from([time(0), time(0, 30), time(9), time(23, 45)]),
    week_start=st.sampled_from(["monday", "sunday"]),
    starts_on=st.dates(date(2023, 1, 1), date(2026, 12, 31)),
)


@settings(max_examples=60, deadline=None)
@given(plan=plans, several=st.booleans(), data=st.data())
def test_over_years_nothing_is_lost_repeated_or_early(
    plan: Schedule, several: bool, data: st.DataObject
) -> None:
    """Against the calendar without holidays: each date stays, moves or is left out, for one stated reason."""
    if plan.frequency == "monthly":
        days = data.draw(st.sets(st.integers(1, 31), min_size=1, max_size=5 if several else 1))
        plan = Schedule(**{**vars(plan), "delivery_days": tuple(str(day) for day in sorted(days))})
    end = datetime.combine(plan.starts_on + 800 * DAY, NINE, UTC)
    free = {**vars(plan), "holidays": None, "holiday_rule": None}
    asked = {due.local_date: due for due in calendar.due_between(Schedule(**free), None, end)}
    found = {due.local_date: due for due in calendar.due_between(plan, None, end)}
    days_off = plan.holidays
    assert days_off is not None
    edge = plan.starts_on + 760 * DAY
    for day, plain in asked.items():
        due, holiday = found.get(day), days_off.holiday(day)
        if holiday is None:
            assert due == plain
            continue
        if due is None:
            # Left out by rule, before the start, beyond the end, or the same report on the same day.
            assert plan.holiday_rule == "skip" or day >= edge or _explained(plan, plain, found.values()), day
            continue
        assert (due.period_start, due.period_end) == (plain.period_start, plain.period_end)
        moved = due.moved_to
        assert moved is not None and days_off.is_working_day(moved) and abs(moved - day) < LONGEST_BREAK
        between = [min(day, moved) + n * DAY for n in range(1, abs((moved - day).days))]
        assert not any(days_off.is_working_day(one) for one in between)
        assert moved > due.period_end, "its period is not over"
        if plan.holiday_rule == "after" or plan.frequency == "daily":
            assert moved > day
        assert due.due_at == calendar.due_moment(moved, plan.delivery_time, plan.timezone)
    assert set(found) <= set(asked)
    same = Counter((due.period_start, due.due_at) for due in found.values() if due.moved_to)
    assert all(count == 1 for count in same.values())
    if plan.holiday_rule != "skip" and plan.frequency != "monthly":
        periods = [due.period_start for day, due in sorted(found.items()) if day < edge]
        assert len(periods) == len(set(periods)) == len([day for day in asked if day < edge])


def _explained(plan: Schedule, plain: Due, found: Iterable[Due]) -> bool:
    """Whether the same report goes out on the day it would have moved to, or that day is before the start."""
    (told,) = [
        due
        for due in calendar.agenda(plan, plain.due_at - timedelta(days=40), 80)
        if due.local_date == plain.local_date
    ] or [None]
    if told is None:
        days_off = plan.holidays
        assert days_off is not None
        back = plain.local_date - DAY
        while not days_off.is_working_day(back):
            back -= DAY
        return back < plan.starts_on
    return bool(told.left_out) and any(
        due.period_start == plain.period_start and due.due_at == told.due_at for due in found
    )


@settings(max_examples=40, deadline=None)
@given(plan=plans, steps=st.lists(st.integers(1, 30 * 24 * 60), min_size=5, max_size=60))
def test_looking_now_and_then_finds_what_one_look_at_the_end_finds(plan: Schedule, steps: list[int]) -> None:
    """However often the planner looks, and whatever a holiday moves: each date once, each at its moment."""
    now = datetime.combine(plan.starts_on, NINE, UTC)
    planned: Planned | None = None
    seen: list[Due] = []
    for minutes in steps:
        now += timedelta(minutes=minutes)
        due = calendar.due_between(plan, planned, now)
        if due:
            planned = Planned(due[-1].local_date, due[-1].period_start, due[-1].period_end)
        (following,) = calendar.upcoming(plan, now, 1, planned)
        assert following.due_at > now
        seen += due
        # Nothing that is due is missing, whatever was planned when.
        whole = [one for one in calendar.due_between(plan, None, now) if one.due_at <= now]
        assert [one for one in seen if one.due_at <= now] == whole
    assert len({due.local_date for due in seen}) == len(seen)
