"""Writing generated tenants: set-based SQL on the server, in slices, so that memory stays flat at any size.

Belongs here: the order of the statements, their slices and transactions. Does not belong here: what the rows
look like (sql/) and how many there are (plans.py).
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, fields
from functools import cache
from importlib.resources import files
from typing import Any

import psycopg
from psycopg import sql

from orchestration.errors import MetricpressError
from orchestration.sources.generate.plans import GenerateOptions, TenantPlan, tenant_plans

#: Told after every statement: tenant, table, rows of the tenant's plan worked through since the last call.
Progress = Callable[[str, str, int], None]
Connection = psycopg.Connection[tuple[Any, ...]]

#: Rows a statement makes at most: what the change triggers hold at a time.
SLICE = 100_000
#: Statement files in order; with an attribute of the plan: made in slices of that many rows.
STEPS: tuple[tuple[str, str | None], ...] = (
    ("house", None),
    ("customers", "customers"),
    ("users", "users"),
    ("sessions", "sessions"),
    ("activation_events", "users"),
    ("leads", None),
    ("calls", "calls"),
    ("subscriptions", None),
    ("billing", None),
    ("subscription_rows", None),
    ("spend", None),
    ("collaborations", None),
    ("jobs", "jobs"),
    ("api_requests", "api_requests"),
    ("health_checks", None),
)
#: Temporary tables of the statement files.
TEMPORARY = ("plan", "lead_paths", "subscription_lives", "billing_terms", "bills", "overdue")
COLUMN_TYPES = {
    "seed": "bigint",
    "first_day": "date",
    "days": "integer",
    "check_hours": "integer",
    "foreign_currencies": "text[]",
    "branch_names": "text[]",
    "staff_names": "text[]",
    "foreign_share": "double precision",
}
TEXT_COLUMNS = ("tenant_id", "name", "timezone", "currency", "week_start")


def generate(conn: Connection, options: GenerateOptions, progress: Progress | None = None) -> dict[str, int]:
    """Generate the tenants of `options`, each in one transaction; returns new rows by raw table.

    Running the same options again adds nothing. Raises MetricpressError for options out of range and for a
    tenant that was generated with other options.
    """
    written: Counter[str] = Counter()
    for plan in tenant_plans(options, last_day(options)):
        written.update(generate_tenant(conn, plan, progress))
    return dict(written)


def generate_tenant(conn: Connection, plan: TenantPlan, progress: Progress | None = None) -> dict[str, int]:
    """Generate one tenant with everything of the raw contract; returns new rows by raw table."""
    with conn.transaction():
        if not _register(conn, plan):
            if progress:
                progress(plan.tenant_id, "tenants", planned_rows(plan))
            return {}
        written = Counter({"tenants": 1})
        prepare(conn, plan)
        for name, sized_by in STEPS:
            written.update(run_step(conn, plan, name, sized_by, progress))
        return dict(written)


def last_day(options: GenerateOptions) -> dt.date:
    """The last day to generate: the one asked for, else yesterday in UTC."""
    return options.end or dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)


def planned_rows(plan: TenantPlan) -> int:
    """What `progress` adds up to for a tenant: the rows of all sliced steps."""
    return sum(getattr(plan, sized_by) for _, sized_by in STEPS if sized_by)


def prepare(conn: Connection, plan: TenantPlan) -> None:
    """Make the generator's functions and the one-row table pg_temp.plan, for the present transaction."""
    conn.execute(statements("functions"))
    values = {
        name: list(value) if isinstance(value, tuple) else value for name, value in asdict(plan).items()
    }
    columns = [
        sql.SQL("{}::{} as {}").format(
            sql.Placeholder(field.name), sql.SQL(_column_type(field.name)), sql.Identifier(field.name)
        )
        for field in fields(plan)
    ]
    for table in TEMPORARY:  # of the tenant before, when the caller's transaction goes on
        conn.execute(sql.SQL("drop table if exists {}").format(sql.Identifier("pg_temp", table)))
    conn.execute("set local synchronous_commit = off")
    conn.execute("set local jit = off")  # compiling costs seconds a statement and gains nothing here
    conn.execute(
        sql.SQL(
            "create temporary table plan on commit drop as"
            " select *, (first_day + days)::timestamp at time zone timezone as end_at from (select {}) as p"
        ).format(sql.SQL(", ").join(columns)),
        values,
    )


def run_step(
    conn: Connection,
    plan: TenantPlan,
    name: str,
    sized_by: str | None = None,
    progress: Progress | None = None,
) -> dict[str, int]:
    """Run one statement file, in slices when `sized_by` names an attribute of the plan; new rows by table."""
    script = statements(name)
    if sized_by is None:
        written = _inserted(script, conn.execute(script))
        if progress:
            progress(plan.tenant_id, name, 0)
        return written
    total: Counter[str] = Counter()
    rows = getattr(plan, sized_by)
    for first in range(1, rows + 1, SLICE):
        last = min(rows, first + SLICE - 1)
        total.update(_inserted(script, conn.execute(script, {"first": first, "last": last})))
        if progress:
            progress(plan.tenant_id, name, last - first + 1)
    return dict(total)


@cache
def statements(name: str) -> str:
    """The text of sql/<name>.sql."""
    return files(__package__).joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


def _column_type(name: str) -> str:
    return "text" if name in TEXT_COLUMNS else COLUMN_TYPES.get(name, "bigint")


def _inserted(script: str, cursor: psycopg.Cursor[tuple[Any, ...]]) -> dict[str, int]:
    """New rows by table: the results of the script's inserts in the order they stand in it."""
    counts = []
    while True:
        if (cursor.statusmessage or "").startswith("INSERT"):
            counts.append(cursor.rowcount)
        if not cursor.nextset():
            break
    tables = re.findall(r"^insert into raw\.(\w+)", script, flags=re.MULTILINE)
    return dict(zip(tables, counts, strict=True))


def _register(conn: Connection, plan: TenantPlan) -> bool:
    """Add the tenant; False when it stands there from the same plan, an error when from another."""
    extra = json.dumps({"generated": True, "plan": plan.fingerprint()})
    added = conn.execute(
        "insert into raw.tenants (tenant_id, name, timezone, currency, week_start, created_at, extra)"
        " values (%s, %s, %s, %s, %s, %s::timestamp at time zone %s, %s) on conflict do nothing",
        (
            plan.tenant_id,
            plan.name,
            plan.timezone,
            plan.currency,
            plan.week_start,
            plan.first_day,
            plan.timezone,
            extra,
        ),
    ).rowcount
    if added:
        return True
    found = conn.execute(
        "select extra ->> 'plan', deleted_at is not null from raw.tenants where tenant_id = %s",
        (plan.tenant_id,),
    ).fetchone()
    if found is None or found[0] != plan.fingerprint() or found[1]:
        raise MetricpressError(
            f'tenant "{plan.tenant_id}" exists and was not generated with these options',
            remedy=f"Take another --seed, or remove it first: metricpress tenants remove {plan.tenant_id}",
        )
    return False
