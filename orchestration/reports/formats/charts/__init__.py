"""Charts as handwritten SVG, in points at print size, legible in grey.

Belongs here: one module per kind of chart, and the choice among them. Does not belong here: which charts a
report has and their data.

No meaning lies in a hue alone: what falls is hatched and has its minus, a second line is dashed, a cell of a
heatmap has its number.
"""

from __future__ import annotations

from collections.abc import Callable

from markupsafe import Markup

from orchestration.reports.brand import Palette
from orchestration.reports.document import Chart
from orchestration.reports.formats.charts.bars import bars, funnel
from orchestration.reports.formats.charts.bridge import bridge
from orchestration.reports.formats.charts.canvas import NARROW, QUIET, WIDE, Canvas, cut
from orchestration.reports.formats.charts.columns import columns
from orchestration.reports.formats.charts.heatmap import heatmap
from orchestration.reports.formats.charts.line import line, sparkline
from orchestration.reports.formatting import Formatter

__all__ = ["draw", "has_small", "sparkline", "width_of"]

_KINDS: dict[str, Callable[[Chart, Formatter, str, Palette, float], Markup]] = {
    "line": line,
    "columns": columns,
    "bars": bars,
    "heatmap": heatmap,
    "bridge": bridge,
    "funnel": funnel,
}
#: Kinds that always take the width of the page.
_ALWAYS_WIDE = ("bars", "heatmap", "bridge", "funnel")


def width_of(chart: Chart) -> float:
    """Points across that the chart takes on paper."""
    return WIDE if chart.wide or chart.kind in _ALWAYS_WIDE else NARROW


def has_small(chart: Chart) -> bool:
    """Whether the chart is too wide for a phone and can be drawn narrower."""
    return width_of(chart) > NARROW and chart.kind != "heatmap"


def draw(chart: Chart, text: Formatter, frequency: str, palette: Palette, *, small: bool = False) -> Markup:
    """The chart as an inline SVG element of fixed width in points; `small`: for the width of a phone."""
    width = NARROW if small else width_of(chart)
    if not any(value is not None for series in chart.series for value in series.values):
        return _nothing(chart, text, width)
    return _KINDS[chart.kind](chart, text, frequency, palette, width)


def _nothing(chart: Chart, text: Formatter, width: float) -> Markup:
    """A frame that says so where there is no value to draw."""
    canvas = Canvas(width, 40.0)
    canvas.rect(0, 0, width, 40, "#ffffff", "#d9dcdf")
    canvas.text(width / 2, 23, cut(text.t("No values for this chart."), width), anchor="middle", colour=QUIET)
    return canvas.close(chart.alt)
