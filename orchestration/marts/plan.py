"""What a build has to repair, and up to when: the plan of one build.

Belongs here: the tenants' clocks and settings, and the order in which dirt is gathered into schema `build`.
Does not belong here: how changes become dirt (dirt.py), the SQL of the models (dbt_project/) and running them
(build.py).

The plan is one transaction. It takes away the recorded changes that are committed by then; a load that
commits later is seen by the next build. What it writes stays until a build completes, so a failed build loses
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from orchestration.errors import MetricpressError
from orchestration.marts import dirt, portfolio, unrecorded
from orchestration.marts.raw_rows import recount_rows
from orchestration.warehouse.contract import TABLES

#: Settings and identity that figures depend on: a change of one dirties the tenant.
_TENANT_FACTS = """name, timezone, currency, week_start, gross_margin, past_due_days, churn_on,
    activation_events, mau_window_days, retention_cohorts, clock_stops_at"""
_CLOCK = "as_of, as_of_date, complete_date"
#: Tenants that no build can compute, as rows of the mart data_problems: a timezone came past its check.
_UNUSABLE_TENANTS = """
    select
        tenant_id, 'unknown_timezone' as kind, 'raw.tenants' as table_name, tenant_id as key,
        'error' as severity,
        'PostgreSQL does not know the timezone ' || quote_literal(timezone) as message,
        'Give an IANA name such as Europe/Lisbon. The tenant''s marts stay as they are.' as remedy
    from raw.tenants
    where deleted_at is null and not raw.is_timezone(timezone)
    union all
    select
        b.tenant_id, 'unknown_timezone', 'raw.branches', b.branch_id, 'error',
        'PostgreSQL does not know the timezone ' || quote_literal(b.timezone),
        'Give an IANA name such as Europe/Lisbon, or none. The tenant''s marts stay as they are.'
    from raw.branches as b
    join raw.tenants as t on t.tenant_id = b.tenant_id and t.deleted_at is null
    where b.deleted_at is null and b.timezone is not null and not raw.is_timezone(b.timezone)
"""


@dataclass(frozen=True)
class Request:
    """What was asked for: a moment or a bare local day (None: now), all tenants or one, forced days."""

    as_of: datetime | date | None = None
    full_refresh: bool = False
    tenant: str | None = None
    forced: tuple[date, date] | None = None

    @property
    def moment(self) -> datetime | None:
        """The moment asked for, when it was one."""
        return self.as_of if isinstance(self.as_of, datetime) else None

    @property
    def day(self) -> date | None:
        """The bare day asked for, when it was one."""
        return None if self.as_of is None or isinstance(self.as_of, datetime) else self.as_of


@dataclass(frozen=True)
class Plan:
    """What the plan found: tenants in the build, spans and entities to repair, whether anything is to do."""

    build_id: UUID
    tenants: int
    spans: int
    entities: int

    @property
    def is_empty(self) -> bool:
        """Nothing to repair."""
        return self.spans == 0 and self.entities == 0


def make_plan(conn: psycopg.Connection, build_id: UUID, request: Request, *, models_stand: bool) -> Plan:
    """Write the plan of one build in the caller's transaction.

    `models_stand`: the models' tables come from the SQL of today, so the plan may look into them; where they
    come from another, or do not exist, the build makes all of them anew.
    Raises MetricpressError when the tenant is unknown or as_of would go back in time without a full refresh.
    """
    _require_tables(conn)
    if request.tenant is not None:
        _require_tenant(conn, request.tenant)
    _move_clocks(conn, request)
    _refuse_going_back(conn, request)
    dirt.take_changes(conn, request.tenant)
    recount_rows(conn, everything=request.full_refresh)
    dirt.spread_changes(conn, models_stand=models_stand)
    portfolio.follow_currency_and_rates(conn)
    dirt.dirty_tenants(
        conn,
        _TENANT_FACTS,
        full_refresh=request.full_refresh and request.tenant is not None,
        models_stand=models_stand,
    )
    unrecorded.follow_clocks(conn, models_stand=models_stand)
    if models_stand:
        unrecorded.follow_ledger(conn)
    if request.forced is not None:
        dirt.force(conn, *request.forced)
    dirt.merge_spans(conn)
    _adopt_clocks(conn)
    counts = conn.execute(
        """
        select
            (select count(*) from build.tenants where in_build and not is_removed),
            (select count(*) from build.dirty_spans join build.tenants using (tenant_id) where in_build),
            (select count(*) from build.dirty_entities join build.tenants using (tenant_id) where in_build)
        """
    ).fetchone()
    assert counts is not None
    return Plan(build_id, *counts)


def _require_tables(conn: psycopg.Connection) -> None:
    there = {name for (name,) in conn.execute("select tablename from pg_tables where schemaname = 'raw'")}
    missing = sorted(TABLES.keys() - there)
    if missing:
        raise MetricpressError(
            f"The table {', '.join(f'raw.{name}' for name in missing)} is missing.",
            remedy="Restore it from a backup, or make it anew as in 0001_raw.sql of the migrations; "
            "an empty table is fine.",
        )


def _require_tenant(conn: psycopg.Connection, tenant: str) -> None:
    known = conn.execute(
        "select 1 from raw.tenants where tenant_id = %s "
        "union all select 1 from build.tenants where tenant_id = %s",
        (tenant, tenant),
    ).fetchone()
    if known is None:
        raise MetricpressError(
            f"There is no tenant {tenant!r}.", remedy="See `metricpress tenants list` for those there are."
        )


def _move_clocks(conn: psycopg.Connection, request: Request) -> None:
    """The tenants as they are now, each with its own as_of, in a temporary table beside build.tenants."""
    conn.execute(
        f"""
        create temporary table next_tenants on commit drop as
        with asked as (
            select
                t.tenant_id, t.name, t.timezone, t.currency, t.week_start,
                coalesce(s.gross_margin, 1) as gross_margin,
                s.past_due_days,
                coalesce(s.churn_on, 'end') as churn_on,
                coalesce(s.activation_events, '{{file_upload,worklog_creation,report_generation}}')
                    as activation_events,
                coalesce(s.mau_window_days, 30) as mau_window_days,
                coalesce(s.retention_cohorts, '{{first_activity,signup,first_payment}}') as retention_cohorts,
                s.clock_stops_at,
                least(
                    coalesce(
                        %(moment)s::timestamptz,
                        (%(day)s::date + 1)::timestamp at time zone t.timezone,
                        now()
                    ),
                    s.clock_stops_at
                ) as as_of
            from raw.tenants as t
            left join reporting.tenant_settings as s on s.tenant_id = t.tenant_id
            where
                t.deleted_at is null
                -- Told by unusable_tenants and left out.
                and t.tenant_id not in (select tenant_id from ({_UNUSABLE_TENANTS}) as unusable)
                and (%(tenant)s::text is null or t.tenant_id = %(tenant)s)
        )
        select
            *,
            ((as_of - interval '1 microsecond') at time zone timezone)::date as as_of_date,
            (as_of at time zone timezone)::date - 1 as complete_date
        from asked
        """,
        {"moment": request.moment, "day": request.day, "tenant": request.tenant},
    )


def _refuse_going_back(conn: psycopg.Connection, request: Request) -> None:
    if request.full_refresh:
        return
    late = conn.execute(
        """
        select n.tenant_id, b.as_of, n.as_of
        from next_tenants as n
        join build.tenants as b using (tenant_id)
        left join reporting.tenant_settings as s using (tenant_id)
        where n.as_of < b.as_of and n.as_of is distinct from s.clock_stops_at
        order by b.as_of desc
        limit 1
        """
    ).fetchone()
    if late is not None:
        tenant, built, asked = late
        raise MetricpressError(
            f"Tenant {tenant!r} has been built as of {built:%Y-%m-%d %H:%M %Z}; "
            f"{asked:%Y-%m-%d %H:%M %Z} would go back in time.",
            remedy="Add --full-refresh to build everything anew, or give a later --as-of.",
        )


def _adopt_clocks(conn: psycopg.Connection) -> None:
    conn.execute(
        f"""
        insert into build.tenants (
            tenant_id, {_TENANT_FACTS}, {_CLOCK}, in_build, is_removed
        )
        select tenant_id, {_TENANT_FACTS}, {_CLOCK}, true, false from next_tenants
        on conflict (tenant_id) do update set
            ({_TENANT_FACTS}, {_CLOCK}, in_build, is_removed) =
            ({dirt.qualified("excluded", f"{_TENANT_FACTS}, {_CLOCK}")}, true, false)
        """
    )
    conn.execute(
        """
        update build.tenants as b
        set
            is_removed = not known.is_known,
            in_build = not known.is_known
                or exists (select from next_tenants as n where n.tenant_id = b.tenant_id)
        from (
            select
                k.tenant_id,
                exists (
                    select from raw.tenants as t where t.tenant_id = k.tenant_id and t.deleted_at is null
                ) as is_known
            from build.tenants as k
        ) as known
        where known.tenant_id = b.tenant_id
        """
    )
    conn.execute("analyze build.tenants, build.dirty_spans, build.dirty_entities")


def unusable_tenants(conn: psycopg.Connection) -> list[dict[str, object]]:
    """Tenants that no build can compute, in the form of the mart data_problems."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_UNUSABLE_TENANTS.encode()).fetchall()


def pending(conn: psycopg.Connection) -> dict[str, object]:
    """What waits for a build: number of recorded changes and left-over spans; a cheap look for sensors."""
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            f"""
            select
                exists (select from raw.changes) as has_changes,
                exists (
                    select from build.dirty_spans
                    where tenant_id not in (select tenant_id from ({_UNUSABLE_TENANTS}) as unusable)
                ) as has_leftovers,
                (select max(started_at) from build.builds where status = 'complete') as last_complete
            """
        ).fetchone()
    assert row is not None
    return row
