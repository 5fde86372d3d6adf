"""One build of the marts at a time: lock, plan, dbt, checks, close.

Belongs here: the life of a build, whoever starts it (command line, Dagster, tests). Does not belong here:
what has to be repaired (plan.py), how dbt is called (dbt.py) and the figures themselves (dbt_project/).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from orchestration.errors import MetricpressError
from orchestration.marts.dbt import NodeResult, Progress, build_args, dbt_environment, project_hash, run_dbt
from orchestration.marts.plan import Plan, Request, make_plan, unusable_tenants
from orchestration.marts.portfolio import portfolio_problems
from orchestration.marts.published import record_published
from orchestration.settings import Settings
from orchestration.warehouse.audit import record_action
from orchestration.warehouse.connection import connect

#: Key of the advisory lock: one build at a time in a database.
BUILD_LOCK = 0x6D70_6275_696C_6421
LOCK_WAIT_SECONDS = 600
LOCK_POLL_SECONDS = 0.5
#: Rows up to which a mart is counted after a build rather than estimated.
EXACT_COUNT_BELOW = 20_000


@dataclass
class Build:
    """A build that holds the lock: what to run, and where its results are put before it closes."""

    build_id: UUID
    plan: Plan
    full_refresh: bool
    environment: dict[str, str]
    results: list[NodeResult] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Nothing changed and no clock moved: the marts stay as they are, dbt need not run."""
        return self.plan.is_empty and not self.full_refresh

    @property
    def dbt_args(self) -> list[str]:
        """Arguments of the one dbt command of this build."""
        return build_args(full_refresh=self.full_refresh)

    @property
    def failed_models(self) -> list[NodeResult]:
        """Nodes that ended in an error or were not reached because of one."""
        return [r for r in self.results if r.status in ("error", "fail", "skipped", "runtime error")]


@dataclass(frozen=True)
class BuildResult:
    """What a build did: rows of each mart afterwards and what it found wrong with tenants' data."""

    build_id: UUID
    status: str
    is_empty: bool
    marts: dict[str, int]
    problems: list[dict[str, Any]]
    failed_checks: list[dict[str, Any]]
    seconds: float

    @property
    def failed_tenants(self) -> list[str]:
        """Tenants with an error among the problems or a failed blocking check: their reports are held."""
        found = [*self.problems, *self.failed_checks]
        return sorted({row["tenant_id"] for row in found if row["severity"] == "error"})


def build(
    settings: Settings,
    *,
    as_of: datetime | date | None = None,
    full_refresh: bool = False,
    tenant: str | None = None,
    forced: tuple[date, date] | None = None,
    progress: Progress | None = None,
) -> BuildResult:
    """Bring the marts to `as_of`: a moment, or a bare date for the end of that local day (default: now).

    Raises MetricpressError when a model fails, another build holds the lock for too long, the tenant is
    unknown or as_of lies before what was built.
    """
    started = time.monotonic()
    if forced is not None or full_refresh:
        with connect(settings, "pipeline") as conn:
            record_backfill(conn, forced, tenant)
    with open_build(
        settings, as_of=as_of, full_refresh=full_refresh, tenant=tenant, forced=forced
    ) as current:
        if not current.is_empty:
            current.results = run_dbt(current.dbt_args, current.environment, progress)
    with connect(settings, "pipeline") as conn:
        return BuildResult(
            build_id=current.build_id,
            status="complete",
            is_empty=current.is_empty,
            marts=row_counts(conn),
            problems=[*unusable_tenants(conn), *_problems(conn), *portfolio_problems(conn)],
            failed_checks=_failed_checks(conn, current.build_id),
            seconds=time.monotonic() - started,
        )


def record_backfill(
    conn: psycopg.Connection, days: tuple[date, date] | None, tenant: str | None = None
) -> None:
    """Tell the audit log that a person has days, or with None everything, built anew."""
    name = "everything" if days is None else f"{days[0]} to {days[1]}"
    record_action(conn, "backfill", "marts", name, tenant=tenant)


@contextmanager
def open_build(
    settings: Settings,
    *,
    as_of: datetime | date | None = None,
    full_refresh: bool = False,
    tenant: str | None = None,
    forced: tuple[date, date] | None = None,
) -> Iterator[Build]:
    """Hold the lock, plan, and let the caller run dbt; then record the outcome.

    The caller puts the results of dbt into `Build.results`. A clean exit without failed models completes the
    build; anything else marks it failed and leaves the plan for the next one.
    """
    request = Request(as_of, full_refresh, tenant, forced)
    with connect(settings, "pipeline", autocommit=True, application_name="metricpress-build") as conn:
        _lock(conn)
        _gather_statistics(settings)
        current = _begin(conn, settings, request)
        try:
            yield current
            failed = current.failed_models
            if failed:
                raise MetricpressError(
                    _failure(failed), remedy="The next build repeats what is left.", exit_code=1
                )
            if not (current.is_empty or current.results):
                raise MetricpressError("dbt reported nothing for a build that had work to do.", exit_code=1)
            with conn.transaction():
                _record_checks(conn, current)
                _complete(conn, current)
        except BaseException as error:
            if not conn.closed:
                conn.execute(
                    "update build.builds set status = 'failed', error = %s, finished_at = clock_timestamp() "
                    "where build_id = %s",
                    (str(error) or type(error).__name__, current.build_id),
                )
            raise


def _lock(conn: psycopg.Connection) -> None:
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while True:
        row = conn.execute("select pg_try_advisory_lock(%s)", (BUILD_LOCK,)).fetchone()
        if row is not None and row[0]:
            return
        if time.monotonic() > deadline:
            raise MetricpressError(
                f"Another build has held the lock for {LOCK_WAIT_SECONDS} seconds.",
                remedy="Wait for it, or end it: `select * from build.builds where status = 'running'`.",
                exit_code=1,
            )
        time.sleep(LOCK_POLL_SECONDS)


def _gather_statistics(settings: Settings) -> None:
    """Tell the planner about raw tables it has never looked at, such as those just loaded."""
    with connect(settings, autocommit=True, application_name="metricpress-build") as conn:
        tables = conn.execute(
            "select relname from pg_stat_user_tables where schemaname = 'raw' and n_live_tup > 0 "
            "and last_analyze is null and last_autoanalyze is null"
        ).fetchall()
        for (table,) in tables:
            conn.execute(sql.SQL("analyze raw.{}").format(sql.Identifier(table)))


def last_project_hash(conn: psycopg.Connection) -> str | None:
    """Hash of the models' SQL that made the marts as they are; None before the first complete build."""
    row = conn.execute(
        "select project_hash from build.builds where status = 'complete' and project_hash is not null "
        "order by started_at desc limit 1"
    ).fetchone()
    return row[0] if row else None


def _begin(conn: psycopg.Connection, settings: Settings, request: Request) -> Build:
    with conn.transaction():
        # Whoever holds the lock is the only build: others still marked as running were killed.
        conn.execute(
            "update build.builds set status = 'failed', error = 'ended without a word', "
            "finished_at = clock_timestamp() where status = 'running'"
        )
        current_hash = project_hash()
        models_stand = last_project_hash(conn) == current_hash
        full_refresh = (request.full_refresh and request.tenant is None) or not models_stand
        row = conn.execute(
            """
            insert into build.builds (
                as_of, as_of_date, tenant_id, full_refresh, forced_from, forced_to, project_hash, snapshot
            )
            values (%s, %s, %s, %s, %s, %s, %s, pg_current_snapshot()) returning build_id
            """,
            (
                request.moment,
                request.day,
                request.tenant,
                full_refresh,
                *(request.forced or (None, None)),
                current_hash,
            ),
        ).fetchone()
        assert row is not None
        plan = make_plan(conn, row[0], request, models_stand=models_stand)
        if full_refresh:
            # dbt rebuilds every tenant's rows: those that were not asked for keep their own clock.
            conn.execute("update build.tenants set in_build = true")
    return Build(row[0], plan, full_refresh, dbt_environment(settings))


#: What the plan and the models wrote for this build.
_WORK_TABLES = (
    "dirty_spans", "dirty_entities", "dirty_tenants", "changed_days", "changed_entities", "consumed_loads",
)  # fmt: skip


def _complete(conn: psycopg.Connection, current: Build) -> None:
    record_published(conn, current.build_id)
    for table in _WORK_TABLES:
        conn.execute(
            sql.SQL(
                "delete from build.{} as d using build.tenants as t "
                "where t.tenant_id = d.tenant_id and t.in_build"
            ).format(sql.Identifier(table))
        )
    conn.execute("delete from build.tenants where is_removed and in_build")
    if current.full_refresh:
        # A mart that is no longer among the models would hold every report as one of an earlier build.
        conn.execute("delete from build.mart_state where build_id <> %s", (current.build_id,))
    conn.execute(
        "update build.builds set status = 'complete', finished_at = clock_timestamp() where build_id = %s",
        (current.build_id,),
    )


def _record_checks(conn: psycopg.Connection, current: Build) -> None:
    """The outcome of each data test: a row for each tenant with failing rows, or one row when it is clean."""
    for result in current.results:
        if result.kind != "test":
            continue
        severity = "error" if result.blocking else "warn"
        name = (current.build_id, result.mart or "(project)", result.name, severity)
        counts = _failures_by_tenant(conn, result.relation) if result.failures else []
        for tenant_id, failed_rows in counts or [(None, result.failures)]:
            conn.execute(
                """
                insert into reporting.check_results (
                    build_id, mart, check_name, severity, tenant_id, failed_rows
                )
                values (%s, %s, %s, %s, %s, %s)
                """,
                (*name, tenant_id or "(all)", failed_rows),
            )


def _failures_by_tenant(conn: psycopg.Connection, relation: str | None) -> Sequence[tuple[str | None, int]]:
    """Failing rows by tenant, from where dbt stored them; a test without tenant_id concerns all tenants."""
    if relation is None:
        return []
    columns = conn.execute(
        "select attname from pg_attribute where attrelid = to_regclass(%s) and attnum > 0", (relation,)
    ).fetchall()
    if ("tenant_id",) not in columns:
        return []
    # The relation's name comes from dbt's manifest, quoted there.
    query = f"select tenant_id, count(*) from {relation} group by 1 order by 1"
    return conn.execute(query.encode()).fetchall()


def row_counts(conn: psycopg.Connection) -> dict[str, int]:
    """Rows of each mart; of those above EXACT_COUNT_BELOW PostgreSQL's estimate: a count reads them whole."""
    estimates = conn.execute(
        "select c.relname, c.reltuples::bigint from pg_class as c "
        "where c.relnamespace = to_regnamespace('marts') and c.relkind = 'r' order by 1"
    ).fetchall()
    small = [name for name, rows in estimates if rows <= EXACT_COUNT_BELOW]
    if not small:
        return dict(estimates)
    counts = sql.SQL(" union all ").join(
        sql.SQL("select {}, count(*) from {}").format(sql.Literal(name), sql.Identifier("marts", name))
        for name in small
    )
    return {**dict(estimates), **dict(conn.execute(counts).fetchall())}


def _problems(conn: psycopg.Connection) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        if cursor.execute("select to_regclass('marts.data_problems') as mart").fetchone() == {"mart": None}:
            return []
        return cursor.execute(
            "select tenant_id, kind, table_name, key, severity, message, remedy from marts.data_problems "
            "where severity <> 'info' order by severity, tenant_id, kind, key"
        ).fetchall()


def _failed_checks(conn: psycopg.Connection, build_id: UUID) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "select tenant_id, mart, check_name, severity, failed_rows from reporting.check_results "
            "where build_id = %s and failed_rows > 0 order by severity, tenant_id, check_name",
            (build_id,),
        ).fetchall()


def _failure(failed: Sequence[NodeResult]) -> str:
    broken = [r for r in failed if r.status != "skipped"] or list(failed)
    first = broken[0]
    more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
    return f"{first.kind} {first.name} failed{more}: {first.message.strip()}"
