"""The revenue report: numbers by hand from the worked examples, by SQL from the marts, and extremes."""

from __future__ import annotations

import re
import subprocess
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from orchestration.errors import MetricpressError
from orchestration.reports import ReportRequest, render
from orchestration.reports.document import Chart, Charts, Document, Figure, Remarks, Table
from tests.integration.money.conftest import MONTHS, Connection, Report
from tests.integration.test_reports import text_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


def chart(document: Document, key: str) -> Chart:
    found = [c for block in document.blocks() if isinstance(block, Charts) for c in block.charts]
    return next(c for c in found if c.key == key)


def table(document: Document, key: str) -> Table:
    return next(block for block in document.blocks() if isinstance(block, Table) and block.key == key)


def test_february_of_the_worked_examples_by_hand(report: Report) -> None:
    """Amounts from docs/examples/movements.yml: 600 at the start of February, seven customers."""
    got = report("examples", "revenue", "february").figures
    expected: dict[str, Any] = {
        "mrr": 534, "arr": 12 * 534, "starting_mrr": 600, "new_mrr": 30, "expansion_mrr": 50 + 24,
        "contraction_mrr": 40, "churned_mrr": 70 + 30, "paused_mrr": 40, "fx_impact_mrr": 10,
        "paying_customers": 5, "new_customers": 1, "churned_customers": 2,
        # ben 150, gus 144, anna 100, carla 60, dora 80 of 600; without growth ben 100, gus 110.
        "nrr": Decimal(534) / 600, "grr": Decimal(450) / 600,
        # emil left, fay paused; hugo did not pay at the start.
        "customer_churn_rate": Decimal(1) / 7, "revenue_churn_rate": Decimal(70) / 600,
        "arpa": Decimal(534) / 5, "ltv": Decimal(534) / 5 * 7, "cac": 60,
        "quick_ratio": Decimal(30 + 74) / (40 + 100 + 40), "quick_ratio_strict": Decimal(104) / 140,
        "cash_balance": 900, "monthly_burn": 120, "runway_months": Decimal("7.5"),
        "mrr.previous": 600, "cash_balance.previous": 1000,
    }  # fmt: skip
    for key, value in expected.items():
        assert got[key] == pytest.approx(value), key


def test_the_waterfall_of_the_worked_examples(report: Report) -> None:
    document = report("examples", "revenue", "february").document
    drawn = chart(document, "waterfall")
    assert dict(zip(drawn.x, drawn.series[0].values, strict=True)) == {
        "Start": 600, "New": 30, "Expansion": 74, "Contraction": -40, "Churn": -100, "Paused": -40,
        "Currency": 10, "End": 534,
    }  # fmt: skip
    assert not document.warnings
    march = chart(report("examples", "revenue", "march").document, "waterfall")
    assert dict(zip(march.x, march.series[0].values, strict=True)) == {
        "Start": 534, "Returned": 90, "Resumed": 40, "Churn": -80, "End": 584,
    }  # fmt: skip


def test_customers_who_moved_most_and_the_rest_add_up(report: Report) -> None:
    got = report("examples", "revenue", "february", movers=3)
    rows = table(got.document, "movers").rows
    assert [row.label for row in rows] == ["emil", "ben", "carla", "3 further customers", "All customers"]
    assert [got.figures[f"mover.{name}.change"] for name in ("emil", "ben", "carla")] == [-70, 50, -40]
    # fay -40, gus 10 + 24, hugo 30 - 30
    assert got.figures["mover.(rest).change"] == -6
    assert got.figures["mover.all.change"] == 534 - 600
    assert (got.figures["mover.emil.before"], got.figures["mover.emil.after"]) == (70, 0)
    everybody = report("examples", "revenue", "february", movers=100)
    assert everybody.figures["mover.gus.change"] == 34
    assert everybody.figures["mover.hugo.change"] == 0
    assert "mover.(rest).change" not in everybody.figures


def test_every_figure_stands_where_its_source_says(money: Connection, report: Report) -> None:
    """Columns of revenue_metrics and revenue_by_plan, read again by their source."""
    document = report("examples", "revenue", "february").document
    read = 0
    for figure in document.figures():
        assert figure.source is not None, figure.key
        source = figure.source
        if not source.column.isidentifier() or source.mart == "marts.mrr_movements":
            continue
        where = " and ".join(f"{name} = %s" for name, _ in source.key)
        row = money.execute(
            f"select {source.column} from {source.mart} where {where}",  # type: ignore[arg-type]
            [value for _, value in source.key],
        ).fetchone()
        assert row is not None, figure.key
        assert figure.value == row[0], figure.key
        read += 1
    assert read > 50


def test_the_pages_print_every_figure(report: Report) -> None:
    got = report("examples", "revenue", "february", ("pdf",))
    text = text_of(got.files["pdf"])
    for words in ("$534.00", "89.0%", "75.0%", "14.3%", "$106.80", "$747.60", "0.58", "7.5 months", "−$40"):
        assert words in text, words
    assert "Won: $104.00, most of it from expansion ($74.00)." in text
    assert "Lost: $180.00, most of it through churn ($100.00)." in text
    german = text_of(report("examples", "revenue", "february", ("pdf",), "de").files["pdf"])
    for words in ("534,00", "89,0", "Gewonnen: 104,00", "Alle Kunden"):
        assert words in german, words
    assert "Retention and churn" not in german


def test_a_gap_is_told_and_drawn(money: Connection, report: Report) -> None:
    money.execute("update marts.revenue_metrics set new_mrr = new_mrr - 12.34 where tenant_id = 'examples'")
    document = report("examples", "revenue", "february").document
    values = chart(document, "waterfall").series[0].values
    assert sum(Decimal(value or 0) for value in values[:-1]) == values[-1]
    assert document.warnings == (
        "The recorded movements leave $12.34 of the change in MRR unexplained; it is a step of its own.",
    )


def test_a_missing_rate_is_a_dash_and_no_waterfall(money: Connection, report: Report) -> None:
    money.execute(
        "update marts.revenue_metrics set mrr = null, ending_mrr = null, nrr = null, new_mrr = null "
        "where tenant_id = 'examples' and month = '2025-02-01'"
    )
    money.execute("update marts.mrr_movements set amount = null, mrr_after = null where customer_id = 'ben'")
    got = report("examples", "revenue", "february", ("html",))
    assert got.figures["mrr"] is None
    assert got.figures["mover.all.change"] is None
    assert not [key for key in got.figures if key.startswith("waterfall")]
    assert "an amount or an exchange rate it needs is missing" in got.files["html"].decode()
    for figure in got.document.figures():
        assert figure.value is not None or figure.reason, figure.key


def test_an_unfinished_month_says_so(money: Connection, report: Report) -> None:
    money.execute(
        "update marts.revenue_metrics set is_complete = false, nrr = null, grr = null "
        "where tenant_id = 'examples' and month = '2025-03-01'"
    )
    document = report("examples", "revenue", "march").document
    assert document.standfirst.startswith("The month had not ended: its movements are those up to ")
    assert "better" not in document.standfirst
    assert not [block for block in document.front if isinstance(block, Remarks)]
    nrr = next(figure for figure in document.figures() if figure.key == "nrr")
    assert "had not ended" in nrr.reason


def test_no_data_is_said_and_no_zeros_shown(report: Report) -> None:
    never = report("silent", "revenue", "february", ("html",))
    assert "has no recorded revenue yet" in never.document.empty
    assert never.figures == {}
    early = render_month(report, "single", 2024)
    assert "Its revenue lies between January 2025 and March 2025" in early.empty


def render_month(report: Report, tenant: str, year: int) -> Document:
    first, last = MONTHS["march"]
    MONTHS["then"] = (first.replace(year=year), last.replace(year=year))
    return report(tenant, "revenue", "then").document


def test_one_customer_and_no_burn(report: Report) -> None:
    got = report("single", "revenue", "march", ("pdf",))
    assert got.figures["mrr"] == 1000
    assert got.figures["nrr"] == 2
    assert got.figures["ltv"] is None
    reasons = {figure.key: figure.reason for figure in got.document.figures() if figure.value is None}
    assert "the burn is not above 0" in reasons["runway_months"]
    assert reasons["quick_ratio"] == "no MRR was lost"
    assert "only" in text_of(got.files["pdf"])


def test_more_plans_than_rows_end_in_one_for_the_rest(money: Connection, report: Report) -> None:
    """15 plans with names of 200 characters, very large and negative amounts, on the page."""
    money.execute(
        """
        insert into marts.revenue_by_plan
        select p.*
        from marts.revenue_by_plan as one
        cross join generate_series(1, 15) as n
        cross join lateral jsonb_populate_record(one, jsonb_build_object(
            'plan', repeat('Überlang-Tarif ', 13) || lpad(n::text, 5), 'mrr', 10000000000 * (n - 3),
            'starting_mrr', 123456789012.34, 'new_mrr', 1000000 * n, 'active_subscriptions', 7)) as p
        where one.tenant_id = 'examples' and one.month = '2025-02-01'
        """
    )
    money.execute(
        "update marts.revenue_metrics set mrr = 900000000534, starting_mrr = -600 "
        "where tenant_id = 'examples' and month = '2025-02-01'"
    )
    money.execute(
        "update marts.revenue_metrics set mrr = -700000000000.5 "
        "where tenant_id = 'examples' and month = '2025-01-01'"
    )
    got = report("examples", "revenue", "february", ("pdf",))
    rows = table(got.document, "plans").rows
    assert len(rows) == 12 + 2
    assert (rows[12].label, rows[13].label) == ("All other plans", "All plans")
    parts = [value for key, value in got.figures.items() if re.fullmatch(r"plan\.(?!all).*\.mrr", key)]
    assert len(parts) == 13
    assert sum(parts) == got.figures["plan.all.mrr"]  # type: ignore[arg-type]
    shares = chart(got.document, "plan_shares")
    assert len(shares.x) == 13
    stay_on_the_page(got.files["pdf"])


def stay_on_the_page(pdf: bytes) -> None:
    run = subprocess.run(["pdftotext", "-bbox", "-", "-"], input=pdf, capture_output=True, check=True)
    words = re.findall(
        r'<word xMin="([-\d.]+)" yMin="[-\d.]+" xMax="([\d.]+)"[^>]*>([^<]*)', run.stdout.decode()
    )
    assert words
    outside = [word for left, right, word in words if float(left) < 50 or float(right) > 595.3 - 50]
    assert not outside


def test_queries_do_not_grow_with_the_rows(
    money: Connection, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = {"executed": 0}
    execute = psycopg.Cursor.execute

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        counts["executed"] += 1
        return execute(self, *args, **kwargs)

    monkeypatch.setattr(psycopg.Cursor, "execute", counted)
    for name, most in (("revenue", 11), ("cohort", 7), ("billing", 6)):
        seen = []
        for tenant in ("examples", "bills", "cohorts"):
            counts["executed"] = 0
            report(tenant, name, "march")
            seen.append(counts["executed"])
        assert max(seen) <= most, (name, seen)


def test_what_cannot_be_asked_is_named(money: Connection) -> None:
    month = MONTHS["march"]
    for parameters, words in (({"movers": 0}, "movers"), ({"plan_rows": "x"}, "plan_rows"), ({"x": 1}, "x")):
        with pytest.raises(MetricpressError, match=words):
            render(money, ReportRequest("examples", "revenue", "monthly", *month, parameters=parameters), ())
    with pytest.raises(MetricpressError, match="not made weekly"):
        render(money, ReportRequest("examples", "revenue", "weekly", *month), ())
    for name in ("revenue", "cohort", "billing"):
        with pytest.raises(MetricpressError, match="by branch"):
            render(money, ReportRequest("examples", name, "monthly", *month, "north"), ())


def test_figures_are_told_once_with_one_value(report: Report) -> None:
    """A key that comes twice is the same number in both places."""
    for tenant, name in (("examples", "revenue"), ("bills", "billing"), ("examples", "cohort")):
        seen: dict[str, Figure] = {}
        for figure in report(tenant, name, "march").document.figures():
            assert seen.setdefault(figure.key, figure).value == figure.value, figure.key
