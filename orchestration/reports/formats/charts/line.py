"""Lines over time, and the small line beside a figure.

Belongs here: line charts and sparklines. Does not belong here: the choice of what they show.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from markupsafe import Markup

from orchestration.reports.brand import Palette
from orchestration.reports.document import Chart, Figure, Number
from orchestration.reports.formats.charts.axes import FOOT, few_names, grid, names_of
from orchestration.reports.formats.charts.canvas import (
    ASCENT,
    DESCENT,
    INK,
    NARROW,
    QUIET,
    SIZE,
    Canvas,
    cut,
    text_width,
)
from orchestration.reports.formats.scale import Scale, chart_scale, cut_scale
from orchestration.reports.formatting import Formatter

Point = tuple[float, float]

_END = 8.5
#: Lines after the first are told apart by their dashes, not by a hue.
_DASHES = ("", "4 2.5", "0.5 2.5")


def line(chart: Chart, text: Formatter, frequency: str, palette: Palette, width: float) -> Markup:
    """The first series as a strong line with its last value; up to two more, dashed and dotted, by name."""
    height = 150.0 if width > NARROW else 104.0
    canvas = Canvas(width, height)
    many = chart.series[: len(_DASHES)]
    known = [Decimal(value) for series in many for value in series.values if value is not None]
    scale = chart_scale(known, chart.sample, top=14, bottom=height - FOOT)
    words = _end_words(chart, text, width)
    right = width - max((text_width(*end) for end in words if end[0]), default=0.0) - 8
    left = grid(canvas, scale, chart.sample, text, right)
    step = (right - left) / max(len(chart.x) - 1, 1)
    ends: list[tuple[Point, str, float]] = []
    for index, (series, end) in enumerate(zip(many, words, strict=True)):
        colour, weight = (palette.primary, 1.5) if index == 0 else (QUIET, 1.0)
        points = _points(series.values, scale, left, step)
        for run in _runs(points):
            canvas.polyline(run, colour, weight, _DASHES[index])
        if points[-1] is not None:
            if index == 0:
                canvas.dot(*points[-1], 2.4, colour)
            ends.append((points[-1], *end))
    _label_ends(canvas, ends)
    few_names(canvas, names_of(chart.x, text, frequency), left, step, 4 if width > NARROW else 2)
    return canvas.close(chart.alt)


def _end_words(chart: Chart, text: Formatter, width: float) -> list[tuple[str, float]]:
    """What stands at the end of each line, and its size."""
    first = text.figure(chart.end, True) if chart.end else ""
    room = width * 0.3
    size = _END if text_width(first, _END) <= room else SIZE
    others = [(cut(series.label, room), SIZE) for series in chart.series[1 : len(_DASHES)]]
    return [(cut(first, room, size), size), *others]


def _points(values: Sequence[Number | None], scale: Scale, left: float, step: float) -> list[Point | None]:
    return [
        None if value is None else (left + index * step, scale.y(Decimal(value)))
        for index, value in enumerate(values)
    ]


def _runs(points: Sequence[Point | None]) -> list[list[Point]]:
    """The line without its gaps; a lone point becomes a short dash."""
    runs: list[list[Point]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [run if len(run) > 1 else [run[0], (run[0][0] + 0.1, run[0][1])] for run in runs if run]


def _label_ends(canvas: Canvas, ends: Sequence[tuple[Point, str, float]]) -> None:
    """Words beside the last points, moved apart where lines end close together."""
    ordered = sorted(enumerate(ends), key=lambda end: end[1][0][1])
    bases = [y + size * 0.36 for _, ((_, y), _, size) in ordered]
    gaps = [DESCENT * upper[1][2] + ASCENT * lower[1][2] + 0.5 for upper, lower in pairwise(ordered)]
    for index, gap in enumerate(gaps):
        bases[index + 1] = max(bases[index + 1], bases[index] + gap)
    bases[-1:] = [min(base, canvas.height - FOOT + 3) for base in bases[-1:]]
    for index in reversed(range(len(gaps))):
        bases[index] = min(bases[index], bases[index + 1] - gaps[index])
    for (index, ((x, _), words, size)), base in zip(ordered, bases, strict=True):
        canvas.text(x + 5, base, words, size=size, colour=INK if index == 0 else QUIET, bold=index == 0)


def sparkline(figure: Figure, text: Formatter, palette: Palette) -> Markup:
    """The history of a figure as a line of the height of a word, its last value marked."""
    known = [Decimal(value) for value in figure.history if value is not None]
    canvas = Canvas(42.0, 10.0)
    if known:
        scale = cut_scale(known, top=1.5, bottom=8.5)
        step = (canvas.width - 4) / max(len(figure.history) - 1, 1)
        points = _points(figure.history, scale, 2.0, step)
        for run in _runs(points):
            canvas.polyline(run, QUIET, 0.7)
        if points[-1] is not None:
            x, y = points[-1]
            canvas.rect(x - 1.2, y - 1.2, 2.4, 2.4, palette.primary)
    low, high = (text.like(figure, edge(known), True) if known else "—" for edge in (min, max))
    return canvas.close(text.t("{name}: between {low} and {high}.", name=figure.label, low=low, high=high))
