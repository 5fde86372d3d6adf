"""The operations report on built marts: numbers by source, percentiles from raw rows, nobody else's rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from orchestration.reports import RenderedReport, ReportRequest, render
from orchestration.reports.document import Document, Figure, Table
from orchestration.warehouse.connection import connect
from tests.integration.figures.conftest import Business
from tests.integration.figures.report_sources import check_sources

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]
Reader = psycopg.Connection[Any]


def report(
    reader: Reader, tenant: str, frequency: str, days: tuple[date, date], **more: Any
) -> RenderedReport:
    return render(reader, ReportRequest(tenant, "operations", frequency, *days, **more), ())  # type: ignore[arg-type]


def week_of(business: Business, tenant: str) -> tuple[date, date]:
    """The tenant's week that holds Wednesday 2025-03-05."""
    day = date(2025, 3, 5)
    back = day.isoweekday() % 7 if business.clocks[tenant].week_start == "sunday" else day.weekday()
    return day - timedelta(days=back), day - timedelta(days=back - 6)


def latency(business: Business, tenant: str, first: date, last: date) -> Any:
    """The 95th percentile of the requests of those days, from the raw rows."""
    zone = ZoneInfo(business.clocks[tenant].timezone)
    begin, end = (datetime(d.year, d.month, d.day, tzinfo=zone) for d in (first, last + timedelta(days=1)))
    with psycopg.connect(business.settings.database_url or "") as conn:
        row = conn.execute(
            "select percentile_cont(0.95) within group (order by latency_ms) from raw.api_requests "
            "where tenant_id = %s and requested_at >= %s and requested_at < %s",
            (tenant, begin, end),
        ).fetchone()
    assert row is not None
    return row[0]


@pytest.fixture
def editor(business: Business) -> Iterator[Reader]:
    """A connection that may change marts; what it does is undone."""
    with connect(business.settings) as connection:
        yield connection
        connection.rollback()


def table_of(document: Document, key: str) -> Table:
    return next(block for block in document.blocks() if isinstance(block, Table) and block.key == key)


def test_every_figure_is_what_its_source_says(business: Business, reader: Reader) -> None:
    checked = 0
    for tenant in business.tenants:
        week = week_of(business, tenant)
        for frequency, days in (("daily", (week[0], week[0])), ("weekly", week)):
            checked += check_sources(reader, report(reader, tenant, frequency, days).document)
    assert checked > 300


def test_percentiles_are_those_of_a_day_or_counted_anew(business: Business, reader: Reader) -> None:
    tenant = business.tenants[0]
    first, last = week_of(business, tenant)
    by_day = [
        latency(business, tenant, first + timedelta(days=d), first + timedelta(days=d)) for d in range(7)
    ]
    weekly = report(reader, tenant, "weekly", (first, last))
    assert float(weekly.figures["api_p95_ms_slowest_day"]) == pytest.approx(max(filter(None, by_day)))  # type: ignore[arg-type]
    assert "api_p95_ms" not in weekly.figures
    shown = [row.cells[5] for row in table_of(weekly.document, "days").rows]
    assert [cell.value and float(cell.value) for cell in shown] == pytest.approx(by_day)  # type: ignore[union-attr]
    ranged = report(reader, tenant, "range", (first, last))
    assert float(ranged.figures["api_p95_ms"]) == pytest.approx(latency(business, tenant, first, last))  # type: ignore[arg-type]


def test_freshness_is_the_tenants_own(business: Business, reader: Reader) -> None:
    """Rows, age and problems are counted here from raw rows of the tenant; nobody else's appear."""
    tenant = business.tenants[0]
    made = report(reader, tenant, "weekly", week_of(business, tenant))
    as_of = business.clocks[tenant].as_of
    with psycopg.connect(business.settings.database_url or "") as conn:
        for name, moment in (
            ("jobs", "started_at"),
            ("api_requests", "requested_at"),
            ("calls", "started_at"),
        ):
            row = conn.execute(
                f"select count(*), max({moment}) filter (where {moment} < %s) from raw.{name} "
                "where tenant_id = %s",
                (as_of, tenant),
            ).fetchone()
            assert row is not None
            assert made.figures[f"table.{name}.rows"] == row[0]
            hours = (as_of - row[1]).total_seconds() / 3600
            assert float(made.figures[f"table.{name}.age"]) == pytest.approx(hours)  # type: ignore[arg-type]
    document = json.dumps([repr(figure) for figure in made.document.figures()])
    assert not any(other in document for other in business.tenants if other != tenant)


def test_what_is_late_is_said_in_both_languages(business: Business, editor: Reader) -> None:
    tenant = business.tenants[0]
    days = week_of(business, tenant)
    editor.execute(
        "update marts.data_quality set newest_row = %s where (tenant_id, table_name) = (%s, 'raw.jobs')",
        (business.clocks[tenant].as_of - timedelta(hours=73), tenant),
    )
    made = report(editor, tenant, "weekly", days)
    assert "Late: Jobs (3.0 days)." in made.document.standfirst
    german = report(editor, tenant, "weekly", days, locale="de")
    assert "Verspätet: Verarbeitungsaufträge (3,0" in german.document.standfirst
    patient = report(editor, tenant, "weekly", days, parameters={"late_after_hours": 74})
    assert "Late" not in patient.document.standfirst
    standing = {row.label: row.cells[-1] for row in table_of(made.document, "freshness").rows}
    assert standing["Jobs"] == "late"
    assert standing["Customers"] == "—"


def test_problems_are_named_and_an_unknown_rule_speaks_for_itself(business: Business, editor: Reader) -> None:
    tenant, other = business.tenants[:2]
    editor.execute("delete from marts.data_problems")
    row = ("raw.jobs", "(any)", "warning", "x", 7, 2)
    for owner, kind, message in (
        (tenant, "job_finished_before_started", "said otherwise"),
        (tenant, "brand_new_rule", "Jobs that are odd: 7"),
        (other, "deleted", "not of this tenant"),
    ):
        editor.execute(
            "insert into marts.data_problems (tenant_id, kind, message, table_name, key, severity, remedy, "
            "rows_found, rows_excluded, share) values (%s, %s, %s, %s, %s, %s, %s, %s, %s, null)",
            (owner, kind, message, *row),
        )
    made = report(editor, tenant, "weekly", week_of(business, tenant))
    table = table_of(made.document, "problems")
    assert [row.label for row in table.rows] == ["Jobs that are odd: 7", "Jobs: finished before the start"]
    assert [cell.value for row in table.rows for cell in row.cells if isinstance(cell, Figure)] == [7, 2] * 2
    assert "4 rows out of every figure" in made.document.sections[-2].lead


def test_a_period_without_anything_says_so(business: Business, reader: Reader) -> None:
    tenant = business.tenants[0]
    day = date(2019, 3, 4)
    for locale, words in (
        ("en", "No job, API request or health check is recorded"),
        ("de", "In diesem Zeitraum"),
    ):
        made = report(reader, tenant, "daily", (day, day), locale=locale)
        assert words in made.document.empty
        assert made.figures == {}


def test_days_without_requests_are_dashes_with_a_reason(business: Business, editor: Reader) -> None:
    tenant = business.tenants[0]
    first, last = week_of(business, tenant)
    editor.execute(
        "update marts.daily_metrics set api_requests = 0, api_errors = 0, api_error_rate = null, "
        "api_p50_ms = null, api_p95_ms = null where tenant_id = %s and metric_date = %s",
        (tenant, first),
    )
    made = report(editor, tenant, "weekly", (first, last))
    cells = table_of(made.document, "days").rows[0].cells
    assert [(cell.value, cell.reason) for cell in cells[3:6]] == [  # type: ignore[union-attr]
        (None, "nothing was recorded that day")
    ] * 3
