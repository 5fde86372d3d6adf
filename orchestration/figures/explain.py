"""From a figure to its days, its dimensions, and the raw rows behind it, with the load that brought each.

Belongs here: what `metricpress explain` tells, as data. Does not belong here: how it is printed (cli/) and
what a column counts (measures.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from orchestration.errors import MetricpressError
from orchestration.figures.catalogue import DERIVED, Clock, Metric, read_catalogue, read_clocks
from orchestration.figures.evaluate import Row, Value, count, lineage, measures_of, names_in, rows_behind
from orchestration.figures.measures import Formula
from orchestration.figures.recount import Counted, Reading, add_up, metrics_in, reading, recount
from orchestration.figures.row_sets import ROW_SETS
from orchestration.warehouse.contract import TABLES

Connection = psycopg.Connection[Any]
Grain = Literal["day", "week", "month"]
Side = Literal["numerator", "denominator"]
#: Not rows that are counted: a guard that makes a figure unknown.
_GUARDS = ("unknown_mrr_days",)


@dataclass(frozen=True)
class Point:
    """A stored figure of metric_timeseries; `name` is its day or its dimension value."""

    dimension: str
    name: str
    value: Value
    numerator: Value
    denominator: Value


@dataclass(frozen=True)
class Load:
    """The load that wrote a row."""

    load_id: UUID
    files: list[str]
    finished_at: datetime | None


@dataclass
class Part:
    """One count behind the figure: of which part, how much, from how many rows, and the rows asked for."""

    metric: str
    side: Side
    column: str
    table: str
    counts_amounts: bool  # else each row counts as itself, or for whom it names
    value: Value
    row_count: int
    rows: list[Row] = field(default_factory=list)


@dataclass
class Explanation:
    """All there is to say about one figure of one period."""

    metric: Metric
    clock: Clock
    grain: Grain
    first: date
    last: date
    value: Value
    numerator: Value
    denominator: Value
    recounted: Value
    days: list[Point]
    dimensions: list[Point]
    parts: list[Part]
    loads: dict[tuple[str, str], Load | None]

    @property
    def has_ended(self) -> bool:
        """The period had ended when the marts were built."""
        return self.last <= self.clock.complete_date

    @property
    def is_confirmed(self) -> bool:
        """The rows, counted now, give the stored figure; after newer loads they need not."""
        if self.value is None or self.recounted is None:
            return self.value is self.recounted
        return abs(self.value - self.recounted) <= Decimal("1e-9") * max(Decimal(1), abs(self.value))


def explain(
    conn: Connection,
    metric_name: str,
    tenant_id: str,
    day: date,
    grain: Grain | None = None,
    *,
    with_rows: bool = False,
    limit: int | None = None,
) -> Explanation:
    """Explain the figure of the period that holds a day; without a grain the shortest that the metric has."""
    metrics = {metric.metric: metric for metric in read_catalogue(conn)}
    metric = _known(metrics, metric_name)
    (clock,) = read_clocks(conn, tenant_id)
    chosen = grain or _shortest(metric)
    if chosen not in metric.grains:
        raise MetricpressError(
            f"The metric {metric_name} is not told for a {chosen}.",
            remedy=f"It is told for: {', '.join(metric.grains)}.",
        )
    first, last = clock.period(day, chosen)
    stored = _stored(conn, tenant_id, metric_name, chosen, first)
    if stored is None:
        raise MetricpressError(
            f"The marts hold no {metric_name} of {tenant_id} for the {chosen} of {day}.",
            remedy=f"They reach from {clock.first_date} to {clock.as_of_date}.",
        )
    counted = recount(conn, clock, metrics, metric, first, last, chosen)
    found = Explanation(
        metric=metric, clock=clock, grain=chosen, first=first, last=last,
        value=stored.value, numerator=stored.numerator, denominator=stored.denominator,
        recounted=counted.value, days=[], dimensions=[], parts=[], loads={},
    )  # fmt: skip
    found.days = _days(conn, found) if chosen != "day" else []
    found.dimensions = _dimensions(conn, found)
    found.parts = list(_parts(conn, found, metrics, with_rows=with_rows, limit=limit))
    found.loads = loads_of(conn, tenant_id, (row for part in found.parts for row in part.rows))
    return found


def _known(metrics: Mapping[str, Metric], name: str) -> Metric:
    if name in metrics:
        return metrics[name]
    from difflib import get_close_matches

    near = get_close_matches(name, metrics, n=3, cutoff=0.5)
    raise MetricpressError(
        f"There is no metric {name!r}.",
        remedy=f"Did you mean {', '.join(near)}?" if near else "docs/metrics.md lists them.",
    )


def _shortest(metric: Metric) -> Grain:
    for grain in ("day", "week", "month"):
        if grain in metric.grains:
            return grain
    raise MetricpressError(f"The metric {metric.metric} has no grain.")


def _stored(conn: Connection, tenant_id: str, metric: str, grain: Grain, start: date) -> Counted | None:
    with conn.cursor(row_factory=class_row(Counted)) as cursor:
        return cursor.execute(
            """
            select value, numerator, denominator from marts.metric_timeseries
            where
                tenant_id = %s and metric = %s and grain = %s and period_start = %s
                and dimension = 'all' and dimension_value = 'all'
            """,
            (tenant_id, metric, grain, start),
        ).fetchone()


def _days(conn: Connection, found: Explanation) -> list[Point]:
    """The days of a longer period, for a metric that days have."""
    with conn.cursor(row_factory=class_row(Point)) as cursor:
        return cursor.execute(
            """
            select 'day' as dimension, period_start::text as name, value, numerator, denominator
            from marts.metric_timeseries
            where
                tenant_id = %s and metric = %s and grain = 'day' and period_start between %s and %s
                and dimension = 'all'
            order by period_start
            """,
            (found.clock.tenant_id, found.metric.metric, found.first, found.last),
        ).fetchall()


def _dimensions(conn: Connection, found: Explanation) -> list[Point]:
    with conn.cursor(row_factory=class_row(Point)) as cursor:
        return cursor.execute(
            """
            select dimension, dimension_value as name, value, numerator, denominator
            from marts.metric_timeseries
            where
                tenant_id = %s and metric = %s and grain = %s and period_start = %s
                and dimension <> 'all'
            order by dimension, value desc nulls last, dimension_value
            """,
            (found.clock.tenant_id, found.metric.metric, found.grain, found.first),
        ).fetchall()


def _parts(
    conn: Connection,
    found: Explanation,
    metrics: Mapping[str, Metric],
    *,
    with_rows: bool,
    limit: int | None,
) -> Iterable[Part]:
    """What is counted behind the figure; behind a derived one, what is counted behind its metrics."""
    for metric in _leaves(found.metric, metrics):
        how = reading(metric, found.clock, found.first, found.last, found.grain)
        for side, expression in sides_of(how):
            measures = measures_of(how.model, [expression])
            counted = count(conn, found.clock, measures, how.spans)
            for column, measure in measures.items():
                if column in _GUARDS:
                    continue
                total = add_up([day[column] for day in counted.values()], hidden=True)
                row_count, rows = 0, list[Row]()
                if with_rows:
                    row_count, rows = rows_behind(conn, found.clock, measure, how.spans, limit)
                table = ROW_SETS[measure.rows].table
                yield Part(metric.metric, side, column, table, measure.adds_amounts, total, row_count, rows)


def sides_of(how: Reading) -> list[tuple[Side, str]]:
    """Numerator and denominator of a reading; those of its column where that is made of two."""
    entry = lineage(how.model, how.numerator) if how.numerator.isidentifier() else None
    if how.denominator is None and isinstance(entry, Formula) and entry.denominator is not None:
        return [("numerator", entry.numerator), ("denominator", entry.denominator)]
    sides: tuple[Side, ...] = ("numerator", "denominator")
    return list(zip(sides, how.expressions, strict=False))


def _leaves(metric: Metric, metrics: Mapping[str, Metric]) -> list[Metric]:
    """The metrics with rows of their own behind a metric: itself, or those it is derived from."""
    if metric.source_model != DERIVED:
        return [metric]
    found: dict[str, Metric] = {}
    for name in metrics_in(metric, metrics):
        found |= {leaf.metric: leaf for leaf in _leaves(metrics[name], metrics)}
    return list(found.values())


def tables_of(metric: Metric, metrics: Mapping[str, Metric]) -> set[str]:
    """Raw tables whose rows a metric counts, in any period."""
    tables: set[str] = set()
    for leaf in _leaves(metric, metrics):
        for model, part in (
            (leaf.source_model, leaf.numerator),
            (leaf.source_model, leaf.denominator),
            ("revenue_metrics", leaf.month_value),
        ):
            if part and names_in(part):
                tables |= {ROW_SETS[m.rows].table for m in measures_of(model, [part]).values()}
    return tables


def loads_of(conn: Connection, tenant_id: str, rows: Iterable[Row]) -> dict[tuple[str, str], Load | None]:
    """The load that wrote each row as it is now; None: another tool, or a load of before migration 0005.

    A row's xmin is the transaction that wrote it, and a load keeps the one its rows carry.
    """
    keys: dict[str, set[str]] = {}
    for row in rows:
        keys.setdefault(row.table, set()).add(row.key)
    found: dict[tuple[str, str], Load | None] = {}
    for table, of_table in keys.items():
        (key,) = TABLES[table].key
        query = sql.SQL(
            """
            select r.{key}::text, l.load_id, l.files, l.finished_at
            from raw.{table} as r
            left join raw.loads as l
                -- Transaction ids come again after 4 billion: the moment has to fit as well.
                on l.row_xid = r.xmin::text::bigint
                and r.loaded_at between l.started_at - interval '1 day' and l.finished_at
            where r.tenant_id = %s and r.{key} = any(%s::{type}[])
            """
        ).format(
            key=sql.Identifier(key), table=sql.Identifier(table),
            type=sql.SQL(TABLES[table].column(key).type),
        )  # fmt: skip
        for key_value, load_id, files, finished_at in conn.execute(query, (tenant_id, sorted(of_table))):
            found[table, key_value] = None if load_id is None else Load(load_id, files, finished_at)
    return found


def load_text(load: Load | None) -> str:
    """A load in a few words."""
    if load is None:
        return "not by a load"
    at = f" {load.finished_at:%Y-%m-%d %H:%M}" if load.finished_at else ""
    return f"{_short(load.files)}{at}"


def _short(files: Sequence[str]) -> str:
    more = f" +{len(files) - 1}" if len(files) > 1 else ""
    return f"{files[0].rsplit('/', 1)[-1]}{more}" if files else "load"
