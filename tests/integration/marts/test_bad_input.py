"""Bad rows end in a message naming table, key and remedy, or in a NULL or a flagged row; never elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from orchestration.errors import MetricpressError
from orchestration.marts.build import BuildResult, build
from orchestration.marts.plan import pending
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

TENANTS = {
    "good": ("Europe/Lisbon", "EUR"),
    "empty": ("Europe/Lisbon", "EUR"),
    "no_rate": ("Europe/Lisbon", "EUR"),
    "odd": ("Europe/Lisbon", "EUR"),
    "summer": ("Europe/Lisbon", "EUR"),
    "lost": ("Mars/Olympus", "EUR"),
    "half_lost": ("Europe/Lisbon", "EUR"),
}
SUBSCRIPTIONS = [
    # tenant, subscription, currency, started, ended
    ("good", "s1", "EUR", "2024-10-01", None),
    ("no_rate", "s1", "EUR", "2024-10-01", None),
    ("no_rate", "s2", "USD", "2024-10-10", None),
    ("odd", "backwards", "EUR", "2024-10-10", "2024-10-01"),
]


@pytest.fixture(scope="module")
def result(module_settings: Settings) -> BuildResult:
    with connect(module_settings) as connection:
        # Another tool may load rows past the triggers of raw, as pg_restore --disable-triggers does.
        connection.execute("alter table raw.tenants disable trigger check_tenant")
        for tenant, (timezone, currency) in TENANTS.items():
            connection.execute(
                "insert into raw.tenants (tenant_id, name, timezone, currency) values (%s, %s, %s, %s)",
                (tenant, tenant, timezone, currency),
            )
        connection.execute("alter table raw.tenants enable trigger check_tenant")
        connection.execute("alter table raw.branches disable trigger check_branch")
        connection.execute(
            "insert into raw.branches (tenant_id, branch_id, name, timezone) "
            "values ('half_lost', 'crater', 'Crater', 'Moon/Tycho')"
        )
        connection.execute("alter table raw.branches enable trigger check_branch")
        for tenant, subscription, currency, started, ended in SUBSCRIPTIONS:
            connection.execute(
                "insert into raw.subscriptions (tenant_id, subscription_id, customer_id, status, quantity, "
                "unit_amount, currency, billing_interval, interval_count, started_at, ended_at) "
                "values (%s, %s, %s, 'active', 1, 100, %s, 'month', 1, %s, %s)",
                (tenant, subscription, subscription, currency, started, ended),
            )
        # Sunday 2024-10-27 has 25 hours in Lisbon: 00:30 UTC and 01:30 UTC are both 01:30 there.
        for session, moment in (("a", "00:30"), ("b", "01:30"), ("c", "23:30")):
            connection.execute(
                "insert into raw.sessions (tenant_id, session_id, user_id, started_at) "
                "values ('summer', %s, %s, %s)",
                (session, session, f"2024-10-27T{moment}Z"),
            )
        connection.execute(
            "insert into raw.loads (table_name, files, rows_rejected) values ('calls', '{calls.csv}', 4)"
        )
    return build(module_settings, as_of=date(2024, 10, 31))


@pytest.fixture
def marts(result: BuildResult, module_settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    with connect(module_settings, "bi") as connection:
        yield connection


def mrr(marts: psycopg.Connection[Any], tenant: str, day: str) -> Any:
    row = marts.execute(
        "select mrr from marts.daily_metrics where tenant_id = %s and metric_date = %s", (tenant, day)
    ).fetchone()
    assert row is not None
    return row[0]


def test_missing_rate_names_currency_and_day_and_fails_its_tenant_only(
    result: BuildResult, marts: psycopg.Connection[Any]
) -> None:
    (problem,) = [p for p in result.problems if p["tenant_id"] == "no_rate"]
    assert problem["severity"] == "error"
    assert "USD" in problem["message"]
    assert "2024-10-10" in problem["message"] + problem["key"]
    assert "exchange_rates" in problem["remedy"] + problem["table_name"]
    assert mrr(marts, "no_rate", "2024-10-09") == 100
    assert mrr(marts, "no_rate", "2024-10-10") is None
    assert mrr(marts, "good", "2024-10-10") == 100


def test_only_tenants_with_errors_fail(result: BuildResult) -> None:
    assert result.failed_tenants == ["half_lost", "lost", "no_rate"]


def test_unknown_timezone_is_named_and_leaves_the_others_alone(
    result: BuildResult, marts: psycopg.Connection[Any]
) -> None:
    (problem,) = [p for p in result.problems if p["tenant_id"] == "lost"]
    assert problem["table_name"] == "raw.tenants"
    assert "Mars/Olympus" in problem["message"]
    assert "IANA" in problem["remedy"]
    assert marts.execute("select count(*) from marts.daily_metrics where tenant_id = 'lost'").fetchone() == (
        0,
    )


def test_unknown_timezone_of_a_branch_holds_back_its_tenant_only(
    result: BuildResult, marts: psycopg.Connection[Any], module_settings: Settings
) -> None:
    (problem,) = [p for p in result.problems if p["tenant_id"] == "half_lost"]
    assert (problem["table_name"], problem["key"]) == ("raw.branches", "crater")
    assert "Moon/Tycho" in problem["message"]
    with connect(module_settings) as connection:
        assert pending(connection)["has_leftovers"] is False


def test_tenant_without_rows_has_no_days(marts: psycopg.Connection[Any]) -> None:
    assert marts.execute("select count(*) from marts.tenants where tenant_id = 'empty'").fetchone() == (1,)
    assert marts.execute("select count(*) from marts.daily_metrics where tenant_id = 'empty'").fetchone() == (
        0,
    )


def test_end_before_start_is_flagged_and_counts_nothing(
    result: BuildResult, marts: psycopg.Connection[Any]
) -> None:
    (problem,) = [p for p in result.problems if p["tenant_id"] == "odd"]
    assert problem["severity"] == "warning"
    assert problem["key"] == "backwards"
    total = marts.execute(
        "select coalesce(sum(mrr), 0), coalesce(sum(active_subscriptions), 0) from marts.daily_metrics "
        "where tenant_id = 'odd'"
    ).fetchone()
    assert total == (0, 0)


def test_clock_change_day_is_one_day(marts: psycopg.Connection[Any]) -> None:
    days = marts.execute(
        "select metric_date, total_sessions from marts.daily_metrics "
        "where tenant_id = 'summer' and total_sessions > 0"
    ).fetchall()
    assert days == [(date(2024, 10, 27), 3)]


def test_freshness_tells_rows_of_one_tenant_and_rejections(marts: psycopg.Connection[Any]) -> None:
    """All sessions belong to one of several tenants; subscriptions do not; loads refused four calls."""
    found = marts.execute(
        "select source_table, rows, is_in_one_tenant, round(largest_tenant_share, 2), rejected_rows"
        " from marts.pipeline_freshness"
        " where source_table in ('raw.sessions', 'raw.subscriptions', 'raw.calls') order by 1"
    ).fetchall()
    assert found == [
        ("raw.calls", 0, False, None, 4),
        ("raw.sessions", 3, True, 1, 0),
        ("raw.subscriptions", 4, False, Decimal("0.50"), 0),
    ]


def test_unknown_status_is_refused_at_the_door(database: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.CheckViolation, match="calls_status_known"):
        database.execute(
            "insert into raw.calls (tenant_id, call_id, direction, status, started_at) "
            "values ('good', 'c', 'outbound', 'answered', now())"
        )


def test_missing_raw_table_is_named(settings: Settings) -> None:
    with connect(settings, autocommit=True) as connection:
        connection.execute("drop table raw.jobs")
    with pytest.raises(MetricpressError, match=r"raw\.jobs is missing") as refused:
        build(settings)
    assert "backup" in refused.value.remedy


def test_empty_warehouse_builds(settings: Settings) -> None:
    marts = build(settings).marts
    assert {mart for mart, rows in marts.items() if rows} == {"metric_catalogue", "pipeline_freshness"}
