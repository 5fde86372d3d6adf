"""The cohort report: retention by hand, weighted averages, incomplete cells, and what cannot be compared."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from orchestration.errors import MetricpressError
from orchestration.reports import ReportRequest, render
from orchestration.reports.document import Chart, Charts, Document, Table
from tests.integration.money.conftest import MONTHS, Connection, Report
from tests.integration.test_reports import text_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
USERS = {"subject": "user"}


def heatmap(document: Document) -> Chart:
    found = [c for block in document.blocks() if isinstance(block, Charts) for c in block.charts]
    return next(c for c in found if c.kind == "heatmap")


def test_users_by_hand(report: Report) -> None:
    """1 of 1 of December, 10 of 20 of January, 20 of 25 of February came again in the next month."""
    got = report("cohorts", "cohort", "march", ("pdf",), **USERS)
    figures = got.figures
    assert figures["cohort.2024-12-01.size"] == 1
    assert figures["cohort.2025-01-01.1"] == Decimal("0.5")
    assert figures["cohort.2025-02-01.1"] == Decimal("0.8")
    assert figures["average.1"] == Decimal(31) / 46
    assert figures["average.1"] != (1 + Decimal("0.5") + Decimal("0.8")) / 3
    assert (figures["average.1.kept"], figures["average.1.base"], figures["average.1.cohorts"]) == (31, 46, 3)
    assert figures["members"] == 1 + 20 + 25 + 4
    text = text_of(got.files["pdf"])
    assert "67.4%" in text
    assert "Known from 3 cohorts with 46 users." in text
    assert "50.0%" in text


def test_the_opening_names_best_and_weakest_only_among_large_cohorts(report: Report) -> None:
    february = report("cohorts", "cohort", "february", **USERS).document
    # December has one user: with January alone there is nobody to compare with.
    assert "Fewer than two cohorts of at least 20 have come that far" in february.standfirst
    march = report("cohorts", "cohort", "march", periods=1, **USERS).document
    assert march.headline == "After 1 month, 67.4% of users were still active."
    assert "Best: Feb 2025 with 80.0%; weakest: Jan 2025 with 50.0%" in march.standfirst


def test_cells_that_not_everybody_completed_are_left_out_and_said(report: Report) -> None:
    document = report("cohorts", "cohort", "march", mode="rolling", **USERS).document
    drawn = heatmap(document)
    rows = dict(zip((series.label for series in drawn.series), drawn.series, strict=True))
    # 30 days from the last possible day of February end on 29 March; from 31 March on 29 April.
    assert rows["Feb 2025"].values[:2] == (1, None)
    assert [series.head.value for series in drawn.series if series.head] == [1, 20, 25, 4]
    assert rows["Mar 2025"].values[0] is None
    assert "left out: not everybody had completed the period by March 31, 2025" in drawn.note
    assert "cohort.2025-03-01.1" not in {figure.key for figure in drawn.labels}


def test_a_month_is_the_same_whenever_it_is_reported(money: Connection, report: Report) -> None:
    """Cells that were completed later are no part of an earlier month, though the mart has them."""
    january = report("cohorts", "cohort", "january", **USERS).figures
    assert january["cohort.2024-12-01.1"] == 1
    assert january["cohort.2025-01-01.1"] is None
    assert "cohort.2025-02-01.size" not in january
    march = report("cohorts", "cohort", "march", **USERS)
    average = next(figure for figure in march.document.figures() if figure.key == "average.1")
    assert average.comparison is not None
    assert average.comparison.value == report("cohorts", "cohort", "february", **USERS).figures["average.1"]


def test_revenue_retention_is_that_of_the_ledger_and_may_exceed_all(
    money: Connection, report: Report
) -> None:
    got = report("examples", "cohort", "march", subject="revenue").figures
    assert got["cohort.2025-01-01.0"] == 1
    # hugo began in February: of those of January 534 remain at its end, and 584 at the end of March.
    assert got["cohort.2025-01-01.1"] == pytest.approx(Decimal(534) / 600)
    assert got["cohort.2025-01-01.2"] == pytest.approx(Decimal(584) / 600)
    single = report("single", "cohort", "march", ("pdf",), subject="revenue")
    assert single.figures["cohort.2025-01-01.2"] == 2
    assert "200.0%" in text_of(single.files["pdf"])


@pytest.mark.parametrize(
    ("subject", "kept", "base"),
    [("customer", "retained", "eligible"), ("revenue", "retained_mrr", "eligible_starting_mrr")],
)
def test_averages_are_sums_over_sums_by_sql(
    money: Connection, report: Report, subject: str, kept: str, base: str
) -> None:
    got = report("examples", "cohort", "march", subject=subject).figures
    rows = money.execute(
        f"""
        select period_index, sum({kept}), sum({base})
        from marts.cohort_retention
        where (tenant_id, subject, cohort_by, period, mode)
              = ('examples', '{subject}', 'first_payment', 'month', 'calendar')
          and is_complete
        group by period_index
        """  # type: ignore[arg-type]
    ).fetchall()
    assert rows
    for index, sum_kept, sum_base in rows:
        assert got[f"average.{index}.kept"] == sum_kept
        assert got[f"average.{index}.base"] == sum_base
        assert got[f"average.{index}"] == pytest.approx(sum_kept / sum_base)


def test_every_cell_is_that_of_the_mart(money: Connection, report: Report) -> None:
    for parameters in (
        {},
        {"subject": "revenue"},
        {"mode": "unbounded"},
        {"period": "week", "cohort_by": "signup"},
    ):
        document = report("examples", "cohort", "march", **parameters).document
        if document.empty:
            assert parameters.get("cohort_by") == "signup"
            continue
        for figure in heatmap(document).labels:
            assert figure.source is not None
            where = " and ".join(f"{name} = %s" for name, _ in figure.source.key)
            row = money.execute(
                f"select retention_rate, is_complete from marts.cohort_retention where {where}",  # type: ignore[arg-type]
                [value for _, value in figure.source.key],
            ).fetchone()
            assert row == (figure.value, True)


def test_weeks_and_how_many(report: Report) -> None:
    got = report("cohorts", "cohort", "march", period="week", cohorts=6, periods=2, **USERS)
    drawn = heatmap(got.document)
    assert drawn.x == ("0", "1", "2")
    # Of the weeks from 24 February to 31 March the first has 25 users of 28 February and 4 of 2 March.
    assert [series.label for series in drawn.series] == ["February 24, 2025"]
    assert got.figures["cohort.2025-02-24.size"] == 29
    assert drawn.series[0].values == (1, 0, 0)


def test_no_data_and_other_kinds_are_named(report: Report) -> None:
    never = report("silent", "cohort", "march", ("html",)).document
    assert "has no cohorts of this kind yet" in never.empty
    others = report("cohorts", "cohort", "march").document
    assert "set the parameters subject and cohort_by: user, first_activity" in others.empty


def test_german_pages(report: Report) -> None:
    text = text_of(report("cohorts", "cohort", "march", ("pdf",), "de", **USERS).files["pdf"])
    assert "Nach 1 Monat noch aktiv: 67,4 % der Nutzer." in text.replace("\u00a0", " ")
    assert "Cohort" not in text.replace("Cohorts", "")


def test_combinations_the_mart_never_has_are_refused(money: Connection) -> None:
    for parameters, words in (
        ({"subject": "user", "cohort_by": "first_payment"}, "cohort_by"),
        ({"cohort_by": "first_activity"}, "cohort_by"),
        ({"subject": "revenue", "mode": "unbounded"}, "mode"),
        ({"periods": 40}, "periods"),
    ):
        request = ReportRequest("cohorts", "cohort", "monthly", *MONTHS["march"], parameters=parameters)
        with pytest.raises(MetricpressError, match=words):
            render(money, request, ())


def test_a_cohort_without_mrr_is_a_dash_with_its_reason(money: Connection, report: Report) -> None:
    money.execute(
        "update marts.cohort_retention set retention_rate = null, eligible_starting_mrr = 0 "
        "where tenant_id = 'single' and subject = 'revenue'"
    )
    document = report("single", "cohort", "march", subject="revenue").document
    assert document.headline == "No cohort has completed a period after its first yet."
    tables = [block for block in document.blocks() if isinstance(block, Table)]
    assert all(cell.value is not None or cell.reason for t in tables for row in t.rows for cell in row.cells
               if not isinstance(cell, str))  # fmt: skip
    assert date(2025, 3, 31) == document.period_end
