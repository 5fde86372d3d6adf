"""Reads figures of a report a second time: by the source each one names, with SQL on the mart.

A source says `select column from mart where key`; see orchestration/reports/documents/sources.py.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql

from orchestration.reports.document import Document, Figure, Source

Reader = psycopg.Connection[Any]


def value_at(conn: Reader, source: Source) -> Any:
    """The one value a source names; fails where it names none or several."""
    conditions, values = [sql.SQL("true")], []
    for name, value in source.key:
        column, _, operator = name.partition(" ")
        assert operator in ("", ">=", "<="), name
        conditions.append(
            sql.SQL("{} {} %s").format(sql.Identifier(column), sql.SQL(operator or "="))  # type: ignore[arg-type]
        )
        values.append(value)
    schema, mart = source.mart.split(".")
    statement = sql.SQL("select {} from {} where {}").format(
        sql.SQL(source.column),  # type: ignore[arg-type]
        sql.Identifier(schema, mart),
        sql.SQL(" and ").join(conditions),
    )
    found = conn.execute(statement, values).fetchall()
    assert len(found) == 1, source
    return found[0][0]


def check_sources(conn: Reader, document: Document, without: str = "$^") -> int:
    """Every figure is what its source says; keys of those that have none match `without`. Gives how many."""
    checked = 0
    for figure in document.figures():
        if figure.source is None:
            assert re.fullmatch(without, figure.key), f"{figure.key} names no source"
        elif not figure.source.column.startswith("median of "):
            assert_same(figure, value_at(conn, figure.source))
            checked += 1
    return checked


def assert_same(figure: Figure, found: Any) -> None:
    """A figure shows a value of a mart, or nothing where that is NULL; a count of no row is 0."""
    if figure.value is None:
        assert found is None, figure.key
    else:
        assert Decimal(figure.value) == pytest.approx(Decimal(found or 0), rel=Decimal("1e-15")), figure.key
