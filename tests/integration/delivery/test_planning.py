"""Planning many subscriptions: each occurrence once, and fast enough for every tick."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from orchestration.delivery.service import has_work, plan_occurrences
from orchestration.warehouse.connection import connect

pytestmark = pytest.mark.integration
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def thousand(warehouse):
    """1,000 subscriptions of 20 tenants in three zones, daily since ten days."""
    for number in range(20):
        warehouse.add_tenant(
            f"t{number}", ("America/New_York", "Europe/Lisbon", "Australia/Lord_Howe")[number % 3]
        )
    warehouse.conn.execute(
        """
        insert into reporting.report_subscriptions
            (tenant_id, name, report, frequency, delivery_time, recipients, starts_on, max_lateness)
        select 't' || n % 20, 'n' || n, 'executive', 'daily', '02:00', array['a@x.example'],
            '2026-11-10', '30 days'
        from generate_series(1, 1000) as n
        """
    )
    return warehouse


def test_ten_thousand_planned_in_two_seconds_and_once_by_two(thousand) -> None:
    def plan(_: int) -> int:
        with connect(thousand.settings, "pipeline") as conn:
            return plan_occurrences(conn, NOON)

    start = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        counts = list(pool.map(plan, range(2)))
    seconds = time.perf_counter() - start
    print(f"\n10,000 and more occurrences planned by two at once in {seconds:.2f} s")
    (row,) = thousand.rows(
        """select count(*) as n, count(distinct (subscription_id, local_date)) as once
        from reporting.report_occurrences"""
    )
    # 02:00 of the 20th has come everywhere: 11 days for each.
    assert sum(counts) == row["n"] == row["once"] == 11_000
    assert thousand.rows("select count(*) as n from reporting.report_deliveries") == [{"n": 11_000}]
    assert seconds < 10  # a wide bound: the machine is shared


def test_a_tick_with_nothing_due_is_cheap(thousand) -> None:
    plan_occurrences(thousand.conn, NOON)
    thousand.conn.execute("update reporting.report_deliveries set delivery_status = 'skipped'")
    thousand.conn.execute("update reporting.report_occurrences set state = 'skipped'")
    thousand.conn.execute("analyze reporting.report_occurrences, reporting.report_deliveries")
    best = 9.0
    for _ in range(5):
        start = time.perf_counter()
        assert not has_work(thousand.conn, NOON)
        best = min(best, time.perf_counter() - start)
    print(f"\na tick with nothing due, 1,000 subscriptions: {best:.3f} s")
    assert best < 1
