"""What holds for the rules whatever the series, and how seldom they speak of noise."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from orchestration.reports.data.common import TargetRow
from orchestration.reports.formatting import Formatter
from orchestration.reports.insights.case import Case
from orchestration.reports.insights.opening import HISTORY, MOST_SENTENCES, choose, find
from tests.unit.reports.insights.series import FIGURES, case

EN, DE = Formatter.of("en"), Formatter.of("de")
GRAINS = st.sampled_from(["day", "week", "month"])
NAMES = st.sampled_from(sorted(FIGURES))
WEIGHTS = dict.fromkeys((figure.key for figure in FIGURES.values()), Decimal(1))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A case with runs, jumps and gaps, so that rules speak; shares between 0 and 1."""
    name, grain = draw(NAMES), draw(GRAINS)
    scale = 2000 if name in ("success", "churn") else 1
    calm = draw(st.lists(st.sampled_from([0, 3, -3, 8]), min_size=1, max_size=7)) * draw(st.integers(1, 30))
    run = [draw(st.sampled_from([30, -30, None]))] * draw(st.integers(0, 12))
    level, levels = draw(st.integers(300, 600)), []
    for step in run:
        level += step or 0
        levels.append(None if step is None else max(0, level))
    last = draw(st.sampled_from([level, level + 60, level - 60, level + 900, 0]))
    known = [400 + step for step in calm] + levels + [max(0, last)]
    values = [None if value is None else Decimal(value) / scale for value in known]
    status = draw(st.sampled_from(["success", "warning", "error"]))
    target = TargetRow(name, Decimal(draw(st.integers(1, 400))), None, status)
    return case(name, grain, values, target if scale == 1 else None)


@given(st.decimals(0, 10**9, places=2), NAMES, GRAINS, st.integers(1, 184))
def test_a_constant_series_says_nothing(value: Decimal, name: str, grain: str, length: int) -> None:
    target = TargetRow(name, value, None, "success")
    assert find([case(name, grain, [value] * length, target)], EN) == []


@settings(deadline=None)
@given(st.lists(cases(), min_size=1, max_size=4, unique_by=lambda one: one.figure.key), st.randoms())
def test_the_order_of_metrics_changes_nothing(made: list[Case], shuffle: random.Random) -> None:
    first = choose(find(made, EN), WEIGHTS)
    shuffled = sorted(made, key=lambda _: shuffle.random())
    assert choose(find(shuffled, EN), WEIGHTS) == first
    assert len(first) <= min(len(made), MOST_SENTENCES)
    assert len({found.case.figure.key for found in first}) == len(first), "one sentence a metric"


@settings(deadline=None, max_examples=300)
@given(cases(), st.sampled_from([EN, DE]))
def test_every_number_in_a_text_is_one_of_its_figures(one: Case, text: Formatter) -> None:
    for finding in find([one], text):
        event(finding.rule)
        left = finding.insight.text.replace(one.figure.label, "")
        for figure in finding.insight.figures:
            assert figure.source is not None
            written = text.figure(figure, compact=True)
            left, found = re.subn(rf"(?<![\d.,\u2212]){re.escape(written)}(?![.,]?\d)", "", left, count=1)
            assert found, figure.key
        left = left.replace(phrases_of_dates(one, text, left), "")
        assert not re.search(r"\d", left), (left, finding.insight.text)
        assert "{" not in finding.insight.text


def phrases_of_dates(one: Case, text: Formatter, sentence: str) -> str:
    """The period of the case that a sentence names; an empty text for one without."""

    def written(start: date) -> str:
        return (
            text.period(start, start.replace(day=28), "monthly") if one.grain == "month" else text.day(start)
        )

    return max((words for words in map(written, one.starts) if words in sentence), key=len, default="")


def noise(rnd: random.Random, mean: float) -> int:
    """A count of independent events with a mean."""
    return max(0, round(rnd.gauss(mean, mean**0.5)))


@pytest.mark.parametrize(
    ("name", "make", "most"),
    [
        ("leads", lambda rnd, _: noise(rnd, 30), 0.02),
        ("leads", lambda rnd, _: noise(rnd, 500), 0.02),
        ("leads", lambda rnd, day: noise(rnd, 200 if day % 7 < 5 else 60), 0.04),
        ("success", lambda rnd, _: noise(rnd, 60) / 200, 0.03),
    ],
)
@pytest.mark.parametrize("grain", ["day", "week", "month"])
def test_noise_is_seldom_news(
    name: str, make: Callable[[random.Random, int], float], most: float, grain: str
) -> None:
    """300 series without any event: docs/insights.md tells the shares of many more."""
    rnd = random.Random(f"{name} {grain}")
    base = Decimal(200) if name == "success" else None
    spoken = sum(
        bool(find([case(name, grain, [make(rnd, n) for n in range(HISTORY[grain])], base=base)], EN))
        for _ in range(300)
    )
    assert spoken <= most * 300
