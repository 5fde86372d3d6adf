"""Report periods and their calendar."""

from __future__ import annotations

from datetime import date

import pytest

from orchestration.errors import MetricpressError
from orchestration.reports.formatting import Formatter
from orchestration.reports.periods import Period, newest_whole_period, whole_period
from orchestration.reports.request import Frequency

EN = Formatter.of("en")


def test_the_period_before() -> None:
    assert Period("daily", date(2026, 3, 1), date(2026, 3, 1)).previous.start == date(2026, 2, 28)
    week = Period("weekly", date(2026, 1, 5), date(2026, 1, 11)).previous
    assert (week.start, week.end) == (date(2025, 12, 29), date(2026, 1, 4))
    month = Period("monthly", date(2026, 3, 1), date(2026, 3, 31)).previous
    assert (month.start, month.end) == (date(2026, 2, 1), date(2026, 2, 28))


def test_a_trend_ends_with_the_period() -> None:
    days = Period("daily", date(2026, 3, 1), date(2026, 3, 1)).trend
    assert (len(days), days[0], days[-1]) == (30, date(2026, 1, 31), date(2026, 3, 1))
    months = Period("monthly", date(2026, 3, 1), date(2026, 3, 31)).trend
    assert (len(months), months[0]) == (13, date(2025, 3, 1))
    weeks = Period("weekly", date(2026, 3, 30), date(2026, 4, 5)).trend
    assert (len(weeks), weeks[0]) == (13, date(2026, 1, 5))


def test_a_range_stands_beside_the_range_before_of_its_length() -> None:
    days = Period("range", date(2026, 3, 3), date(2026, 3, 12))
    assert (days.previous.start, days.previous.end) == (date(2026, 2, 21), date(2026, 3, 2))
    assert (days.before(EN), days.this(EN), days.trend_span(EN)) == (
        "the 10 days before",
        "this period",
        "10 days",
    )
    assert (len(days.trend), days.trend[0], days.trend[-1]) == (10, days.start, days.end)
    assert {(part.frequency, part.start == part.end) for part in days.trend_periods} == {("daily", True)}
    one = Period("range", date(2026, 3, 3), date(2026, 3, 3))
    assert (one.before(EN), one.previous.end) == ("the day before", date(2026, 3, 2))


@pytest.mark.parametrize(
    ("frequency", "start", "end", "week_start", "fits"),
    [
        ("daily", date(2026, 3, 1), date(2026, 3, 1), "monday", True),
        ("daily", date(2026, 3, 1), date(2026, 3, 2), "monday", False),
        ("weekly", date(2026, 3, 2), date(2026, 3, 8), "monday", True),
        ("weekly", date(2026, 3, 2), date(2026, 3, 8), "sunday", False),
        ("weekly", date(2026, 3, 1), date(2026, 3, 7), "sunday", True),
        ("weekly", date(2026, 3, 2), date(2026, 3, 7), "monday", False),
        ("monthly", date(2024, 2, 1), date(2024, 2, 29), "monday", True),
        ("monthly", date(2024, 2, 1), date(2024, 2, 28), "monday", False),
        ("range", date(2024, 2, 1), date(2024, 2, 1), "monday", True),
        ("range", date(2024, 2, 2), date(2024, 2, 1), "monday", False),
    ],
)
def test_a_period_is_whole(frequency: Frequency, start: date, end: date, week_start: str, fits: bool) -> None:
    period = Period(frequency, start, end)
    if fits:
        period.check(week_start)
        return
    with pytest.raises(MetricpressError) as caught:
        period.check(week_start)
    assert caught.value.remedy


# 2026-11-20 is a Friday, 2026-11-22 a Sunday.
@pytest.mark.parametrize(
    ("frequency", "day", "week_start", "first", "last"),
    [
        ("daily", "2026-11-20", "monday", "2026-11-20", "2026-11-20"),
        ("weekly", "2026-11-20", "monday", "2026-11-16", "2026-11-22"),
        ("weekly", "2026-11-22", "monday", "2026-11-16", "2026-11-22"),
        ("weekly", "2026-11-20", "sunday", "2026-11-15", "2026-11-21"),
        ("weekly", "2026-11-22", "sunday", "2026-11-22", "2026-11-28"),
        ("monthly", "2024-02-10", "monday", "2024-02-01", "2024-02-29"),
        ("monthly", "2026-12-31", "monday", "2026-12-01", "2026-12-31"),
    ],
)
def test_the_period_that_holds_a_day(
    frequency: str, day: str, week_start: str, first: str, last: str
) -> None:
    found = whole_period(frequency, date.fromisoformat(day), week_start)
    assert found == (date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(
    ("frequency", "complete", "week_start", "first", "last"),
    [
        ("daily", "2026-11-20", "monday", "2026-11-20", "2026-11-20"),
        ("weekly", "2026-11-20", "monday", "2026-11-09", "2026-11-15"),
        ("weekly", "2026-11-20", "sunday", "2026-11-08", "2026-11-14"),
        ("monthly", "2026-11-20", "monday", "2026-10-01", "2026-10-31"),
        ("monthly", "2026-10-31", "monday", "2026-10-01", "2026-10-31"),
    ],
)
def test_the_newest_period_that_has_ended(
    frequency: str, complete: str, week_start: str, first: str, last: str
) -> None:
    found = newest_whole_period(frequency, date.fromisoformat(complete), week_start)
    assert found == (date.fromisoformat(first), date.fromisoformat(last))
