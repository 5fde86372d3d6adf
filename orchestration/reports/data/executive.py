"""Queries of the executive report.

Belongs here: which metrics a tenant has data for, and the steps of its MRR bridge. Does not belong here: the
choice and order of sections (documents/executive.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from orchestration.reports.data.common import Connection
from orchestration.reports.document import Number
from orchestration.reports.periods import Period


def read_present(conn: Connection, tenant_id: str, until: date, metrics: Sequence[str]) -> frozenset[str]:
    """Metrics that ever said something up to a day: a value other than 0, or a ratio of something."""
    sql = """
        select metric
        from marts.metric_timeseries
        where tenant_id = %s and metric = any(%s) and grain = 'month'
          and dimension = 'all' and dimension_value = 'all' and period_start <= %s
        group by metric
        having bool_or(value <> 0 or denominator > 0)
    """
    rows = conn.cursor().execute(sql, (tenant_id, list(metrics), until)).fetchall()
    return frozenset(row[0] for row in rows)


def read_movements(conn: Connection, tenant_id: str, period: Period) -> dict[str, Number]:
    """Sum of MRR movements by kind; amounts are positive, fx_impact alone is signed."""
    sql = """
        select movement, sum(amount)
        from marts.mrr_movements
        where tenant_id = %s and movement_date between %s and %s
        group by movement
    """
    rows = conn.cursor().execute(sql, (tenant_id, period.start, period.end)).fetchall()
    return {row[0]: row[1] for row in rows if row[1]}


def read_extent(conn: Connection, tenant_id: str, grain: str) -> tuple[date, date] | None:
    """Starts of the first and the last period with a figure other than 0; None for a tenant without any."""
    sql = """
        select min(period_start), max(period_start)
        from marts.metric_timeseries
        where tenant_id = %s and grain = %s and dimension = 'all' and dimension_value = 'all' and value <> 0
    """
    row = conn.cursor().execute(sql, (tenant_id, grain)).fetchone()
    return (row[0], row[1]) if row and row[0] is not None else None
