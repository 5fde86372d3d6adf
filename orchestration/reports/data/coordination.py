"""Queries of the coordination report.

Belongs here: the days of marts.coordination_metrics. Does not belong here: metrics of the catalogue
(data/common.py reads them for all reports), and what a week or a month makes of days.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from psycopg.rows import class_row

from orchestration.reports.data.common import Connection


@dataclass(frozen=True)
class Day:
    """One day of joint work. Clients and vendors are distinct within the day: never add them up."""

    metric_date: date
    clients_coordinated: int
    clients_coordinated_month_to_date: int
    vendors_collaborating: int
    new_collaborations: int
    active_vendor_pairs: int
    satisfaction_scores: int
    by_collaboration_type: Mapping[str, int]

    @property
    def is_silent(self) -> bool:
        """Nothing began, nothing went on and nobody was asked."""
        return not (self.clients_coordinated or self.active_vendor_pairs or self.satisfaction_scores)


def read_days(conn: Connection, tenant_id: str, first: date, last: date) -> dict[date, Day]:
    """The days of a stretch by date, in order; the mart has every day from the tenant's first on."""
    sql = """
        select metric_date, clients_coordinated, clients_coordinated_month_to_date, vendors_collaborating,
               new_collaborations, active_vendor_pairs, satisfaction_scores, by_collaboration_type
        from marts.coordination_metrics
        where tenant_id = %s and metric_date between %s and %s
        order by metric_date
    """
    with conn.cursor(row_factory=class_row(Day)) as cursor:
        return {day.metric_date: day for day in cursor.execute(sql, (tenant_id, first, last))}


def read_extent(conn: Connection, tenant_id: str) -> tuple[date, date] | None:
    """First and last day that is not silent; None without any."""
    sql = """
        select min(metric_date), max(metric_date)
        from marts.coordination_metrics
        where tenant_id = %s
          and (clients_coordinated > 0 or active_vendor_pairs > 0 or satisfaction_scores > 0)
    """
    row = conn.cursor().execute(sql, (tenant_id,)).fetchone()
    return (row[0], row[1]) if row and row[0] is not None else None
