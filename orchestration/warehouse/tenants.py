"""Tenants: who they are, and removing one everywhere.

Belongs here: rows of raw.tenants and the removal of a tenant's rows. Does not belong here: a tenant's
settings and targets (tenant_settings.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any
from zoneinfo import available_timezones

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from orchestration.errors import MetricpressError

#: Rows of these refer to other rows of the same tenant and go first, in this order.
REFERRING = (
    ("reporting", "report_deliveries"),
    ("reporting", "report_occurrences"),
    ("reporting", "suppressions"),
    ("reporting", "report_subscriptions"),
    ("raw", "rejected_rows"),
)
#: The audit log is kept; raw.changes is dealt with at the end.
KEPT = (("reporting", "audit_log"), ("raw", "changes"))


@dataclass(frozen=True)
class Tenant:
    """One row of raw.tenants: where its days begin, its reporting currency and its week."""

    tenant_id: str
    name: str
    timezone: str = "UTC"
    currency: str = "USD"
    week_start: str = "monday"


def all_tenants(connection: psycopg.Connection[Any]) -> list[Tenant]:
    """All tenants that are not deleted, by id."""
    with connection.cursor(row_factory=class_row(Tenant)) as cursor:
        cursor.execute(
            "select tenant_id, name, timezone, currency, week_start from raw.tenants"
            " where deleted_at is null order by tenant_id"
        )
        return cursor.fetchall()


def require_tenant(connection: psycopg.Connection[Any], tenant_id: str) -> None:
    """Raise MetricpressError, with the nearest names, when there is no such tenant."""
    known = [tenant.tenant_id for tenant in all_tenants(connection)]
    if tenant_id not in known:
        near = get_close_matches(tenant_id, known, n=3)
        raise MetricpressError(
            f'there is no tenant "{tenant_id}"',
            remedy=f"Did you mean {', '.join(near)}?" if near else "List them with: metricpress tenants list",
        )


def add_tenant(connection: psycopg.Connection[Any], tenant: Tenant, *, update: bool = False) -> bool:
    """Insert a tenant; True when it is new, False when an existing one was changed (`update`).

    A tenant that was deleted by a tombstone comes back. Raises MetricpressError for an empty id, an unknown
    timezone, a malformed currency, or a tenant that exists while `update` is False.
    """
    if not tenant.tenant_id.strip():
        raise MetricpressError("a tenant needs an id that is not empty")
    known = connection.execute(
        "select deleted_at is null from raw.tenants where tenant_id = %s", [tenant.tenant_id]
    ).fetchone()
    if known and known[0] and not update:
        raise MetricpressError(
            f'the tenant "{tenant.tenant_id}" exists already', remedy="Change it with the option --update."
        )
    try:
        connection.execute(
            """
            insert into raw.tenants as t (tenant_id, name, timezone, currency, week_start, created_at)
            values (%(tenant_id)s, %(name)s, %(timezone)s, %(currency)s, %(week_start)s, now())
            on conflict (tenant_id) do update set
                name = excluded.name, timezone = excluded.timezone, currency = excluded.currency,
                week_start = excluded.week_start, deleted_at = null, loaded_at = clock_timestamp()
            """,
            vars(tenant),
        )
    except psycopg.errors.CheckViolation as error:
        near = get_close_matches(tenant.timezone, available_timezones(), n=3)
        wrong_zone = error.diag.column_name == "timezone"
        hint = f"Did you mean {', '.join(near)}?" if wrong_zone and near else error.diag.message_hint
        raise MetricpressError(error.diag.message_primary or str(error), remedy=hint or "") from error
    return known is None


def remove_tenant(connection: psycopg.Connection[Any], tenant_id: str) -> dict[str, int]:
    """Delete a tenant's rows from every table that has a tenant_id; rows deleted by table, without zeros.

    The audit log stays. One row in raw.changes stays too: it tells the next build that the tenant is gone.
    Raises MetricpressError when there is no such tenant.
    """
    require_tenant(connection, tenant_id)
    found = connection.execute(
        """
        select c.table_schema, c.table_name
        from information_schema.columns as c
        join information_schema.tables as t using (table_schema, table_name)
        where c.column_name = 'tenant_id' and t.table_type = 'BASE TABLE'
            and c.table_schema in ('raw', 'build', 'reporting', 'intermediate', 'marts')
        order by c.table_schema, c.table_name
        """
    ).fetchall()
    tables = [*REFERRING, *(table for table in found if table not in (*REFERRING, *KEPT))]
    removed = {f"{schema}.{table}": _delete(connection, schema, table, tenant_id) for schema, table in tables}
    _delete(connection, "raw", "changes", tenant_id)
    connection.execute(
        "insert into raw.changes (tenant_id, table_name, op, row_count) values (%s, 'tenants', 'delete', 1)",
        [tenant_id],
    )
    return {table: count for table, count in removed.items() if count}


def _delete(connection: psycopg.Connection[Any], schema: str, table: str, tenant_id: str) -> int:
    statement = sql.SQL("delete from {} where tenant_id = %s").format(sql.Identifier(schema, table))
    return connection.execute(statement, [tenant_id]).rowcount
