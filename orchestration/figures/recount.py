"""A metric over a period, counted from its rows: how its aggregation reads the days of the period.

Belongs here: which days and columns a metric looks at for a day, week, month or free range. Does not belong
here: the columns themselves (measures.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg

from orchestration.errors import MetricpressError
from orchestration.figures.catalogue import DERIVED, Clock, Metric
from orchestration.figures.evaluate import Span, Value, each_day, evaluate, names_in

Connection = psycopg.Connection[Any]
MODELS = ("daily_metrics", "revenue_metrics")


@dataclass(frozen=True)
class Counted:
    """A value and what it is made of."""

    value: Value
    numerator: Value
    denominator: Value = None


@dataclass(frozen=True)
class Reading:
    """How a metric reads a period: expressions over columns of a model, and for which spans."""

    model: str
    numerator: str
    denominator: str | None
    spans: list[Span]
    adds_days: bool = False
    unknown_part_hides_sum: bool = False

    @property
    def expressions(self) -> list[str]:
        """Numerator and, for a ratio, denominator."""
        return [self.numerator, *([self.denominator] if self.denominator else [])]


def reading(metric: Metric, clock: Clock, first: date, last: date, grain: str | None) -> Reading:
    """How a metric that is not derived reads the days from first to last; `grain` None: a free range."""
    if metric.source_model not in MODELS:
        raise MetricpressError(
            f"The metric {metric.metric} is read from {metric.source_model}, which has no row sets.",
            remedy="Define it over daily_metrics or revenue_metrics.",
        )
    whole = [Span(last, first, last)]
    if metric.source_model == "revenue_metrics":
        return Reading(metric.source_model, metric.numerator, metric.denominator, whole)
    if metric.month_value is not None and grain in ("month", None):
        numerator, _, denominator = metric.month_value.partition(" / ")
        return Reading("revenue_metrics", numerator, denominator or None, whole)
    last_day = min(last, clock.as_of_date)
    if metric.aggregation == "recount":
        return Reading("daily_metrics", metric.numerator, metric.denominator, [Span(last, first, last)])
    if metric.aggregation == "last":
        spans = [Span(last_day, last_day, last_day)]
    else:
        spans = each_day(max(first, clock.first_date or first), last_day)
    return Reading(
        "daily_metrics", metric.numerator, metric.denominator, spans,
        adds_days=True, unknown_part_hides_sum=metric.aggregation != "last",
    )  # fmt: skip


def recount(
    conn: Connection,
    clock: Clock,
    metrics: Mapping[str, Metric],
    metric: Metric,
    first: date,
    last: date,
    grain: str | None,
) -> Counted:
    """The metric over the days from first to last, from the rows."""
    if metric.source_model == DERIVED:
        parts = {
            name: recount(conn, clock, metrics, metrics[name], first, last, grain).value
            for name in metrics_in(metric, metrics)
        }
        return derive(conn, metric, parts)
    how = reading(metric, clock, first, last, grain)
    by_day = evaluate(conn, clock, how.model, how.expressions, how.spans)
    columns = list(zip(*by_day.values(), strict=True)) or [(None,)] * len(how.expressions)
    if len(how.spans) == 1:
        numbers = [column[0] for column in columns]
    else:
        numbers = [add_up(column, hidden=how.unknown_part_hides_sum) for column in columns]
    return ratio(numbers[0], numbers[1]) if how.denominator else Counted(numbers[0], numbers[0])


def metrics_in(metric: Metric, metrics: Mapping[str, Metric]) -> list[str]:
    """Metrics that the expressions of a derived metric name."""
    parts = [metric.numerator, metric.denominator or ""]
    return [name for name in dict.fromkeys(n for part in parts for n in names_in(part)) if name in metrics]


def derive(conn: Connection, metric: Metric, parts: Mapping[str, Value]) -> Counted:
    """A derived metric from the values of the metrics it names."""
    columns = ", ".join(f"{name} numeric" for name in parts)
    expressions = [metric.numerator, *([metric.denominator] if metric.denominator else [])]
    query = f"""
        select {", ".join(f"({expression})::numeric" for expression in expressions)}
        from jsonb_to_record(%s::jsonb) as v ({columns})
    """
    row = conn.execute(query.encode(), (json.dumps(dict(parts), default=str),)).fetchone()
    assert row is not None
    return ratio(row[0], row[1]) if metric.denominator else Counted(row[0], row[0])


def ratio(numerator: Value, denominator: Value) -> Counted:
    """Numerator by denominator, nothing where that is 0 or unknown."""
    if numerator is None or not denominator:
        return Counted(None, numerator, denominator)
    return Counted(Decimal(numerator) / Decimal(denominator), numerator, denominator)


def add_up(values: Sequence[Value], *, hidden: bool) -> Value:
    """The sum of days; where `hidden`, one unknown day makes it unknown."""
    known = [value for value in values if value is not None]
    if not known or (hidden and len(known) < len(values)):
        return None
    return sum(known, Decimal(0))
