"""A grid of values: the shade by size, the number in the cell.

Belongs here: heatmaps. Does not belong here: tables (report_templates/partials/macros.html.j2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from markupsafe import Markup

from orchestration.reports.brand import Palette, contrast, mix
from orchestration.reports.document import Chart, Number
from orchestration.reports.formats.charts.axes import names_of
from orchestration.reports.formats.charts.canvas import INK, QUIET, WIDE, Canvas, cut, shrink, text_width
from orchestration.reports.formatting import Formatter

_HEAD, _LEGEND = 13.0, 16.0
_LARGEST, _LEAST = 6.4, 3.6
#: Shares above this get no darker: a cohort that tripled must not bleach all others.
_DARKEST_SHARE = Decimal("1.5")
#: Where all shares reach this, the shades begin below the least of them.
_HIGH_SHARE = Decimal("0.5")
_STEPS = 6


@dataclass(frozen=True)
class _Cells:
    """Lengths of the grid, in points."""

    left: float
    slot: float
    row: float
    size: float


def heatmap(chart: Chart, text: Formatter, frequency: str, palette: Palette, width: float) -> Markup:
    """A row of cells for each series; darker is more. An unknown cell is empty, 0 is a pale cell with a 0.

    Up to 37 columns and 24 rows can be read; `width` is that of the page whatever is asked for.
    """
    names, rows = names_of(chart.x, text, frequency), len(chart.series)
    words = _words(chart, text, len(names))
    cells = _lengths(chart, text, words, rows)
    low, high = _range(chart)
    canvas = Canvas(WIDE, _HEAD + cells.row * rows + _LEGEND)
    _column_names(canvas, names, cells)
    for number, series in enumerate(chart.series):
        y = _HEAD + number * cells.row
        base = y + cells.row / 2 + 2.4
        head = text.figure(series.head, True) if series.head else ""
        taken = text_width(head) + 10 if head else 6
        canvas.text(0, base, cut(series.label, cells.left - taken - 2, 7), size=7, colour=INK)
        canvas.text(cells.left - 6, base, head, anchor="end")
        for index, value in enumerate(series.values):
            if value is not None:
                shade = _shade(_share(value, low, high), palette)
                _cell(canvas, cells, (index, y), shade, words[number][index])
    if chart.series:
        _legend(canvas, chart, text, (low, high), palette)
    return canvas.close(chart.alt)


def _lengths(chart: Chart, text: Formatter, words: Sequence[Sequence[str]], rows: int) -> _Cells:
    heads = [text.figure(series.head, True) if series.head else "" for series in chart.series]
    labels = max(text_width(series.label, 7) for series in chart.series)
    left = min(labels + max(text_width(head) for head in heads) + 20, WIDE * 0.3)
    slot = (WIDE - left) / len(chart.x)
    row = 14.0 if rows <= 16 else 11.0
    size = shrink([word for line in words for word in line], slot - 1.6, _LARGEST, _LEAST)
    return _Cells(left, slot, row, size)


def _words(chart: Chart, text: Formatter, count: int) -> list[list[str]]:
    """The numbers of the cells in the first form that can be read: in full, whole, without the sign."""
    slot = (WIDE - 96) / count

    def fits(lines: list[list[str]]) -> bool:
        return all(text_width(word, 5.0) + 1.6 <= slot for line in lines for word in line)

    full = [[_blank(text.like(chart.sample, v, True), v) for v in series.values] for series in chart.series]
    if fits(full) or chart.sample.format != "percent":
        return full
    whole = [[_blank(_whole(chart, v, text), v) for v in series.values] for series in chart.series]
    if fits(whole):
        return whole
    return [[word.rstrip("%\u00a0 ") for word in line] for line in whole]


def _whole(chart: Chart, value: Number | None, text: Formatter) -> str:
    """A share in whole percent."""
    rounded = Decimal(value or 0).quantize(Decimal("0.01"))
    return text.axis(chart.sample, [rounded])[0]


def _blank(words: str, value: Number | None) -> str:
    return "" if value is None else words


def _range(chart: Chart) -> tuple[Decimal, Decimal]:
    """Values of the palest and of the darkest shade: for shares mostly 0 and at least 100%."""
    known = [Decimal(value) for series in chart.series for value in series.values if value is not None]
    low, high = min([*known, Decimal(0)]), max([*known, Decimal(0)])
    if chart.sample.format == "percent":
        high = min(max(high, Decimal(1)), _DARKEST_SHARE)
        if known and min(known) >= _HIGH_SHARE:
            # All kept most: from 0 on they would look the same. The legend says where the shades begin.
            tens = (min(known) * 10).to_integral_value(ROUND_FLOOR) / 10
            return min(tens, high - Decimal("0.1")), high
        return max(low, -_DARKEST_SHARE), high
    return low, high if high > low else low + 1


def _share(value: Number, low: Decimal, high: Decimal) -> float:
    return min(max(float((Decimal(value) - low) / (high - low)), 0.0), 1.0)


def _shade(share: float, palette: Palette) -> str:
    """One of six shades: more could not be told apart on paper."""
    step = min(int(share * _STEPS), _STEPS - 1)
    return mix(palette.primary, "#ffffff", 0.94 * (1 - step / (_STEPS - 1)))


def _cell(canvas: Canvas, cells: _Cells, place: tuple[int, float], shade: str, word: str) -> None:
    index, y = place
    x = cells.left + index * cells.slot
    canvas.rect(x + 0.4, y + 0.4, cells.slot - 0.8, cells.row - 0.8, shade)
    ink = "#ffffff" if contrast(shade, "#ffffff") >= contrast(shade, "#000000") else "#000000"
    word = cut(word, cells.slot, cells.size)
    base = y + cells.row / 2 + cells.size * 0.36
    canvas.text(x + cells.slot / 2, base, word, anchor="middle", size=cells.size, colour=ink)


def _column_names(canvas: Canvas, names: Sequence[str], cells: _Cells) -> None:
    size = shrink(names, cells.slot - 1, _LARGEST, 4.4)
    widest = max(text_width(name, size) for name in names)
    every = 1 if widest <= cells.slot - 1 else max(1, round(16 / cells.slot + 0.5))
    for index, name in enumerate(names):
        if index % every == 0:
            middle = cells.left + (index + 0.5) * cells.slot
            room = min(cells.slot * every - 1, 2 * (canvas.width - middle))
            canvas.text(middle, 9, cut(name, room, size), anchor="middle", size=size)


def _legend(
    canvas: Canvas, chart: Chart, text: Formatter, ends: tuple[Decimal, Decimal], palette: Palette
) -> None:
    """The shades from the least to the most, below the grid at the right."""
    known = [value for series in chart.series for value in series.values if value is not None]
    low, high = (text.axis(chart.sample, [end])[0] for end in ends)
    if any(Decimal(value) > ends[1] for value in known):
        high = text.t("{value} and more", value=high)
    high, base, box = cut(high, WIDE * 0.3), canvas.height - 3, 9.0
    x = canvas.width - text_width(high) - 4
    canvas.text(canvas.width, base, high, anchor="end")
    for step in reversed(range(_STEPS)):
        x -= box + 1
        canvas.rect(x, base - 6, box, 7, _shade(step / _STEPS + 0.01, palette), QUIET)
    canvas.text(x - 4, base, cut(low, WIDE * 0.3), anchor="end")
