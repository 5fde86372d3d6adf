"""A tenant's marts a second time with extreme values, to see what reports make of them.

Belongs here: copies of one tenant's rows in schema marts under another id, changed by plain SQL over whatever
columns the tables have. Does not belong here: rendering (scripts/pictures.py, the tests) and any database
that somebody uses: run it in a scratch database, or in a transaction that is rolled back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import psycopg
from psycopg import sql

Connection = psycopg.Connection[Any]
Extreme = Literal["empty", "one-row", "names", "negative", "large", "unknown"]

EXTREMES: tuple[Extreme, ...] = ("empty", "one-row", "names", "negative", "large", "unknown")
#: Tables that say who there is; they have rows even where nothing happened.
_WHO = ("tenants", "branches", "staff")
#: Columns with a day by which rows belong to a period.
_DAYS = ("metric_date", "movement_date", "period_start", "month", "cohort_start")
#: Names that people give; each becomes 200 characters, different ones stay different.
_NAMES = ("name", "plan", "source")
_LONG = " of a Most Honourable and Exceptionally Longwinded Überseehandelsgesellschaft"
_RATES = ("rate", "ratio", "nrr", "grr", "ltv_to_cac", "share")


@dataclass(frozen=True)
class _Column:
    name: str
    type: str
    nullable: bool


def copy_tenant(connection: Connection, source: str, extreme: Extreme, last: date) -> str:
    """Copy a tenant's rows as `SOURCE-EXTREME`, all in the transaction of the caller; gives the new id.

    `last`: of `one-row`, the day up to which rows count; the newest of each mart and grain stays.
    """
    target = f"{source}-{extreme}"
    for table, columns in _tables(connection):
        if extreme == "empty" and table not in _WHO:
            continue
        names = [sql.Identifier(column.name) for column in columns]
        values = [_value(table, column, extreme, target) for column in columns]
        statement = (
            "insert into marts.{table} ({names}) select {values} from marts.{table} as t where {which}"
        )
        connection.execute(
            sql.SQL(statement).format(
                table=sql.Identifier(table),
                names=sql.SQL(", ").join(names),
                values=sql.SQL(", ").join(values),
                which=_which(table, columns, extreme, source, last),
            )
        )
    return target


def _tables(connection: Connection) -> Iterator[tuple[str, list[_Column]]]:
    """Every mart with a tenant_id, and its columns."""
    found: dict[str, list[_Column]] = {}
    for table, name, kind, nullable in connection.execute(
        "select c.table_name, c.column_name, c.data_type, c.is_nullable = 'YES'"
        " from information_schema.columns as c"
        " join information_schema.tables as t using (table_schema, table_name)"
        " where c.table_schema = 'marts' and t.table_type = 'BASE TABLE'"
        " order by c.table_name, c.ordinal_position"
    ):
        found.setdefault(table, []).append(_Column(name, kind, nullable))
    yield from ((t, columns) for t, columns in found.items() if any(c.name == "tenant_id" for c in columns))


def _value(table: str, column: _Column, extreme: Extreme, target: str) -> sql.Composable:
    name = sql.Identifier(column.name)
    if column.name == "tenant_id":
        return sql.Literal(target)
    if extreme == "names":
        return _long_name(table, column)
    if column.type == "numeric" and extreme == "negative":
        return sql.SQL("-abs({})").format(name)
    if (
        extreme == "unknown"
        and column.nullable
        and column.type == "numeric"
        and _may_be_unknown(table, column)
    ):
        return sql.SQL("null")
    if extreme == "large" and column.type in ("numeric", "bigint") and not column.name.endswith(_RATES):
        return _large(table, column)
    return name


def _may_be_unknown(table: str, column: _Column) -> bool:
    """Sums always have a value; what is divided, or has no source of its own, may be NULL."""
    derived = column.name.endswith(_RATES) or column.name.startswith("avg_")
    return derived or table in ("metric_timeseries", "executive_summary")


def _long_name(table: str, column: _Column) -> sql.Composable:
    name = sql.Identifier(column.name)
    long = sql.SQL("left(rpad({}, 200, {}), 200)").format(name, sql.Literal(_LONG))
    if column.name in _NAMES and column.type == "text":
        return long
    if (table, column.name) == ("metric_timeseries", "dimension_value"):
        return sql.SQL("case when dimension in ('plan', 'source') then {} else {} end").format(long, name)
    return name


def _large(table: str, column: _Column) -> sql.Composable:
    name = sql.Identifier(column.name)
    if table not in ("metric_timeseries", "executive_summary"):
        return sql.SQL("{} * 1000000000").format(name)
    # These hold metrics of all units: what is a share or a duration stays one.
    return sql.SQL(
        "{name} * case when metric in (select metric from marts.metric_catalogue"
        " where format in ('money', 'integer')) then 1000000000 else 1 end"
    ).format(name=name)


def _which(table: str, columns: list[_Column], extreme: Extreme, source: str, last: date) -> sql.Composable:
    mine = sql.SQL("t.tenant_id = {}").format(sql.Literal(source))
    day = next((c.name for c in columns if c.name in _DAYS and c.type == "date"), None)
    if extreme != "one-row" or day is None:
        return mine
    parts = {
        "mine": mine,
        "day": sql.Identifier(day),
        "table": sql.Identifier(table),
        "last": sql.Literal(last),
    }
    if table == "metric_timeseries":
        return sql.SQL(
            "{mine} and (t.grain, t.period_start) in (select t.grain, max(t.period_start)"
            " from marts.metric_timeseries as t where {mine} and t.period_start <= {last} group by t.grain)"
        ).format(**parts)
    return sql.SQL(
        "t.ctid = (select t.ctid from marts.{table} as t where {mine} and t.{day} <= {last}"
        " order by t.{day} desc limit 1)"
    ).format(**parts)
