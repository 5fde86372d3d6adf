"""Figures traced back: the number at the place its source names, found by SQL made from the source."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql

from orchestration.reports.document import Document, Figure, Insight, Insights


def number_at_source(conn: psycopg.Connection[Any], figure: Figure) -> Decimal:
    """`select column from mart where key`: one row with a number, or the test fails."""
    assert figure.source is not None, f"{figure.key} has no source"
    where = sql.SQL(" and ").join(
        sql.SQL("{}::text = {}").format(sql.Identifier(name), sql.Literal(value))
        for name, value in figure.source.key
    )
    schema, table = figure.source.mart.split(".")
    query = sql.SQL("select {} from {} where {}").format(
        sql.SQL(figure.source.column), sql.Identifier(schema, table), where
    )  # type: ignore[arg-type]
    rows = conn.execute(query).fetchall()
    assert len(rows) == 1, f"{figure.key}: {len(rows)} rows at {figure.source}"
    return Decimal(str(rows[0][0]))


def insights_of(document: Document) -> list[Insight]:
    """The sentences a document opens with."""
    return [i for block in document.front if isinstance(block, Insights) for i in block.insights]


def trace(conn: psycopg.Connection[Any], figures: Iterable[Figure]) -> int:
    """Compare every figure that has a value with its source; returns how many there were."""
    traced = {(f.key, f.value, f.source): f for f in figures if f.value is not None}
    for figure in traced.values():
        assert figure.value is not None
        found = number_at_source(conn, figure)
        assert float(found) == pytest.approx(float(figure.value), rel=1e-9), figure
    return len(traced)
