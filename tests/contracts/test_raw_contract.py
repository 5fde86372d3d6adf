"""The raw contract in Python equals the tables the migrations make."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from orchestration.warehouse.contract import TABLES, RawTable

pytestmark = pytest.mark.integration
TYPE_NAMES = {"timestamp with time zone": "timestamptz"}
#: Tables of schema raw that are not of the contract.
BOOKKEEPING_TABLES = {"loads", "rejected_rows", "changes"}


@pytest.fixture(scope="module")
def catalog(module_database: psycopg.Connection[Any]) -> dict[str, dict[str, tuple[str, bool, bool]]]:
    """table -> column -> (type, required, has a default), in order of the table."""
    rows = module_database.execute(
        """
        select table_name, column_name, data_type, is_nullable = 'NO', column_default is not null
        from information_schema.columns where table_schema = 'raw' order by table_name, ordinal_position
        """
    ).fetchall()
    tables: dict[str, dict[str, tuple[str, bool, bool]]] = {}
    for table, column, data_type, required, has_default in rows:
        kind = TYPE_NAMES.get(data_type, data_type)
        tables.setdefault(table, {})[column] = (kind, required, has_default)
    return tables


def test_same_tables(catalog: dict[str, Any]) -> None:
    assert set(catalog) - BOOKKEEPING_TABLES == set(TABLES)


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_same_columns(catalog: dict[str, Any], table: RawTable) -> None:
    wanted = {c.name: (c.type, c.required, c.default is not None) for c in table.all_columns}
    assert list(catalog[table.name].items()) == list(wanted.items())


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_same_primary_key(module_database: psycopg.Connection[Any], table: RawTable) -> None:
    key = module_database.execute(
        """
        select array_agg(a.attname::text order by k.position)
        from pg_index as i
        cross join lateral unnest(i.indkey::smallint[]) with ordinality as k (attnum, position)
        join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.attnum
        where i.indrelid = %s::regclass and i.indisprimary
        """,
        [f"raw.{table.name}"],
    ).fetchone()
    assert key is not None
    assert tuple(key[0]) == table.primary_key


@pytest.mark.parametrize(
    ("table", "column"),
    [(t.name, c.name) for t in TABLES.values() for c in t.columns if c.values],
)
def test_vocabulary_is_closed(module_database: psycopg.Connection[Any], table: str, column: str) -> None:
    definition = module_database.execute(
        "select pg_get_constraintdef(oid) from pg_constraint where conname = %s", [f"{table}_{column}_known"]
    ).fetchone()
    assert definition is not None, f"raw.{table}.{column} has no check of its vocabulary"
    for value in TABLES[table].column(column).values:
        assert f"'{value}'::text" in definition[0]
    assert definition[0].count("::text") == len(TABLES[table].column(column).values)


@pytest.mark.parametrize("table", TABLES, ids=str)
def test_every_table_records_its_changes(module_database: psycopg.Connection[Any], table: str) -> None:
    rows = module_database.execute(
        "select tgname from pg_trigger where tgrelid = %s::regclass and not tgisinternal", [f"raw.{table}"]
    ).fetchall()
    names = {row[0] for row in rows}
    assert {"changes_insert", "changes_update", "changes_delete", "changes_truncate"} <= names
