"""Queries of the opening sentences: a long history of the leading metrics, and what moved by dimension.

Belongs here: one query for the history and one for the dimensions, whatever the number of metrics. Does not
belong here: what is worth a sentence (reports/insights).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from psycopg.rows import class_row

from orchestration.reports.data.common import Connection
from orchestration.reports.document import Number

#: Dimensions that may explain a move. Staff is left out: a letter about the business names no person.
DIMENSIONS = ("branch", "plan", "source", "user_type")


@dataclass(frozen=True)
class Reading:
    """One complete value of one metric, with what it was divided by where it is a ratio."""

    metric: str
    start: date
    value: Number
    denominator: Number | None


@dataclass(frozen=True)
class Share:
    """The value of a metric for one value of a dimension; `name` is the branch's where there is one."""

    metric: str
    start: date
    dimension: str
    dimension_value: str
    name: str
    value: Number


def read_history(
    conn: Connection, tenant_id: str, grain: str, metrics: Sequence[str], starts: Sequence[date]
) -> dict[str, dict[date, Reading]]:
    """Metric to period start to reading, from the first to the last of `starts`, without unknown values."""
    sql = """
        select metric, period_start as start, value, denominator
        from marts.metric_timeseries
        where tenant_id = %s and grain = %s and period_start between %s and %s
          and dimension = 'all' and dimension_value = 'all' and metric = any(%s)
          and is_complete and value is not null and value <> 'NaN'
    """
    found: dict[str, dict[date, Reading]] = {metric: {} for metric in metrics}
    given = (tenant_id, grain, starts[0], starts[-1], list(metrics))
    for row in conn.cursor().execute(sql, given):
        reading = Reading(*row)
        found[reading.metric][reading.start] = reading
    return found


def read_shares(
    conn: Connection, tenant_id: str, grain: str, metrics: Sequence[str], starts: Sequence[date]
) -> list[Share]:
    """Values by dimension of metrics in the given periods, in a fixed order."""
    sql = """
        select s.metric, s.period_start as start, s.dimension, s.dimension_value,
               coalesce(b.name, s.dimension_value) as name, s.value
        from marts.metric_timeseries as s
        left join marts.branches as b
            on b.tenant_id = s.tenant_id and s.dimension = 'branch' and b.branch_id = s.dimension_value
        where s.tenant_id = %s and s.grain = %s and s.period_start = any(%s)
          and s.dimension = any(%s) and s.metric = any(%s) and s.value is not null
        order by s.metric, s.dimension, s.dimension_value, s.period_start
    """
    with conn.cursor(row_factory=class_row(Share)) as cursor:
        given = (tenant_id, grain, list(starts), list(DIMENSIONS), list(metrics))
        return cursor.execute(sql, given).fetchall()
