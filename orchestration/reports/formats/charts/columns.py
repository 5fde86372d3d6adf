"""Columns over labels, such as the hours of a day.

Belongs here: column charts. Does not belong here: the steps of a bridge (bridge.py).
"""

from __future__ import annotations

from decimal import Decimal

from markupsafe import Markup

from orchestration.reports.brand import Palette
from orchestration.reports.document import Chart, Number
from orchestration.reports.formats.charts.axes import FOOT, grid, names_of, slot_names
from orchestration.reports.formats.charts.canvas import (
    INK,
    NARROW,
    PALE,
    QUIET,
    SIZE,
    Canvas,
    cut,
    text_width,
)
from orchestration.reports.formats.scale import Scale, chart_scale
from orchestration.reports.formatting import Formatter

#: Points; few columns stay columns.
_THICKEST = 44.0


def columns(chart: Chart, text: Formatter, frequency: str, palette: Palette, width: float) -> Markup:
    """Columns over labels. A second series stands inside the first: a part of it."""
    height = 150.0 if width > NARROW else 110.0
    canvas = Canvas(width, height)
    parts = chart.series[:2]
    known = [Decimal(value) for series in parts for value in series.values if value is not None]
    names = names_of(chart.x, text, frequency)
    words = _direct_labels(chart, text, width / len(names))
    top = 24.0 if len(parts) > 1 else 14.0
    scale = chart_scale([*known, Decimal(0)], chart.sample, top=top, bottom=height - FOOT - 2)
    left = 0.0 if words else grid(canvas, scale, chart.sample, text, width)
    slot = (width - left) / len(names)
    thick = min(slot * 0.72, _THICKEST)
    for index, series in enumerate(parts):
        strong = index == len(parts) - 1
        for place, value in enumerate(series.values):
            _column(canvas, scale, value, (left + (place + 0.5) * slot - thick / 2, thick), palette, strong)
    for place, (word, value) in enumerate(zip(words, parts[0].values, strict=False)):
        y = min(scale.zero, scale.y(Decimal(value or 0))) - 3
        canvas.text(left + (place + 0.5) * slot, y, word, anchor="middle", colour=INK, bold=True)
    canvas.line(left, scale.zero, width, scale.zero, INK, 0.6)
    slot_names(canvas, names, left, slot, height - 5)
    if len(parts) > 1:
        _legend(canvas, chart, left, palette)
    return canvas.close(chart.alt)


def _direct_labels(chart: Chart, text: Formatter, slot: float) -> list[str]:
    """The value of each column where there is one series and all fit above their columns; else nothing."""
    if len(chart.series) != 1:
        return []
    words = [text.like(chart.sample, value, True) for value in chart.series[0].values]
    return words if all(text_width(word) + 3 <= slot for word in words) else []


def _column(
    canvas: Canvas, scale: Scale, value: Number | None, place: tuple[float, float], palette: Palette,
    strong: bool,
) -> None:  # fmt: skip
    if not value:
        return
    (x, width), tip = place, scale.y(Decimal(value))
    y, height = min(tip, scale.zero), abs(scale.zero - tip)
    if not strong:
        canvas.rect(x, y, width, height, PALE, QUIET)
    elif value < 0:
        canvas.hatched(x, y, width, height, palette.primary)
    else:
        canvas.rect(x, y, width, height, palette.primary)


def _legend(canvas: Canvas, chart: Chart, left: float, palette: Palette) -> None:
    x, room = left, (canvas.width - left) / 2 - 22
    for series, strong in zip(chart.series[:2], (False, True), strict=True):
        canvas.rect(x, 2, 7, 7, palette.primary if strong else PALE, "" if strong else QUIET)
        label = cut(series.label, room)
        canvas.text(x + 10, 8.2, label, colour=INK)
        x += 22 + text_width(label, SIZE)
