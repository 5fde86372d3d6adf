"""All tenants in one currency: rates, clocks that differ, tenants that end, and who may read it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from orchestration.marts.build import BuildResult, build
from orchestration.marts.portfolio import write_reporting_currency
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

Row = tuple[Any, ...]
#: 2026-03-10 13:00 UTC is the 11th in Auckland and the 10th in Los Angeles.
NOW = datetime(2026, 3, 10, 13, tzinfo=UTC)


@pytest.fixture(scope="module")
def owner(module_settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    with connect(module_settings, autocommit=True) as connection:
        connection.execute(
            """
            insert into raw.tenants (tenant_id, name, timezone, currency) values
                ('east', 'East', 'Pacific/Auckland', 'EUR'), ('west', 'West', 'America/Los_Angeles', 'USD');
            insert into raw.exchange_rates (rate_date, currency, units_per_eur)
            values ('2026-02-27', 'USD', 2), ('2026-03-06', 'USD', 4), ('2026-02-27', 'JPY', 200);
            insert into raw.subscriptions (tenant_id, subscription_id, customer_id, status, quantity,
                unit_amount, currency, billing_interval, interval_count, started_at) values
                ('east', 's', 'c', 'active', 1, 100, 'EUR', 'month', 1, '2026-02-25Z'),
                ('west', 's', 'c', 'active', 1, 100, 'USD', 'month', 1, '2026-02-25Z');
            -- One person in two tenants counts in each.
            insert into raw.sessions (tenant_id, session_id, user_id, started_at) values
                ('east', '1', 'ann', '2026-03-04 12:00Z'), ('west', '1', 'ann', '2026-03-05 12:00Z');
            """
        )
        yield connection


@pytest.fixture(scope="module")
def first(module_settings: Settings, owner: psycopg.Connection[Any]) -> BuildResult:
    return build(module_settings, as_of=NOW)


def portfolio(owner: psycopg.Connection[Any], columns: str, day: str) -> Row | None:
    return owner.execute(
        f"select {columns} from marts.portfolio_metrics where metric_date = %s", (day,)
    ).fetchone()


def everything(owner: psycopg.Connection[Any]) -> list[Row]:
    return owner.execute("select p::text from marts.portfolio_metrics as p order by metric_date").fetchall()


def test_money_of_unlike_currencies_is_empty_until_one_is_set(
    module_settings: Settings, first: BuildResult, owner: psycopg.Connection[Any]
) -> None:
    (problem,) = [p for p in first.problems if p["kind"] == "reporting_currency_unset"]
    assert "metricpress config reporting-currency" in problem["remedy"]
    assert portfolio(owner, "mrr, total_customers, reporting_currency", "2026-03-05") == (None, 2, None)
    write_reporting_currency(owner, "EUR")
    result = build(module_settings, as_of=NOW)
    assert not result.is_empty
    assert "reporting_currency_unset" not in [p["kind"] for p in result.problems]


def test_rates_are_the_last_of_seven_days_and_a_missing_one_is_named(
    module_settings: Settings, first: BuildResult, owner: psycopg.Connection[Any]
) -> None:
    assert portfolio(owner, "mrr, missing_rates", "2026-02-26") == (None, "USD")
    assert portfolio(owner, "mrr, arr, missing_rates", "2026-03-05") == (150, 1800, None)
    assert portfolio(owner, "mrr, reporting_currency", "2026-03-06") == (125, "EUR")
    result = build(module_settings, as_of=NOW)
    (problem,) = [p for p in result.problems if p["tenant_id"] == "(installation)"]
    assert "USD" in problem["message"]
    assert "2026-02-26" in problem["message"]


def test_people_count_once_in_each_tenant(first: BuildResult, owner: psycopg.Connection[Any]) -> None:
    assert portfolio(owner, "dau, mau, total_sessions", "2026-03-05") == (2, 2, 2)


def test_it_ends_where_the_first_calendar_ends(first: BuildResult, owner: psycopg.Connection[Any]) -> None:
    """The 11th has begun in Auckland only: a sum of it would lack Los Angeles."""
    days = owner.execute(
        "select metric_date, is_complete, tenants from marts.portfolio_metrics order by 1 desc limit 2"
    ).fetchall()
    assert days == [(date(2026, 3, 10), False, 2), (date(2026, 3, 9), True, 2)]


@pytest.mark.once
def test_changes_are_followed_and_equal_a_full_refresh(
    module_settings: Settings, first: BuildResult, owner: psycopg.Connection[Any]
) -> None:
    """A corrected rate, another currency, one tenant ahead of the other, one that ends, one that goes."""
    steps = [
        ("update raw.exchange_rates set units_per_eur = 5 where rate_date = '2026-03-06'", {}),
        ("update reporting.installation set reporting_currency = 'JPY'", {}),
        (
            "insert into raw.exchange_rates (rate_date, currency, units_per_eur) "
            "values ('2026-03-05', 'JPY', 100)",
            {"tenant": "east", "as_of": datetime(2026, 3, 12, tzinfo=UTC)},
        ),
        ("select 1", {"as_of": datetime(2026, 3, 12, tzinfo=UTC)}),
        (
            "insert into reporting.tenant_settings (tenant_id, clock_stops_at) "
            "values ('west', '2026-03-12Z')",
            {"as_of": datetime(2026, 3, 14, tzinfo=UTC)},
        ),
        ("update raw.tenants set deleted_at = now() where tenant_id = 'west'", {}),
    ]
    as_of = NOW
    for change, options in steps:
        owner.execute(change)
        as_of = options.get("as_of", as_of)
        build(module_settings, **(options | {"as_of": as_of}))
        kept = everything(owner)
        assert kept
        if "tenant" not in options:
            build(module_settings, as_of=as_of, full_refresh=True)
            assert everything(owner) == kept, change
        if "clock_stops_at" in change:
            assert portfolio(owner, "tenants, is_complete", "2026-03-11") == (2, True)
            assert portfolio(owner, "tenants, is_complete", "2026-03-13") == (1, True)


def test_only_the_owner_reads_it(first: BuildResult, module_settings: Settings) -> None:
    """Also after a full refresh, which makes the table anew with the default grants of schema marts."""
    with connect(module_settings, "bi") as analyst:
        assert analyst.execute("select count(*) > 0 from marts.daily_metrics").fetchone() == (True,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            analyst.execute("select * from marts.portfolio_metrics")


def test_a_shared_currency_needs_no_setting(settings: Settings) -> None:
    with connect(settings) as connection:
        connection.execute(
            """
            insert into raw.tenants (tenant_id, name, currency) values ('a', 'A', 'CHF'), ('b', 'B', 'CHF');
            insert into raw.subscriptions (tenant_id, subscription_id, customer_id, status, quantity,
                unit_amount, currency, billing_interval, interval_count, started_at)
            select tenant_id, 's', 'c', 'active', 1, 30, 'CHF', 'month', 1, '2026-01-01Z' from raw.tenants;
            """
        )
    build(settings, as_of=date(2026, 1, 2))
    with connect(settings) as connection:
        found = connection.execute(
            "select mrr, reporting_currency, tenants from marts.portfolio_metrics "
            "where metric_date = '2026-01-02'"
        ).fetchall()
    assert found == [(Decimal(60), "CHF", 2)]
