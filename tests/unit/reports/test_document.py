"""Figures, comparisons, reasons and sentences of a document."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from orchestration.reports.data.common import Metric, Point, Tenant
from orchestration.reports.document import Comparison, Direction, Figure, Format, Judgement, Movement
from orchestration.reports.documents import common, prose
from orchestration.reports.formatting import Formatter
from orchestration.reports.periods import Period

WEEK = Period("weekly", date(2026, 10, 12), date(2026, 10, 18))
EN = Formatter.of("en")
TENANT = Tenant(
    "t", "T", None, "UTC", "EUR", "monday", datetime(2026, 10, 19, tzinfo=UTC), date(2026, 10, 18)
)


@pytest.mark.parametrize(
    ("value", "before", "kind", "direction", "movement", "judgement"),
    [
        (110, 100, "integer", "up", "up", "better"),
        (110, 100, "integer", "down", "up", "worse"),
        (90, 100, "money", "up", "down", "worse"),
        (90, 100, "money", "neutral", "down", "neutral"),
        (100, 100, "integer", "up", "unchanged", "neutral"),
        (100_040, 100_000, "integer", "up", "unchanged", "neutral"),
        (5, 0, "integer", "up", "up", "better"),
        (-90, -100, "money", "up", "up", "better"),
        ("0.5004", "0.5", "percent", "up", "unchanged", "neutral"),
        ("0.0044", "0.0040", "percent", "down", "up", "worse"),
        (None, 5, "integer", "up", "unknown", "neutral"),
        (5, None, "integer", "up", "unknown", "neutral"),
    ],
)
def test_a_change_is_judged_by_the_direction_of_the_metric(
    value: object,
    before: object,
    kind: Format,
    direction: Direction,
    movement: Movement,
    judgement: Judgement,
) -> None:
    def number(given: object) -> Decimal | None:
        return None if given is None else Decimal(str(given))

    got = common.compare(number(value), number(before), WEEK, kind, direction)
    assert (got.movement, got.judgement) == (movement, judgement)


def shelf(**points: Point) -> common.Shelf:
    catalogue = {
        "rate": Metric("rate", "Churn rate", "Share lost", "a / b", "rate", "percent", "down",
                       "starting_customers"),
        "ltv": Metric("ltv", "LTV", "Value", "x / y", "currency", "money", "up", None),
    }  # fmt: skip
    series = {metric: {point.period_start: point} for metric, point in points.items()}
    return common.Shelf(TENANT, WEEK, EN, catalogue, series, {})


def test_a_null_figure_says_why() -> None:
    start = WEEK.start
    nobody = shelf(rate=Point("rate", start, None, Decimal(0), True))
    assert nobody.figure("rate").reason == "there is nothing to divide by (starting customers: 0)"
    running = shelf(rate=Point("rate", start, None, Decimal(9), False))
    assert "had not ended" in running.figure("rate").reason
    assert "no figure is recorded" in shelf().figure("rate").reason
    assert "customer churn is 0" in shelf(ltv=Point("ltv", start, None, None, True)).figure("ltv").reason
    assert shelf(ltv=Point("ltv", start, Decimal(3), None, True)).figure("ltv").reason == ""


def test_not_a_number_is_no_figure() -> None:
    got = shelf(ltv=Point("ltv", WEEK.start, Decimal("NaN"), None, True)).figure("ltv")
    assert got.value is None
    assert got.reason


def figure(label: str, value: str, change: str, rate: str | None, movement: Movement) -> Figure:
    before = Decimal(value) - Decimal(change)
    comparison = Comparison(
        "the week before", before, Decimal(change), Decimal(rate) if rate else None, movement, "better"
    )
    return Figure(label, label, Decimal(value), direction="up", comparison=comparison)


def test_sentences() -> None:
    rose = figure("New leads", "120", "20", "0.2", "up")
    gone = figure("MRR", "0", "-5", "-1", "down")
    first = figure("Calls", "7", "7", None, "up")
    clauses = [prose.moved(item, EN) for item in (rose, gone, first)]
    expected = "New leads rose 20.0% to 120, MRR fell from 5 to 0 and calls rose from 0 to 7."
    assert prose.sentence(clauses, EN).replace("\u00a0", " ") == expected
    assert prose.sentence([], EN) == ""
    few = prose.moved(figure("Customers", "3", "2", "2", "up"), EN)
    assert few.replace("\u00a0", " ") == "customers rose from 1 to 3"
    held = figure("Sign-ups", "3", "0", "0", "unchanged")
    assert prose.moved(held, EN) == "sign-ups held at\u00a03"


def test_the_tally_counts_what_can_be_compared() -> None:
    figures = [figure("a", "1", "1", None, "up"), Figure("b", "b", 1, direction="up"), Figure("c", "c", 1)]
    assert prose.tally(figures, WEEK, EN) == "Against the week before, 1 figure is better."
    assert prose.tally(figures[1:], WEEK, EN) == ""
    assert prose.moves(figures[1:], EN) == ()


def test_settings_are_named_only_where_they_differ() -> None:
    standard = {
        "gross_margin": Decimal(1), "past_due_days": None, "churn_on": "end", "mau_window_days": 30,
        "activation_events": ["file_upload", "worklog_creation", "report_generation"],
    }  # fmt: skip
    assert prose.settings_print(standard, EN) == ()
    assert prose.settings_print({}, EN) == ()
    (line,) = prose.settings_print(standard | {"gross_margin": Decimal("0.8"), "mau_window_days": 28}, EN)
    assert prose.settings_print(standard | {"gross_margin": Decimal("0.8")}, EN, {"total_calls"}) == ()
    assert prose.settings_print(standard | {"gross_margin": Decimal("0.8")}, EN, {"ltv"}) != ()
    assert "80.0%" in line
    assert "28 days" in line


def test_titles_inside_a_german_sentence() -> None:
    """Adjectives and adverbs are small there; nouns and abbreviations are not."""
    german = Formatter.of("de")
    small = ("Aktive Nutzer", "Offener Rechnungsbetrag", "Monatlich wiederkehrender Umsatz (MRR)")
    as_they_are = ("MRR-Wachstum", "Anrufe je Lead", "Kosten der Kundengewinnung (CAC)", "Neukunden",
                   "Sitzungen", "Erfolgsquote der Anrufe", "API-Anfragen", "Quick Ratio")  # fmt: skip
    for title in small:
        assert prose.phrase(title, german) == title[0].lower() + title[1:]
    for title in as_they_are:
        assert prose.phrase(title, german) == title
