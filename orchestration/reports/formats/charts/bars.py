"""Horizontal bars with names on the left and figures beside them, and the funnel.

Belongs here: charts of lying bars. Does not belong here: columns over an axis (columns.py).
"""

from __future__ import annotations

from decimal import Decimal

from markupsafe import Markup

from orchestration.reports.brand import Palette
from orchestration.reports.document import Chart, Figure
from orchestration.reports.formats.charts.axes import names_of
from orchestration.reports.formats.charts.canvas import INK, QUIET, Canvas, cut, text_width
from orchestration.reports.formatting import Formatter

_SIZE = 7.6


def bars(chart: Chart, text: Formatter, frequency: str, palette: Palette, width: float) -> Markup:
    """Bars from zero, one for each name, the figure beside each; what is below zero is hatched."""
    row = 16.0
    names, values = names_of(chart.x, text, frequency), chart.series[0].values
    canvas = Canvas(width, row * len(names))
    words = [
        text.figure(chart.labels[index], True) if index < len(chart.labels)
        else text.like(chart.sample, value, True)
        for index, value in enumerate(values)
    ]  # fmt: skip
    words = [cut(word, width * 0.24, _SIZE) for word in words]
    beside = max(text_width(word, _SIZE) for word in words) + 6
    numbers = [Decimal(value or 0) for value in values]
    low, high = min(*numbers, Decimal(0)), max(*numbers, Decimal(0))
    left = min(max(text_width(name, _SIZE) for name in names) + 10, width * 0.34)
    before = beside if low < 0 else 0.0
    room = width - left - beside - before
    spread = (high - low) or Decimal(1)
    zero = left + before + float(-low / spread) * room
    for index, (name, value, number, word) in enumerate(zip(names, values, numbers, words, strict=True)):
        y, length = index * row, float(abs(number) / spread) * room
        canvas.text(0, y + 11, cut(name, left - 8, _SIZE), size=_SIZE, colour=INK)
        if number < 0:
            canvas.hatched(zero - length, y + 3, length, row - 6, palette.primary)
        elif value is not None:
            canvas.rect(zero, y + 3, max(length, 0.8), row - 6, palette.primary)
        x = zero - length - 5 if number < 0 else zero + length + 5
        anchor = "end" if number < 0 else "start"
        canvas.text(x, y + 11, word, anchor=anchor, size=_SIZE, colour=INK, bold=True)  # type: ignore[arg-type]
    if low < 0:
        canvas.line(zero, 0, zero, canvas.height, INK, 0.6)
    return canvas.close(chart.alt)


def funnel(chart: Chart, text: Formatter, frequency: str, palette: Palette, width: float) -> Markup:
    """Bars of falling counts, the count and the share of the step before beside each."""
    row = 24.0
    names, counts, shares = names_of(chart.x, text, frequency), *_funnel_words(chart, text)
    canvas = Canvas(width, row * len(names))
    left = min(max(text_width(name, 8) for name in names) + 14, width * 0.3)
    counts = [cut(count, width * 0.18, 8.5) for count in counts]
    shares = [cut(share, width * 0.34, 7.2) for share in shares]
    beside = max(text_width(count, 8.5) for count in counts) + 14
    right = max(text_width(share, 7.2) for share in shares)
    values = [Decimal(value or 0) for value in chart.series[0].values]
    most, room = max([*values, Decimal(1)]), width - left - beside - right
    for index, (name, value, count, share) in enumerate(zip(names, values, counts, shares, strict=True)):
        y, length = index * row, max(float(max(value, Decimal(0)) / most) * room, 0.8)
        canvas.text(0, y + 14, cut(name, left - 8, 8), size=8, colour=INK)
        canvas.rect(left, y + 3, length, row - 8, palette.primary)
        canvas.text(left + length + 6, y + 14, count, size=8.5, colour=INK, bold=True)
        canvas.text(width, y + 14, share, anchor="end", size=7.2, colour=QUIET)
    return canvas.close(chart.alt)


def _funnel_words(chart: Chart, text: Formatter) -> tuple[list[str], list[str]]:
    """Counts and shares from `labels`: the first count, then a count and a share for each further step."""
    values, labels = chart.series[0].values, chart.labels
    counts, shares = [], []
    for index, value in enumerate(values):
        count: Figure | None = labels[max(2 * index - 1, 0)] if max(2 * index - 1, 0) < len(labels) else None
        share: Figure | None = labels[2 * index] if 0 < 2 * index < len(labels) else None
        counts.append(text.figure(count) if count else text.like(chart.sample, value))
        shares.append(f"{text.figure(share)} {share.label}" if share else "")
    return counts, shares
