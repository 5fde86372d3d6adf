"""Each rule on series whose answer is known by hand."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest

from orchestration.reports.data.common import TargetRow
from orchestration.reports.formatting import Formatter
from orchestration.reports.insights import rules
from tests.unit.reports.insights.series import case

EN, DE = Formatter.of("en"), Formatter.of("de")


def said(finding: rules.Finding | None) -> str | None:
    return None if finding is None else finding.insight.text.replace("\u00a0", " ")


#: Changes of 10 up and down: the usual change is 10.
STEADY = [200, 210] * 13


def test_a_move_of_several_usual_changes_is_told() -> None:
    """The usual change is 10 and weeks need 3.5 of them: 34 are too few, and 35 of 210 may be chance."""
    assert rules.mover(case("leads", "week", [*STEADY, 176]), EN) is None
    assert rules.mover(case("leads", "week", [*STEADY, 245]), EN) is None
    assert said(rules.mover(case("leads", "week", [*STEADY, 315]), EN)) == "New leads rose 50.0% to 315."
    text = said(rules.mover(case("leads", "week", [*STEADY, 105]), DE))
    assert text == "New leads um 50,0 % auf 105 gefallen."


def test_a_move_back_to_the_usual_is_no_news() -> None:
    spike = [*STEADY, 600]
    assert rules.mover(case("leads", "week", spike), EN) is not None
    assert rules.mover(case("leads", "week", [*spike, 205]), EN) is None


def test_what_happens_on_a_day_is_compared_with_its_weekday() -> None:
    """Weekdays 300, weekends 100: from Sunday to Monday nothing happened."""
    week = [300, 300, 300, 300, 300, 100, 100]
    days = [*week * 8, 300]  # ends on a Thursday like the others: only the order of the week counts
    assert rules.mover(case("leads", "day", days), EN) is None
    fell = [*week * 8, 150]
    assert said(rules.mover(case("leads", "day", fell), EN)) == (
        "New leads fell 50.0% against the Thursday before, to 150."
    )


def test_growth_at_its_usual_rate_is_no_move_of_a_stock() -> None:
    """10% a month: changes grow with MRR, and none is larger than usual; 40% is."""
    months = [Decimal(1000) * Decimal("1.1") ** month for month in range(20)]
    assert rules.mover(case("mrr", "month", months), EN) is None
    jump = [*months[:-1], months[-2] * Decimal("1.4")]
    text = said(rules.mover(case("mrr", "month", jump), EN))
    assert text is not None
    assert text.startswith("Monthly recurring revenue rose 40.0% to €")


def test_a_share_moves_only_beyond_chance() -> None:
    """30% to 45% of 400 is six standard deviations of chance (2.4 points), of 20 less than two."""
    shares = ["0.30", "0.31"] * 10 + ["0.45"]
    assert rules.mover(case("success", "week", shares, base=Decimal(20)), EN) is None
    told = rules.mover(case("success", "week", shares, base=Decimal(400)), EN)
    assert said(told) == "Call success rose from 31.0% to 45.0%."


def test_small_amounts_beside_mrr_are_no_news() -> None:
    values = [1000, 1010] * 12 + [3000]
    assert rules.mover(case("mrr", "month", values), EN) is not None
    assert rules.mover(case("mrr", "month", values, floor=Decimal(5000)), EN) is None


@pytest.mark.parametrize(
    ("figure", "before", "now", "status", "words"),
    [
        ("success", ["0.60", "0.61", "0.62"], "0.50", "error",
         "Call success missed the target of 55.0%: 50.0% after 62.0%."),
        ("success", ["0.50", "0.51", "0.52"], "0.56", "success",
         "Call success met the target of 55.0%: 56.0% after 52.0%."),
        ("churn", ["0.60", "0.61", "0.62"], "0.50", "success",
         "Customer churn met the target of 55.0%: 50.0% after 62.0%."),
        ("success", ["0.50", "0.51", "0.62"], "0.50", "error", None),  # not settled before
        ("success", ["0.50", "0.50", "0.50"], "0.51", "error", None),  # missed before, too
        ("success", ["0.60", "0.60", "0.60"], "0.54", "success", None),  # within the tolerance of its status
        ("success", ["0.60", None, "0.60"], "0.50", "error", None),
    ],
)  # fmt: skip
def test_a_target_is_told_when_it_changes_sides(
    figure: str, before: list[str | None], now: str, status: str, words: str | None
) -> None:
    row = TargetRow("x", Decimal("0.55"), None, status)  # type: ignore[arg-type]
    assert said(rules.target(case(figure, "week", [*before, now], row), EN)) == words


def test_a_record_is_clear_of_an_old_one() -> None:
    """Highs of 210 each second week; the last 10 weeks keep below 206, so that the record is 10 weeks old."""
    weeks = [200, 210] * 15 + [200, 205] * 5
    text = said(rules.record(case("leads", "week", [*weeks, 300]), EN))
    assert text == "New leads rose to 300, the highest of all figures since the week of August 25, 2025."
    assert rules.record(case("leads", "week", [*weeks, 211]), EN) is None, "hardly higher"
    assert rules.record(case("leads", "week", [*weeks[:20], 300]), EN) is None, "too short a history"
    assert rules.record(case("leads", "week", [*weeks, 300, 350]), EN) is None, "a record of last week"


def test_a_record_names_the_last_better_period() -> None:
    weeks = [200, 400, *[200, 210] * 15, *[200, 205] * 5]
    text = said(rules.record(case("leads", "week", [*weeks, 300]), EN))
    assert text == "New leads rose to 300, the highest since the week of August 18, 2025."
    low = said(rules.record(case("leads", "week", [100 if w == 400 else w for w in weeks] + [120]), DE))
    assert low == "New leads auf 120 gefallen, niedrigster Stand seit der Woche ab 18. August 2025."


def test_a_turn_ends_a_run_with_a_step_that_counts() -> None:
    """Six rises from 200 to 360; the fall of 40 is larger than usual and a quarter of the way."""
    calm = [200, 210] * 6
    run = [*calm, 240, 270, 300, 330, 360]
    text = said(rules.turn(case("leads", "week", [*run, 320]), EN))
    assert text == (
        "New leads fell from 360 to 320, after a rise in each week since the week of April 20, 2026."
    )
    assert rules.turn(case("leads", "week", [*run, 355]), EN) is None, "hardly a step"
    assert rules.turn(case("leads", "week", [*run, 390]), EN) is None, "it goes on"
    assert rules.turn(case("leads", "week", [*calm, 211, 212, 213, 214, 215, 180]), EN) is None, "a flat run"
    assert rules.turn(case("leads", "day", [*run, 320]), EN) is None, "days go by the weekday"


def test_a_streak_is_told_when_it_reaches_a_length() -> None:
    calm = [200, 210] * 6 + [200]
    rising = [calm[-1] + 30 * step for step in range(1, 8)]
    text = said(rules.streak(case("leads", "week", [*calm, *rising[:6]]), EN))
    assert text == "New leads rose in each week since the week of April 27, 2026, from 200 to 380."
    assert rules.streak(case("leads", "week", [*calm, *rising[:5]]), EN) is None
    assert rules.streak(case("leads", "week", [*calm, *rising]), EN) is None, "told the week before"
    assert rules.streak(case("leads", "week", [*calm, 201, 202, 203, 204, 205, 206]), EN) is None


def test_a_day_far_from_its_weekday_is_told() -> None:
    """Thursdays of 190 to 210 around 200, a median distance of 5; 120 is 16 of them off and 40%."""
    weeks = [[200 + 5 * (w % 3 - 1), 0, 0, 0, 0, 0, 0] for w in range(12)]
    days = [value for week in weeks for value in week]
    text = said(rules.weekday(case("leads", "day", [*days, 120]), EN))
    assert text == "New leads came to 120, far below the 200 of an ordinary Thursday."
    assert rules.weekday(case("leads", "day", [*days, 170]), EN) is None, "15% is not far"
    assert rules.weekday(case("leads", "day", [*days[35:], 120]), EN) is None, "seven Thursdays are too few"
    assert rules.weekday(case("leads", "week", [*days, 120]), EN) is None


def test_an_unknown_value_says_nothing() -> None:
    for rule, _ in rules.RULES:
        assert rule(case("leads", "week", [*STEADY, None]), EN) is None
        assert rule(case("leads", "week", [None] * 40), EN) is None
        assert rule(case("leads", "week", [5]), EN) is None


def test_the_usual_change_skips_gaps() -> None:
    values = [100, None, 130, 140, None, 150, 160, 170, 180, 190, 200, 210, 215]
    steps = [b - a for a, b in pairwise(values[:-1]) if a is not None and b is not None]
    assert sorted(steps) == [10] * 7
    assert case("leads", "week", values).usual_change is None, "seven steps are too few"
    assert case("leads", "week", [90, *values]).usual_change == 10
