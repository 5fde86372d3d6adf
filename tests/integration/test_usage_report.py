"""The usage report against SQL of its own on the mart, and what it says where there is little to say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestration.errors import MetricpressError
from orchestration.reports import RenderedReport, ReportRequest, render
from orchestration.reports.document import Table

pytestmark = pytest.mark.integration

MARTS = Path(__file__).parents[1] / "unit" / "reports" / "fixtures" / "marts.sql"
PERIODS = {
    "weekly": (date(2026, 10, 12), date(2026, 10, 18)),
    "monthly": (date(2026, 9, 1), date(2026, 9, 30)),
    "range": (date(2026, 10, 3), date(2026, 10, 16)),
}
Connection = psycopg.Connection[Any]
Render = Callable[..., RenderedReport]


@pytest.fixture(scope="module")
def marts(module_database: Connection) -> Iterator[Connection]:
    module_database.execute(MARTS.read_text())
    module_database.commit()
    yield module_database


@pytest.fixture
def usage(marts: Connection) -> Render:
    def make(tenant: str = "harbour", frequency: str = "weekly", **more: Any) -> RenderedReport:
        start, end = more.pop("period", PERIODS[frequency])
        asked = ReportRequest(tenant, "usage", frequency, start, end, **more)  # type: ignore[arg-type]
        return render(marts, asked, ("html",))

    return make


def table(report: RenderedReport, key: str) -> dict[str, list[Any]]:
    """Row label to the values of its cells."""
    (found,) = (block for block in report.document.blocks() if isinstance(block, Table) and block.key == key)
    return {row.label: [getattr(cell, "value", cell) for cell in row.cells] for row in found.rows}


@pytest.mark.parametrize("frequency", PERIODS)
def test_every_figure_is_found_at_its_source(marts: Connection, usage: Render, frequency: str) -> None:
    report = usage(frequency=frequency)
    checked = 0
    for figure in report.document.figures():
        if figure.key.endswith(".last_day"):
            continue
        assert figure.source is not None, figure.key
        terms = [(name if name.endswith("=") else f"{name} =", value) for name, value in figure.source.key]
        where = " and ".join(f"{name} %s" for name, _ in terms)
        sql = f"select {figure.source.column} from {figure.source.mart} where {where}"
        (value,) = marts.execute(sql, [value for _, value in terms]).fetchone() or (None,)
        expected = 0 if value is None and figure.value == 0 else value
        assert figure.value == (
            expected if expected is None else pytest.approx(expected, rel=Decimal("1e-15"))
        )
        checked += 1
    assert checked > 50


def test_the_week_as_counted_by_hand(usage: Render) -> None:
    """Seven days of 4 deliveries and one of 2: on Wednesday 2 failed, on Thursday 1 is unknown."""
    report = usage()
    assert report.document.headline == "27 of 30 deliveries arrived."
    figures = report.figures
    assert (figures["deliveries"], figures["deliveries_failed"], figures["deliveries_unknown"]) == (30, 2, 1)
    assert figures["arrival_rate"] == Decimal(27) / 30
    assert figures["deliveries.previous"] == 7 * 4 + 2
    # Renderings of the executive take 0.6 to 1.2 s from Monday to Sunday, that of the leads 1.25 s.
    assert figures["render_seconds"] == (Decimal("0.9") * 7 + Decimal("1.25")) / 8
    assert figures["longest_render_seconds"] == Decimal("1.25")
    assert figures["seconds_to_deliver"] == (Decimal(30) * 25 + 7200) / 27
    assert figures["longest_seconds_to_deliver"] == 5400
    assert figures["bytes_sent"] == 120_000 * 25 + 2_400_000
    assert figures["late_sent"] == 1


def test_tables_of_the_week(usage: Render) -> None:
    report = usage()
    statuses = table(report, "status")
    assert statuses["Arrived"] == [27, Decimal("0.9"), 30]
    assert statuses["All deliveries"] == [30, 1, 30]
    by_report = table(report, "reports")
    assert by_report["Executive report"][:5] == [7, 28, 25, 2, 1]
    assert by_report["Lead performance"][:5] == [1, 2, 2, 0, 0]
    assert by_report["All reports"][:5] == [8, 30, 27, 2, 1]
    assert table(report, "channels") == {
        "Mail": [21, 18, Decimal(18) / 21],
        "Slack": [7, 7, 1],
        "Webhook": [1, 1, 1],
        "Folder": [1, 1, 1],
    }
    assert table(report, "trouble") == {
        "October 14, 2026, Executive report": [2, 0, 0],
        "October 15, 2026, Executive report": [0, 1, 0],
    }


def test_it_says_of_when_the_ledger_is(usage: Render) -> None:
    """The marts were built at 6:30 UTC, 8:30 in Berlin, later than the data end."""
    report = usage()
    notes = " ".join(report.document.notes)
    assert "Data as of October 20, 2026, 8:30\u00a0AM (Europe/Berlin)" in notes
    assert "delivery ledger" in notes
    assert "Money" not in notes


def test_reports_without_recipients_and_tenants_without_reports(usage: Render) -> None:
    nobody = usage("giant")
    assert nobody.document.headline == "Reports were due, and none had a recipient."
    assert nobody.figures["arrival_rate"] is None
    assert "no delivery came to an end" in nobody.files["html"].decode()
    never = usage("silent")
    assert never.document.empty.endswith("was due yet.")
    early = usage(period=(date(2025, 12, 1), date(2025, 12, 7)))
    assert early.document.empty.endswith("Reports were due from January 1, 2026 to October 19, 2026.")


def test_it_knows_no_branch(usage: Render) -> None:
    with pytest.raises(MetricpressError, match="branch"):
        usage(branch_id="north")
