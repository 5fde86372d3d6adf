"""The first page of the executive report on hand-made figures: nothing on it is said twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from orchestration.reports.data.common import Metric, Point, TargetRow, Tenant
from orchestration.reports.document import Charts, Document, Insight, Insights, Remarks
from orchestration.reports.documents import mrr_bridge
from orchestration.reports.documents.common import Shelf
from orchestration.reports.documents.executive_front import Front, write_front
from orchestration.reports.formatting import Formatter
from orchestration.reports.insights import Opening
from orchestration.reports.periods import Period

MONTH = Period("monthly", date(2026, 9, 1), date(2026, 9, 30))
TENANT = Tenant("t", "T", None, "UTC", "EUR", "monday", datetime(2026, 10, 1, tzinfo=UTC), date(2026, 9, 30))
CATALOGUE = {
    "mrr": Metric("mrr", "Monthly recurring revenue", "-", "-", "currency", "money", "up", None, "last"),
    "calls": Metric("calls", "Calls", "-", "-", "count", "integer", "up", None, "sum"),
    "grr": Metric("grr", "Gross revenue retention", "-", "-", "rate", "percent", "up", None, "last"),
}
CALLS = Insight("mover", "Calls rose 50.0% to 300.", ())
QUIET = Opening((), None, True)


def shelf(targets: dict[str, TargetRow] | None = None, **values: tuple[Any, Any]) -> Shelf:
    """`metric=(the month before, this month)`."""
    series = {
        metric: {
            start: Point(metric, start, Decimal(value), None, True)
            for start, value in zip((date(2026, 8, 1), MONTH.start), ends, strict=True)
        }
        for metric, ends in values.items()
    }
    return Shelf(TENANT, MONTH, Formatter.of("en"), CATALOGUE, series, targets or {})


def front(given: Shelf, opening: Opening | None, behind: Insight | None = None) -> Front:
    figures = [given.figure(metric) for metric in given.series]
    return write_front(given, list(given.series), figures, opening, behind)


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def sentences(page: Front) -> list[str]:
    return [plain(i.text) for block in page.blocks if isinstance(block, Insights) for i in block.insights]


def test_a_letter_opens_with_the_leading_figure_when_it_moved() -> None:
    page = front(shelf(mrr=(1000, 1200), calls=(200, 300)), Opening((CALLS,), "calls", True))
    assert (
        plain(page.headline) == "Monthly recurring revenue rose 20.0% to €1,200 and calls rose 50.0% to 300."
    )
    assert page.told == ("mrr", "calls")
    assert page.drawn == "mrr"


@pytest.mark.parametrize(
    ("now", "opening"),
    [
        (1010, Opening((CALLS,), "calls", True)),
        (1200, Opening((replace(CALLS, rule="target"),), "calls", True)),
    ],
)
def test_a_letter_opens_with_the_news_when_the_leading_figure_hardly_moved_or_a_target_turned(
    now: int, opening: Opening
) -> None:
    page = front(shelf(mrr=(1000, now), calls=(200, 300)), opening)
    assert page.headline == CALLS.text
    assert (page.told, page.drawn) == (("calls",), "calls")


def test_the_headline_is_not_said_again_below_it() -> None:
    page = front(
        shelf(mrr=(1000, 1010), calls=(200, 300)), Opening((CALLS, replace(CALLS, text="B.")), "calls", True)
    )
    document = Document(
        "executive", "", "monthly", "T", None, MONTH.start, MONTH.end, "", TENANT.as_of, "UTC", page.headline,
        page.standfirst, brand=None, locale="en", front=page.blocks,  # type: ignore[arg-type]
    )  # fmt: skip
    below = [i.text for b in document.front_below_headline() if isinstance(b, Insights) for i in b.insights]
    assert below == ["B."]


def test_a_quiet_month_says_that_it_is_one() -> None:
    page = front(shelf(mrr=(1000, 1010), calls=(200, 201)), QUIET)
    assert page.standfirst.startswith("No leading figure left its usual range. Against the month before, ")
    assert not sentences(page)
    young = front(shelf(mrr=(1000, 1010), calls=(200, 201)), Opening((), None, False))
    assert young.standfirst.startswith("Against the month before, ")


def test_missed_targets_that_are_no_news_stand_by_themselves() -> None:
    targets = {"grr": TargetRow("grr", Decimal("0.95"), None, "error"),
               "mrr": TargetRow("mrr", Decimal(900), None, "success")}  # fmt: skip
    given = shelf(targets, mrr=(1000, 1010), grr=("0.90", "0.91"))
    (remarks,) = (block for block in front(given, QUIET).blocks if isinstance(block, Remarks))
    assert (remarks.title, remarks.lines) == ("Off target", ("Gross revenue retention: 91.0%, target 95.0%",))
    news = Insight("target", "Missed.", (given.figure("grr"),))
    told = front(given, Opening((news,), "grr", True))
    assert not [block for block in told.blocks if isinstance(block, Remarks)]


def test_a_range_without_an_opening_lists_its_largest_moves() -> None:
    page = front(shelf(mrr=(1000, 1200), calls=(200, 300), grr=("0.9", "0.8")), None)
    assert [block.title for block in page.blocks if isinstance(block, Remarks)] == [
        "What went well", "What needs attention",
    ]  # fmt: skip
    assert [chart.key for block in page.blocks if isinstance(block, Charts) for chart in block.charts] == [
        "mrr"
    ]


def test_what_mrr_moved_by_follows_the_headline() -> None:
    """1,000 + 300 + 80 - 150 - 30 = 1,200; 30 is 15% of the change of 200, but the fourth."""
    given = shelf(mrr=(1000, 1200), calls=(200, 300))
    movements = {
        "new": Decimal(300),
        "expansion": Decimal(80),
        "churn": Decimal(150),
        "contraction": Decimal(30),
    }
    behind = mrr_bridge.behind(given, movements)
    assert behind is not None
    said = "Behind the rise in MRR: new business €300.00, churn −€150.00 and expansion €80.00."
    assert plain(behind.text) == said
    assert [figure.value for figure in behind.figures] == [300, -150, 80]
    page = front(given, Opening((CALLS,), "calls", True), behind)
    assert sentences(page) == [said, CALLS.text]


@pytest.mark.parametrize(
    ("now", "movements", "why"),
    [
        (1200, {"new": 100}, "they do not add up"),
        (1049, {"new": 49}, "less than 5%"),
        (1200, {}, "nothing is recorded"),
    ],
)
def test_no_movements_are_told(now: int, movements: dict[str, int], why: str) -> None:
    given = shelf(mrr=(1000, now))
    amounts = {kind: Decimal(amount) for kind, amount in movements.items()}
    assert mrr_bridge.behind(given, amounts) is None, why


def test_a_page_full_of_sentences_leaves_the_chart_to_its_section() -> None:
    many = tuple(replace(CALLS, text=f"Sentence {letter}.") for letter in "ABCDE")
    given = shelf(mrr=(1000, 1200), calls=(200, 300))
    assert front(given, Opening(many[:4], "calls", True)).drawn == "mrr"
    page = front(given, Opening(many, "calls", True))
    assert page.drawn is None
    assert not [block for block in page.blocks if isinstance(block, Charts)]
