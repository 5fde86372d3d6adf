"""Figures of the catalogue as text, in the form the reports give them.

Belongs here: the one step from a metric's unit and format to words. Does not belong here: how numbers are
written (reports/formatting.py).
"""

from __future__ import annotations

from decimal import Decimal
from typing import cast

from orchestration.figures.catalogue import Clock, Metric
from orchestration.reports.document import Comparison, Figure, Format
from orchestration.reports.formatting import Formatter

MINUS = "\u2212"


def value_text(text: Formatter, metric: Metric, clock: Clock, value: Decimal | None) -> str:
    """A value in the metric's form; `-` when there is none."""
    return "-" if value is None else text.figure(_figure(metric, clock, value))


def part_text(text: Formatter, value: Decimal | None) -> str:
    """A numerator, denominator or count: with at most two decimals."""
    if value is None:
        return "-"
    whole = value == value.to_integral_value()
    return text.figure(Figure("", "", value, "integer" if whole else "decimal"))


def counts_text(text: Formatter, counts: str | None) -> str:
    """The amount one row contributes."""
    return part_text(text, None if counts is None else Decimal(counts))


def change_text(
    text: Formatter, metric: Metric, clock: Clock, value: Decimal | None, before: Decimal | None
) -> str:
    """The change with its sign: percent of the value before, for rates points; `-` where there is none."""
    if value is None or before is None:
        return "-"
    change = value - before
    if change == 0:
        return "0"
    rate = change / abs(before) if before else None
    comparison = Comparison("", before, change, rate, "up", "neutral")
    words = text.change(_figure(metric, clock, value, comparison))
    sign = "+" if change > 0 else MINUS
    return sign + words if words else "new"


def _figure(metric: Metric, clock: Clock, value: Decimal, comparison: Comparison | None = None) -> Figure:
    form = cast(Format, metric.format)
    return Figure(
        metric.metric, metric.title, value, form, metric.unit, clock.currency, comparison=comparison
    )
