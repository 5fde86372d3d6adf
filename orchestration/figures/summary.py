"""Every metric over any range of days, beside the range before of the same length.

Belongs here: what `metricpress summary` tells, as data, tenant by tenant. Does not belong here: how it is
printed (cli/), written (export.py) and what a column counts (measures.py).

Sums, ratios and stocks are read from the days of daily_metrics. Whatever days cannot give is counted anew
from the rows of the whole range: distinct users and clients, percentiles, churn and retention.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from orchestration.errors import MetricpressError
from orchestration.figures.catalogue import DERIVED, Clock, Metric, month_end, read_catalogue, read_clocks
from orchestration.figures.evaluate import Connection, Span, Value, evaluate, formulas_of
from orchestration.figures.measures import Formula
from orchestration.figures.recount import MODELS, Counted, Reading, derive, metrics_in, ratio, reading

NO_DATA = "the marts hold no day of the range"
NOT_ENDED = "the range has not ended"
ONE_MONTH = "holds for one calendar month only"
NO_RATE = "an exchange rate is missing"
NO_BASE = "there is nothing to divide by"
NO_PART = "a part of it is 0 or not known"
NO_VALUE = "there is nothing to tell"
NO_ROW_SET = "is not kept by day"


@dataclass(frozen=True)
class Line:
    """One metric of one tenant; `reason` says why there is no value."""

    metric: Metric
    value: Value
    numerator: Value
    denominator: Value
    previous_value: Value
    reason: str | None

    @property
    def change(self) -> Value:
        """Value less the value before."""
        if self.value is None or self.previous_value is None:
            return None
        return self.value - self.previous_value

    @property
    def change_rate(self) -> Value:
        """The change as a fraction of the value before."""
        if self.change is None or not self.previous_value:
            return None
        return self.change / abs(self.previous_value)


@dataclass(frozen=True)
class Summary:
    """All metrics of one tenant over a range, and over the one before."""

    clock: Clock
    first: date
    last: date
    lines: list[Line]

    @property
    def previous_first(self) -> date:
        """First day of the range before."""
        return self.first - (self.last - self.first) - timedelta(days=1)

    @property
    def previous_last(self) -> date:
        """Last day of the range before."""
        return self.first - timedelta(days=1)

    @property
    def has_ended(self) -> bool:
        """Every day of the range had ended when the marts were built."""
        return self.last <= self.clock.complete_date


def summarize(conn: Connection, first: date, last: date, tenant_id: str | None = None) -> Iterator[Summary]:
    """The summary of one tenant or, one after the other, of all. MetricpressError for a wrong range."""
    if last < first:
        raise MetricpressError(f"The range ends ({last}) before it begins ({first}).")
    metrics = read_catalogue(conn)
    length = last - first
    before = (first - length - timedelta(days=1), first - timedelta(days=1))
    for clock in read_clocks(conn, tenant_id):
        now = _figures(conn, clock, metrics, first, last)
        then = _figures(conn, clock, metrics, *before)
        lines = [
            Line(
                metric,
                now[metric.metric].value,
                now[metric.metric].numerator,
                now[metric.metric].denominator,
                then[metric.metric].value,
                None
                if now[metric.metric].value is not None
                else _reason(metric, clock, now[metric.metric], first, last),
            )
            for metric in metrics
        ]
        yield Summary(clock, first, last, lines)


def _figures(
    conn: Connection, clock: Clock, metrics: Sequence[Metric], first: date, last: date
) -> dict[str, Counted]:
    """Every metric over one range."""
    nothing = Counted(None, None)
    figures = {metric.metric: nothing for metric in metrics}
    if clock.first_date is None or last < clock.first_date or first > clock.as_of_date:
        return figures
    readings = {
        metric.metric: reading(metric, clock, first, last, None)
        for metric in metrics
        if metric.source_model in MODELS and not _is_beyond(metric, first, last)
    }
    from_days = {name: how for name, how in readings.items() if how.adds_days}
    figures |= _from_days(conn, clock, {m.metric: m for m in metrics}, from_days, first, last)
    whole = Span(last, first, last)
    for model in MODELS:
        group = {name: how for name, how in readings.items() if how.model == model and not how.adds_days}
        expressions = list(dict.fromkeys(part for how in group.values() for part in how.expressions))
        if not expressions:
            continue
        values = dict(zip(expressions, evaluate(conn, clock, model, expressions, [whole])[last], strict=True))
        for name, how in group.items():
            numerator = values[how.numerator]
            figures[name] = (
                ratio(numerator, values[how.denominator])
                if how.denominator
                else Counted(numerator, numerator)
            )
    return _with_derived(conn, metrics, figures)


def _with_derived(
    conn: Connection, metrics: Sequence[Metric], figures: dict[str, Counted]
) -> dict[str, Counted]:
    by_name = {metric.metric: metric for metric in metrics}

    def value(name: str) -> Value:
        metric = by_name[name]
        if metric.source_model == DERIVED:
            figures[name] = derive(conn, metric, {part: value(part) for part in metrics_in(metric, by_name)})
        return figures[name].value

    for metric in metrics:
        value(metric.metric)
    return figures


def _from_days(
    conn: Connection,
    clock: Clock,
    metrics: Mapping[str, Metric],
    readings: Mapping[str, Reading],
    first: date,
    last: date,
) -> dict[str, Counted]:
    """Metrics whose aggregation adds up days or takes the last one, in one query."""
    columns: list[str] = []
    for name, how in readings.items():
        if metrics[name].aggregation == "last":
            columns.append(f"max({how.numerator}) filter (where metric_date = %(last)s)")
        elif how.denominator:
            columns.append(f"sum({how.numerator})")
        else:
            # A sum over a day whose money is unknown is unknown.
            columns.append(f"case when count({how.numerator}) = count(*) then sum({how.numerator}) end")
        columns.append(f"sum({how.denominator})" if how.denominator else "null")
    if not columns:
        return {}
    query = f"""
        select {", ".join(f"({column})::numeric" for column in columns)}
        from marts.daily_metrics
        where tenant_id = %(tenant)s and metric_date between %(first)s and %(last)s
    """
    values = {"tenant": clock.tenant_id, "first": first, "last": min(last, clock.as_of_date)}
    row = conn.execute(query.encode(), values).fetchone()
    assert row is not None
    pairs = zip(readings.items(), row[::2], row[1::2], strict=True)
    return {
        name: ratio(numerator, denominator) if how.denominator else Counted(numerator, numerator)
        for (name, how), numerator, denominator in pairs
    }


def _is_beyond(metric: Metric, first: date, last: date) -> bool:
    """The metric relates a month to a lifetime and the range is no calendar month."""
    if first.day == 1 and last == month_end(first):
        return False
    model = "revenue_metrics"
    parts = [metric.numerator, metric.denominator or ""] if metric.source_model == model else []
    return any(formula.monthly for formula in formulas_of(model, parts).values())


def _reason(metric: Metric, clock: Clock, counted: Counted, first: date, last: date) -> str:
    if clock.first_date is None or last < clock.first_date or first > clock.as_of_date:
        reason = NO_DATA
    elif metric.source_model not in (*MODELS, DERIVED):
        reason = NO_ROW_SET
    elif _is_beyond(metric, first, last):
        reason = ONE_MONTH
    elif last > clock.complete_date and _needs_the_end(metric):
        reason = NOT_ENDED
    elif counted.denominator == 0:
        reason = NO_BASE
    elif _parts_of(metric):
        reason = NO_PART
    else:
        reason = NO_RATE if metric.format == "money" else NO_VALUE
    return reason


def _needs_the_end(metric: Metric) -> bool:
    return any(formula.needs_complete for formula in _parts_of(metric))


def _parts_of(metric: Metric) -> list[Formula]:
    """The formulas over a range that a metric is made of."""
    parts = [metric.month_value or "", *([metric.numerator] if metric.source_model == MODELS[1] else [])]
    return list(formulas_of(MODELS[1], parts).values())
