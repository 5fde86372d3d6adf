"""Histories: what users, loaders, clocks and failures do to a warehouse, and how a history is played.

A history is a list of operations that prints as one line each. Which histories are tried is decided in
strategies.py, how builds run in replay.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

import psycopg
from psycopg import sql

from orchestration.settings import Settings
from orchestration.warehouse.contract import TABLES
from tests.integration.exact import replay
from tests.integration.exact.replay import Connection, Project

#: One more than any local day reaches west or east of UTC.
WEST, EAST = timedelta(hours=12), timedelta(hours=14)


@dataclass(frozen=True)
class Write:
    """One statement on a table of schema raw or reporting; key columns name the row."""

    action: str  # put, delete, tombstone, restore, give (to another tenant)
    table: str
    key: tuple[tuple[str, Any], ...]
    values: tuple[tuple[str, Any], ...] = ()

    def __repr__(self) -> str:
        key = " ".join(str(value) for _, value in self.key)
        told = self.values if self.action in ("put", "set", "give") else ()
        shown = [f"{k}={v}" for k, v in told if v is not None or self.action == "set"]
        return " ".join([self.action, self.table, key, *shown])

    def run(self, connection: Connection) -> None:
        """Carry it out; what the database's rules refuse did not happen."""
        statement, parameters = self.statement()
        try:
            with connection.transaction():
                connection.execute(statement, parameters)
        except (psycopg.errors.CheckViolation, psycopg.errors.UniqueViolation):
            return

    def statement(self) -> tuple[sql.Composed, list[Any]]:
        schema, _, table = self.table.rpartition(".")
        name = sql.Identifier(schema or "raw", table)
        where = sql.SQL(" and ").join(
            sql.SQL("{} = {}").format(sql.Identifier(k), sql.Placeholder()) for k, _ in self.key
        )
        keys = [value for _, value in self.key]
        values = [value for _, value in self.values]
        pairs = sql.SQL(", ").join(
            sql.SQL("{} = {}").format(sql.Identifier(k), sql.Placeholder()) for k, _ in self.values
        )
        if self.action == "delete":
            return sql.SQL("delete from {} where {}").format(name, where), keys
        if self.action == "truncate":
            return sql.SQL("truncate {}").format(name), []
        if self.action in ("tombstone", "restore"):
            gone = sql.SQL("'2025-03-30'" if self.action == "tombstone" else "null")
            return sql.SQL("update {} set deleted_at = {} where {}").format(name, gone, where), keys
        if self.action in ("give", "set"):
            return sql.SQL("update {} set {} where {}").format(name, pairs, where), values + keys
        columns = [k for k, _ in (*self.key, *self.values)]
        renewed = ["deleted_at", "loaded_at"] if not schema else []
        return (
            sql.SQL("insert into {} ({}) values ({}) on conflict ({}) do update set {}").format(
                name,
                sql.SQL(", ").join(map(sql.Identifier, columns)),
                sql.SQL(", ").join(sql.Placeholder() * len(columns)),
                sql.SQL(", ").join(sql.Identifier(k) for k, _ in self.key),
                sql.SQL(", ").join(
                    [sql.SQL("{0} = excluded.{0}").format(sql.Identifier(k)) for k, _ in self.values]
                    + [sql.SQL("{0} = excluded.{0}").format(sql.Identifier(k)) for k in renewed]
                ),
            ),
            keys + values,
        )


@dataclass(frozen=True)
class Build:
    """A build after the clock moved on; it may fail on the way, or rows may be committed while it runs.

    `fails_at` and `during` are parts of the way through the models, in percent.
    """

    step: timedelta = timedelta(0)
    by_day: bool = False
    tenant: str | None = None
    forced_days: int | None = None
    fails_at: int | None = None
    meanwhile: tuple[Write, ...] = ()
    during: int = 50

    def __repr__(self) -> str:
        parts = [f"build {self.step} later"]
        if self.by_day:
            parts.append("as of the end of a day")
        if self.tenant:
            parts.append(f"of {self.tenant} alone")
        if self.forced_days is not None:
            parts.append(f"forcing {self.forced_days} days")
        if self.fails_at is not None:
            parts.append(f"failing at {self.fails_at} %")
        if self.meanwhile:
            parts.append(f"while {list(self.meanwhile)} is loaded, committed at {self.during} %")
        return ", ".join(parts)


@dataclass(frozen=True)
class History:
    """What happens, in order; `start` is the clock of the first build."""

    start: datetime
    operations: tuple[Write | Build, ...]

    def __repr__(self) -> str:
        return f"from {self.start:%Y-%m-%d %H:%M} UTC\n" + "\n".join(f"  {op!r}" for op in self.operations)


class Player:
    """Plays operations on a database of its own and knows the clock."""

    def __init__(self, project: Project, settings: Settings, start: datetime) -> None:
        self.project, self.settings, self.clock = project, settings, start
        #: What as_of the next build must have at least for every tenant's clock to move on.
        self.as_of: Any = start
        self.raw = replay.connect(settings, autocommit=True)
        self.models = replay.connect(settings, "pipeline", autocommit=True)
        self.models.execute("set jit = off")

    def close(self) -> None:
        self.raw.close()
        self.models.close()

    def play(self, history: History) -> str:
        """All operations and a last build of all tenants; how its tables differ from a full refresh."""
        for operation in history.operations:
            if isinstance(operation, Write):
                operation.run(self.raw)
            else:
                self.build(operation)
        self.build(Build())
        return self.check()

    def check(self) -> str:
        """How the tables differ from a full refresh at the same clock."""
        incremental = replay.content(self.models, self.project)
        return replay.differences(self.project, incremental, replay.full_content(self.models, self.project))

    def build(self, build: Build) -> None:
        self._move_clock(build)
        forced = None
        if build.forced_days is not None:
            last = self.clock.date()
            forced = (last - timedelta(days=build.forced_days), last)
        count = len(self.project.models)
        loading: Connection | None = None
        during = None
        if build.meanwhile:
            loading = replay.connect(self.settings)
            loading.execute("select 1")  # begins the transaction that its writes become savepoints of
            for write in build.meanwhile:
                write.run(loading)
            during = (count * build.during // 100, loading.commit)
        try:
            replay.replay(
                self.project,
                self.settings,
                self.models,
                as_of=self.as_of,
                tenant=build.tenant if self._exists(build.tenant) else None,
                forced=forced,
                fails_at=None if build.fails_at is None else count * build.fails_at // 100,
                during=during,
            )
        except replay.KilledError:
            assert build.fails_at is not None
        finally:
            if loading is not None:
                loading.commit()
                loading.close()

    def _move_clock(self, build: Build) -> None:
        if build.by_day:
            # The end of this day lies after the clock of every tenant, wherever it is.
            day = (self.clock + build.step + EAST).date()
            self.as_of, self.clock = day, datetime.combine(day, time(), UTC) + timedelta(days=1) + WEST
        elif build.step or not isinstance(self.as_of, datetime):
            self.clock += build.step
            self.as_of = self.clock

    def _exists(self, tenant: str | None) -> bool:
        found = self.raw.execute("select 1 from raw.tenants where tenant_id = %s", (tenant,)).fetchone()
        return found is not None


def put(table: str, tenant: str | None, key: Any, **values: Any) -> Write:
    """A row as a history writes it: `put("sessions", "t0", "s1", user_id="u1", started_at=...)`."""
    keys = TABLES[table].key
    named = tuple(zip(keys, key if isinstance(key, tuple) else (key,), strict=True)) if keys else ()
    return Write("put", table, ((("tenant_id", tenant),) if tenant else ()) + named, tuple(values.items()))


def act(action: str, table: str, tenant: str, key: Any) -> Write:
    """`act("delete", "sessions", "t0", "s1")`; also tombstone and restore."""
    return Write(action, table, put(table, tenant, key).key)
