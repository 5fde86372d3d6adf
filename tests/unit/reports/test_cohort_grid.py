"""Which cells of a cohort are complete, weighted averages, and who may be called best."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.reports.data.cohort import Cell, Choice
from orchestration.reports.documents.cohort_grid import Grid, add_periods, completed_on, period_of

MONTHS = Choice("user", "first_activity", "month", "calendar")


def cell(start: date, index: int, size: int, kept: int | None, complete: bool = True) -> Cell:
    rate = None if kept is None else Decimal(kept) / size
    return Cell(start, index, size, kept, rate, None, None, complete)


@pytest.mark.parametrize(
    ("period", "mode", "start", "index", "day"),
    [
        ("month", "calendar", date(2025, 1, 1), 0, date(2025, 1, 31)),
        ("month", "calendar", date(2025, 1, 1), 1, date(2025, 2, 28)),
        ("month", "unbounded", date(2024, 12, 1), 1, date(2025, 1, 31)),
        # 31 January is day 0; day 29 is 1 March, day 59 is 31 March.
        ("month", "rolling", date(2025, 1, 1), 0, date(2025, 3, 1)),
        ("month", "rolling", date(2025, 1, 1), 1, date(2025, 3, 31)),
        # Of the week of 6 January the last day is the 12th; its day 6 is the 18th, its day 13 the 25th.
        ("week", "rolling", date(2025, 1, 6), 0, date(2025, 1, 18)),
        ("week", "rolling", date(2025, 1, 6), 1, date(2025, 1, 25)),
        ("week", "calendar", date(2025, 1, 6), 1, date(2025, 1, 19)),
    ],
)
def test_a_bucket_is_complete_when_the_last_member_has_completed_it(
    period: str, mode: str, start: date, index: int, day: date
) -> None:
    choice = Choice("user", "first_activity", period, mode)  # type: ignore[arg-type]
    assert completed_on(choice, start, index) == day
    for shown_on, is_shown in ((day, True), (day - timedelta(days=1), False)):
        grid = Grid.of(choice, [cell(start, index, 3, 1)], start, shown_on)
        assert bool(grid.cells) is is_shown


def test_a_cell_the_mart_calls_incomplete_is_left_out() -> None:
    cells = [cell(date(2025, 1, 1), 0, 3, 3), cell(date(2025, 1, 1), 1, 3, None, complete=False)]
    grid = Grid.of(MONTHS, cells, date(2025, 1, 1), date(2025, 2, 28))
    assert set(grid.cells) == {(date(2025, 1, 1), 0)}
    assert grid.left_out == 1


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(0, 500)), min_size=1, max_size=30))
def test_an_average_is_a_sum_of_a_sum(cohorts: list[tuple[int, int]]) -> None:
    pairs = [(size, min(kept, size)) for size, kept in cohorts]
    cells = [
        cell(add_periods(date(2020, 1, 1), "month", at), 1, size, kept)
        for at, (size, kept) in enumerate(pairs)
    ]
    average = Grid.of(MONTHS, cells, date(2020, 1, 1), date(2030, 1, 1)).average(1)
    assert average.rate == Decimal(sum(kept for _, kept in pairs)) / sum(size for size, _ in pairs)
    assert (average.cohorts, average.members) == (len(pairs), sum(size for size, _ in pairs))


def test_the_size_is_that_of_the_first_bucket() -> None:
    """In a rolling bucket the mart counts those whose bucket has begun: fewer and fewer of a young cohort."""
    start = date(2025, 1, 6)
    cells = [cell(start, 0, 39, 39), cell(start, 1, 39, 20), cell(start, 2, 11, None, complete=False)]
    choice = Choice("user", "first_activity", "week", "rolling")
    assert Grid.of(choice, cells, start, date(2025, 1, 28)).sizes == {start: 39}


def test_small_cohorts_are_never_ranked() -> None:
    sizes = ((19, 19), (20, 5), (400, 300))
    cells = [
        cell(add_periods(date(2025, 1, 1), "month", at), 1, size, kept)
        for at, (size, kept) in enumerate(sizes)
    ]
    ranked = Grid.of(MONTHS, cells, date(2025, 1, 1), date(2026, 1, 1)).ranked(1)
    assert [entry.cohort_size for entry in ranked] == [400, 20]


def test_calendar_arithmetic() -> None:
    assert add_periods(date(2025, 1, 1), "month", -13) == date(2023, 12, 1)
    assert add_periods(date(2025, 1, 6), "week", 2) == date(2025, 1, 20)
    assert period_of(date(2025, 3, 31), "month", "monday") == date(2025, 3, 1)
    assert period_of(date(2025, 3, 30), "week", "monday") == date(2025, 3, 24)
    assert period_of(date(2025, 3, 30), "week", "sunday") == date(2025, 3, 30)
