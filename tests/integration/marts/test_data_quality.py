"""Bad rows are counted, and add up: random bad data, changed at random, against a recount in plain Python."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from orchestration.errors import EXIT_USAGE
from orchestration.marts.build import build
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from tests.integration.marts.quality_oracle import MOMENTS, expected

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

START = datetime(2026, 3, 1, tzinfo=UTC)
LAST_DAY = date(2026, 3, 20)
TENANTS = ("one", "two", "unknown")
COLUMNS = 80
KEYS = {
    "users": "user_id", "sessions": "session_id", "activation_events": "event_id", "jobs": "job_id",
    "leads": "lead_id", "lead_status_changes": "change_id", "calls": "call_id",
    "subscriptions": "subscription_id", "subscription_changes": "change_id", "invoices": "invoice_id",
    "payments": "payment_id", "collaborations": "collaboration_id", "satisfaction_scores": "score_id",
    "api_requests": "request_id", "health_checks": "check_id", "marketing_spend": "spend_id",
}  # fmt: skip
#: Kinds of problem this data must have had at some time, or the test tells nothing of them.
MUST_MEET = 30


class Chaos:
    """Random rows, good and bad, and random changes of them."""

    def __init__(self, connection: psycopg.Connection[Any], seed: int) -> None:
        self.connection = connection
        self.random = random.Random(seed)
        self.number = 0

    def moment(self) -> datetime:
        """Within the month; some lie after as_of."""
        return START + timedelta(minutes=self.random.randrange(60 * 24 * 24))

    def row(self, table: str) -> dict[str, Any]:
        pick = self.random.choice
        moment = self.moment()
        some = f"{self.random.randrange(8)}"
        earlier = moment - timedelta(hours=5)
        rows: dict[str, dict[str, Any]] = {
            "users": {"user_id": some, "signed_up_at": pick([moment, moment, None]), "user_type": "couple"},
            "sessions": {"user_id": some, "duration_seconds": pick([60, None, -5, 9_000_000])},
            "activation_events": {"user_id": some, "event_type": "file_upload"},
            "jobs": {"status": "succeeded", "finished_at": pick([earlier, moment, None])},
            "leads": {"lead_id": some} | self.lead(moment),
            "lead_status_changes": {"lead_id": f"plain{pick('012')}", "status": "contacted"},
            "calls": {
                "lead_id": pick([None, some]), "staff_id": pick([None, "nobody"]), "direction": "inbound",
                "status": pick(["completed", "missed"]), "outcome": pick([None, "interested"]),
                "duration_seconds": pick([60, None, -5, 9_000_000]),
            },
            "subscriptions": {
                "subscription_id": some, "customer_id": pick("abc"), "quantity": 1, "currency": "EUR",
                "unit_amount": pick([10, 0, -1]), "billing_interval": "month", "interval_count": 1,
                "status": pick(["active", "canceled", "incomplete"]),
                "ended_at": pick([None, None, earlier, moment]),
            },
            "subscription_changes": {
                "subscription_id": some, "changed_at": START + timedelta(days=self.random.randrange(24)),
                "status": pick(["active", "canceled", "incomplete", None]),
                "currency": pick(["EUR", "USD", None]),
            },
            "invoices": {
                "customer_id": "a", "status": pick(["paid", "open", "draft", "void"]), "currency": "EUR",
                "amount_due": pick([10, 0, -1]), "amount_paid": 0, "paid_at": pick([moment, None]),
            },
            "payments": {"status": "succeeded", "amount": pick([10, 0]), "currency": "EUR"},
            "collaborations": {
                "client_id": "c", "vendor1_id": "v", "vendor2_id": pick("vw"), "collaboration_type": "t",
                "last_activity_at": pick([earlier, moment, None]),
            },
            "satisfaction_scores": {"vendor_id": "v", "score": pick([5, 11, -1])},
            "api_requests": {"status_code": 200, "latency_ms": pick([5, -5])},
            "health_checks": {"component": "api", "status": "up"},
            "marketing_spend": {"spend_date": moment.date(), "amount": pick([5, 0]), "currency": "EUR"},
        }  # fmt: skip
        self.number += 1
        named = {KEYS[table]: f"{self.number:05}"}
        if table in MOMENTS:
            named[MOMENTS[table]] = moment
        return {"tenant_id": pick(["one", "one", "two", "unknown"])} | named | rows[table]

    def lead(self, moment: datetime) -> dict[str, Any]:
        """Leads with a history of changes are plain; the others tell of themselves."""
        if self.random.random() < 0.4:
            return {"lead_id": f"plain{self.random.randrange(3)}", "status": "new"}
        if self.random.random() < 0.5:
            return {
                "status": "converted",
                "converted_at": moment + timedelta(hours=self.random.choice([-3, 0])),
            }
        told = self.random.choice([None, moment])
        return {"status": "lost", "updated_at": told, "converted_at": self.random.choice([None, moment])}

    def insert(self, table: str, rows: int) -> None:
        for _ in range(rows):
            row = self.row(table)
            self.connection.execute(
                sql.SQL("insert into raw.{} ({}) values ({}) on conflict do nothing").format(
                    sql.Identifier(table),
                    sql.SQL(", ").join(map(sql.Identifier, row)),
                    sql.SQL(", ").join(sql.Placeholder() * len(row)),
                ),
                list(row.values()),
            )

    def change(self, table: str) -> None:
        """Delete some rows, bury some, bring some back, and move some to another day."""
        statements = (
            "delete from raw.{t} where random_pick({k}, 7, 0)",
            "update raw.{t} set deleted_at = '2026-03-02Z' where random_pick({k}, 7, 1)",
            "update raw.{t} set deleted_at = null where deleted_at is not null and random_pick({k}, 2, 0)",
            "update raw.{t} set {m} = {m} + interval '3 days' where random_pick({k}, 7, 2)",
            "update raw.{t} set tenant_id = 'two' where tenant_id = 'one' and random_pick({k}, 31, 3)",
        )
        for statement in statements:
            moment = MOMENTS.get(table)
            if moment is None and "{m}" in statement:
                continue
            if "tenant_id" in statement and table in ("users", "leads", "subscriptions"):
                continue  # keys of these come in both tenants
            self.connection.execute(
                statement.format(t=table, k=KEYS[table], m=moment)
                .replace("random_pick(", f"pg_temp.picked({self.random.randrange(1000)}, ")
                .encode()
            )


def raw_rows(connection: psycopg.Connection[Any], tenant: str) -> dict[str, list[dict[str, Any]]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return {
            table: cursor.execute(
                sql.SQL("select * from raw.{} where tenant_id = %s").format(sql.Identifier(table)), (tenant,)
            ).fetchall()
            for table in KEYS
        }


def check(connection: psycopg.Connection[Any]) -> set[str]:
    """Problems and sums of both tenants equal the recount; the kinds that were met."""
    met: set[str] = set()
    clocks = connection.execute("select tenant_id, as_of, as_of_date from build.tenants").fetchall()
    for tenant, as_of, as_of_date in clocks:
        rows = raw_rows(connection, tenant)
        wanted = expected(rows, as_of, as_of_date)
        found = {
            (table, kind): (rows_found, rows_excluded)
            for table, kind, rows_found, rows_excluded in connection.execute(
                "select replace(table_name, 'raw.', ''), kind, rows_found, rows_excluded "
                "from marts.data_problems where tenant_id = %s and kind <> 'missing_exchange_rate'",
                (tenant,),
            ).fetchall()
        }
        assert found == wanted, tenant
        met |= {kind for _, kind in found}
        totals = connection.execute(
            "select replace(table_name, 'raw.', ''), raw_rows, rows_counted, rows_excluded "
            "from marts.data_quality where tenant_id = %s",
            (tenant,),
        ).fetchall()
        left_out = {
            table: sum(count for (of, _), (_, count) in wanted.items() if of == table) for table in rows
        }
        assert sorted(totals) == sorted(
            (table, len(of), len(of) - left_out[table], left_out[table]) for table, of in rows.items() if of
        )
    fresh = connection.execute(
        "select replace(source_table, 'raw.', ''), rows, rows_of_unknown_tenants "
        "from marts.pipeline_freshness"
    ).fetchall()
    for table, count, of_unknown in fresh:
        if table in KEYS:
            of_each = {tenant: len(raw_rows(connection, tenant)[table]) for tenant in TENANTS}
            assert (count, of_unknown) == (sum(of_each.values()), of_each["unknown"]), table
    return met


def everything(connection: psycopg.Connection[Any]) -> dict[str, list[Any]]:
    tables = connection.execute(
        "select table_schema || '.' || table_name from information_schema.tables "
        "where table_type = 'BASE TABLE' and (table_name like 'int_quality%' "
        "or table_name in ('data_problems', 'data_quality', 'pipeline_freshness')) order by 1"
    ).fetchall()
    return {
        name: connection.execute(
            f"select (to_jsonb(t) - 'built_at')::text from {name} as t order by 1".encode()
        ).fetchall()
        for (name,) in tables
    }


def check_report(metricpress: Callable[..., Any]) -> None:
    """The command tells the same, tenant by tenant, in 80 columns, and what concerns no single tenant."""
    told = json.loads(metricpress("quality", "--json").stdout)
    for table in told["tables"]:
        of_table = [r for r in told["rules"] if all(r[c] == table[c] for c in ("tenant_id", "table_name"))]
        assert table["rows_excluded"] == sum(rule["rows_excluded"] for rule in of_table)
        assert table["raw_rows"] == table["rows_counted"] + table["rows_excluded"]
    assert {"rows_of_unknown_tenants", "users_in_several_tenants"} <= {
        row["kind"] for row in told["installation"]
    }
    shown = metricpress("quality", "--tenant", "one")
    assert shown.returncode == 0
    assert "session_of_unknown_user" not in shown.stdout  # told in words
    assert "Sessions of users that raw.users does not hold" in shown.stdout
    table = [line for line in shown.stdout.splitlines() if line.startswith(("one", "sessions", "table"))]
    assert len(table) > 1
    assert max(len(line) for line in table) <= COLUMNS
    assert "two" not in {line.split(" ")[0] for line in shown.stdout.splitlines()}
    assert metricpress("quality", "--tenant", "nobody").returncode == EXIT_USAGE


@pytest.mark.once
def test_bad_rows_add_up_and_follow_every_change(settings: Settings, metricpress: Callable[..., Any]) -> None:
    met: set[str] = set()
    with connect(settings, autocommit=True) as connection:
        connection.execute(
            """
            insert into raw.tenants (tenant_id, name, timezone, currency)
            values ('one', 'One', 'Asia/Tokyo', 'EUR'), ('two', 'Two', 'America/New_York', 'EUR');
            insert into raw.exchange_rates (rate_date, currency, units_per_eur)
            select d, 'USD', 1.1 from generate_series('2026-01-01'::date, '2026-05-01', '1 day') as d;
            create function pg_temp.picked(seed integer, key text, of integer, which integer) returns boolean
            language sql as $$ select mod(abs(hashtext(seed || key)), of) = which $$;
            """
        )
        chaos = Chaos(connection, seed=20260301)
        for table in KEYS:
            chaos.insert(table, 40)
        build(settings, as_of=LAST_DAY)
        met |= check(connection)
        for day in (0, 1, 3):
            for table in KEYS:
                chaos.change(table)
                chaos.insert(table, 8)
            if day == 1:
                connection.execute("truncate raw.lead_status_changes, raw.api_requests")
                chaos.insert("lead_status_changes", 20)
            build(settings, as_of=LAST_DAY + timedelta(days=day))
            met |= check(connection)
        kept = everything(connection)
        build(settings, as_of=LAST_DAY + timedelta(days=3), full_refresh=True)
        for name, rows in everything(connection).items():
            assert rows == kept[name], name
        failed = connection.execute(
            "select check_name, tenant_id from reporting.check_results "
            "where check_name like '%counted_rows%' and failed_rows > 0"
        ).fetchall()
    check_report(metricpress)
    assert failed == []
    assert len(met) >= MUST_MEET, sorted(met)
