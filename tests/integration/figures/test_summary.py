"""`metricpress summary`: whole months agree with the marts, free ranges with a second reading of the rows."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestration.cli import summary as command
from orchestration.errors import MetricpressError
from orchestration.figures.summary import NOT_ENDED, ONE_MONTH, Line, summarize
from tests.integration.figures.conftest import Business
from tests.integration.figures.recounting import FLOWS, Window

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]
#: Free ranges: over both clock changes, and the one before it.
FIRST, LAST = date(2025, 2, 24), date(2025, 3, 30)


def lines(reader: psycopg.Connection[Any], first: date, last: date, tenant: str) -> dict[str, Line]:
    (found,) = summarize(reader, first, last, tenant)
    return {line.metric.metric: line for line in found.lines}


def test_a_calendar_month_is_what_the_time_series_says(
    business: Business, reader: psycopg.Connection[Any]
) -> None:
    for tenant in business.tenants:
        found = lines(reader, date(2025, 3, 1), date(2025, 3, 31), tenant)
        stored = reader.execute(
            "select metric, value, numerator, denominator from marts.metric_timeseries "
            "where tenant_id = %s and grain = 'month' and period_start = '2025-03-01' and dimension = 'all'",
            (tenant,),
        ).fetchall()
        assert len(stored) > 60
        for metric, value, _, _ in stored:
            mine = found[metric].value
            assert (mine is None) == (value is None), (metric, mine, value, found[metric].reason)
            if value is not None and mine is not None:
                assert abs(mine - value) <= Decimal("1e-9") * max(1, abs(value)), (metric, mine, value)


def test_distinct_counts_and_percentiles_are_counted_anew(
    business: Business, reader: psycopg.Connection[Any]
) -> None:
    tables = {
        "dau": "sessions", "active_suppliers": "sessions", "active_couples": "sessions",
        "clients_coordinated": "collaborations", "vendors_collaborating": "collaborations",
        "api_p50_ms": "api_requests", "api_p95_ms": "api_requests", "total_sessions": "sessions",
    }  # fmt: skip
    for tenant in business.tenants:
        world, found = business.worlds[tenant], lines(reader, FIRST, LAST, tenant)
        for metric, table in tables.items():
            flow = FLOWS[metric]
            pairs = [
                (LAST, row) for row in world.rows[table].values()
                if row["deleted_at"] is None and FIRST <= world.day(row[flow.moment]) <= LAST
                and (metric.startswith("api_p") is False or row["latency_ms"] >= 0)
                and flow.holds(world, row)
            ]  # fmt: skip
            expected = flow.count(world, Window(FIRST, LAST, whole=True), pairs)
            value = found[metric].value
            assert expected is not None and value is not None
            assert abs(Fraction(value) - Fraction(expected)) < Fraction(1, 10**9), metric


def test_retention_over_a_free_range_goes_by_customers(
    business: Business, reader: psycopg.Connection[Any]
) -> None:
    for tenant in business.tenants:
        world, found = business.worlds[tenant], lines(reader, FIRST, LAST, tenant)
        start, end = world.midnight(FIRST), world.midnight(LAST + timedelta(days=1))
        customers = {owner for owner, _ in world.paths.values()}
        mrr = {c: (world.customers_mrr(c, start), world.customers_mrr(c, end)) for c in customers}
        starters = [pair for pair in mrr.values() if pair[0] > 0]
        base = sum((before for before, _ in starters), Fraction(0))
        churned = {
            m.customer for m in world.movements
            if m.kind == "churn" and FIRST <= world.day(m.moment) <= LAST and mrr[m.customer][0] > 0
        }  # fmt: skip
        expected = {
            "nrr": sum((after for _, after in starters), Fraction(0)) / base,
            "grr": sum((min(pair) for pair in starters), Fraction(0)) / base,
            "mrr_growth_rate": sum((after - before for before, after in mrr.values()), Fraction(0)) / base,
            "customer_churn_rate": Fraction(len(churned), len(starters)),
            "new_mrr": sum(
                (
                    m.amount
                    for m in world.movements
                    if m.kind == "new" and FIRST <= world.day(m.moment) <= LAST
                ),
                Fraction(0),
            ),
        }
        for metric, value in expected.items():
            mine = found[metric].value
            assert mine is not None
            assert abs(Fraction(mine) - value) <= Fraction(1, 10**9) * max(1, value), metric


def test_rates_of_a_range_are_ratios_of_sums(business: Business, reader: psycopg.Connection[Any]) -> None:
    (tenant, *_) = business.tenants
    found = lines(reader, FIRST, LAST, tenant)
    days = reader.execute(
        "select sum(dau), sum(mau), sum(calls_completed), sum(total_calls) from marts.daily_metrics "
        "where tenant_id = %s and metric_date between %s and %s",
        (tenant, FIRST, LAST),
    ).fetchone()
    assert days is not None
    assert found["stickiness"].value == days[0] / days[1]
    assert (found["call_success_rate"].numerator, found["call_success_rate"].denominator) == days[2:]


def test_the_range_before_has_the_same_length(business: Business, reader: psycopg.Connection[Any]) -> None:
    (tenant, *_) = business.tenants
    (one,) = summarize(reader, FIRST, LAST, tenant)
    assert one.previous_last == FIRST - timedelta(days=1)
    assert one.previous_last - one.previous_first == LAST - FIRST
    before = lines(reader, one.previous_first, one.previous_last, tenant)
    for line in one.lines:
        assert line.previous_value == before[line.metric.metric].value, line.metric.metric


def test_what_cannot_be_told_says_why(business: Business, reader: psycopg.Connection[Any]) -> None:
    (tenant, *_) = business.tenants
    assert lines(reader, FIRST, LAST, tenant)["ltv"].reason == ONE_MONTH
    unfinished = lines(reader, FIRST, date(2025, 4, 5), tenant)
    assert unfinished["nrr"].reason == NOT_ENDED
    assert unfinished["mrr"].value is not None
    beyond = lines(reader, date(2030, 1, 1), date(2030, 1, 31), tenant)
    assert {line.reason for line in beyond.values()} == {"the marts hold no day of the range"}
    for line in (*unfinished.values(), *beyond.values()):
        assert (line.value is None) == (line.reason is not None)
    with pytest.raises(MetricpressError, match="before it begins"):
        list(summarize(reader, LAST, FIRST))


def test_every_form_of_output_tells_the_same(
    business: Business, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(command.Settings, "from_env", classmethod(lambda _: business.settings))
    monkeypatch.setenv("COLUMNS", "80")
    first, last = str(FIRST), str(LAST)
    command.summary(first, last)
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert all(f"({tenant})" in shown for tenant in business.tenants)
    command.summary(first, last, as_json=True)
    as_json = json.loads(capsys.readouterr().out)
    command.summary(first, last, as_csv=True)
    as_csv = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(as_json) == len(as_csv) == len(business.tenants) * len(business.metrics)
    for one, other in zip(as_json, as_csv, strict=True):
        assert one["metric"] == other["metric"]
        assert (one["value"] is None) == (other["value"] == "")
        assert one["value"] is None or abs(one["value"] - float(other["value"])) < 1e-9 * max(1, one["value"])
    book = tmp_path / "summary.xlsx"
    command.summary(first, last, xlsx=book)
    with zipfile.ZipFile(book) as parts:
        sheet = parts.read("xl/worksheets/sheet1.xml").decode()
    assert sheet.count("<row ") == len(as_json) + 1
    with pytest.raises(MetricpressError, match="Give one of"):
        command.summary(first, last, as_json=True, as_csv=True)
