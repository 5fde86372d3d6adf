"""Charts as handwritten SVG, in points at print size, legible in grey.

Belongs here: one function per kind of chart. Does not belong here: the choice of charts and their data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from html import escape
from itertools import pairwise

from markupsafe import Markup

from orchestration.reports.brand import Palette, contrast, mix
from orchestration.reports.document import Chart, Figure
from orchestration.reports.formats.scale import Scale, cut_scale, nice_scale
from orchestration.reports.formatting import Formatter

INK, QUIET, RULE, PALE = "#1d2125", "#5c646c", "#d9dcdf", "#c3c9cf"
FONT = "Public Sans, Public Sans Extended, DejaVu Sans, sans-serif"
#: Widths of a chart across the page and of one of two side by side, in points (A4 less the margins).
WIDE, NARROW = 482.0, 231.0


@dataclass(frozen=True)
class Canvas:
    """Collects shapes of one picture and closes it."""

    width: float
    height: float
    shapes: list[str]

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 0.5) -> None:
        """A straight line; all lengths in points from the top left."""
        self.shapes.append(
            f'<line x1="{x1:.2f}" y1="{y1:.2f}" x2="{x2:.2f}" y2="{y2:.2f}" stroke="{colour}" '
            f'stroke-width="{width}"/>'
        )

    def rect(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """A filled rectangle, never thinner than can be printed."""
        height = max(height, 0.4)
        self.shapes.append(
            f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" fill="{colour}"/>'
        )

    def text(
        self, x: float, y: float, words: str, *, anchor: str = "start", size: float = 6.8,
        colour: str = QUIET, weight: int = 400,
    ) -> None:  # fmt: skip
        """Words on a base line."""
        self.shapes.append(
            f'<text x="{x:.2f}" y="{y:.2f}" font-size="{size}" text-anchor="{anchor}" fill="{colour}" '
            f'font-weight="{weight}" font-family="{FONT}">{escape(words)}</text>'
        )

    def close(self, alt: str) -> Markup:
        """The finished element; `alt` is what it says to who cannot see it."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}" '
            f'width="{self.width:g}pt" height="{self.height:g}pt" role="img" aria-label="{escape(alt)}">'
        )
        return Markup(head + f"<title>{escape(alt)}</title>" + "".join(self.shapes) + "</svg>")


def draw(chart: Chart, text: Formatter, frequency: str, palette: Palette) -> Markup:
    """The chart as an inline SVG element of fixed width in points."""
    match chart.kind:
        case "line":
            return _line(chart, text, frequency, palette)
        case "columns":
            return _columns(chart, text, palette)
        case "bars":
            return _bars(chart, text, palette)
        case "heatmap":
            return _heatmap(chart, text, palette)
        case "bridge":
            return _bridge(chart, text, palette)
        case "funnel":
            return _funnel(chart, text, palette)


def sparkline(figure: Figure, text: Formatter, palette: Palette) -> Markup:
    """The history of a figure as a line of the height of a word, its last value marked."""
    known = [Decimal(value) for value in figure.history if value is not None]
    canvas = Canvas(44.0, 10.0, [])
    if known:
        scale = cut_scale(known, top=1.5, bottom=8.5)
        step = (canvas.width - 4) / max(len(figure.history) - 1, 1)
        points = [
            (2 + index * step, scale.y(Decimal(v))) for index, v in enumerate(figure.history) if v is not None
        ]
        for (x1, y1), (x2, y2) in pairwise(points):
            canvas.line(x1, y1, x2, y2, QUIET, 0.7)
        x, y = points[-1]
        canvas.rect(x - 1.2, y - 1.2, 2.4, 2.4, palette.primary)
    low, high = (text.like(figure, edge(known), True) if known else "—" for edge in (min, max))
    return canvas.close(text.t("{name}: between {low} and {high}.", name=figure.label, low=low, high=high))


def _text_width(words: str, size: float = 6.8) -> float:
    """A generous guess: Public Sans digits take 0.6 em."""
    return len(words) * size * 0.6


def _grid(canvas: Canvas, scale: Scale, sample: Figure, text: Formatter, right: float) -> float:
    """Horizontal lines with their values above the left end; gives where the drawing may begin."""
    labels = text.axis(sample, scale.ticks)
    for tick, label in zip(scale.ticks, labels, strict=True):
        y = scale.y(tick)
        canvas.line(0, y, right, y, INK if tick == 0 else RULE, 0.6 if tick == 0 else 0.5)
        canvas.text(0, y - 2.2, label)
    return 6 + max(_text_width(label) for label in labels)


def _line(chart: Chart, text: Formatter, frequency: str, palette: Palette) -> Markup:
    width, height = (WIDE, 150.0) if chart.wide else (NARROW, 104.0)
    canvas = Canvas(width, height, [])
    values = chart.series[0].values
    known = [Decimal(value) for value in values if value is not None]
    end_words = text.figure(chart.end, True) if chart.end else ""
    right = width - _text_width(end_words, 8.5) - 8
    scale = nice_scale(known, top=14, bottom=height - 16, whole=chart.sample.format == "integer")
    left = _grid(canvas, scale, chart.sample, text, right)
    step = (right - left) / max(len(values) - 1, 1)
    points = [
        (left + index * step, scale.y(Decimal(value))) if value is not None else None
        for index, value in enumerate(values)
    ]
    for run in _runs(points):
        path = " ".join(f"{x:.2f},{y:.2f}" for x, y in run)
        canvas.shapes.append(
            f'<polyline points="{path}" fill="none" stroke="{palette.primary}" stroke-width="1.5" '
            'stroke-linejoin="round" stroke-linecap="round"/>'
        )
    _end(canvas, points, end_words, palette)
    _date_axis(canvas, chart.x, text, frequency, left, step, height)
    return canvas.close(chart.alt)


def _runs(points: Sequence[tuple[float, float] | None]) -> list[list[tuple[float, float]]]:
    """The line without its gaps; a lone point becomes a short dash."""
    runs: list[list[tuple[float, float]]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [run if len(run) > 1 else [run[0], (run[0][0] + 0.1, run[0][1])] for run in runs if run]


def _end(canvas: Canvas, points: Sequence[tuple[float, float] | None], words: str, palette: Palette) -> None:
    last = points[-1]
    if last is None:
        return
    x, y = last
    canvas.shapes.append(f'<circle cx="{x:.2f}" cy="{y:.2f}" r="2.4" fill="{palette.primary}"/>')
    canvas.text(x + 5, y + 3, words, size=8.5, colour=INK, weight=600)


def _date_axis(
    canvas: Canvas, days: Sequence[date | str], text: Formatter, frequency: str, left: float, step: float,
    height: float,
) -> None:  # fmt: skip
    """First and last day and some between, each under its point."""
    last = len(days) - 1
    parts = 4 if last * step > NARROW else 2
    for part in range(parts + 1):
        index = round(last * part / parts)
        anchor = "start" if part == 0 else "end" if part == parts else "middle"
        day = days[index]
        words = text.short_date(day, frequency) if isinstance(day, date) else day
        x = left + index * step
        canvas.line(x, height - 16, x, height - 13, QUIET)
        canvas.text(x, height - 4, words, anchor=anchor)


def _columns(chart: Chart, text: Formatter, palette: Palette) -> Markup:
    """Columns over labels. A second series stands inside the first: a part of it."""
    width, height = (WIDE, 150.0) if chart.wide else (NARROW, 110.0)
    canvas = Canvas(width, height, [])
    known = [Decimal(v) for series in chart.series for v in series.values if v is not None]
    scale = nice_scale([*known, Decimal(0)], top=24, bottom=height - 16, whole=True)
    left = _grid(canvas, scale, chart.sample, text, width)
    slot = (width - left) / len(chart.x)
    colours = (PALE, palette.primary) if len(chart.series) > 1 else (palette.primary,)
    for series, colour in zip(chart.series, colours, strict=True):
        for index, value in enumerate(series.values):
            if value:
                y = scale.y(Decimal(value))
                canvas.rect(left + index * slot + slot * 0.14, y, slot * 0.72, scale.zero - y, colour)
    every = 1 if slot >= 14 else 3
    for index, name in enumerate(chart.x):
        if index % every == 0:
            canvas.text(left + (index + 0.5) * slot, height - 5, str(name), anchor="middle")
    x = left
    for series, colour in zip(chart.series, colours, strict=True):
        canvas.rect(x, 2, 7, 7, colour)
        canvas.text(x + 10, 8.2, series.label, colour=INK)
        x += 26 + _text_width(series.label)
    return canvas.close(chart.alt)


def _bridge(chart: Chart, text: Formatter, palette: Palette) -> Markup:
    """First and last column from zero (or from a cut axis), steps floating between, values written above."""
    width, height = WIDE, 132.0
    canvas = Canvas(width, height, [])
    values = [Decimal(value or 0) for value in chart.series[0].values]
    spans, level = [], Decimal(0)
    for index, value in enumerate(values):
        begin = Decimal(0) if index in (0, len(values) - 1) else level
        level = value if index in (0, len(values) - 1) else level + value
        spans.append((begin, level))
    ends = [edge for span in spans[1:-1] for edge in span] + [values[0], values[-1]]
    scale = cut_scale(ends, top=14, bottom=height - 18)
    slot = width / len(values)
    tight = any(_text_width(text.figure(label), 7.4) + 6 > slot for label in chart.labels)
    for index, ((begin, end), label) in enumerate(zip(spans, chart.labels, strict=True)):
        whole = index in (0, len(values) - 1)
        base = scale.zero if whole else scale.y(begin)
        tip = scale.y(end)
        falling = not whole and end < begin
        colour = palette.primary if whole else "#8a3324" if falling else "#2f6b4f"
        x = index * slot + slot * 0.16
        canvas.rect(x, min(base, tip), slot * 0.68, abs(base - tip), colour)
        words = text.figure(label, compact=tight)
        words = f"+{words}" if not whole and not falling else words
        canvas.text(
            x + slot * 0.34, min(base, tip) - 4, words, anchor="middle", size=7.4, colour=INK, weight=600
        )
        canvas.text(x + slot * 0.34, height - 5, label.label, anchor="middle", size=7.2)
        if index + 1 < len(values):
            canvas.line(x + slot * 0.68, tip, x + slot, tip, QUIET, 0.4)
    canvas.line(0, scale.zero, width, scale.zero, INK, 0.6)
    if scale.low > 0:
        canvas.text(0, 7, "Columns do not begin at zero.")
    return canvas.close(chart.alt)


def _bars(chart: Chart, text: Formatter, palette: Palette) -> Markup:
    """Horizontal bars from zero, one for each name, the figure of `labels` beside each."""
    row = 16.0
    canvas = Canvas(WIDE, row * max(len(chart.x), 1), [])
    values = [Decimal(value or 0) for value in chart.series[0].values]
    low, high = min([*values, Decimal(0)]), max([*values, Decimal(0)])
    left, room = 150.0, WIDE - 150.0 - 80.0
    spread = float(high - low) or 1.0
    zero = left + float(-low) / spread * room
    for index, (name, value, label) in enumerate(zip(chart.x, values, chart.labels, strict=True)):
        y, length = index * row, float(abs(value)) / spread * room
        canvas.text(0, y + 11, _cut(str(name), 30), size=7.6, colour=INK)
        start = zero if value >= 0 else zero - length
        canvas.rect(start, y + 3, max(length, 0.8), row - 6, palette.primary)
        canvas.text(
            max(zero, start + length) + 5, y + 11, text.figure(label, True), size=7.6, colour=INK, weight=600
        )
    return canvas.close(chart.alt)


def _heatmap(chart: Chart, text: Formatter, palette: Palette) -> Markup:
    """A row of cells for each series; darker is more, and the value stands in the cell."""
    row, left = 13.0, 96.0
    canvas = Canvas(WIDE, row * (len(chart.series) + 1), [])
    slot = (WIDE - left) / max(len(chart.x), 1)
    for index, name in enumerate(chart.x):
        canvas.text(left + (index + 0.5) * slot, 9, str(name), anchor="middle", size=6.4)
    for number, series in enumerate(chart.series, start=1):
        y = number * row
        canvas.text(0, y + 9, series.label, size=7, colour=INK)
        if series.head:
            canvas.text(left - 6, y + 9, text.figure(series.head, True), anchor="end", size=6.8)
        for index, value in enumerate(series.values):
            if value is None:
                continue
            share = min(max(float(value), 0.0), 1.0)
            shade = mix(palette.primary, "#ffffff", 0.92 * (1 - share))
            canvas.rect(left + index * slot + 0.5, y + 0.5, slot - 1, row - 1, shade)
            ink = "#ffffff" if contrast(shade, "#ffffff") >= 4.5 else INK
            words, middle = text.like(chart.sample, value), left + (index + 0.5) * slot
            canvas.text(middle, y + 9, words, anchor="middle", size=6, colour=ink)
    return canvas.close(chart.alt)


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1] + "…"


def _funnel(chart: Chart, text: Formatter, palette: Palette) -> Markup:
    """Horizontal bars of falling counts, the count and the share of the step before beside each."""
    row, width = 24.0, WIDE
    canvas = Canvas(width, row * len(chart.x), [])
    values = [Decimal(value or 0) for value in chart.series[0].values]
    most = max([*values, Decimal(1)])
    left, room = 78.0, width - 78.0 - 150.0
    for index, (name, value) in enumerate(zip(chart.x, values, strict=True)):
        y = index * row
        length = float(value / most) * room
        canvas.text(0, y + 14, str(name), size=8, colour=INK)
        canvas.rect(left, y + 3, max(length, 0.8), row - 8, palette.primary)
        count, share = chart.labels[max(2 * index - 1, 0)], chart.labels[2 * index] if index else None
        canvas.text(left + length + 6, y + 14, text.figure(count), size=8.5, colour=INK, weight=600)
        if share is not None:
            words = f"{text.figure(share)} {share.label}"
            canvas.text(width, y + 14, words, anchor="end", size=7.2)
    return canvas.close(chart.alt)
