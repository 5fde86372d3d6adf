"""Settings of the session while a load runs, and the temporary objects it works with.

Belongs here: `local_settings`, temporary tables, and the functions that try a cast. Does not belong here:
what is done with the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

Connection = psycopg.Connection[Any]

#: A date written 3/4/2021 is an error, never a guess. Memory is bounded, whatever the size of the files.
SETTINGS = {
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "work_mem": "64MB",
    "jit": "off",
    "standard_conforming_strings": "on",
    "client_encoding": "UTF8",
}

#: Casts that give NULL where PostgreSQL would raise. The tests in front of them are plain comparisons where
#: they can be: a regular expression costs as much as the cast.
TRY_FUNCTIONS = r"""
-- Words such as 'now' would be read anew with every load.
create or replace function pg_temp.is_fixed(value text) returns boolean language sql immutable as $$
    select ascii(value) between 48 and 57 or value !~* '\m(now|today|tomorrow|yesterday)\M'
$$;
-- PostgreSQL 16 and newer read 0x1F and 1_000, version 15 does not.
create or replace function pg_temp.is_decimal(value text) returns boolean language sql immutable as $$
    select translate(value, 'xXoObB_', '') = value
$$;
create or replace function pg_temp.as_moment(value text) returns timestamptz language plpgsql stable as $$
begin
    return case when pg_temp.is_fixed(value) then value::timestamptz end;
exception when data_exception then
    return null;
end $$;
create or replace function pg_temp.as_date(value text) returns date language plpgsql stable as $$
begin
    return case when pg_temp.is_fixed(value) then value::date end;
exception when data_exception then
    return null;
end $$;
create or replace function pg_temp.as_moment(value text, pattern text, template text) returns timestamptz
language plpgsql stable as $$
begin
    return case when value ~ pattern then to_timestamp(value, template) end;
exception when data_exception then
    return null;
end $$;
create or replace function pg_temp.as_epoch(value text, pattern text, divisor integer) returns timestamptz
language plpgsql stable as $$
begin
    return case when value ~ pattern then to_timestamp((value::numeric / divisor)::double precision) end;
exception when data_exception then
    return null;
end $$;
create or replace function pg_temp.as_number(value text) returns numeric language plpgsql immutable as $$
begin
    return case when pg_temp.is_decimal(value) then value::numeric end;
exception when data_exception then
    return null;
end $$;
create or replace function pg_temp.as_integer(value text) returns integer language plpgsql immutable as $$
begin
    return case when pg_temp.is_decimal(value) then value::integer end;
exception when data_exception then
    return null;
end $$;
"""


@contextmanager
def local_settings(connection: Connection, settings: dict[str, str]) -> Iterator[None]:
    """Settings for a part of the transaction; after an error the rollback brings the old ones back."""
    before = {name: _setting(connection, name) for name in settings}
    for name, value in settings.items():
        set_local(connection, name, value)
    yield
    for name, value in before.items():
        set_local(connection, name, value)


def _setting(connection: Connection, name: str) -> str:
    return str(scalar(connection, sql.SQL("select current_setting(%s)"), [name]))


def set_local(connection: Connection, name: str, value: str) -> None:
    """A setting until the end of the transaction."""
    connection.execute("select set_config(%s, %s, true)", [name, value])


def scalar(connection: Connection, query: sql.SQL | sql.Composed, params: Sequence[Any] | None = None) -> Any:
    """The first column of the first row."""
    row = connection.execute(query, params).fetchone()
    assert row is not None
    return row[0]


def temporary_table(connection: Connection, name: str, columns: Sequence[tuple[str, str]]) -> None:
    """A fresh temporary table of (name, type) columns, gone with the transaction."""
    identifier = sql.Identifier("pg_temp", name)
    connection.execute(sql.SQL("drop table if exists {}").format(identifier))
    connection.execute(
        sql.SQL("create temporary table {} ({}) on commit drop").format(
            sql.Identifier(name),
            sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(c), sql.SQL(t)) for c, t in columns),
        )
    )


def row_xid(connection: Connection) -> int:
    """The transaction id that rows written here and now carry as xmin: a savepoint has one of its own."""
    connection.execute("create temporary table if not exists row_marker (n integer) on commit drop")
    marked = sql.SQL("insert into pg_temp.row_marker values (1) returning xmin::text::bigint")
    return int(scalar(connection, marked))
