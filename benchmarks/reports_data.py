"""Marts of 20 tenants for the benchmark of reports: one demo tenant, copied under 20 names with other values.

Belongs here: rows. Does not belong here: measuring. The demo's database is only read.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

from orchestration.errors import MetricpressError

Connection = psycopg.Connection[Any]
SOURCE = "ravenstack"
#: Of the time series the days of all history, and a year of what they are made of.
SERIES = "grain <> 'day' or dimension = 'all' or period_start >= '2024-06-01'"


def copy_marts(source_url: str, target: Connection, tenants: int) -> None:
    """Every mart as a table of the same columns and indexes; all rows of the demo tenant, `tenants` times."""
    with psycopg.connect(source_url, options="-c default_transaction_read_only=on") as source:
        marts = [name for (name,) in source.execute(
            "select tablename from pg_tables where schemaname = 'marts' order by 1")]  # fmt: skip
        if "tenants" not in marts or not source.execute(
            "select 1 from marts.tenants where tenant_id = %s", (SOURCE,)).fetchone():  # fmt: skip
            raise MetricpressError(f"the database has no marts of {SOURCE}", remedy="Run: make demo")
        for mart in marts:
            _copy(source, target, mart)
    _multiply(target, marts, tenants)
    target.execute("grant usage on schema marts to metricpress_pipeline, metricpress_bi")
    target.execute("grant select on all tables in schema marts to metricpress_pipeline, metricpress_bi")
    target.execute("insert into build.builds (status) values ('complete')")
    target.execute("insert into build.mart_state (mart, build_id) select m, build_id from build.builds, "
                   "unnest(%s::text[]) as m", (marts,))  # fmt: skip
    target.execute("vacuum analyze")


def _copy(source: Connection, target: Connection, mart: str) -> None:
    columns = source.execute(
        """
        select attname, format_type(atttypid, atttypmod) from pg_attribute
        where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum
        """,
        (f"marts.{mart}",),
    ).fetchall()
    name = sql.Identifier("marts", mart)
    listed = sql.SQL(", ").join(sql.SQL("{} ").format(sql.Identifier(c)) + sql.SQL(t) for c, t in columns)
    target.execute(sql.SQL("create table {} ({})").format(name, listed))
    kept = [f"({SERIES})"] if mart == "metric_timeseries" else []
    kept += [f"tenant_id = '{SOURCE}'"] if ("tenant_id", "text") in columns else []
    query = sql.SQL("copy (select * from {} where {}) to stdout").format(
        name, sql.SQL(" and ".join(kept) or "true")
    )
    with (
        source.cursor().copy(query) as rows,
        target.cursor().copy(sql.SQL("copy {} from stdin").format(name)) as into,
    ):
        for part in rows:
            into.write(part)
    for (index,) in source.execute(
        "select indexdef from pg_indexes where schemaname = 'marts' and tablename = %s", (mart,)
    ):
        target.execute(index)


def _multiply(target: Connection, marts: list[str], tenants: int) -> None:
    """Counts and money of tenant n are n twentieths larger; rates stay."""
    for mart in marts:
        columns = [name for (name,) in target.execute(
            "select column_name from information_schema.columns where table_schema = 'marts' "
            "and table_name = %s order by ordinal_position", (mart,))]  # fmt: skip
        if "tenant_id" not in columns:
            continue
        values = {name: sql.Identifier(name) for name in columns}
        chosen: dict[str, sql.Composable] = dict(values)
        chosen["tenant_id"] = sql.SQL("'t' || n")
        if mart == "tenants":
            chosen["name"] = sql.SQL("'Tenant ' || n")
        if mart == "mrr_movements":
            for name in ("amount", "mrr_before", "mrr_after"):
                chosen[name] = sql.SQL("round({} * (1 + n / 20.0), 2)").format(values[name])
        if mart == "metric_timeseries":
            chosen["value"] = sql.SQL(
                "case when metric in (select metric from marts.metric_catalogue where format in "
                "('money', 'integer')) then round(value * (1 + n / 20.0)) else value end"
            )
        name = sql.Identifier("marts", mart)
        target.execute(
            sql.SQL("insert into {} ({}) select {} from {} cross join generate_series(1, {}) as n "
                    "where tenant_id = {}").format(
                name, sql.SQL(", ").join(values.values()), sql.SQL(", ").join(chosen.values()), name,
                sql.Literal(tenants), sql.Literal(SOURCE))
        )  # fmt: skip
        target.execute(sql.SQL("delete from {} where tenant_id = {}").format(name, sql.Literal(SOURCE)))
