"""Brand colours, axes and charts."""

from __future__ import annotations

import re
from decimal import Decimal
from xml.etree import ElementTree

import pytest

from orchestration.reports.brand import colour_advice, contrast, palette, read_brand
from orchestration.reports.document import Brand, Chart, Figure, Series
from orchestration.reports.formats.charts import draw
from orchestration.reports.formats.scale import chart_scale, cut_scale, nice_scale
from orchestration.reports.formatting import Formatter

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJ"
    "RU5ErkJggg=="
)


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#0000ff", "#ffffff") == pytest.approx(8.59, abs=0.01)


@pytest.mark.parametrize("colour", ["#ffee00", "#ffffff", "#9be7c4", "#1b3a5c", "#000000"])
def test_every_brand_colour_can_be_read_on_white(colour: str) -> None:
    colours = palette(Brand(colour, colour))
    assert contrast(colours.primary, "#ffffff") >= 4.5
    assert contrast(colours.on_primary, colours.primary) >= 4.5


@pytest.mark.parametrize(
    ("colour", "told"),
    [("#1b3a5c", ""), ("#000000", ""), ("#fff5b1", "contrast of 1.1"), ("#ffffff", "contrast of 1.0")],
)
def test_a_colour_that_has_to_be_darkened_is_told_with_what_it_becomes(colour: str, told: str) -> None:
    advice = colour_advice(colour)
    assert told in advice
    assert bool(advice) == bool(told)
    if told:
        printed = palette(Brand(colour)).primary
        assert advice.endswith(f"as {printed}.")
        assert contrast(printed, "#ffffff") >= 4.5


def test_a_brand_that_cannot_be_used_is_told_and_replaced() -> None:
    brand, problems = read_brand({"colours": {"primary": "red; } body {"}, "logo": "file:///etc/passwd"})
    assert (brand.primary, brand.logo) == (Brand().primary, None)
    assert len(problems) == 2
    good, none = read_brand({"colours": {"primary": "#AA0000"}, "logo": PIXEL})
    assert (good.primary, none) == ("#aa0000", ())


@pytest.mark.parametrize(
    "values",
    [
        ["0"],
        ["5"],
        ["-5"],
        ["0", "0"],
        ["99.9", "99.91"],
        ["-1e9", "1e9"],
        ["1e-6", "2e-6"],
        ["3", "7", "12"],
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_a_scale_holds_all_values_between_round_ticks(values: list[str], whole: bool) -> None:
    numbers = [Decimal(value) for value in values]
    scale = nice_scale(numbers, 10, 100, whole=whole)
    assert scale.low <= min(numbers) <= max(numbers) <= scale.high
    assert 2 <= len(scale.ticks) <= 6
    assert all(10 <= scale.y(number) <= 100 for number in numbers)
    if whole:
        assert all(tick == int(tick) for tick in scale.ticks)


def test_a_scale_begins_at_zero_unless_values_lie_far_off() -> None:
    assert nice_scale([Decimal(40), Decimal(100)], 0, 1).low == 0
    assert nice_scale([Decimal(98), Decimal(100)], 0, 1).low > 0
    assert cut_scale([Decimal(10), Decimal(100)], 0, 1).low == 0
    assert cut_scale([Decimal(-10), Decimal(100)], 0, 1).low == -10


def test_the_scale_of_shares_ends_at_all_and_times_stand_on_whole_units() -> None:
    share = Figure("r", "r", None, "percent")
    assert chart_scale([Decimal(1), Decimal(1)], share, 0, 1).high == 1
    assert chart_scale([Decimal(1), Decimal("1.15")], share, 0, 1).high > 1, "a retention may exceed all"
    day = Decimal(86400)
    length = Figure("s", "s", None, "duration", "seconds")
    assert chart_scale([4 * day, 10 * day], length, 0, 1).ticks == (0, 5 * day, 10 * day)
    assert chart_scale([Decimal(90), Decimal(290)], length, 0, 1).ticks[1] % 60 == 0


def _numbers(svg: str) -> list[float]:
    return [float(n) for n in re.findall(r'(?:x1|x2|cx|width|x)="(-?[\d.]+)', svg)]


@pytest.mark.parametrize("kind", ["line", "columns", "bridge", "funnel"])
@pytest.mark.parametrize("values", [(1, 5, 3, 9), (0, 0, 0, 0), (-5, 10**15, -(10**15), 2)])
def test_charts_are_well_formed_and_stay_inside(kind: str, values: tuple[int, ...]) -> None:
    numbers = tuple(Decimal(abs(v) if kind in ("funnel", "columns") else v) for v in values)
    sample = Figure("x", "X <&>", numbers[-1])
    labels = tuple(Figure(f"l{n}", "of <step>", Decimal(1)) for n in range(7 if kind == "funnel" else 4))
    chart = Chart("x", "X", kind, ("a", "b<", "c", "d"), (Series("S & T", numbers),), sample, 'alt "<>"',
                  sample, labels, wide=True)  # type: ignore[arg-type]  # fmt: skip
    svg = str(draw(chart, Formatter.of("en"), "daily", palette(Brand())))
    root = ElementTree.fromstring(svg)
    width = float(root.attrib["viewBox"].split()[2])
    assert all(-1 <= number <= width + 1 for number in _numbers(svg))
    assert root.attrib["aria-label"] == 'alt "<>"'


def test_a_gap_in_a_line_stays_a_gap() -> None:
    values = (Decimal(1), None, Decimal(2), Decimal(3))
    figure = Figure("x", "X", Decimal(3))
    chart = Chart("x", "X", "line", ("a", "b", "c", "d"), (Series("X", values),), figure, "alt", figure)
    assert str(draw(chart, Formatter.of("en"), "daily", palette(Brand()))).count("<polyline") == 2
