"""The shipped copies through the loader, against what their publishers printed or others counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from orchestration.demo import load_samples, sample_loads
from orchestration.sources.generate.samples import complete_samples

pytestmark = pytest.mark.integration

Connection = psycopg.Connection[Any]


@contextmanager
def no_bar(_description: str, _total: float | None = None) -> Iterator[Callable[..., None]]:
    yield lambda *_steps, **_texts: None


@pytest.fixture(scope="module")
def loaded(module_database: Connection) -> Connection:
    load_samples(module_database, no_bar)
    module_database.commit()
    return module_database


def row(conn: Connection, query: str) -> tuple[Any, ...]:
    found = conn.execute(query).fetchone()
    assert found is not None
    return found


def test_bank_counts(loaded: Connection) -> None:
    """UCI: 41,188 rows (bank-additional-names.txt), 4,640 yes, mean of the durations 258.285 s."""
    assert row(
        loaded,
        "select count(*), count(*) filter (where outcome = 'interested'), round(avg(duration_seconds), 3),"
        " max(duration_seconds), count(*) filter (where status = 'missed') from raw.calls",
    ) == (41_188, 4_640, Decimal("258.285"), 4_918, 4)
    assert row(
        loaded,
        "select count(*), count(*) filter (where status = 'converted'),"
        " sum((extra ->> 'contacts_in_campaign')::integer) from raw.leads",
    ) == (41_188, 4_640, 105_754)


def test_bank_months(loaded: Connection) -> None:
    """Calls and subscriptions by month, as counted from the published file."""
    found = loaded.execute(
        "select to_char(started_at at time zone 'Europe/Lisbon', 'mon'), count(*),"
        " count(*) filter (where outcome = 'interested') from raw.calls group by 1"
    ).fetchall()
    assert {month: (calls, yes) for month, calls, yes in found} == {
        "mar": (546, 276),
        "apr": (2632, 539),
        "may": (13769, 886),
        "jun": (5318, 559),
        "jul": (7174, 649),
        "aug": (6178, 655),
        "sep": (570, 256),
        "oct": (718, 315),
        "nov": (4101, 416),
        "dec": (182, 89),
    }


def test_charging_counts(loaded: Connection) -> None:
    """3,395 sessions, 85 drivers, 25 sites; mean 2.841 h, median 2.809 h; managers 2,022."""
    assert row(
        loaded,
        "select count(*), count(distinct user_id), count(distinct branch_id),"
        " round(avg(duration_seconds) / 3600, 3),"
        " round((percentile_cont(0.5) within group (order by duration_seconds) / 3600)::numeric, 3),"
        " count(*) filter (where user_type = 'manager'), min(extract(year from started_at))"
        " from raw.sessions where tenant_id = 'ev-workplace'",
    ) == (3_395, 85, 25, Decimal("2.841"), Decimal("2.809"), 2_022, 2014)
    months = loaded.execute(
        "select count(*) from raw.sessions where tenant_id = 'ev-workplace'"
        " group by date_trunc('month', started_at at time zone 'America/New_York')"
        " order by date_trunc('month', started_at at time zone 'America/New_York')"
    ).fetchall()
    assert [count for (count,) in months] == [9, 14, 39, 54, 164, 247, 355, 417, 569, 672, 760, 95]


def test_ravenstack_counts(loaded: Connection) -> None:
    """500 accounts, 5,000 subscriptions, 486 churned, 25,000 uses of which 21 are refused twice over."""
    assert row(
        loaded, "select count(*), count(*) filter (where ended_at is not null) from raw.subscriptions"
    ) == (5_000, 486)
    assert row(loaded, "select count(*) from raw.customers") == (500,)
    assert row(loaded, "select count(*) from raw.activation_events") == (24_979,)
    refused = loaded.execute(
        "select table_name, count(distinct line_number), count(*) / count(distinct load_id),"
        " count(distinct file_name)"
        " from raw.rejected_rows group by 1 order by 1"
    ).fetchall()
    assert refused == [("activation_events", 21, 21, 1), ("sessions", 21, 21, 1)]


def test_rates_of_the_central_bank(loaded: Connection) -> None:
    """Rates as the ECB published them."""
    for day, currency, rate in (
        ("2020-01-02", "USD", "1.1193"),
        ("2023-01-02", "USD", "1.0683"),
        ("2024-12-31", "USD", "1.0389"),
        ("2017-10-31", "BRL", "3.8059"),
        ("2024-12-31", "GBP", "0.82918"),
    ):
        assert row(
            loaded,
            "select units_per_eur from raw.exchange_rates"
            f" where rate_date = '{day}' and currency = '{currency}'",
        ) == (Decimal(rate),)


def test_loading_again_changes_nothing(loaded: Connection) -> None:
    for entry, result in load_samples(loaded, no_bar):
        assert (result.new, result.changed) == (0, 0), entry
        assert result.unchanged == entry.rows - entry.rejected
    loaded.rollback()


def test_generated_rows_leave_real_ones_alone(loaded: Connection) -> None:
    """No generated row in a table and tenant that a load fills, and no real row changed."""
    filled = sorted({(entry.table, entry.tenant) for entry in sample_loads() if entry.tenant})
    before = [real_rows(loaded, table, tenant) for table, tenant in filled]
    assert complete_samples(loaded)["invoices"] > 1_000
    assert [real_rows(loaded, table, tenant) for table, tenant in filled] == before
    assert complete_samples(loaded) == {}
    for table, tenant in (("invoices", "ravenstack"), ("staff", "lisbon-bank"), ("leads", "sakura-weddings")):
        unmarked = row(
            loaded,
            f"select count(*) from raw.{table} where tenant_id = '{tenant}'"
            " and extra -> 'generated' is distinct from 'true'",
        )
        assert unmarked == (0,)


def real_rows(conn: Connection, table: str, tenant: str | None) -> tuple[Any, ...]:
    return row(
        conn,
        "select count(*), sum(hashtextextended(to_jsonb(t)::text, 0)),"
        " count(*) filter (where extra -> 'generated' = 'true')"
        f" from raw.{table} as t where tenant_id = '{tenant}'",
    )
