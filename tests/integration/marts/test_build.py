"""How the marts are kept: the properties at the end of the marts contract, on a real database.

Here each kind of change is met once; tests/integration/exact draws them at random.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest

from orchestration.errors import MetricpressError
from orchestration.marts.build import build, open_build
from orchestration.settings import Settings
from orchestration.sources.generate import GenerateOptions, generate
from orchestration.warehouse.connection import connect

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

LAST_DAY = date(2025, 3, 31)
#: Tables that models keep, with their columns; 0.00 and 0 are one value, so numerics lose their scale.
TABLES = """
    select format('%I.%I', table_schema, table_name), string_agg(
        format(case data_type when 'numeric' then 'trim_scale(%I)' else '%I' end, column_name),
        ', ' order by ordinal_position
    )
    from information_schema.columns
    join information_schema.tables using (table_schema, table_name)
    where
        table_schema in ('intermediate', 'marts') and table_type = 'BASE TABLE'
        and (table_name, column_name) <> ('pipeline_freshness', 'built_at')
    group by 1
    order by 1
"""


@pytest.fixture(scope="module")
def built(module_settings: Settings) -> Settings:
    with connect(module_settings) as connection:
        generate(connection, GenerateOptions(tenants=2, days=60, sessions=3000, seed=7, end=LAST_DAY))
    build(module_settings, as_of=LAST_DAY)
    return module_settings


@pytest.fixture
def raw(built: Settings) -> Iterator[psycopg.Connection[Any]]:
    with connect(built, autocommit=True) as connection:
        yield connection


def content(settings: Settings, prefix: str = "") -> dict[str, set[str]]:
    """Every row of every table that models keep, as text; `prefix` is a further column in front."""
    with connect(settings) as connection:
        return {
            table: {
                row[0]
                for row in connection.execute(f"select row({prefix}{columns})::text from {table}").fetchall()
            }
            for table, columns in connection.execute(TABLES).fetchall()
        }


def differences(
    one: dict[str, set[str]], other: dict[str, set[str]]
) -> dict[str, tuple[list[str], list[str]]]:
    """The first rows that only one of the two has, by table."""
    assert one.keys() == other.keys()
    return {
        table: (sorted(one[table] - other[table])[:2], sorted(other[table] - one[table])[:2])
        for table in one
        if one[table] != other[table]
    }


CHANGES = {
    "rows that move to another day": (
        "update raw.sessions set started_at = started_at - interval '20 days' where session_id in "
        "(select session_id from raw.sessions order by session_id limit 5)"
    ),
    "a hard delete": (
        "delete from raw.calls where call_id in (select call_id from raw.calls order by call_id limit 5)"
    ),
    "a tombstone": (
        "update raw.leads set deleted_at = '2025-03-01' where lead_id in "
        "(select lead_id from raw.leads order by lead_id limit 3)"
    ),
    "a late row before everything": (
        "insert into raw.sessions (tenant_id, session_id, user_id, started_at) "
        "select tenant_id, 'late', 'late', '2024-12-01 12:00Z' from raw.tenants order by 1 limit 1"
    ),
    "a corrected price": (
        "update raw.subscriptions set unit_amount = unit_amount + 7, updated_at = '2025-03-10' "
        "where subscription_id in (select subscription_id from raw.subscriptions order by 1 limit 2)"
    ),
    "another type of user": (
        "update raw.users set user_type = 'couple' where user_id in "
        "(select user_id from raw.users order by user_id limit 3)"
    ),
    "a lead that moves on": (
        "insert into raw.lead_status_changes (tenant_id, change_id, lead_id, status, changed_at) "
        "select tenant_id, 'more', lead_id, 'converted', '2025-03-20 10:00Z' from raw.leads "
        "where deleted_at is null order by created_at desc limit 1"
    ),
    "a corrected exchange rate": (
        "insert into raw.exchange_rates (rate_date, currency, units_per_eur) "
        "select d::date, c, 2 + extract(day from d) / 100 "
        "from generate_series('2025-03-10'::date, '2025-03-14', '1 day') d, unnest(array['USD', 'JPY']) c "
        "on conflict (rate_date, currency) do update set units_per_eur = excluded.units_per_eur"
    ),
    "another timezone": (
        "update raw.tenants set timezone = 'Asia/Tokyo' where tenant_id = "
        "(select min(tenant_id) from raw.tenants)"
    ),
    "a setting": (
        "insert into reporting.tenant_settings (tenant_id, gross_margin, mau_window_days) "
        "select max(tenant_id), 0.5, 14 from raw.tenants "
        "on conflict (tenant_id) do update set gross_margin = 0.5, mau_window_days = 14"
    ),
}


def test_incremental_equals_full(built: Settings, raw: psycopg.Connection[Any]) -> None:
    """Builds after every few kinds of change, the clock moving on a day each time, then once anew."""
    day = LAST_DAY.toordinal()
    for number, change in enumerate(CHANGES.values(), start=1):
        assert raw.execute(change).rowcount > 0, change
        if number % 3 == 0 or number == len(CHANGES):
            day += 1
            build(built, as_of=date.fromordinal(day))
    full_refreshes = raw.execute("select count(*) from build.builds where full_refresh").fetchone()
    assert full_refreshes == (1,)
    incremental = content(built)
    build(built, as_of=date.fromordinal(day), full_refresh=True)
    assert differences(incremental, content(built)) == {}


def test_nothing_new_changes_no_row(built: Settings) -> None:
    with connect(built) as connection:
        row = connection.execute("select max(as_of) from build.tenants").fetchone()
    assert row is not None
    build(built, as_of=row[0])
    before = content(built, "xmin, ")
    again = build(built, as_of=row[0])
    assert again.is_empty
    assert differences(before, content(built, "xmin, ")) == {}


def test_unchanged_rows_are_not_touched(built: Settings, raw: psycopg.Connection[Any]) -> None:
    """A change of one day rewrites that day, not the others."""
    before = content(built, "xmin, ")["marts.daily_metrics"]
    raw.execute(
        "insert into raw.jobs (tenant_id, job_id, status, started_at) "
        "select max(tenant_id), 'one more', 'failed', '2025-03-05 12:00Z' from raw.tenants"
    )
    row = raw.execute("select max(as_of) from build.tenants").fetchone()
    assert row is not None
    build(built, as_of=row[0])
    assert len(before - content(built, "xmin, ")["marts.daily_metrics"]) == 1


def test_load_that_commits_after_the_plan(built: Settings) -> None:
    """Not lost: its recorded changes were not visible to the plan and wait for the next build."""
    with connect(built) as loading:
        loading.execute(
            "insert into raw.sessions (tenant_id, session_id, user_id, started_at) "
            "select max(tenant_id), 'overlapping', 'somebody new', '2025-03-02 12:00Z' from raw.tenants"
        )
        build(built, as_of=date(2025, 5, 1))
        loading.commit()
    build(built, as_of=date(2025, 5, 1))
    with connect(built) as connection:
        found = connection.execute(
            "select count(*) from intermediate.int_activity__user_days where user_id = 'somebody new'"
        ).fetchone()
    assert found == (1,)


def test_failed_build_is_mended_by_the_next(built: Settings, raw: psycopg.Connection[Any]) -> None:
    raw.execute(
        "insert into raw.jobs (tenant_id, job_id, status, started_at) "
        "select max(tenant_id), 'after a failure', 'succeeded', '2025-03-06 12:00Z' from raw.tenants"
    )
    with pytest.raises(RuntimeError, match="killed"), open_build(built, as_of=date(2025, 5, 1)):
        raise RuntimeError("killed")
    assert raw.execute("select status from build.builds order by started_at desc limit 1").fetchone() == (
        "failed",
    )
    before = raw.execute("select sum(total_jobs) from marts.daily_metrics").fetchone()
    build(built, as_of=date(2025, 5, 1))
    after = raw.execute("select sum(total_jobs) from marts.daily_metrics").fetchone()
    assert before is not None
    assert after == (before[0] + 1,)


def test_going_back_in_time_needs_a_full_refresh(built: Settings) -> None:
    with pytest.raises(MetricpressError, match="would go back in time") as refused:
        build(built, as_of=datetime(2025, 1, 15, tzinfo=UTC))
    assert "--full-refresh" in refused.value.remedy


def test_tables_of_older_sql_are_made_anew(built: Settings, raw: psycopg.Connection[Any]) -> None:
    build(built, as_of=date(2025, 5, 1))
    before = content(built)
    raw.execute("update build.builds set project_hash = 'of another version'")
    raw.execute("alter table intermediate.int_revenue__subscription_periods drop column first_date")
    raw.execute("update raw.subscriptions set quantity = quantity + 1")
    raw.execute("update raw.subscriptions set quantity = quantity - 1")
    build(built, as_of=date(2025, 5, 1))
    assert content(built) == before


def test_weeks_that_begin_on_another_day(built: Settings, raw: psycopg.Connection[Any]) -> None:
    raw.execute("update raw.tenants set week_start = 'sunday'")
    build(built, as_of=date(2025, 5, 1))
    weeks = raw.execute(
        "select distinct extract(isodow from period_start) from marts.metric_timeseries where grain = 'week'"
    ).fetchall()
    assert weeks == [(7,)]


def test_unknown_tenant_is_named(built: Settings) -> None:
    with pytest.raises(MetricpressError, match="no tenant 'nobody'"):
        build(built, tenant="nobody")


def test_one_tenant_is_built_alone(built: Settings, raw: psycopg.Connection[Any]) -> None:
    """With a tenant named, the rows and the clock of the others stay as they are."""
    first, second = (r[0] for r in raw.execute("select tenant_id from raw.tenants order by 1").fetchall())
    clocks = dict(raw.execute("select tenant_id, as_of from build.tenants").fetchall())
    raw.execute(
        "insert into raw.jobs (tenant_id, job_id, status, started_at) "
        "select tenant_id, 'alone', 'succeeded', '2025-03-07 12:00Z' from raw.tenants"
    )
    build(built, as_of=date(2025, 5, 3), tenant=first)
    after = dict(raw.execute("select tenant_id, as_of from build.tenants").fetchall())
    assert after[first] > clocks[first]
    assert after[second] == clocks[second]
    build(built, as_of=date(2025, 5, 3))
    incremental = content(built)
    build(built, as_of=date(2025, 5, 3), full_refresh=True)
    assert differences(incremental, content(built)) == {}


def test_removed_tenant_takes_its_rows_along(built: Settings, raw: psycopg.Connection[Any]) -> None:
    row = raw.execute(
        "update raw.tenants set deleted_at = now() where tenant_id = "
        "(select min(tenant_id) from raw.tenants) returning tenant_id"
    ).fetchone()
    assert row is not None
    build(built, as_of=date(2025, 5, 4))
    left = {
        table: count
        for (table,) in raw.execute(
            "select table_name from information_schema.columns "
            "where table_schema = 'marts' and column_name = 'tenant_id'"
        ).fetchall()
        for (count,) in raw.execute(
            f"select count(*) from marts.{table} where tenant_id = %s", row
        ).fetchall()
        if count
    }
    assert left == {}
