"""Charts of every kind with any values: inside their picture, nothing over one another, legible in grey."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import pytest
from fontTools.ttLib import TTFont
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.reports import templates
from orchestration.reports.brand import contrast, palette
from orchestration.reports.document import Brand, Chart, Figure, Series
from orchestration.reports.formats.charts import draw, sparkline
from orchestration.reports.formats.charts.canvas import (
    ASCENT,
    DESCENT,
    FALL,
    PALE,
    QUIET,
    RISE,
    cut,
    text_width,
)
from orchestration.reports.formatting import Formatter

COLOURS = palette(Brand())
EN, DE = Formatter.of("en"), Formatter.of("de")
SVG = "{http://www.w3.org/2000/svg}"
KINDS = ("line", "columns", "bars", "bridge", "funnel", "heatmap")
FORMATS = (("integer", "count"), ("money", "money"), ("percent", "share"), ("decimal", "seconds"),
           ("duration", "seconds"), ("months", "months"))  # fmt: skip


@dataclass(frozen=True)
class Box:
    """Where a shape or words lie."""

    what: str
    left: float
    top: float
    right: float
    bottom: float

    def touches(self, other: Box) -> bool:
        """Whether two boxes share more than an edge."""
        slack = 0.05
        return (
            self.left + slack < other.right and other.left + slack < self.right
            and self.top + slack < other.bottom and other.top + slack < self.bottom
        )  # fmt: skip


def text_boxes(root: ElementTree.Element) -> list[Box]:
    boxes = []
    for element in root.iter(f"{SVG}text"):
        x, y, size = (float(element.attrib[name]) for name in ("x", "y", "font-size"))
        width = text_width(element.text or "", size)
        left = x - width * {"start": 0, "middle": 0.5, "end": 1}[element.attrib.get("text-anchor", "start")]
        boxes.append(Box(element.text or "", left, y - ASCENT * size, left + width, y + DESCENT * size))
    return boxes


def shape_boxes(root: ElementTree.Element) -> list[Box]:
    boxes = []
    for element in root.iter():
        get = {name: float(v) for name, v in element.attrib.items() if re.fullmatch(r"-?[\d.]+", v)}
        kind = element.tag.removeprefix(SVG)
        if kind == "rect":
            boxes.append(Box(kind, get["x"], get["y"], get["x"] + get["width"], get["y"] + get["height"]))
        elif kind == "line":
            xs, ys = sorted((get["x1"], get["x2"])), sorted((get["y1"], get["y2"]))
            boxes.append(Box(kind, xs[0], ys[0], xs[1], ys[1]))
        elif kind == "circle":
            cx, cy, r = get["cx"], get["cy"], get["r"]
            boxes.append(Box(kind, cx - r, cy - r, cx + r, cy + r))
        elif kind in ("polyline", "path"):
            numbers = [
                float(n) for n in re.findall(r"-?[\d.]+", element.get("points") or element.get("d", ""))
            ]
            if numbers:
                xs, ys = numbers[::2], numbers[1::2]
                boxes.append(Box(kind, min(xs), min(ys), max(xs), max(ys)))
    return boxes


def check(svg: str) -> ElementTree.Element:
    """The picture is well-formed, holds all it shows, and its words do not overlap."""
    assert not re.search(r"NaN|nan|[Ii]nf|None", svg.split("</title>")[1])
    root = ElementTree.fromstring(svg)
    _, _, width, height = (float(n) for n in root.attrib["viewBox"].split())
    words = text_boxes(root)
    for box in (*words, *shape_boxes(root)):
        assert -1.6 <= box.left <= box.right <= width + 1.6, box
        assert -1.6 <= box.top <= box.bottom <= height + 1.6, box
    for index, box in enumerate(words):
        assert not [other for other in words[:index] if box.touches(other)], box
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"]
    return root


def chart_of(
    kind: str, values: list[tuple[Any, ...]], names: tuple[Any, ...], label: str = "X",
    form: tuple[str, str] = FORMATS[0], wide: bool = True,
) -> Chart:  # fmt: skip
    """A chart as documents make them; labels where the kind has some."""

    def figure(value: Any) -> Figure:
        return Figure("x", label, value, form[0], form[1], "EUR")  # type: ignore[arg-type]

    first = values[0] if values else ()
    series = tuple(Series(label, row, Figure("n", label, 7) if kind == "heatmap" else None) for row in values)
    labels: tuple[Figure, ...] = ()
    if kind in ("bars", "bridge"):
        labels = tuple(figure(value) for value in first)
    elif kind == "funnel":
        labels = tuple(figure(5) for _ in range(max(2 * len(first) - 1, 0)))
    end = figure(first[-1]) if first else None
    return Chart("x", "X", kind, names, series, figure(None), "alt", end, labels, wide=wide)  # type: ignore[arg-type]


NUMBERS = st.one_of(
    st.none(),
    st.integers(-10, 10),
    st.sampled_from([Decimal("1e12"), Decimal("-1e12"), Decimal("0.0001"), Decimal(1), Decimal("1.8"), 0]),
    st.decimals(-(10**6), 10**6, allow_nan=False, allow_infinity=False, places=2),
)


@st.composite
def charts(draw_from: st.DrawFn) -> Chart:
    kind = draw_from(st.sampled_from(KINDS))
    count = draw_from(st.integers(1, {"bridge": 9, "line": 60}.get(kind, 37)))
    rows = draw_from(st.integers(1, {"heatmap": 24, "line": 3, "columns": 2}.get(kind, 1)))
    label = draw_from(st.sampled_from(["X", "Wohlklingender Name " * 10, "W" * 200, "東京" * 100, "ä & <b>"]))
    if draw_from(st.booleans()):
        names: tuple[Any, ...] = tuple(date(2024, 1, 1) + timedelta(days=n) for n in range(count))
    else:
        names = tuple(f"{n} {label}" if draw_from(st.booleans()) else str(n) for n in range(count))
    values = [tuple(draw_from(st.lists(NUMBERS, min_size=count, max_size=count))) for _ in range(rows)]
    return chart_of(kind, values, names, label, draw_from(st.sampled_from(FORMATS)), draw_from(st.booleans()))


@settings(max_examples=100, deadline=None)
@given(charts(), st.sampled_from([EN, DE]), st.sampled_from(["daily", "monthly"]), st.booleans())
def test_whatever_the_values_nothing_leaves_the_picture(
    chart: Chart, text: Formatter, frequency: str, small: bool
) -> None:
    check(str(draw(chart, text, frequency, COLOURS, small=small)))


@settings(max_examples=100, deadline=None)
@given(st.lists(NUMBERS, max_size=40))
def test_a_sparkline_holds_any_history(values: list[Any]) -> None:
    check(str(sparkline(Figure("x", "X", None, history=tuple(values)), EN, COLOURS)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("values", [[], [()], [(None, None)]])
def test_a_chart_without_values_says_so(kind: str, values: list[tuple[Any, ...]]) -> None:
    root = check(str(draw(chart_of(kind, values, ("a", "b")), EN, "daily", COLOURS)))
    assert [element.text for element in root.iter(f"{SVG}text")] == ["No values for this chart."]


def test_an_unknown_cell_is_empty_and_a_zero_is_not() -> None:
    rows = [(Decimal(1), Decimal("0.5"), Decimal(0)), (Decimal(1), Decimal("1.8"), None)]
    chart = chart_of("heatmap", rows, ("0", "1", "2"), form=("percent", "share"))
    root = check(str(draw(chart, EN, "monthly", COLOURS)))
    words = [element.text for element in root.iter(f"{SVG}text")]
    assert [word for word in words if word and "%" in word] == [
        "100.0%", "50.0%", "0.0%", "100.0%", "180.0%", "150% and more", "0%",
    ]  # fmt: skip


def test_more_is_darker_and_words_can_be_read_on_every_shade() -> None:
    rows = [tuple(Decimal(n) / 20 for n in range(21))]
    chart = chart_of("heatmap", rows, tuple(str(n) for n in range(21)), form=("percent", "share"))
    for primary in ("#1b3a5c", "#ffee00", "#000000", "#7a0c2e"):
        root = ElementTree.fromstring(str(draw(chart, EN, "monthly", palette(Brand(primary)))))
        shades = [e.attrib["fill"] for e in root.iter(f"{SVG}rect")][:21]
        light = [contrast(shade, "#000000") for shade in shades]
        assert light == sorted(light, reverse=True)
        inks = [e.attrib["fill"] for e in root.iter(f"{SVG}text") if e.text and e.text[0].isdigit()][22:43]
        assert all(contrast(shade, ink) >= 4.5 for shade, ink in zip(shades, inks, strict=True))


def test_shares_that_are_all_high_are_told_apart_and_the_legend_says_so() -> None:
    rows = [(Decimal(1), Decimal("0.92"), Decimal("0.76"))]
    chart = chart_of("heatmap", rows, ("0", "1", "2"), form=("percent", "share"))
    root = check(str(draw(chart, EN, "monthly", COLOURS)))
    cells = [e.attrib["fill"] for e in root.iter(f"{SVG}rect")][:3]
    assert contrast(cells[0], cells[2]) >= 3
    assert {"70%", "100%"} <= {e.text for e in root.iter(f"{SVG}text")}


def test_thirty_seven_columns_of_twenty_four_rows_can_be_read() -> None:
    rows = [tuple(Decimal(100 - n) / 100 for n in range(37)) for _ in range(24)]
    chart = chart_of("heatmap", rows, tuple(str(n) for n in range(37)), "Jan 2024", ("percent", "share"))
    root = check(str(draw(chart, EN, "monthly", COLOURS)))
    words = [e.text for e in root.iter(f"{SVG}text")]
    assert words.count("100") == 24  # without its sign, and not cut
    assert min(float(e.attrib["font-size"]) for e in root.iter(f"{SVG}text")) >= 4
    assert float(root.attrib["viewBox"].split()[3]) < 400


def test_rise_and_fall_are_told_by_sign_and_pattern() -> None:
    chart = chart_of("bridge", [(100, 50, -30, 120)], ("Start", "New", "Churn", "End"))
    root = check(str(draw(chart, EN, "daily", COLOURS)))
    words = [e.text for e in root.iter(f"{SVG}text")]
    assert {"100", "+50", "−30", "120"} <= set(words)
    assert len(list(root.iter(f"{SVG}path"))) == 1  # the fall alone is hatched


@pytest.mark.parametrize("primary", ["#ffee00", "#ffffff", "#000000", "#1b3a5c", "#9be7c4"])
def test_fills_that_mean_something_differ_in_grey(primary: str) -> None:
    colours = palette(Brand(primary))
    for colour in (colours.primary, RISE, FALL, QUIET):
        assert contrast(colour, "#ffffff") >= 3
    assert contrast(colours.primary, PALE) >= 3


def test_words_are_never_wider_than_thought() -> None:
    for weight in (400, 600):
        font = TTFont(templates.SHIPPED / f"fonts/public-sans-latin-{weight}-normal.woff2")
        advances, units = font["hmtx"], font["head"].unitsPerEm
        for code, name in font.getBestCmap().items():
            assert text_width(chr(code), 1.0) + 0.015 >= advances[name][0] / units, chr(code)
        # Digits stand below each other without asking for a font feature (docs/decisions.md tells why).
        names = font.getBestCmap()
        assert len({advances[names[ord(digit)]][0] for digit in "0123456789"}) == 1


def test_cut_words_fit_and_end_with_an_ellipsis() -> None:
    assert cut("short", 100) == "short"
    assert cut("W" * 200, 40).endswith("…")
    assert text_width(cut("W" * 200, 40)) <= 40
    assert cut("word", 2) == ""
