"""When reports are due and which days they cover: pure functions of a schedule and the IANA time zones.

Belongs here: local dates, due moments, report periods, and what a holiday does to them. Does not: the
database, which days are holidays (holiday_calendar), or the clock (every function is told the moment).

Rulings, held by tests:

- A due time that a clock change skips falls as much later as the clocks jumped; one that happens twice
  falls on the first. A local date that a zone left out altogether has no occurrence, and no report covers it.
- Local dates are the subscription's, report periods the tenant's. When the two zones differ, the distance
  in days between them is taken once for the year (the later date where summer time makes two), so that
  consecutive occurrences cover consecutive periods: no clock change repeats or skips a day.
- The 29th, 30th and 31st fall on the last day of a shorter month.
- A holiday moves the moment and nothing else: an occurrence is known by the date the calendar asks for and
  keeps its period. `after` is the next working day; `before` the last one, unless the period is not over
  then: such a report goes to the next working day. Two reports that meet on one day both go out; where they
  are the same report (a month's, ordered for several days) only the first does.
"""

from __future__ import annotations

import calendar as month_calendar
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo

from orchestration.delivery.holiday_calendar import LONGEST_BREAK, HolidayCalendar

Frequency = Literal["daily", "weekly", "monthly"]
WeekStart = Literal["monday", "sunday"]
HolidayRule = Literal["skip", "before", "after"]
FREQUENCIES: tuple[Frequency, ...] = get_args(Frequency)
HOLIDAY_RULES: tuple[HolidayRule, ...] = get_args(HolidayRule)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

ONE_DAY = timedelta(days=1)
LONGEST_MONTH = timedelta(days=31)


@dataclass(frozen=True)
class Schedule:
    """A subscription's calendar.

    delivery_days: weekday names (daily: those days only; weekly: exactly one) or days of the month as text
    (monthly). Empty: every day, or the day on which a new tenant week or month has begun at the due moment.
    No report goes out, or was asked for, before starts_on.
    """

    frequency: Frequency
    delivery_time: time
    timezone: ZoneInfo
    tenant_timezone: ZoneInfo
    week_start: WeekStart
    starts_on: date
    delivery_days: tuple[str, ...] = ()
    holidays: HolidayCalendar | None = None
    holiday_rule: HolidayRule | None = None


@dataclass(frozen=True)
class Due:
    """One occurrence: the local date asked for, its moment (UTC), the tenant's days it covers (inclusive).

    holiday: the one on local_date. moved_to: where that put the report. left_out: why none goes out at all.
    """

    local_date: date
    due_at: datetime
    period_start: date
    period_end: date
    holiday: str | None = None
    moved_to: date | None = None
    left_out: str = ""


class Planned(NamedTuple):
    """The last occurrence that was planned: dates up to its own are closed, its period is not repeated."""

    local_date: date
    period_start: date
    period_end: date


def due_moment(local_date: date, delivery_time: time, zone: ZoneInfo) -> datetime:
    """The moment in UTC at which the zone's clocks show that date and time, by the rulings above."""
    # fold=0 reads a repeated time as its first pass and a skipped one by the offset before the jump.
    return datetime.combine(local_date, delivery_time.replace(fold=0), zone).astimezone(UTC)


def occurrence(schedule: Schedule, local_date: date) -> Due:
    """The occurrence of that local date, asked for or not, holiday or not (reports on demand)."""
    start, end = _period(schedule, _tenant_date(schedule, local_date))
    return Due(local_date, due_moment(local_date, schedule.delivery_time, schedule.timezone), start, end)


def due_between(
    schedule: Schedule, planned: Planned | None, until: datetime, close_before: date | None = None
) -> list[Due]:
    """Occurrences not planned yet that are due at or before `until`, in the order of their local dates.

    Those of earlier dates that a holiday moved beyond `until` come with them, and with `close_before` all of
    dates before it: local dates are closed in their order, so that the last one tells what is planned.
    """
    last = until.astimezone(schedule.timezone).date()
    if schedule.holiday_rule == "before":
        last += LONGEST_BREAK
    if close_before is not None:
        last = max(last, close_before - ONE_DAY)
    found: list[Due] = []
    ahead: list[Due] = []
    for due in _entries(schedule, planned, schedule.starts_on):
        if due.local_date > last:
            break
        if due.left_out:
            continue
        ahead.append(due)
        if due.due_at <= until or (close_before is not None and due.local_date < close_before):
            found += ahead
            ahead = []
    return found


def agenda(schedule: Schedule, after: datetime, count: int, planned: Planned | None = None) -> list[Due]:
    """The next `count` occurrences due later than `after`, by their moments, with those left out between."""
    reach = LONGEST_BREAK if schedule.holidays else timedelta(0)
    today = after.astimezone(schedule.timezone).date()
    found: list[Due] = []
    enough: date | None = None
    for due in _entries(schedule, planned, max(schedule.starts_on, today - ONE_DAY - reach)):
        if enough is not None and due.local_date > enough:
            break
        if due.due_at > after:
            found.append(due)
        # A later date may be moved before the last one found.
        if enough is None and sum(not one.left_out for one in found) == count:
            enough = due.local_date + reach
    found.sort(key=lambda due: (due.due_at, due.local_date))
    told = 0
    for index, due in enumerate(found):
        told += not due.left_out
        if told == count:
            return found[: index + 1]
    return found


def upcoming(schedule: Schedule, after: datetime, count: int, planned: Planned | None = None) -> list[Due]:
    """The next `count` occurrences due later than `after`."""
    return [due for due in agenda(schedule, after, count, planned) if not due.left_out]


def latest(schedule: Schedule, until: datetime) -> Due | None:
    """The last occurrence due at or before `until`, also one before starts_on; None when there is none."""
    longest_gap = timedelta(days=126)
    first = until.astimezone(schedule.timezone).date() - longest_gap
    found = due_between(replace(schedule, starts_on=first), None, until)
    return max(
        (due for due in found if due.due_at <= until),
        key=lambda due: (due.due_at, due.local_date),
        default=None,
    )


def peculiarity(schedule: Schedule, due: Due) -> str:
    """What is odd about that day's due time, in words; empty on nearly every day."""
    told = [_about_holiday(schedule, due), "" if due.left_out else _about_clocks(schedule, due)]
    if schedule.frequency == "monthly" and schedule.delivery_days:
        told.append("" if str(due.local_date.day) in schedule.delivery_days else "shorter month")
    return "; ".join(text for text in told if text)


def _about_holiday(schedule: Schedule, due: Due) -> str:
    if due.holiday is None:
        return ""
    reason = f"holiday: {due.holiday}"
    if due.left_out:
        return f"left out, {reason}" + ("" if schedule.holiday_rule == "skip" else f"; {due.left_out}")
    told = f"instead of {due.local_date:%a %m-%d}, {reason}"
    if schedule.holiday_rule == "before" and due.moved_to is not None and due.moved_to > due.local_date:
        told += "; after it, as its period is not over before"
    return told


def _about_clocks(schedule: Schedule, due: Due) -> str:
    shown = due.due_at.astimezone(schedule.timezone)
    if shown.time().replace(tzinfo=None) != schedule.delivery_time:
        return f"clocks skip {schedule.delivery_time:%H:%M}: sent at {shown:%H:%M}"
    if shown.replace(fold=1).utcoffset() != shown.utcoffset():
        return f"{schedule.delivery_time:%H:%M} comes twice: sent at the first"
    return ""


def parse_delivery_days(frequency: Frequency, days: list[str] | tuple[str, ...]) -> tuple[str, ...]:
    """The days in their stored form: full weekday names in order, or days of the month in order.

    Weekdays may be shortened to three letters; `weekdays` is monday to friday. Raises ValueError with what is
    wrong and what is allowed.
    """
    if frequency == "monthly":
        return tuple(str(day) for day in sorted({_parse_month_day(text) for text in days}))
    chosen: set[str] = set()
    for text in days:
        chosen.update(_parse_weekday(text))
    if frequency == "weekly" and len(chosen) > 1:
        raise ValueError(
            "a weekly report has one delivery day; use frequency daily with delivery days for more"
        )
    return tuple(day for day in WEEKDAYS if day in chosen)


def _parse_weekday(text: str) -> tuple[str, ...]:
    word = text.strip().lower()
    if word == "weekdays":
        return WEEKDAYS[:5]
    matches = tuple(day for day in WEEKDAYS if word in (day, day[:3]))
    if not matches:
        raise ValueError(f"delivery day {text!r} is not a weekday (monday ... sunday, mon ... sun, weekdays)")
    return matches


def _parse_month_day(text: str) -> int:
    word = text.strip()
    if not word.isdecimal() or not 1 <= int(word) <= 31:
        raise ValueError(f"delivery day {text!r} of a monthly report is not a day of the month (1 to 31)")
    return int(word)


def _entries(schedule: Schedule, planned: Planned | None, first: date) -> Iterator[Due]:
    """Endless: what the schedule asks for from `first` on and is not planned, what is left out included."""
    if planned is not None:
        first = max(first, planned.local_date + ONE_DAY)
    several_a_period = schedule.frequency == "monthly" and len(schedule.delivery_days) > 1
    for local_date in _asked_dates(schedule, first):
        due = _on_working_day(schedule, occurrence(schedule, local_date))
        if due.moved_to is not None and due.moved_to < schedule.starts_on:
            continue
        # Another weekday, day of the month or zone must not send once more what the last one sent.
        repeated = planned is not None and (due.period_start, due.period_end) == planned[1:]
        if not repeated or several_a_period:
            yield due


def _on_working_day(schedule: Schedule, due: Due) -> Due:
    """The occurrence as its holiday rule makes it."""
    holiday = schedule.holidays.holiday(due.local_date) if schedule.holidays else None
    if holiday is None:
        return due
    if schedule.holiday_rule == "skip":
        return replace(due, holiday=holiday, left_out="holiday")
    day = _moved(schedule, due)
    twin = _twin(schedule, due, day)
    return replace(
        due,
        holiday=holiday,
        due_at=due_moment(day, schedule.delivery_time, schedule.timezone),
        moved_to=day,
        left_out="" if twin is None else f"the report of {twin:%a %m-%d} is the same",
    )


def _moved(schedule: Schedule, due: Due) -> date:
    if schedule.holiday_rule == "before":
        day = _working_day(schedule, due.local_date, -ONE_DAY)
        if _tenant_date(schedule, day) > due.period_end:
            return day
    return _working_day(schedule, due.local_date, ONE_DAY)


def _working_day(schedule: Schedule, day: date, step: timedelta) -> date:
    assert schedule.holidays is not None
    while True:
        day += step
        if schedule.holidays.is_working_day(day) and _exists(day, schedule.timezone):
            return day


def _twin(schedule: Schedule, due: Due, day: date) -> date | None:
    """The other date of the same month's report that goes out on `day`, when there is one."""
    if len(schedule.delivery_days) < 2 or schedule.frequency != "monthly":
        return None
    assert schedule.holidays is not None
    for local_date in _asked_dates(schedule, max(schedule.starts_on, due.local_date - LONGEST_MONTH)):
        if local_date > due.local_date + LONGEST_MONTH:
            return None
        if local_date == due.local_date:
            continue
        other = occurrence(schedule, local_date)
        is_holiday = schedule.holidays.holiday(local_date) is not None
        if (
            other.period_start == due.period_start
            and (local_date < due.local_date or not is_holiday)
            and (_moved(schedule, other) if is_holiday else local_date) == day
        ):
            return local_date
    return None


def _asked_dates(schedule: Schedule, first: date) -> Iterator[date]:
    """Endless: the local dates from `first` on for which the schedule asks and which exist in its zone."""
    day = first
    while True:
        if _is_asked(schedule, day) and _exists(day, schedule.timezone):
            yield day
        day += ONE_DAY


def _is_asked(schedule: Schedule, day: date) -> bool:
    if schedule.frequency == "monthly":
        if not schedule.delivery_days:
            return _tenant_date(schedule, day).day == 1
        month_length = month_calendar.monthrange(day.year, day.month)[1]
        return day.day in {min(int(text), month_length) for text in schedule.delivery_days}
    if schedule.delivery_days:
        return WEEKDAYS[day.weekday()] in schedule.delivery_days
    if schedule.frequency == "weekly":
        return WEEKDAYS[_tenant_date(schedule, day).weekday()] == schedule.week_start
    return True


@lru_cache(maxsize=65536)
def _exists(day: date, zone: ZoneInfo) -> bool:
    """Whether the zone's calendar has that date (Samoa left out 30 December 2011)."""
    return any(
        due_moment(day, at, zone).astimezone(zone).date() == day
        for at in (time(12), time(0), time(23, 59, 59))
    )


def _tenant_date(schedule: Schedule, local_date: date) -> date:
    """The tenant's date at the due moment, by the year's constant distance between the two zones."""
    if schedule.timezone.key == schedule.tenant_timezone.key:
        return local_date
    distance = _days_ahead(
        schedule.timezone, schedule.tenant_timezone, schedule.delivery_time, local_date.year
    )
    return local_date + timedelta(days=distance)


@lru_cache(maxsize=4096)
def _days_ahead(zone: ZoneInfo, tenant_zone: ZoneInfo, delivery_time: time, year: int) -> int:
    """Days by which the tenant's date is ahead of the subscription's at the delivery time: -1, 0 or 1.

    The later of both halves of the year: in the other half a period ends up to two hours after the due moment
    and the report waits for it, where the earlier one would make every report of a season a day old.
    """
    distances = []
    for month in (1, 7):
        sample = date(year, month, 15)
        distances.append(
            (due_moment(sample, delivery_time, zone).astimezone(tenant_zone).date() - sample).days
        )
    return max(distances)


def _period(schedule: Schedule, tenant_date: date) -> tuple[date, date]:
    """First and last day of the last period that has ended when `tenant_date` begins."""
    if schedule.frequency == "daily":
        day = tenant_date - ONE_DAY
        while not _exists(day, schedule.tenant_timezone):
            day -= ONE_DAY
        return day, day
    if schedule.frequency == "weekly":
        into_week = (tenant_date.weekday() - WEEKDAYS.index(schedule.week_start)) % 7
        end = tenant_date - timedelta(days=into_week + 1)
        return end - timedelta(days=6), end
    end = tenant_date.replace(day=1) - ONE_DAY
    return end.replace(day=1), end
