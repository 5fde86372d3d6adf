"""Queries of the cohort report: the cells of a retention table.

Belongs here: which cells are read, on marts.cohort_retention. Does not belong here: which of them are
complete and what is averaged (documents/cohort_grid.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from psycopg.rows import class_row

from orchestration.reports.data.common import Connection


@dataclass(frozen=True)
class Choice:
    """Which retention is told: of whom, cohorts by what, over which periods, counted how."""

    subject: Literal["user", "customer", "revenue"]
    cohort_by: str
    period: Literal["week", "month"]
    mode: Literal["rolling", "calendar", "unbounded"]

    @property
    def key(self) -> tuple[tuple[str, str], ...]:
        """The part of the mart's key it fixes."""
        return (("subject", self.subject), ("cohort_by", self.cohort_by), ("period", self.period),
                ("mode", self.mode))  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One cohort in one bucket; rates are fractions, money is in the tenant's currency."""

    cohort_start: date
    period_index: int
    cohort_size: int
    retained: int | None
    retention_rate: Decimal | None
    retained_mrr: Decimal | None
    eligible_starting_mrr: Decimal | None
    is_complete: bool


def read_cells(
    conn: Connection, tenant_id: str, choice: Choice, first: date, last: date, most_index: int
) -> Sequence[Cell]:
    """Cells of the cohorts that begin between two days, by cohort and bucket."""
    sql = """
        select cohort_start, period_index, cohort_size, retained, retention_rate, retained_mrr,
               eligible_starting_mrr, is_complete
        from marts.cohort_retention
        where tenant_id = %(tenant_id)s and subject = %(subject)s and cohort_by = %(cohort_by)s
          and period = %(period)s and mode = %(mode)s
          and cohort_start between %(first)s and %(last)s and period_index <= %(most_index)s
        order by cohort_start, period_index
    """
    given = {"tenant_id": tenant_id, "first": first, "last": last, "most_index": most_index}
    with conn.cursor(row_factory=class_row(Cell)) as cursor:
        return cursor.execute(sql, given | dict(choice.key)).fetchall()


def read_extent(conn: Connection, tenant_id: str, choice: Choice) -> tuple[date, date] | None:
    """First and last cohort of this kind; None without any."""
    sql = """
        select min(cohort_start), max(cohort_start)
        from marts.cohort_retention
        where tenant_id = %(tenant_id)s and subject = %(subject)s and cohort_by = %(cohort_by)s
          and period = %(period)s and mode = %(mode)s
    """
    row = conn.cursor().execute(sql, {"tenant_id": tenant_id} | dict(choice.key)).fetchone()
    return (row[0], row[1]) if row and row[0] is not None else None


def read_kinds(conn: Connection, tenant_id: str) -> Sequence[tuple[str, str]]:
    """Subjects and what their cohorts go by, of which the tenant has any."""
    sql = """
        select subject, cohort_by
        from marts.cohort_retention
        where tenant_id = %s and period = 'month'
        group by subject, cohort_by
        order by subject, cohort_by
    """
    return conn.cursor().execute(sql, (tenant_id,)).fetchall()
