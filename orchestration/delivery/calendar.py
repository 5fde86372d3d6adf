"""When reports are due and which days they cover: pure functions of a schedule and the IANA time zones.

Belongs here: local dates, due moments, report periods. Does not: the database, what was already planned,
holidays' effect on recipients, or the clock (every function is told the moment).

Three rulings, held by tests:

- A due time that a clock change skips falls as much later as the clocks jumped; one that happens twice
  falls on the first. A local date that a zone left out altogether has no occurrence.
- Local dates are the subscription's, report periods the tenant's. When the two zones differ, the distance
  in days between them is taken once for the year (the later date where summer time makes two), so that
  consecutive occurrences cover consecutive periods: no clock change repeats or skips a day.
- The 29th, 30th and 31st fall on the last day of a shorter month.
"""

from __future__ import annotations

import calendar as month_calendar
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal, get_args
from zoneinfo import ZoneInfo

Frequency = Literal["daily", "weekly", "monthly"]
WeekStart = Literal["monday", "sunday"]
FREQUENCIES: tuple[Frequency, ...] = get_args(Frequency)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Schedule:
    """A subscription's calendar.

    delivery_days: weekday names (daily: those days only; weekly: exactly one) or days of the month as text
    (monthly). Empty: every day, or the day on which a new tenant week or month has begun at the due moment.
    """

    frequency: Frequency
    delivery_time: time
    timezone: ZoneInfo
    tenant_timezone: ZoneInfo
    week_start: WeekStart
    starts_on: date
    delivery_days: tuple[str, ...] = ()


@dataclass(frozen=True)
class Due:
    """One occurrence: its local date, its moment (UTC) and the tenant's days it covers, ends inclusive."""

    local_date: date
    due_at: datetime
    period_start: date
    period_end: date


def due_moment(local_date: date, delivery_time: time, zone: ZoneInfo) -> datetime:
    """The moment in UTC at which the zone's clocks show that date and time, by the rulings above."""
    # fold=0 reads a repeated time as its first pass and a skipped one by the offset before the jump.
    return datetime.combine(local_date, delivery_time.replace(fold=0), zone).astimezone(UTC)


def occurrence(schedule: Schedule, local_date: date) -> Due:
    """The occurrence of that local date, whether or not the schedule asks for it (reports on demand)."""
    start, end = _period(schedule, _tenant_date(schedule, local_date))
    return Due(local_date, due_moment(local_date, schedule.delivery_time, schedule.timezone), start, end)


def due_between(schedule: Schedule, after: date | None, until: datetime) -> list[Due]:
    """Occurrences of local dates later than `after`, not before starts_on, due at or before `until`."""
    first = schedule.starts_on if after is None else max(schedule.starts_on, after + ONE_DAY)
    last = until.astimezone(schedule.timezone).date()
    found = []
    for local_date in _asked_dates(schedule, first):
        if local_date > last:
            break
        due = occurrence(schedule, local_date)
        if due.due_at <= until:
            found.append(due)
    return found


def upcoming(schedule: Schedule, after: datetime, count: int) -> list[Due]:
    """The next `count` occurrences due later than `after`."""
    found: list[Due] = []
    first = max(schedule.starts_on, after.astimezone(schedule.timezone).date() - ONE_DAY)
    for local_date in _asked_dates(schedule, first):
        if len(found) == count:
            break
        due = occurrence(schedule, local_date)
        if due.due_at > after:
            found.append(due)
    return found


def latest(schedule: Schedule, until: datetime) -> Due | None:
    """The last occurrence due at or before `until`, also one before starts_on; None when there is none."""
    longest_gap = timedelta(days=63)
    first = until.astimezone(schedule.timezone).date() - longest_gap
    found = due_between(replace(schedule, starts_on=first), None, until)
    return found[-1] if found else None


def peculiarity(schedule: Schedule, due: Due) -> str:
    """What is odd about that day's due time, in words; empty on nearly every day."""
    shown = due.due_at.astimezone(schedule.timezone)
    if shown.time().replace(tzinfo=None) != schedule.delivery_time:
        return f"clocks skip {schedule.delivery_time:%H:%M}: sent at {shown:%H:%M}"
    if shown.replace(fold=1).utcoffset() != shown.utcoffset():
        return f"{schedule.delivery_time:%H:%M} comes twice: sent at the first"
    if schedule.frequency == "monthly" and str(due.local_date.day) not in schedule.delivery_days:
        return "shorter month" if schedule.delivery_days else ""
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
        return tenant_date - ONE_DAY, tenant_date - ONE_DAY
    if schedule.frequency == "weekly":
        into_week = (tenant_date.weekday() - WEEKDAYS.index(schedule.week_start)) % 7
        end = tenant_date - timedelta(days=into_week + 1)
        return end - timedelta(days=6), end
    end = tenant_date.replace(day=1) - ONE_DAY
    return end.replace(day=1), end
