"""Values and rows of columns over spans of days: the engine behind `summary` and `explain`.

Belongs here: which spans a figure of a period looks at, measures over their rows, and formulas over measures.
Does not belong here: what a column counts (measures.py) and what is shown (summary.py, explain.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import psycopg

from orchestration.errors import MetricpressError
from orchestration.figures.catalogue import Clock
from orchestration.figures.measures import FORMULAS, MEASURES, Formula, Measure, Window
from orchestration.figures.row_sets import ROW_SETS, SPANS

Connection = psycopg.Connection[Any]
Value = Decimal | None
#: Constants an expression may name beside columns: settings of the tenant.
CONSTANTS = ("gross_margin",)
_WORD = re.compile(r"'[^']*'|[A-Za-z_][A-Za-z0-9_]*(?!\s*\()\b(?!\s*\()")
_KEYWORDS = {
    "and", "as", "between", "case", "distinct", "else", "end", "false", "filter", "from", "in", "is", "not",
    "null", "numeric", "or", "then", "true", "when", "where", "bigint", "integer",
}  # fmt: skip


@dataclass(frozen=True)
class Span:
    """Local days from first to last; `day` names the span."""

    day: date
    first: date
    last: date


def each_day(first: date, last: date) -> list[Span]:
    """One span a day."""
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [Span(day, day, day) for day in days]


def names_in(expression: str) -> list[str]:
    """Columns (or metrics) an SQL expression names, in its order."""
    words = (word.lower() for word in _WORD.findall(expression) if not word.startswith("'"))
    return list(dict.fromkeys(word for word in words if word not in _KEYWORDS))


def lineage(model: str, column: str) -> Measure | Formula:
    """What a column of daily_metrics or revenue_metrics counts; MetricpressError for one without lineage."""
    found = FORMULAS.get(model, {}).get(column) or MEASURES.get(column)
    if found is None:
        raise MetricpressError(
            f"The column {column} of {model} has no row set.",
            remedy="Add it to orchestration/figures/measures.py.",
        )
    return found


def measures_of(model: str, expressions: Iterable[str]) -> dict[str, Measure]:
    """Every measure behind expressions over columns, by name; formulas are followed."""
    found: dict[str, Measure] = {}
    for name in (name for expression in expressions for name in names_in(expression)):
        if name in CONSTANTS or name in found:
            continue
        entry = lineage(model, name)
        if isinstance(entry, Measure):
            found[name] = entry
        else:
            parts = [entry.numerator, entry.denominator or ""]
            found |= measures_of(model, [*parts, *(["unknown_mrr_days"] if entry.needs_known else [])])
    return found


def evaluate(
    conn: Connection, clock: Clock, model: str, expressions: Sequence[str], spans: Sequence[Span]
) -> dict[date, list[Value]]:
    """The value of each expression over columns for each span, counted from the rows."""
    if not spans:
        return {}
    measures = measures_of(model, expressions)
    counted = count(conn, clock, measures, spans)
    formulas = formulas_of(model, expressions)
    margin = {"gross_margin": clock.gross_margin}
    records = [
        {"day": span.day, "has_ended": span.last <= clock.complete_date, **margin, **counted[span.day]}
        for span in spans
    ]
    columns = ", ".join(f"{name} numeric" for name in (*CONSTANTS, *measures))
    made = "".join(f", {_formula_sql(formula)} as {name}" for name, formula in formulas.items())
    results = ", ".join(f"({expression})::numeric" for expression in expressions)
    query = f"""
        select day, {results}
        from (
            select v.* {made}
            from jsonb_to_recordset(%s::jsonb) as v (day date, has_ended boolean, {columns})
        ) as columns
    """
    rows = conn.execute(query.encode(), (json.dumps(records, default=str),)).fetchall()
    return {row[0]: list(row[1:]) for row in rows}


def count(
    conn: Connection, clock: Clock, measures: Mapping[str, Measure], spans: Sequence[Span]
) -> dict[date, dict[str, Value]]:
    """The value of each measure for each span; measures over the same rows are counted in one query."""
    result: dict[date, dict[str, Value]] = {
        span.day: {
            name: None if measure.empty is None else Decimal(measure.empty)
            for name, measure in measures.items()
        }
        for span in spans
    }
    groups: dict[tuple[str, Window], dict[str, Measure]] = {}
    for name, measure in measures.items():
        groups.setdefault((measure.rows, measure.window), {})[name] = measure
    for (rows, window), group in groups.items():
        parts = " union all ".join(
            f"select '{name}', day, ({measure.value})::numeric "
            f"from counted where {measure.where} group by day"
            for name, measure in group.items()
        )
        query = f"with {SPANS}, counted as materialized ({ROW_SETS[rows].sql}) {parts}"
        for name, day, value in conn.execute(query.encode(), _spans(clock, window, spans)):
            result[day][name] = value
    return result


@dataclass(frozen=True)
class Row:
    """A raw row behind a figure: `counts` is what it contributes (who or how much), None: itself."""

    day: date
    table: str
    key: str
    counts: str | None


def rows_behind(
    conn: Connection, clock: Clock, measure: Measure, spans: Sequence[Span], limit: int | None = None
) -> tuple[int, list[Row]]:
    """How many raw rows a measure counts over the spans, and those rows, or the first of them."""
    if not spans:
        return 0, []
    row_set = ROW_SETS[measure.rows]
    query = f"""
        with {SPANS}, counted as ({row_set.sql})
        select day, key, ({measure.shows or "null"})::text, count(*) over () as total
        from counted where {measure.where}
        order by day, key
        limit %(limit)s
    """
    values = {**_spans(clock, measure.window, spans), "limit": limit}
    found = conn.execute(query.encode(), values).fetchall()
    rows = [Row(day, row_set.table, key, counts) for day, key, counts, _ in found]
    return (found[0][3] if found else 0), rows


def _spans(clock: Clock, window: Window, spans: Sequence[Span]) -> dict[str, Any]:
    return {
        "tenant": clock.tenant_id,
        "days": [span.day for span in spans],
        "froms": [_first_day(clock, window, span) for span in spans],
        "tos": [span.last for span in spans],
    }


def _first_day(clock: Clock, window: Window, span: Span) -> date:
    if window == "day":
        return span.first
    if window == "week":
        return clock.week_of(span.last)
    if window == "month":
        return span.last.replace(day=1)
    days = clock.mau_window_days if window == "mau" else window
    return span.last - timedelta(days=days - 1)


def formulas_of(model: str, expressions: Iterable[str]) -> dict[str, Formula]:
    """The columns in expressions that are made of others."""
    names = [name for expression in expressions for name in names_in(expression) if name not in CONSTANTS]
    entries = {name: lineage(model, name) for name in names}
    return {name: entry for name, entry in entries.items() if isinstance(entry, Formula)}


def _formula_sql(formula: Formula) -> str:
    guards = ["has_ended"] if formula.needs_complete else []
    guards += ["unknown_mrr_days = 0"] if formula.needs_known else []
    value = f"({formula.numerator})"
    if formula.denominator:
        value = f"({formula.numerator}) / nullif({formula.denominator}, 0)"
    return f"case when {' and '.join(guards)} then {value} end" if guards else value
