"""Data for bench_marts: a year of generated businesses, its last days held back to arrive one by one.

Belongs here: making, holding back, shortening raw rows. Does not belong here: what is measured on them.

A day that arrives brings the rows that began on it, and the changes of older leads, subscriptions, invoices
and collaborations that happened on it, each as one upsert a table, as a loader would.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from orchestration.settings import Settings
from orchestration.sources.generate import GenerateOptions, generate
from orchestration.warehouse.contract import TABLES
from orchestration.warehouse.migrate import migrate

Connection = psycopg.Connection[Any]

#: At scale 1: what the issue on cost names.
FULL_SIZE = {
    "sessions": 10_000_000,
    "users": 200_000,
    "leads": 285_000,
    "calls": 715_000,
    "subscriptions": 100_000,
}
TENANTS, DAYS = 20, 365
LAST_DAY = dt.date(2026, 6, 30)
#: Days of the short history, a tenth of the long one.
SHORT_DAYS = 36
#: Raw tables whose rows come with their day -> the column that decides it.
FLOWS = {
    "sessions": "started_at",
    "activation_events": "occurred_at",
    "jobs": "started_at",
    "leads": "created_at",
    "lead_status_changes": "changed_at",
    "calls": "started_at",
    "invoices": "issued_at",
    "payments": "attempted_at",
    "collaborations": "created_at",
    "satisfaction_scores": "scored_at",
    "api_requests": "requested_at",
    "health_checks": "checked_at",
    "marketing_spend": "spend_date",
}
STOCKS = {
    "users": "signed_up_at",
    "customers": "created_at",
    "subscriptions": "started_at",
    "subscription_changes": "changed_at",
}
#: Rows that change later: table -> (moment of the change, what the row was before it).
LATER = {
    "leads": (
        "updated_at",
        """status = coalesce((
            select c.status from raw.lead_status_changes as c
            where c.tenant_id = r.tenant_id and c.lead_id = r.lead_id
            order by c.changed_at desc limit 1
        ), 'new'), updated_at = r.created_at, converted_at = null""",
    ),
    "subscriptions": (
        "updated_at",
        """status = case when r.ended_at is not null then 'active' else r.status end, ended_at = null,
        canceled_at = null, cancel_at = null, updated_at = r.started_at""",
    ),
    "invoices": ("paid_at", "status = 'open', amount_paid = 0, paid_at = null"),
    "collaborations": ("last_activity_at", "last_activity_at = r.created_at"),
}


@dataclass(frozen=True)
class Sizes:
    """How much to generate."""

    scale: float

    def options(self) -> GenerateOptions:
        """What is generated, over all tenants."""
        counts = {name: max(TENANTS, round(rows * self.scale)) for name, rows in FULL_SIZE.items()}
        return GenerateOptions(tenants=TENANTS, days=DAYS, end=LAST_DAY, seed=7, **counts)


def settings_of(settings: Settings, url: str, database: str) -> Settings:
    """The same installation with another database of the server."""
    own = urlunsplit(urlsplit(url)._replace(path=f"/{database}"))
    return Settings(home=settings.home, output_dir=settings.output_dir, database_url=own)


def make_long(settings: Settings, sizes: Sizes, first_held: dt.date, tell: Callable[[str], None]) -> None:
    """A migrated database with a year of data, the days from `first_held` on held back."""
    migrate(settings)
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url, autocommit=True) as conn:
        conn.execute("set synchronous_commit = off")
        done = set()

        def progress(tenant: str, _table: str, _rows: int) -> None:
            if tenant not in done:
                done.add(tenant)
                tell(f"generating {tenant} ({len(done)} of {TENANTS})")

        generate(conn, sizes.options(), progress)
        tell("holding days back")
        _hold_back(conn, first_held)
    vacuum(settings)


def make_short(settings: Settings, first_held: dt.date) -> None:
    """Shorten a copy of the long history: the same business, recorded for a tenth of the time."""
    first_day = first_held - dt.timedelta(days=SHORT_DAYS)
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url, autocommit=True) as conn, conn.transaction():
        conn.execute("set local session_replication_role = replica")
        for table, moment in FLOWS.items():
            conn.execute(
                sql.SQL(
                    "create temporary table kept on commit drop as select r.* from raw.{0} as r "
                    "join raw.tenants as t using (tenant_id) where {1} >= %s"
                ).format(sql.Identifier(table), _local_day(table, moment)),
                (first_day,),
            )
            conn.execute(sql.SQL("truncate raw.{}").format(sql.Identifier(table)))
            conn.execute(sql.SQL("insert into raw.{} select * from kept").format(sql.Identifier(table)))
            conn.execute("drop table kept")
        conn.execute("delete from raw.subscriptions where ended_at < %s", (first_day,))
        conn.execute(
            "delete from raw.subscription_changes as c where not exists (select from raw.subscriptions as s "
            "where s.tenant_id = c.tenant_id and s.subscription_id = c.subscription_id)"
        )
        conn.execute("delete from raw.changes")
    vacuum(settings)


def vacuum(settings: Settings) -> None:
    """Leave no housekeeping to be done while something is measured."""
    assert settings.database_url is not None
    with psycopg.connect(settings.database_url, autocommit=True) as conn:
        conn.execute("vacuum (analyze)")
        conn.execute("checkpoint")


def stop_clocks(url: str, day: dt.date) -> None:
    """No build goes past `day`: the generated businesses end with their data."""
    with psycopg.connect(url) as conn:
        conn.execute(
            "insert into reporting.tenant_settings (tenant_id, clock_stops_at) "
            "select tenant_id, (%s::date + 1)::timestamp at time zone timezone from raw.tenants "
            "on conflict (tenant_id) do update set clock_stops_at = excluded.clock_stops_at",
            (day,),
        )


def _local_day(table: str, moment: str) -> sql.Composable:
    if moment == "spend_date":
        return sql.SQL("r.spend_date")
    return sql.SQL("(r.{} at time zone t.timezone)::date").format(sql.Identifier(moment))


def _hold_back(conn: Connection, first_held: dt.date) -> None:
    with conn.transaction():
        conn.execute("set local session_replication_role = replica")
        conn.execute("create schema held")
        for table, moment in (FLOWS | STOCKS).items():
            conn.execute(
                sql.SQL(
                    "create table held.{0} as select r.*, {1} as held_day from raw.{0} as r "
                    "join raw.tenants as t using (tenant_id) where {1} >= %s"
                ).format(sql.Identifier(table), _local_day(table, moment)),
                (first_held,),
            )
            conn.execute(
                sql.SQL("delete from raw.{0} as r using raw.tenants as t "
                    "where t.tenant_id = r.tenant_id and {1} >= %s")
                .format(sql.Identifier(table), _local_day(table, moment)),
                (first_held,),
            )  # fmt: skip
        for table, (moment, before) in LATER.items():
            conn.execute(
                sql.SQL(
                    "insert into held.{0} select r.*, {1} from raw.{0} as r "
                    "join raw.tenants as t using (tenant_id) where {1} >= %s"
                ).format(sql.Identifier(table), _local_day(table, moment)),
                (first_held,),
            )
            conn.execute(
                sql.SQL(
                    "update raw.{0} as r set {2} from raw.tenants as t "
                    "where t.tenant_id = r.tenant_id and {1} >= %s"
                ).format(sql.Identifier(table), _local_day(table, moment), sql.SQL(before)),
                (first_held,),
            )
        conn.execute("delete from raw.changes")


def arrive(settings: Settings, day: dt.date) -> int:
    """Load what belongs to a day; rows written."""
    assert settings.database_url is not None
    written = 0
    with psycopg.connect(settings.database_url) as conn:
        for table in FLOWS | STOCKS:
            columns = [sql.Identifier(name) for name in _columns(conn, table)]
            statement = sql.SQL(
                "insert into raw.{0} ({1}) select {1} from held.{0} where held_day = %s "
                "on conflict ({2}) do update set ({1}) = row({3})"
            ).format(
                sql.Identifier(table),
                sql.SQL(", ").join(columns),
                sql.SQL(", ").join(map(sql.Identifier, TABLES[table].primary_key)),
                sql.SQL(", ").join(sql.SQL("excluded.{}").format(column) for column in columns),
            )
            written += conn.execute(statement, (day,)).rowcount
    return written


def arrive_late(settings: Settings, day: dt.date) -> int:
    """A session, a call, a lead's change and an event that come for a day long closed; rows written."""
    assert settings.database_url is not None
    written = 0
    with psycopg.connect(settings.database_url) as conn:
        for table in ("sessions", "calls", "lead_status_changes", "activation_events"):
            columns = _columns(conn, table)
            key, moment = TABLES[table].key[0], FLOWS[table]
            own = {key: sql.SQL("'late-' || r.{}").format(sql.Identifier(key)), "loaded_at": sql.SQL("now()")}
            statement = sql.SQL(
                "insert into raw.{0} ({1}) select {2} from raw.{0} as r join raw.tenants as t "
                "using (tenant_id) where r.{3} >= %(day)s::timestamp at time zone t.timezone and "
                "r.{3} < (%(day)s::date + 1)::timestamp at time zone t.timezone order by r.{4} limit 1"
            ).format(
                sql.Identifier(table),
                sql.SQL(", ").join(map(sql.Identifier, columns)),
                sql.SQL(", ").join(own.get(c) or sql.SQL("r.{}").format(sql.Identifier(c)) for c in columns),
                sql.Identifier(moment),
                sql.Identifier(key),
            )
            written += conn.execute(statement, {"day": day}).rowcount
    return written


def _columns(conn: Connection, table: str) -> list[str]:
    """The columns of a raw table as they are in the database."""
    found = conn.execute(
        "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 "
        "and not attisdropped order by attnum",
        (f"raw.{table}",),
    )
    return [name for (name,) in found]
