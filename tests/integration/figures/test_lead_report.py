"""The lead performance report on built marts: each number as its source says, and as plain SQL counts it."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import psycopg
import pytest

from orchestration.reports import RenderedReport, ReportRequest, render
from orchestration.reports.data.lead_performance import Scope, read_grid
from orchestration.reports.document import Table
from orchestration.reports.trends import trend_of
from tests.integration.figures.conftest import Business
from tests.integration.figures.report_sources import check_sources

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]
Reader = psycopg.Connection[Any]


def week_of(business: Business, tenant: str) -> date:
    """Start of the tenant's week that ended before 2025-03-24."""
    first_day = 6 if business.clocks[tenant].week_start == "sunday" else 0
    day = date(2025, 3, 17)
    return day - timedelta(days=(day.weekday() - first_day) % 7)


def report(reader: Reader, tenant: str, frequency: str, first: date, **more: Any) -> RenderedReport:
    last = first + timedelta(days=6 if frequency == "weekly" else 0)
    request = ReportRequest(tenant, "lead_performance", frequency, first, last, **more)  # type: ignore[arg-type]
    return render(reader, request, ())


@pytest.mark.parametrize(("frequency", "days"), [("daily", 5), ("weekly", 1)])
def test_every_figure_is_what_its_source_says(
    business: Business, reader: Reader, frequency: str, days: int
) -> None:
    checked = 0
    for tenant in business.tenants:
        branch = reader.execute(
            "select min(branch_id) from marts.branches where tenant_id = %s", (tenant,)
        ).fetchone()
        assert branch is not None
        for first in (week_of(business, tenant) + timedelta(days=day) for day in range(days)):
            for branch_id in (None, branch[0]):
                made = report(reader, tenant, frequency, first, branch_id=branch_id)
                checked += check_sources(reader, made.document, r"(staff|source)\.further\..*")
    assert checked > 400


def test_trends_are_those_of_whole_weeks(business: Business, reader: Reader) -> None:
    """New leads by week, counted here, and what the table says of them: for a week, and for a day in it."""
    tenant = business.tenants[0]
    start = week_of(business, tenant)
    weeks = [start - timedelta(weeks=back) for back in range(7, -1, -1)]
    counts = [
        reader.execute(
            "select coalesce(sum(new_leads), 0) from marts.lead_performance_daily "
            "where tenant_id = %s and metric_date >= %s and metric_date < %s",
            (tenant, week, week + timedelta(days=7)),
        ).fetchone()[0]  # type: ignore[index]
        for week in weeks
    ]
    expected = trend_of(counts, "integer")
    for frequency, day in (("weekly", start), ("daily", start + timedelta(days=9))):
        table = next(
            block
            for block in report(reader, tenant, frequency, day).document.blocks()
            if isinstance(block, Table) and block.key == "trends"
        )
        row = table.rows[0]
        assert (row.label, row.cells[2]) == ("New leads", expected.word)
        assert [cell.value for cell in row.cells[:2]] == [expected.middle, counts[-1]]  # type: ignore[union-attr]


def test_the_grid_of_hours_adds_up_the_days(business: Business, reader: Reader) -> None:
    tenant = business.tenants[0]
    first, last = date(2025, 2, 1), date(2025, 3, 20)
    cells = reader.execute(
        "select weekday, hour_of_day, sum(total_calls), sum(calls_completed) "
        "from marts.call_performance_hourly where tenant_id = %s and metric_date >= %s and metric_date <= %s "
        "group by 1, 2",
        (tenant, first, last),
    ).fetchall()
    found = read_grid(reader, Scope(tenant, None), first, last)
    shown = [(cell.weekday, cell.hour_of_day, cell.total_calls, cell.calls_completed) for cell in found]
    assert shown == sorted(cells)
    assert len(shown) > 20


def test_german_words_leave_no_english_behind(business: Business, reader: Reader) -> None:
    tenant = business.tenants[0]
    made = report(reader, tenant, "weekly", week_of(business, tenant), locale="de")
    tables = {block.key: block for block in made.document.blocks() if isinstance(block, Table)}
    assert [row.label for row in tables["status"].rows] == [
        "Neu", "Kontaktiert", "Qualifiziert", "Gewonnen", "Verloren", "Alle Leads",
    ]  # fmt: skip
    assert {row.cells[2] for row in tables["trends"].rows} <= {
        "steigend", "fallend", "gleichbleibend", "wechselhaft", "—",
    }  # fmt: skip
    english = report(reader, tenant, "weekly", week_of(business, tenant))
    assert english.figures == made.figures
