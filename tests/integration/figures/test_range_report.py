"""Reports over any range of days: their figures are those of `metricpress summary`, and of the rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestration.errors import MetricpressError
from orchestration.figures.summary import NO_ROW_SET, ONE_MONTH, summarize
from orchestration.reports import RenderedReport, ReportRequest, render
from orchestration.reports.document import Cards, Charts, FigureTable
from tests.integration.figures.conftest import Business

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]
#: Over a clock change, no whole week or month.
FIRST, LAST = date(2025, 3, 5), date(2025, 3, 30)
BEFORE = FIRST - (LAST - FIRST) - timedelta(days=1)

Reader = psycopg.Connection[Any]


def ranged(reader: Reader, tenant: str, report: str, **more: Any) -> RenderedReport:
    first, last = more.pop("days", (FIRST, LAST))
    return render(reader, ReportRequest(tenant, report, "range", first, last, **more), ())


def test_an_executive_report_shows_what_summary_says(business: Business, reader: Reader) -> None:
    for tenant in business.tenants:
        made = ranged(reader, tenant, "executive")
        (summary,) = summarize(reader, FIRST, LAST, tenant)
        lines = {line.metric.metric: line for line in summary.lines}
        tables = [block for block in made.document.blocks() if isinstance(block, FigureTable)]
        shown = [figure for table in tables for figure in table.figures]
        assert len(shown) > 40
        for figure in shown:
            line = lines[figure.key]
            assert figure.value == line.value, figure.key
            assert figure.comparison is not None
            assert figure.comparison.value == line.previous_value, figure.key
            assert line.reason not in (ONE_MONTH, NO_ROW_SET)
            assert figure.value is not None or figure.reason
        assert {table.comparison_label for table in tables} == {"the 26 days before"}
        assert any("calendar months only" in note for note in made.document.notes)
        assert not made.document.warnings, "the MRR bridge adds up over the range"
        assert any(isinstance(block, Cards) for block in made.document.blocks())


def test_charts_show_the_days_of_the_range_and_end_with_the_last(business: Business, reader: Reader) -> None:
    tenant = business.tenants[0]
    made = ranged(reader, tenant, "executive")
    charts = [c for block in made.document.blocks() if isinstance(block, Charts) for c in block.charts]
    line = next(chart for chart in charts if chart.key == "total_sessions")
    stored = dict(
        reader.execute(
            "select metric_date, total_sessions from marts.daily_metrics "
            "where tenant_id = %s and metric_date between %s and %s",
            (tenant, FIRST, LAST),
        ).fetchall()
    )
    assert dict(zip(line.x, line.series[0].values, strict=True)) == stored
    assert line.end is not None
    assert line.end.value == stored[LAST]
    assert made.figures["total_sessions"] == sum(stored.values()) != line.end.value


def test_lead_performance_adds_up_any_days(business: Business, reader: Reader) -> None:
    tenant = business.tenants[0]
    made = ranged(reader, tenant, "lead_performance")
    for first, last, key in (
        (FIRST, LAST, "new_leads"),
        (BEFORE, FIRST - timedelta(days=1), "new_leads.previous"),
    ):
        row = reader.execute(
            "select sum(new_leads) from marts.lead_performance_daily "
            "where tenant_id = %s and metric_date between %s and %s",
            (tenant, first, last),
        ).fetchone()
        assert row is not None
        assert made.figures[key] == row[0] > 0


def test_a_range_of_nothing_says_so_and_a_wrong_one_is_refused(business: Business, reader: Reader) -> None:
    tenant = business.tenants[0]
    long_ago = (date(2019, 3, 1), date(2019, 3, 9))
    assert "Nothing is recorded" in ranged(reader, tenant, "executive", days=long_ago).document.empty
    with pytest.raises(MetricpressError, match="is not a period of a range report"):
        ranged(reader, tenant, "executive", days=(LAST, FIRST))


def test_a_report_that_supports_no_ranges_says_so(
    business: Business, reader: Reader, tmp_path: Path, write_report: Callable[[Path], None]
) -> None:
    write_report(tmp_path)
    with pytest.raises(MetricpressError, match="weekly_note is not made for a range") as caught:
        ranged(reader, business.tenants[0], "weekly_note", template_dir=tmp_path)
    assert "ranges: true" in caught.value.remedy


@pytest.fixture
def write_report() -> Callable[[Path], None]:
    """Writes a report of one's own whose report.yml does not speak of ranges."""

    def write(folder: Path) -> None:
        own = folder / "weekly_note"
        own.mkdir()
        (own / "report.yml").write_text("title: Note\ndocument: executive\nfrequencies: [weekly]\n")
        (own / "parameters.schema.json").write_text('{"type": "object"}')
        (own / "template.html.j2").write_text("{{ document.title }}")

    return write
