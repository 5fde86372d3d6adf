"""The coordination report on built marts: its numbers by source, and distinct counts from the raw rows."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from orchestration.errors import MetricpressError
from orchestration.reports import RenderedReport, ReportRequest, render
from orchestration.reports.document import Table
from tests.integration.figures.conftest import Business
from tests.integration.figures.report_sources import check_sources

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]
Reader = psycopg.Connection[Any]
MONTH = (date(2025, 2, 1), date(2025, 2, 28))


def report(
    reader: Reader, tenant: str, frequency: str, days: tuple[date, date], **more: Any
) -> RenderedReport:
    request = ReportRequest(tenant, "coordination", frequency, *days, **more)  # type: ignore[arg-type]
    return render(reader, request, ())


def week_of(business: Business, tenant: str) -> tuple[date, date]:
    """The tenant's week that holds Wednesday 2025-03-05."""
    day = date(2025, 3, 5)
    back = day.isoweekday() % 7 if business.clocks[tenant].week_start == "sunday" else day.weekday()
    return day - timedelta(days=back), day - timedelta(days=back - 6)


def clients_between(business: Business, tenant: str, first: date, last: date) -> int:
    """Distinct clients with a collaboration created on those days, counted here from the raw rows."""
    zone = ZoneInfo(business.clocks[tenant].timezone)
    begin = datetime(first.year, first.month, first.day, tzinfo=zone)
    after = last + timedelta(days=1)
    end = datetime(after.year, after.month, after.day, tzinfo=zone)
    with psycopg.connect(business.settings.database_url or "") as conn:
        row = conn.execute(
            "select count(distinct client_id) from raw.collaborations "
            "where tenant_id = %s and created_at >= %s and created_at < %s and deleted_at is null",
            (tenant, begin, end),
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_every_figure_is_what_its_source_says(business: Business, reader: Reader) -> None:
    checked = 0
    for tenant in business.tenants:
        week = week_of(business, tenant)
        for frequency, days in (("daily", (week[0], week[0])), ("weekly", week), ("monthly", MONTH)):
            checked += check_sources(reader, report(reader, tenant, frequency, days).document)
    assert checked > 80


def test_clients_of_a_week_and_a_month_count_once(business: Business, reader: Reader) -> None:
    for tenant in business.tenants:
        week = week_of(business, tenant)
        daily = [clients_between(business, tenant, week[0] + timedelta(days=d), week[0] + timedelta(days=d))
                 for d in range(7)]  # fmt: skip
        weekly, monthly = report(reader, tenant, "weekly", week), report(reader, tenant, "monthly", MONTH)
        assert weekly.figures["clients_coordinated"] == clients_between(business, tenant, *week) > 0
        assert weekly.figures["clients_coordinated"] <= sum(daily)  # type: ignore[operator]
        assert monthly.figures["clients_coordinated"] == clients_between(business, tenant, *MONTH)
        # To date: from the first of the month, and to the same day of the month before.
        assert weekly.figures["clients_coordinated_month_to_date"] == clients_between(
            business, tenant, week[1].replace(day=1), week[1]
        )
        before = week[1].replace(month=week[1].month - 1)
        assert weekly.figures["clients_coordinated_month_to_date.month_before"] == clients_between(
            business, tenant, before.replace(day=1), before
        )


def test_a_range_is_counted_anew_and_names_no_calendar_month(business: Business, reader: Reader) -> None:
    tenant, days = business.tenants[0], (date(2025, 2, 20), date(2025, 3, 12))
    made = report(reader, tenant, "range", days)
    assert made.figures["clients_coordinated"] == clients_between(business, tenant, *days)
    assert "clients_coordinated_month_to_date" not in made.figures
    assert not any(isinstance(block, Table) and block.key == "trends" for block in made.document.blocks())
    assert any("counted anew" in note for note in made.document.notes)


def test_types_add_up_and_their_shares_to_one(business: Business, reader: Reader) -> None:
    tenant = business.tenants[0]
    made = report(reader, tenant, "monthly", MONTH, parameters={"sections": ["types"]})
    assert [section.key for section in made.document.sections] == ["types", "comparison"]
    shares = [
        value for key, value in made.figures.items() if key.startswith("type.") and key.endswith(".share")
    ]
    assert len(shares) > 1
    assert sum(shares) == pytest.approx(1)  # type: ignore[arg-type]


def test_a_period_without_joint_work_says_so(business: Business, reader: Reader) -> None:
    tenant = business.tenants[0]
    for locale, words in (("en", "Nobody worked together in this period."), ("de", "keine Zusammenarbeit")):
        long_ago = report(reader, tenant, "monthly", (date(2019, 3, 1), date(2019, 3, 31)), locale=locale)
        assert words in long_ago.document.empty
        assert long_ago.figures == {}


def test_hours_that_still_grow_are_not_judged(business: Business, reader: Reader) -> None:
    for tenant in business.tenants:
        for figure in report(reader, tenant, "weekly", week_of(business, tenant)).document.figures():
            if figure.key == "avg_coordination_hours" and figure.comparison:
                assert figure.comparison.judgement == "neutral"


def test_a_branch_is_refused(business: Business, reader: Reader) -> None:
    with pytest.raises(MetricpressError, match="by branch") as caught:
        report(reader, business.tenants[0], "monthly", MONTH, branch_id="b")
    assert caught.value.remedy
