"""The rule behind rising, falling, steady and changeable, on series made by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from itertools import combinations, permutations

import pytest

from orchestration.reports.document import Number
from orchestration.reports.periods import Period
from orchestration.reports.trends import Trend, chance, trend_of, trend_spans


def series(words: str) -> list[Number | None]:
    """`1 2 - 4`: values by place, `-` one that is not known."""
    return [None if word == "-" else Decimal(word) for word in words.split()]


@pytest.mark.parametrize("count", [4, 6, 7])
def test_the_chance_of_a_direction_is_that_of_all_orders(count: int) -> None:
    orders = list(permutations(range(count)))
    balances = [sum((b > a) - (b < a) for a, b in combinations(order, 2)) for order in orders]
    for balance in range(count * (count - 1) // 2 + 1):
        expected = Decimal(sum(found >= balance for found in balances)) / len(orders)
        assert chance(balance, count) == expected, balance


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ("10 11 12 13 14 15 16 17", "rising"),
        ("80 70 60 50 40 30 20 10", "falling"),
        ("100 101 99 100 102 100 98 100", "steady"),
        ("5 5 5 5 5 5 5 5", "steady"),
        ("0 0 0 0 0 0 0 0", "steady"),
        ("10 90 20 80 15 70 30 60", "changeable"),
        # One outlier makes no trend and hides none.
        ("100 101 99 100 102 100 98 900", "steady"),
        ("10 11 12 900 14 15 16 17", "rising"),
        # Rising every week, and by too little to matter: 4.9 % of the middle value, then 5.6 %.
        ("1000 1007 1014 1021 1028 1035 1042 1049", "steady"),
        ("1000 1008 1016 1024 1032 1040 1048 1058", "rising"),
        # 20 of 28 pairs rise and 8 fall: 12 more, which chance gives more often than once in twenty.
        ("10 30 20 40 25 60 35 28", "changeable"),
        # 6 known of 8 are enough, 5 are not, and without the last nothing is said.
        ("10 - 12 13 - 15 16 17", "rising"),
        ("10 - 12 - - 15 16 17", "unknown"),
        ("10 11 12 13 14 15 16 -", "unknown"),
        ("", "unknown"),
        ("-8 -7 -6 -5 -4 -3 -2 -1", "rising"),
    ],
)
def test_the_word_for_counts(values: str, word: str) -> None:
    assert trend_of(series(values), "integer").word == word


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ("0.500 0.501 0.502 0.503 0.504 0.505 0.506 0.508", "steady"),
        ("0.500 0.502 0.504 0.506 0.508 0.510 0.512 0.514", "rising"),
        # Near 1 a fifth of a point matters.
        ("0.999 0.9985 0.998 0.9975 0.997 0.9965 0.996 0.9955", "falling"),
        ("0.9990 0.9989 0.9991 0.9990 0.9992 0.9990 0.9988 0.9990", "steady"),
        ("0.2 0.6 0.3 0.7 0.25 0.65 0.3 0.6", "changeable"),
    ],
)
def test_the_word_for_shares(values: str, word: str) -> None:
    assert trend_of(series(values), "percent").word == word


def test_the_middle_and_the_step_are_medians() -> None:
    # Steps between all pairs of 1 2 3 4 5 6 are 1 each; the middle lies between 3 and 4.
    assert trend_of(series("1 2 3 4 5 6"), "integer") == Trend("rising", Decimal("3.5"), Decimal(1))
    # A gap is time that passed: from 2 to 6 in four periods is 1 a period.
    assert trend_of(series("1 2 - - - 6 7 8 9"), "integer").step == 1


def test_a_weekly_report_looks_at_its_last_eight_weeks() -> None:
    spans = trend_spans(Period("weekly", date(2025, 3, 24), date(2025, 3, 30)), "monday")
    assert [len(spans), spans[0].start, spans[-1].end] == [8, date(2025, 2, 3), date(2025, 3, 30)]
    assert all(span.days == 7 for span in spans)


@pytest.mark.parametrize(
    ("day", "week_start", "last"),
    [
        (date(2025, 3, 30), "monday", date(2025, 3, 30)),
        (date(2025, 3, 29), "monday", date(2025, 3, 23)),
        (date(2025, 3, 29), "sunday", date(2025, 3, 29)),
        (date(2025, 3, 31), "monday", date(2025, 3, 30)),
    ],
)
def test_a_daily_report_looks_at_whole_weeks(day: date, week_start: str, last: date) -> None:
    spans = trend_spans(Period("daily", day, day), week_start)
    assert (len(spans), spans[-1].end) == (8, last)
    assert {(span.days, span.frequency) for span in spans} == {(7, "weekly")}


def test_a_monthly_report_looks_at_months_and_a_range_at_nothing() -> None:
    months = trend_spans(Period("monthly", date(2025, 3, 1), date(2025, 3, 31)), "monday")
    assert [months[0].start, months[0].end] == [date(2024, 8, 1), date(2024, 8, 31)]
    assert trend_spans(Period("range", date(2025, 3, 1), date(2025, 3, 9)), "monday") == ()
