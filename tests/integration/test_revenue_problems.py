"""What is wrong with one tenant's revenue data is named, leaves figures empty, and stops nobody else."""

from __future__ import annotations

from datetime import date
from typing import Any

import psycopg
import pytest

from orchestration.marts.build import build
from orchestration.settings import Settings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

Connection = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def marts(module_settings: Settings, module_database: Connection) -> Connection:
    """Tenant `broken` has every kind of problem, `sound` none; one build."""
    module_database.execute(
        """
        set timezone to 'UTC';
        insert into raw.tenants (tenant_id, name, currency)
        values ('broken', 'B', 'EUR'), ('sound', 'S', 'EUR');
        insert into raw.exchange_rates (rate_date, currency, units_per_eur) values ('2024-01-02', 'USD', 2);
        insert into raw.subscriptions (tenant_id, subscription_id, customer_id, status, quantity, unit_amount,
            currency, billing_interval, interval_count, started_at, ended_at)
        values
            ('sound', 'rated', 'a', 'active', 1, 100, 'USD', 'month', 1, '2024-01-09', null),
            ('broken', 'unrated', 'a', 'canceled', 1, 100, 'usd', 'month', 1, '2024-01-10', '2024-03-05'),
            ('broken', 'backwards', 'b', 'canceled', 1, 100, 'EUR', 'month', 1, '2024-02-01', '2024-01-01'),
            ('broken', 'undated', 'c', 'canceled', 1, 100, 'EUR', 'month', 1, '2024-01-01', null),
            ('broken', 'negative', 'd', 'active', 1, -5, 'EUR', 'month', 0, '2024-01-01', null);
        insert into raw.subscription_changes (tenant_id, change_id, subscription_id, changed_at, quantity)
        values ('broken', '1', 'nobody', '2024-01-01', 2);
        insert into raw.marketing_spend (tenant_id, spend_id, spend_date, amount, currency)
        values ('broken', '1', '2024-02-03', 10, 'XAU'), ('sound', '1', '2024-01-04', 10, 'USD');
        """
    )
    module_database.commit()
    build(module_settings, as_of=date(2024, 4, 30))
    return module_database


def test_problems_name_table_key_and_remedy(marts: Connection) -> None:
    found = marts.execute(
        "select kind, table_name, key, severity, message <> '' and remedy <> '' from marts.data_problems"
        " where tenant_id = 'broken' and kind <> 'no_rows' order by kind, key"
    ).fetchall()
    assert found == [
        ("canceled_without_date", "raw.subscriptions", "undated", "warning", True),
        ("change_without_subscription", "raw.subscription_changes", "1", "warning", True),
        ("ended_before_start", "raw.subscriptions", "backwards", "warning", True),
        ("impossible_terms", "raw.subscriptions", "negative", "warning", True),
        ("missing_exchange_rate", "raw.exchange_rates", "USD 2024-01-10", "error", True),
        ("missing_exchange_rate", "raw.exchange_rates", "XAU 2024-02-03", "error", True),
    ]
    sound = marts.execute("select * from marts.data_problems where tenant_id = 'sound'").fetchall()
    assert sound == []


def test_a_missing_rate_leaves_money_empty_and_counts_right(marts: Connection) -> None:
    rows = marts.execute(
        "select month::text, mrr, churned_mrr, marketing_spend, paying_customers, new_customers,"
        " churned_customers from marts.revenue_metrics where tenant_id = 'broken' order by month"
    ).fetchall()
    assert rows == [
        ("2024-01-01", None, None, 0, 1, 1, 0),
        ("2024-02-01", None, None, None, 1, 0, 0),
        ("2024-03-01", 0, None, 0, 0, 0, 1),
        ("2024-04-01", 0, 0, 0, 0, 0, 0),
    ]


def test_another_tenant_is_not_touched(marts: Connection) -> None:
    """Its rate is seven days old, the oldest that counts."""
    rows = marts.execute(
        "select month::text, mrr, marketing_spend, cac from marts.revenue_metrics where tenant_id = 'sound'"
        " order by month limit 2"
    ).fetchall()
    assert rows == [("2024-01-01", 50, 5, 5), ("2024-02-01", 50, 0, None)]
    held = marts.execute(
        "select distinct tenant_id from reporting.check_results where failed_rows > 0 and severity = 'error'"
    ).fetchall()
    assert held == [("broken",)]
