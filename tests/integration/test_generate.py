"""Generated businesses in a real database: the same rows for the same seed, and rows that make sense."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from orchestration.errors import MetricpressError
from orchestration.sources.generate import GenerateOptions, generate, write
from orchestration.warehouse.contract import TABLES

pytestmark = pytest.mark.integration

OPTIONS = GenerateOptions(tenants=2, days=365, sessions=30_000, leads=3_000, seed=5, end=dt.date(2025, 3, 31))
FIRST = "generated-5-001"
Connection = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def generated(module_database: Connection) -> Connection:
    generate(module_database, OPTIONS)
    module_database.execute("analyze")
    module_database.commit()
    return module_database


def digests(conn: Connection) -> dict[str, tuple[Any, ...]]:
    """Rows and a sum over the hashes of all rows, the time of loading apart, by table."""
    found = {}
    for table in TABLES:
        row = conn.execute(
            "select count(*), sum(hashtextextended((to_jsonb(t) - 'loaded_at')::text, 0))"
            f" from raw.{table} as t"
        ).fetchone()
        assert row is not None
        found[table] = row
    return found


def rows(conn: Connection, query: str) -> list[tuple[Any, ...]]:
    return conn.execute(query, {"tenant": FIRST}).fetchall()


def value(conn: Connection, query: str) -> Any:
    return rows(conn, query)[0][0]


def test_every_table_of_the_contract_has_marked_rows(generated: Connection) -> None:
    for table in TABLES.keys() - {"exchange_rates"}:
        count, marked = rows(
            generated,
            f"select count(*), count(*) filter (where extra -> 'generated' = 'true') from raw.{table}",
        )[0]
        assert count > 0, table
        assert marked == count, table


def test_as_many_rows_as_asked_for(generated: Connection) -> None:
    for table, count in (("sessions", 30_000), ("leads", 3_000), ("calls", 7_500), ("users", 1_200)):
        assert value(generated, f"select count(*) from raw.{table}") == count


def test_the_same_seed_gives_the_same_rows_in_slices_of_any_size(
    generated: Connection, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "SLICE", 777)
    generate(database, OPTIONS)
    assert digests(database) == digests(generated)


def test_again_adds_nothing_and_other_options_are_refused(generated: Connection) -> None:
    before = digests(generated)
    assert generate(generated, OPTIONS) == {}
    with pytest.raises(MetricpressError, match=FIRST):
        generate(generated, GenerateOptions(tenants=2, sessions=1_000, seed=5, end=OPTIONS.end))
    assert digests(generated) == before


def test_nothing_happens_after_the_end_or_before_its_cause(generated: Connection) -> None:
    end = "(timestamp '2025-04-01' at time zone 'America/New_York')"
    for table, moment in (
        ("sessions", "started_at"),
        ("calls", "started_at"),
        ("leads", "updated_at"),
        ("lead_status_changes", "changed_at"),
        ("subscription_changes", "changed_at"),
        ("payments", "attempted_at"),
        ("invoices", "issued_at"),
        ("jobs", "started_at"),
    ):
        late = value(
            generated, f"select count(*) from raw.{table} where tenant_id = %(tenant)s and {moment} >= {end}"
        )
        assert late == 0, table
    for query in (
        "select count(*) from raw.sessions as s join raw.users as u using (tenant_id, user_id)"
        " where s.started_at < u.signed_up_at",
        "select count(*) from raw.calls as c join raw.leads as l using (tenant_id, lead_id)"
        " where c.started_at < l.created_at",
        "select count(*) from raw.subscriptions where ended_at < started_at",
        "select count(*) from raw.leads where converted_at < created_at",
        "select count(*) from raw.sessions as s left join raw.users as u using (tenant_id, user_id)"
        " where u.user_id is null",
        "select count(*) from raw.invoices where (status = 'paid') <> (amount_paid = amount_due)"
        " or (status = 'paid') <> (paid_at is not null)",
    ):
        assert value(generated, query) == 0, query


def test_weekdays_are_busier_than_weekends(generated: Connection) -> None:
    busy = rows(
        generated,
        "select count(*) filter (where isodow < 6) / 5, count(*) filter (where isodow > 5) / 2 from ("
        " select extract(isodow from started_at at time zone 'America/New_York') as isodow"
        " from raw.sessions where tenant_id = %(tenant)s) as s",
    )[0]
    assert busy[0] > 1.8 * busy[1]


def test_calls_succeed_by_the_hour(generated: Connection) -> None:
    rates = dict(
        rows(
            generated,
            "select extract(hour from started_at at time zone 'America/New_York')::integer,"
            " avg((status = 'completed')::integer)::float from raw.calls"
            " where tenant_id = %(tenant)s group by 1",
        )
    )
    assert rates[18] > rates[13] + 0.15


def test_users_stay_away_in_time(generated: Connection) -> None:
    kept = dict(
        rows(
            generated,
            "select week, count(distinct user_id) from ("
            " select user_id,"
            " floor(extract(epoch from s.started_at - u.signed_up_at) / 604800)::integer as week"
            " from raw.sessions as s join raw.users as u using (tenant_id, user_id)"
            " where tenant_id = %(tenant)s and u.signed_up_at < '2024-12-01') as s group by 1",
        )
    )
    assert kept[0] > kept[4] > kept[12] > 0


def test_subscriptions_live_through_everything(generated: Connection) -> None:
    found = {row[0] for row in rows(generated, "select distinct status from raw.subscriptions")}
    assert {"active", "canceled", "trialing"} <= found
    assert value(generated, "select count(*) from raw.subscription_changes where plan is not null") > 0
    recovered = value(
        generated,
        "select count(*) from raw.payments as f join raw.payments as s using (tenant_id, invoice_id)"
        " where f.status = 'failed' and s.status = 'succeeded' and s.attempted_at > f.attempted_at",
    )
    assert recovered > 0
    back = value(
        generated,
        "select count(*) from raw.subscriptions as a"
        " join raw.subscriptions as b using (tenant_id, customer_id)"
        " where b.started_at > a.ended_at",
    )
    assert back > 0


def test_the_command_tells_and_adds_nothing_twice(metricpress: Callable[..., Any]) -> None:
    arguments = ("generate", "--tenants", "1", "--days", "30", "--sessions", "500", "--end", "2025-03-31")
    first = metricpress(*arguments, "--json")
    assert first.returncode == 0, first.stderr
    assert '"sessions"' in first.stdout
    again = metricpress(*arguments)
    assert again.returncode == 0
    assert "nothing new" in again.stderr
