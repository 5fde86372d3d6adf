"""Metrics over any range of days, in the form in which reports read a period of the time series.

Belongs here: the step from orchestration.figures to points. Does not belong here: how a metric is added up
over a range (figures/summary.py) and what a report says about it (documents/).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date

from orchestration.figures.summary import NO_ROW_SET, ONE_MONTH, summarize
from orchestration.reports.data.common import Connection, Point
from orchestration.reports.periods import Period


@dataclass(frozen=True)
class RangeFigures:
    """Metric to period start to point, for the range and the one before; why a metric has no value.

    `untold`: titles of metrics that no free range can have, such as those of one calendar month.
    """

    series: Mapping[str, Mapping[date, Point]]
    reasons: Mapping[str, str]
    untold: tuple[str, ...]


def read_range(conn: Connection, tenant_id: str, period: Period, metrics: Collection[str]) -> RangeFigures:
    """Each metric by its own aggregation over the range, and over the range before of the same length."""
    (summary,) = summarize(conn, period.start, period.end, tenant_id)
    series: dict[str, Mapping[date, Point]] = {}
    reasons, untold = {}, []
    for line in summary.lines:
        name = line.metric.metric
        if name not in metrics:
            continue
        if line.reason in (NO_ROW_SET, ONE_MONTH):
            untold.append(line.metric.title)
            continue
        before = period.previous.start
        series[name] = {
            before: Point(name, before, line.previous_value, None, True),
            period.start: Point(name, period.start, line.value, line.denominator, summary.has_ended),
        }
        if line.reason:
            reasons[name] = line.reason
    return RangeFigures(series, reasons, tuple(untold))
