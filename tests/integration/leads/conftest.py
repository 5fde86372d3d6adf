"""A small world of leads and calls, held twice: as dictionaries for the count in Python and in PostgreSQL.

`world` is empty; `leads_world` holds three tenants over days on which clocks change, with odd rows, the same
in every run. `World.correct` changes some of them as users do.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from orchestration.settings import Settings

Row = dict[str, Any]
STATUSES = ("new", "contacted", "qualified", "converted", "lost")
#: New York and Berlin leave daylight saving time in the days from here on.
FIRST_MOMENT = datetime(2024, 10, 24, tzinfo=UTC)
DAYS = 16
KEYS = {
    "tenants": "tenant_id",
    "branches": "branch_id",
    "leads": "lead_id",
    "lead_status_changes": "change_id",
    "calls": "call_id",
    "customers": "customer_id",
    "users": "user_id",
    "activation_events": "event_id",
    "subscriptions": "subscription_id",
    "subscription_changes": "change_id",
    "collaborations": "collaboration_id",
    "satisfaction_scores": "score_id",
    "jobs": "job_id",
    "api_requests": "request_id",
    "health_checks": "check_id",
}


class World:
    """Raw rows in PostgreSQL and beside it."""

    def __init__(self, settings: Settings) -> None:
        assert settings.database_url is not None
        self.conn = psycopg.connect(settings.database_url, autocommit=True)
        self.rows: dict[str, dict[tuple[str, str], Row]] = {table: {} for table in KEYS}
        self.rng = random.Random(20241103)

    def put(self, table: str, **row: Any) -> None:
        """Insert the row or change those columns of the one with its key."""
        key = (row["tenant_id"], row[KEYS[table]])
        whole = self.rows[table].get(key, {}) | row
        self.rows[table][key] = whole
        names = [sql.Identifier(name) for name in whole]
        statement = "insert into raw.{} ({}) values ({}) on conflict ({}) do update set ({}) = row({})"
        self.conn.execute(
            sql.SQL(statement).format(
                sql.Identifier(table),
                sql.SQL(", ").join(names),
                sql.SQL(", ").join(sql.Placeholder() * len(names)),
                sql.SQL(", ").join(map(sql.Identifier, dict.fromkeys(("tenant_id", KEYS[table])))),
                sql.SQL(", ").join(names),
                sql.SQL(", ").join(sql.SQL("excluded.{}").format(name) for name in names),
            ),
            list(whole.values()),
        )

    def delete(self, table: str, tenant: str, key: str) -> None:
        self._end("delete from raw.{} where tenant_id = %s and {} = %s", table, tenant, key)

    def bury(self, table: str, tenant: str, key: str) -> None:
        """Leave a tombstone."""
        self._end("update raw.{} set deleted_at = now() where tenant_id = %s and {} = %s", table, tenant, key)

    def _end(self, statement: str, table: str, tenant: str, key: str) -> None:
        del self.rows[table][tenant, key]
        names = (sql.Identifier(table), sql.Identifier(KEYS[table]))
        self.conn.execute(sql.SQL(statement).format(*names), (tenant, key))

    def of(self, table: str, tenant: str) -> Iterator[Row]:
        return (row for (owner, _), row in self.rows[table].items() if owner == tenant)

    def zone(self, tenant: str, branch: str | None = None) -> ZoneInfo:
        own = self.rows["branches"].get((tenant, branch or ""), {}).get("timezone")
        return ZoneInfo(own or self.rows["tenants"][tenant, tenant]["timezone"])

    def week_of(self, tenant: str, day: date) -> date:
        from_sunday = self.rows["tenants"][tenant, tenant]["week_start"] == "sunday"
        return day - timedelta(days=day.isoweekday() % 7 if from_sunday else day.weekday())

    def held(self, schema: str, table: str, key: tuple[str, ...], tenant: str) -> dict[tuple[Any, ...], Row]:
        """The tenant's rows of a model by their key, without the key's columns."""
        query = sql.SQL("select * from {} where tenant_id = %s").format(sql.Identifier(schema, table))
        with self.conn.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute(query, (tenant,)).fetchall()
        return {
            tuple(row[name] for name in key): {n: v for n, v in row.items() if n not in ("tenant_id", *key)}
            for row in rows
        }

    def content(self, *tables: tuple[str, str]) -> dict[tuple[str, str], list[tuple[Any, ...]]]:
        """All rows of (schema, table) as text."""
        return {
            table: self.conn.execute(
                sql.SQL("select t::text from {} as t order by 1").format(sql.Identifier(*table))
            ).fetchall()
            for table in tables
        }

    def moment(self) -> datetime:
        return FIRST_MOMENT + timedelta(minutes=15 * self.rng.randint(0, DAYS * 96))

    def put_lead(self, tenant: str, number: int) -> None:
        rng, created = self.rng, self.moment()
        status = rng.choice(STATUSES)
        later = created + timedelta(minutes=rng.randint(-600, 8000))
        self.put(
            "leads",
            tenant_id=tenant,
            lead_id=f"l{number}",
            branch_id=rng.choice(["b1", "b2", "nowhere", None]),
            staff_id=rng.choice(["s1", "s2", None]),
            source=rng.choice(["web", "fair", None]),
            status=status,
            created_at=created,
            updated_at=rng.choice([later, later, None]),
            converted_at=later if status == "converted" and rng.random() < 0.7 else None,
        )

    def put_change(self, tenant: str, number: int) -> None:
        self.put(
            "lead_status_changes",
            tenant_id=tenant,
            change_id=f"c{number}",
            lead_id=f"l{self.rng.randint(1, 64)}",
            status=self.rng.choice(STATUSES),
            changed_at=self.moment(),
        )

    def put_call(self, tenant: str, number: int) -> None:
        rng = self.rng
        self.put(
            "calls",
            tenant_id=tenant,
            call_id=f"k{number}",
            lead_id=rng.choice([f"l{rng.randint(1, 70)}", None]),
            branch_id=rng.choice(["b1", "b2", None]),
            staff_id=rng.choice(["s1", "s2", None]),
            direction=rng.choice(["inbound", "outbound"]),
            status=rng.choice(["completed", "completed", "missed", "failed"]),
            outcome=rng.choice(["interested", "callback", None]),
            started_at=self.moment(),
            duration_seconds=rng.choice([None, -5, 0, rng.randint(1, 900)]),
        )

    def correct(self) -> None:
        """Late rows, moves from day to day and branch to branch, another status, deletions, tombstones."""
        for tenant in ("ber", "nyc"):
            for number in (*self.rng.sample(range(13, 61), 12), 61, 62):
                self.put_lead(tenant, number)
            for number in (*self.rng.sample(range(13, 121), 15), 121, 122):
                self.put_call(tenant, number)
            for number in (3, 51):
                self.put_change(tenant, number)
            self.delete("leads", tenant, "l5")
            self.bury("leads", tenant, "l6")
            self.delete("lead_status_changes", tenant, "c9")
            self.delete("calls", tenant, "k11")
            self.bury("calls", tenant, "k12")


@pytest.fixture
def world(settings: Settings) -> Iterator[World]:
    made = World(settings)
    yield made
    made.conn.close()


@pytest.fixture
def leads_world(world: World) -> World:
    # Kiritimati and Pago Pago are 25 hours apart.
    for tenant, zone, branch_zone, week_start in (
        ("ber", "Europe/Berlin", "America/Los_Angeles", "monday"),
        ("nyc", "America/New_York", "America/Los_Angeles", "sunday"),
        ("kir", "Pacific/Kiritimati", "Pacific/Pago_Pago", "monday"),
    ):
        world.put("tenants", tenant_id=tenant, name=tenant, timezone=zone, week_start=week_start)
        world.put("branches", tenant_id=tenant, branch_id="b1", name="One", timezone=None)
        world.put("branches", tenant_id=tenant, branch_id="b2", name="Two", timezone=branch_zone)
        for number in range(1, 61):
            world.put_lead(tenant, number)
        for number in range(1, 51):
            world.put_change(tenant, number)
        for number in range(1, 121):
            world.put_call(tenant, number)
    return world
