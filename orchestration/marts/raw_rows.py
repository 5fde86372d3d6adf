"""How many rows each raw table holds, by tenant: kept by the plan from the recorded changes.

Belongs here: build.row_counts. Does not belong here: what is wrong with rows (dbt_project/macros/quality) and
which days a change touches (dirt.py).

Counting ten million sessions at each build would cost more than the build. So each recorded change tells what
it did to the number of rows, and the plan adds that up in the transaction that takes the change away: once,
whatever becomes of the build. Where changes cannot tell (truncate), or should not be trusted (full refresh),
the table is counted.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

from orchestration.warehouse.contract import TABLES

#: Tenant of rows in tables without one.
NO_TENANT = "(all)"
#: raw.tenants has so few rows that whoever wants to know counts them.
COUNTED_TABLES = tuple(name for name in TABLES if name != "tenants")


def recount_rows(conn: psycopg.Connection, *, everything: bool) -> None:
    """Count the tables that were truncated, or all of them, in place of what their changes told.

    Expects the temporary table taken of the plan.
    """
    truncated = {
        name for (name,) in conn.execute("select distinct table_name from taken where op = 'truncate'")
    }
    for table in COUNTED_TABLES:
        if everything or table in truncated:
            _recount(conn, table)


def _recount(conn: psycopg.Connection, table: str) -> None:
    """One statement, so one snapshot: rows and changes that it does not see belong together."""
    tenant = sql.Identifier("tenant_id") if TABLES[table].per_tenant else sql.Literal(NO_TENANT)
    conn.execute(
        sql.SQL(
            """
            with in_the_count as (
                update raw.changes set net_rows = 0, net_tombstones = 0
                where table_name = {name} and (net_rows <> 0 or net_tombstones <> 0)
            ),
            counted as (
                select {tenant} as tenant_id, count(*) as raw_rows, count(deleted_at) as tombstones,
                    max(loaded_at) as newest_loaded_at
                from raw.{table} group by 1
            ),
            emptied as (
                update build.row_counts as c set raw_rows = 0, tombstones = 0
                where c.table_name = {name}
                    and not exists (select from counted where counted.tenant_id = c.tenant_id)
            )
            insert into build.row_counts as c (tenant_id, table_name, raw_rows, tombstones, newest_loaded_at)
            select tenant_id, {name}, raw_rows, tombstones, newest_loaded_at from counted
            on conflict (tenant_id, table_name) do update set
                raw_rows = excluded.raw_rows, tombstones = excluded.tombstones,
                newest_loaded_at = greatest(c.newest_loaded_at, excluded.newest_loaded_at)
            """
        ).format(tenant=tenant, table=sql.Identifier(table), name=sql.Literal(table))
    )
