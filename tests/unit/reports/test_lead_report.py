"""Rules of the lead performance report on rows made by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from orchestration.reports.data.common import Tenant
from orchestration.reports.data.lead_performance import Cell, Hour, Outcome, Scope, Staff
from orchestration.reports.document import Figure
from orchestration.reports.documents import lead_charts, lead_tables
from orchestration.reports.documents.lead_book import Book
from orchestration.reports.documents.lead_words import outcome_word, source_word, status_word
from orchestration.reports.formatting import Formatter
from orchestration.reports.periods import Period

MONDAY = date(2025, 3, 24)
ENGLISH, GERMAN = Formatter.of("en"), Formatter.of("de")


def book(days: dict[date, dict[str, Decimal]] | None = None, text: Formatter = ENGLISH) -> Book:
    moment = datetime(2025, 4, 1, tzinfo=UTC)
    tenant = Tenant("t", "Tenant", None, "UTC", "EUR", "monday", moment, date(2025, 3, 31))
    days = days or {}
    period = Period("weekly", MONDAY, MONDAY + timedelta(days=6))
    return Book(tenant, Scope("t", None), period, text, days, min(days, default=date.max), {})


def hour(at: int, calls: int, completed: int) -> Hour:
    return Hour(at, Decimal(calls), Decimal(completed), Decimal(0))


def person(staff_id: str, calls: int, completed: int) -> Staff:
    return Staff(staff_id, None, Decimal(calls), Decimal(completed), *[Decimal(0)] * 5)


def test_the_best_hour_holds_its_share_of_the_calls() -> None:
    # 24 calls over three hours: an hour needs 8. The two calls of 20:00 were all completed and prove nothing.
    hours = [hour(9, 12, 6), hour(10, 10, 6), hour(20, 2, 2)]
    assert lead_charts.best_hour(hours, book()) == (
        "Among the busier hours the one from 10:00 completed most: 60.0% of 10 calls."
    )
    # Where the busier hours are alike, none is better: the busiest is told.
    alike = [hour(9, 12, 6), hour(10, 10, 5), hour(20, 2, 2)]
    assert lead_charts.best_hour(alike, book()) == "Most calls began from 09:00: 12."
    # Two hours share the first place, and a third is worse: none is the best.
    tied = [hour(9, 10, 6), hour(10, 10, 6), hour(11, 11, 0)]
    assert lead_charts.best_hour(tied, book()) == "Most calls began from 11:00: 11."
    assert lead_charts.best_hour([hour(9, 1, 1)], book()) == "Most calls began from 09:00: 1."
    assert "60,0\u00a0% von 10 Anrufen" in lead_charts.best_hour(hours, book(text=GERMAN))


def test_the_best_person_has_half_of_the_average_calls() -> None:
    # 10 + 10 + 4 + 0 calls: the average caller has 8, so 4 calls are just enough, and 3 would not be.
    staff = [person("ann", 10, 5), person("bob", 10, 6), person("cy", 4, 3), person("idle", 0, 0)]
    assert "cy completed most: 75.0% of 4 calls" in lead_charts.best_person(staff, book())
    fewer = [*staff[:2], person("cy", 3, 3), person("(none)", 50, 50)]
    assert "bob completed most: 60.0% of 10 calls" in lead_charts.best_person(fewer, book())
    assert lead_charts.best_person(staff[:1], book()) == ""
    assert lead_charts.best_person([person("ann", 10, 10), person("bob", 9, 9)], book()) == ""


def test_a_cell_of_the_grid_needs_five_calls_and_the_grid_twelve_cells() -> None:
    def cell(weekday: int, at: int, calls: int, completed: int) -> Cell:
        return Cell(weekday, at, Decimal(calls), Decimal(completed))

    days = (MONDAY - timedelta(weeks=12), MONDAY + timedelta(days=6))
    cells = [cell(1, at, 10, at - 8) for at in range(9, 15)] + [cell(2, at, 4, 4) for at in range(9, 15)]
    assert lead_charts.week_grid(cells, days, book()) is None
    cells += [cell(7, at, 5, 0) for at in range(12, 18)]
    grid = lead_charts.week_grid(cells, days, book())
    assert grid is not None
    assert [series.label for series in grid.series] == ["Monday", "Sunday"]
    assert grid.x == tuple(f"{at:02d}" for at in range(9, 18))
    tenths = [Decimal(number) / 10 for number in range(1, 7)]
    assert [series.values for series in grid.series] == [(*tenths, None, None, None), (None,) * 3 + (0,) * 6]
    assert [series.head.value for series in grid.series if series.head] == [60, 30]
    assert "The highest is 60.0%, on Monday from 14:00." in grid.alt
    assert lead_charts.week_grid([cell(1, at, 10, 10) for at in range(8, 22)], days, book()) is None
    sunday_first = replace(book(), tenant=replace(book().tenant, week_start="sunday"))
    turned = lead_charts.week_grid(cells, days, sunday_first)
    assert turned is not None
    assert [series.label for series in turned.series] == ["Sunday", "Monday"]


def test_known_words_of_the_data_are_translated_and_others_are_shown_as_they_are() -> None:
    assert [status_word("lost", text) for text in (ENGLISH, GERMAN)] == ["Lost", "Verloren"]
    assert [outcome_word("not_interested", text) for text in (ENGLISH, GERMAN)] == [
        "Not interested", "Nicht interessiert",
    ]  # fmt: skip
    assert [outcome_word("Fax_2 <ok>", text) for text in (ENGLISH, GERMAN)] == ["Fax_2 <ok>"] * 2
    assert [source_word("(none)", text) for text in (ENGLISH, GERMAN)] == ["Not named", "Ohne Angabe"]


def test_rates_are_quotients_of_sums_and_not_averages_of_rates() -> None:
    # 1 of 10 and 1 of 1: two of eleven, and not 55 %.
    days = {
        MONDAY: {"new_leads": Decimal(10), "converted_leads": Decimal(1)},
        MONDAY + timedelta(days=6): {"new_leads": Decimal(1), "converted_leads": Decimal(1)},
        MONDAY + timedelta(days=7): {"new_leads": Decimal(100), "converted_leads": Decimal(100)},
        MONDAY - timedelta(days=1): {"new_leads": Decimal(4), "converted_leads": Decimal(3)},
    }
    figure = book(days).figure("conversion_rate")
    assert figure.value == Decimal(2) / 11
    assert figure.comparison is not None
    assert figure.comparison.value == Decimal(3) / 4
    # Earlier leads have had longer: the fall is told, and not held against anybody.
    assert (figure.comparison.movement, figure.comparison.judgement) == ("down", "neutral")
    nothing = book(days).figure("call_success_rate")
    assert (nothing.value, nothing.reason) == (None, "there is nothing to divide by (calls: 0)")


def test_a_week_before_the_first_record_is_a_dash_and_says_why() -> None:
    table = lead_tables.outcomes([Outcome("interested", Decimal(3), Decimal(0))], book({MONDAY: {}}))
    before = table.rows[0].cells[2]
    assert isinstance(before, Figure)
    assert (before.value, before.reason) == (None, "The week before lies before the first record")


@pytest.mark.parametrize(("people", "bars"), [(1, None), (2, 2), (40, 12)])
def test_bars_compare_at_least_two_people_and_at_most_twelve(people: int, bars: int | None) -> None:
    staff = [person("(none)", 99, 9), *(person(f"p{number}", 50 - number, 1) for number in range(people))]
    chart = lead_charts.calls_by_person(staff, book())
    assert (len(chart.x) if chart else None) == bars
    assert chart is None or chart.x[0] == "p0"
