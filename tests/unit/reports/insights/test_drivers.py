"""The dimension value behind a move, and the choice of sentences, on hand-made numbers."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from orchestration.reports.data.insights import Share
from orchestration.reports.document import Figure, Insight
from orchestration.reports.formatting import Formatter
from orchestration.reports.insights.drivers import driver
from orchestration.reports.insights.opening import MOST_LARGE, choose, find
from orchestration.reports.insights.rules import Finding
from tests.unit.reports.insights.series import case

EN, DE = Formatter.of("en"), Formatter.of("de")

#: 300 leads after 200.
ROSE = case("leads", "week", [200, 300])


def shares(metric: str = "new_leads", **values: Any) -> list[Share]:
    """Shares by branch, `name=(before, now)`; None has no row."""
    return [
        Share(metric, start, "branch", name, name.title(), Decimal(value))
        for name, ends in values.items()
        for start, value in zip(ROSE.starts, ends, strict=True)
        if value is not None
    ]


def test_the_value_that_made_most_of_a_move_is_named() -> None:
    """North 60 of 100 more, from half of all: 80% of the rise. 180 after 100, South 120 after 100."""
    made = driver(ROSE, shares(north=(100, 180), south=(100, 120)), EN)
    assert made is not None
    assert made.text == "The branch North made 80.0% of the rise in new leads: 180 after 100."
    assert [figure.value for figure in made.figures] == [Decimal("0.8"), 180, 100]
    german = driver(ROSE, shares(north=(100, 180), south=(100, 120)), DE)
    assert german is not None
    assert (
        german.text.replace("\u00a0", " ")
        == "New leads: 80,0 % des Anstiegs durch Filiale North, auf 180 (zuvor 100)."
    )


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (
            {"north": (100, 145), "south": (100, 155)},
            "55% of the rise after 50% of all: no more than its part",
        ),
        ({"north": (160, 240), "south": (40, 60)}, "80% of the rise after 80% of all"),
        ({"north": (100, 140), "south": (60, 90), "west": (40, 70)}, "40% is no half"),
        ({"north": (100, 280), "south": (100, 20)}, "180%: the others moved against it"),
        ({"north": (100, 180), "south": (100, 110)}, "the parts do not add up"),
        ({"north": (200, 300)}, "there is only one"),
    ],
)
def test_no_value_is_named_that_explains_little(values: dict[str, tuple[int, int]], why: str) -> None:
    assert driver(ROSE, shares(**values), EN) is None, why


def test_a_value_without_a_row_had_nothing() -> None:
    made = driver(ROSE, shares(north=(None, 120), south=(200, 180)), EN)
    assert made is not None
    assert made.text == "The branch North made more than the whole rise in new leads: 120 after 0."


def test_what_was_not_told_explains_nothing() -> None:
    told = shares(north=(100, 180), south=(100, 120))
    untold = [Share(s.metric, s.start, s.dimension, "(none)", "(none)", s.value) if s.name == "North" else s
              for s in told]  # fmt: skip
    assert driver(ROSE, untold, EN) is None


def finding(key: str, rule: str, strength: str = "1") -> Finding:
    made = case("leads", "week", [1, *map(ord, key)])
    made = replace(made, figure=Figure(key, key, None))
    return Finding(made, rule, Decimal(strength), Insight(rule, f"{key} {rule}.", ()))


def test_one_sentence_a_family_and_the_strongest_first() -> None:
    found = [
        finding("mrr", "mover"),
        finding("arr", "mover", "2"),
        finding("wau", "target"),
        finding("x", "turn"),
    ]
    weights = {"mrr": Decimal(1), "arr": Decimal("0.4"), "wau": Decimal(1), "x": Decimal("0.5")}
    assert [(f.case.figure.key, f.rule) for f in choose(found, weights)] == [
        ("wau", "target"), ("mrr", "mover"), ("x", "turn"),
    ]  # fmt: skip


def test_no_more_than_two_large_moves_and_by_day_only_with_a_driver() -> None:
    found = [finding(key, "largest") for key in "abcd"]
    weights = dict.fromkeys("abcd", Decimal(1))
    assert len(choose(found, weights)) == MOST_LARGE
    by_day = case("leads", "day", [*[300, 310, 305, 300, 310, 120, 100] * 8, 200])
    large = [found for found in find([by_day], EN) if found.rule == "largest"]
    assert large
    assert choose(large, {"new_leads": Decimal(1)}) == []
    assert choose(large, {"new_leads": Decimal(1)}, {"new_leads"}) == large


def test_a_metric_that_moves_exactly_like_another_is_an_echo() -> None:
    leads = finding("new_leads", "mover")
    other = replace(leads.case, figure=replace(leads.case.figure, key="total_calls"))
    calls = replace(leads, case=other)
    weights = {"new_leads": Decimal(1), "total_calls": Decimal("0.9")}
    assert choose([calls, leads], weights) == [leads]
