"""The billing report: bills by hand in three currencies, which are never added together."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from orchestration.reports.document import Cards
from tests.integration.money.conftest import Connection, Report
from tests.integration.money.test_revenue_report import stay_on_the_page, table
from tests.integration.test_reports import text_of

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


def test_march_by_hand(report: Report) -> None:
    """EUR: d (30) invoiced, 100 paid, 25 given back, b (40) owed since 27 February: 32 days."""
    got = report("bills", "billing", "march").figures
    expected: dict[str, Any] = {
        "EUR.invoiced": 30, "EUR.tax": 0, "EUR.net_invoiced": 30, "EUR.collected": 100, "EUR.refunded": 25,
        "EUR.net_collected": 75, "EUR.collected_share": Decimal(100) / 30, "EUR.uncollectible": 25,
        "EUR.outstanding": 40, "EUR.old_share": 1, "EUR.outstanding_0_to_30_days": 0,
        "EUR.outstanding_31_to_60_days": 40, "EUR.outstanding_31_to_60_days.share": 1,
        "EUR.invoiced.previous": 50, "EUR.collected.previous": 10, "EUR.outstanding.previous": 140,
        "EUR.2025-01-01.outstanding": 100, "EUR.2025-01-01.invoiced": 100,
        "EUR.2025-01-01.collected_share": 0,
        "JPY.invoiced": 1234567, "JPY.collected": 0, "JPY.outstanding": 1234567, "JPY.old_share": 0,
    }  # fmt: skip
    for key, value in expected.items():
        assert got[key] == value, key


def test_currencies_stand_by_themselves(report: Report) -> None:
    got = report("bills", "billing", "march", ("pdf",))
    document = got.document
    assert [section.key for section in document.sections] == ["currencies", "currency-EUR", "currency-JPY"]
    cards = [figure for block in document.front if isinstance(block, Cards) for figure in block.figures]
    assert {figure.currency for figure in cards} == {"EUR", None}
    for code in ("EUR", "JPY"):
        inside = {figure.currency for figure in document.figures() if figure.key.startswith(f"{code}.")}
        assert inside == {code, None}
    # No number of the report is a sum over currencies.
    assert 1234567 + 30 not in got.figures.values()
    assert not any(row.total for row in table(document, "currencies").rows)
    text = text_of(got.files["pdf"])
    assert "¥1,234,567" in text
    assert "¥1,234,567.00" not in text
    assert "€40.00" in text
    assert "Outstanding at the end of the month: €40.00, 100.0% of it for more than 30 days." in text
    assert "further bills are in JPY" in text


def test_every_figure_stands_where_its_source_says(money: Connection, report: Report) -> None:
    read = 0
    for month in ("february", "march"):
        for figure in report("bills", "billing", month).document.figures():
            assert figure.source is not None, figure.key
            where = " and ".join(f"{name} = %s" for name, _ in figure.source.key)
            above, _, below = figure.source.column.partition(" / ")
            expression = f"({above})::numeric / nullif({below}, 0)" if below else above
            row = money.execute(
                f"select {expression} from {figure.source.mart} where {where}",  # type: ignore[arg-type]
                [value for _, value in figure.source.key],
            ).fetchone()
            value = None if row is None else row[0]
            assert figure.value == (None if value is None else pytest.approx(value)), figure.key
            read += 1
    assert read > 100


def test_a_share_of_nothing_is_a_dash_with_its_reason(report: Report) -> None:
    document = report("bills", "billing", "march").document
    figures = {figure.key: figure for figure in document.figures()}
    assert figures["JPY.collected_share"].value == 0
    february = {f.key: f for f in report("bills", "billing", "february").document.figures()}
    assert february["USD.old_share"].value is None
    assert february["USD.old_share"].reason == "nothing is outstanding"
    for figure in [*figures.values(), *february.values()]:
        assert figure.value is not None or figure.reason, figure.key


def test_only_the_currencies_asked_for(report: Report) -> None:
    document = report("bills", "billing", "february", currencies=["USD"]).document
    assert [section.key for section in document.sections] == ["currency-USD"]
    assert document.headline == "Invoices stood at\u00a0$70.00 and payments stood at\u00a0$70.00."


def test_no_bills_are_said(report: Report) -> None:
    assert "has no recorded invoices or payments yet" in report("silent", "billing", "march").document.empty
    other = report("bills", "billing", "march", currencies=["CHF"]).document
    assert "Bills of Bills & Söhne lie between January 2025 and March 2025" in other.empty


def test_many_currencies_and_huge_amounts_stay_on_the_page(money: Connection, report: Report) -> None:
    money.execute(
        """
        insert into marts.billing_monthly
        select p.*
        from marts.billing_monthly as one
        cross join unnest(array['CHF', 'DKK', 'GBP', 'ISK', 'KWD', 'NOK', 'SEK', '(none)']) as code
        cross join lateral jsonb_populate_record(one, jsonb_build_object(
            'currency', code, 'invoiced', 123456789012.34, 'collected', -98765432109.87)) as p
        where one.currency = 'EUR' and one.month = '2025-03-01'
        """
    )
    got = report("bills", "billing", "march", ("pdf",))
    assert len(got.document.sections) == 1 + 6
    rows = table(got.document, "currencies").rows
    assert rows[0].label == "EUR"
    assert {row.label for row in rows} >= {"Currency not told", "SEK", "JPY"}
    assert any("Without a section of their own:" in note for note in got.document.notes)
    stay_on_the_page(got.files["pdf"])


def test_german_pages(report: Report) -> None:
    text = text_of(report("bills", "billing", "march", ("pdf",), "de").files["pdf"])
    for words in (
        "Rechnungen",
        "Zum Monatsende offen: 40,00 €, davon 100,0 % seit über 30 Tagen.",
        "1.234.567 ¥",
    ):
        assert words in text.replace("\u00a0", " "), words
    assert "Outstanding" not in text
