"""From a first to a last value in steps.

Belongs here: the bridge (waterfall). Does not belong here: which steps there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from markupsafe import Markup

from orchestration.reports.brand import Palette
from orchestration.reports.document import Chart, Figure
from orchestration.reports.formats.charts.axes import names_of
from orchestration.reports.formats.charts.canvas import (
    FALL,
    INK,
    NARROW,
    QUIET,
    RISE,
    Canvas,
    cut,
    shrink,
    text_width,
)
from orchestration.reports.formats.scale import Scale, cut_scale
from orchestration.reports.formatting import Formatter

_FOOT = 18.0
_VALUE, _NAME, _LEAST = 7.4, 7.2, 5.0


def bridge(chart: Chart, text: Formatter, frequency: str, palette: Palette, width: float) -> Markup:
    """First and last column from zero (or from a cut axis), steps floating between, values written above.

    A rise is filled and has a plus, a fall is hatched and has a minus: it can be read without colour.
    """
    height = 132.0 if width > NARROW else 116.0
    canvas = Canvas(width, height)
    values = [Decimal(value or 0) for value in chart.series[0].values]
    spans, last = _spans(values), len(values) - 1
    scale = _scale(values, spans, height)
    slot = width / len(values)
    words = _words(chart, text, slot)
    size = shrink(words, slot - 3, _VALUE, _LEAST)
    names = [label.label for label in chart.labels] or names_of(chart.x, text, frequency)
    name_size = shrink(names, slot - 3, _NAME, _LEAST)
    for index, ((begin, end), word, name) in enumerate(zip(spans, words, names, strict=True)):
        whole = index in (0, last)
        base, tip = scale.zero if whole else scale.y(begin), scale.y(end)
        x, y = index * slot + slot * 0.16, min(base, tip)
        _column(canvas, (x, y, slot * 0.68, abs(base - tip)), whole, end < begin, palette)
        middle = x + slot * 0.34
        shown = cut(word, slot - 2, size)
        canvas.text(middle, y - 4, shown, anchor="middle", size=size, colour=INK, bold=True)
        canvas.text(middle, height - 5, cut(name, slot - 2, name_size), anchor="middle", size=name_size)
        if index < last:
            canvas.line(x + slot * 0.68, tip, x + slot, tip, QUIET, 0.4)
    canvas.line(0, scale.zero, width, scale.zero, INK, 0.6)
    if scale.low > 0:
        _break(canvas, scale, slot, last)
        canvas.text(0, 7, cut(text.t("Columns do not begin at zero."), width))
    return canvas.close(chart.alt)


def _spans(values: Sequence[Decimal]) -> list[tuple[Decimal, Decimal]]:
    """Where each column begins and ends; the first and the last stand on zero."""
    spans, level = [], Decimal(0)
    for index, value in enumerate(values):
        whole = index in (0, len(values) - 1)
        begin, level = (Decimal(0), value) if whole else (level, level + value)
        spans.append((begin, level))
    return spans


def _scale(values: Sequence[Decimal], spans: Sequence[tuple[Decimal, Decimal]], height: float) -> Scale:
    ends = [edge for span in spans[1:-1] for edge in span] + [values[0], values[-1]]
    cut_off = cut_scale(ends, top=14, bottom=height - _FOOT)
    # The note on a cut axis stands at the top left, where the first column's value could come to lie.
    return cut_scale(ends, top=24, bottom=height - _FOOT) if cut_off.low > 0 else cut_off


def _words(chart: Chart, text: Formatter, slot: float) -> list[str]:
    """Values in full where they fit, else abbreviated; steps have their sign."""
    values = chart.series[0].values
    figures: list[Figure | None] = [*chart.labels] or [None] * len(values)

    def word(index: int, compact: bool) -> str:
        figure, value = figures[index], values[index]
        words = text.figure(figure, compact) if figure else text.like(chart.sample, value, compact)
        rising = 0 < index < len(values) - 1 and value is not None and value > 0
        return f"+{words}" if rising else words

    full = [word(index, False) for index in range(len(values))]
    if all(text_width(words, _VALUE) + 6 <= slot for words in full):
        return full
    return [word(index, True) for index in range(len(values))]


def _column(
    canvas: Canvas, box: tuple[float, float, float, float], whole: bool, falls: bool, palette: Palette
) -> None:
    x, y, width, height = box
    if whole:
        canvas.rect(x, y, width, height, palette.primary)
    elif falls:
        canvas.hatched(x, y, width, height, FALL)
    else:
        canvas.rect(x, y, width, height, RISE)


def _break(canvas: Canvas, scale: Scale, slot: float, last: int) -> None:
    """A white slanted gap in the columns that do not begin at zero."""
    for index in dict.fromkeys((0, last)):
        x, y = index * slot + slot * 0.16, scale.zero - 6
        canvas.line(x - 1, y + 1.5, x + slot * 0.68 + 1, y - 1.5, "#ffffff", 1.6)
