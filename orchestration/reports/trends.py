"""Trend words: whether a figure is rising, falling or steady over the last weeks: one rule for all reports.

Belongs here: the rule on plain numbers, and which periods it looks at. Does not belong here: the words a
reader sees and their table (documents/trend_words.py).

The rule, over the last 8 weeks (monthly reports: months) with at least 6 known values, the last among them:

- rising or falling: of all pairs of weeks, so many more rise than fall as pure chance gives at most once in
  twenty (Mann-Kendall, exact), and the typical step from week to week (Theil-Sen: the median over all pairs)
  adds up to a change that matters: 5 % of the middle value; for shares 1 point, near 0 and 1 a fifth of one;
- steady: neither, and three quarters of the values lie within four times that change of the middle value;
- changeable: neither of these.

One outlier decides nothing: ranks and medians are used throughout.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from itertools import combinations
from math import factorial
from statistics import median
from typing import Literal

from orchestration.reports.document import Format, Number
from orchestration.reports.periods import Period, whole_period

Word = Literal["rising", "falling", "steady", "changeable", "unknown"]

#: How many periods are looked at, and how many of them must be known.
SPANS, LEAST_KNOWN = 8, 6
#: How often chance alone may give a direction.
MOST_CHANCE = Decimal("0.05")
_LEAST_CHANGE = Decimal("0.05")
_LEAST_POINTS, _LEAST_FINE_POINTS, _FINE = Decimal("0.01"), Decimal("0.002"), Decimal("0.05")
_STEADY_SHARE = Decimal("0.75")


@dataclass(frozen=True)
class Trend:
    """The word, the middle value and the typical step from one period to the next; None when not known."""

    word: Word
    middle: Decimal | None = None
    step: Decimal | None = None


def trend_of(values: Sequence[Number | None], kind: Format) -> Trend:
    """The trend of values in order of time, None where one is unknown; `kind` tells shares from the rest."""
    known = [(place, Decimal(value)) for place, value in enumerate(values) if value is not None]
    if len(known) < LEAST_KNOWN or values[-1] is None:
        return Trend("unknown")
    pairs = list(combinations(known, 2))
    middle = median(value for _, value in known)
    step = median((later - first) / (at - start) for (start, first), (at, later) in pairs)
    balance = sum((later > first) - (later < first) for (_, first), (_, later) in pairs)
    matters = _change_that_matters(middle, kind)
    whole = step * (known[-1][0] - known[0][0])
    if chance(abs(balance), len(known)) <= MOST_CHANCE and abs(whole) >= matters > 0 and whole * balance > 0:
        return Trend("rising" if whole > 0 else "falling", middle, step)
    near = sum(abs(value - middle) <= 4 * matters for _, value in known)
    return Trend("steady" if near >= _STEADY_SHARE * len(known) else "changeable", middle, step)


def chance(balance: int, count: int) -> Decimal:
    """How likely `count` values in random order have at least `balance` more rising pairs than falling ones.

    Orders are counted by their inversions (Mahonian numbers): with k inversions the balance is pairs - 2 k.
    """
    orders = [1]
    for length in range(2, count + 1):
        grown = [0] * (len(orders) + length - 1)
        for inversions, number in enumerate(orders):
            for more in range(length):
                grown[inversions + more] += number
        orders = grown
    most = (count * (count - 1) // 2 - balance) // 2
    return Decimal(sum(orders[: most + 1])) / factorial(count)


def trend_spans(period: Period, week_start: str) -> tuple[Period, ...]:
    """The periods the rule looks at, oldest first; none for a range of days.

    A daily report looks at the whole weeks that had ended by its day: days of a week are not alike.
    """
    if period.frequency == "range":
        return ()
    last = period
    if period.frequency == "daily":
        first, end = whole_period("weekly", period.end, week_start)
        back = timedelta(0 if end == period.end else 7)
        last = Period("weekly", first - back, end - back)
    spans = [last]
    while len(spans) < SPANS:
        spans.append(spans[-1].previous)
    return tuple(reversed(spans))


def _change_that_matters(middle: Decimal, kind: Format) -> Decimal:
    if kind != "percent":
        return abs(middle) * _LEAST_CHANGE
    return _LEAST_FINE_POINTS if min(abs(middle), abs(1 - middle)) < _FINE else _LEAST_POINTS
