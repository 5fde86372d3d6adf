"""Retention cells of one report: which are complete, their weighted averages, best and worst cohort.

Belongs here: calendar arithmetic of cohorts and sums over cells. Does not belong here: words and looks
(cohort.py) and queries (data/).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from orchestration.reports.data.cohort import Cell, Choice

#: Days of a rolling bucket.
DAYS = {"week": 7, "month": 30}
#: Cohorts with fewer members are never called best or worst: one person would move the share by 5 points.
LEAST_SIZE = 20


def add_periods(start: date, period: str, count: int) -> date:
    """The first day of the week or month `count` after the one that begins on `start`."""
    if period == "week":
        return start + timedelta(weeks=count)
    months = start.year * 12 + start.month - 1 + count
    return date(months // 12, months % 12 + 1, 1)


def period_of(day: date, period: str, week_start: str) -> date:
    """The first day of the tenant's week or month that holds a day."""
    if period == "month":
        return day.replace(day=1)
    return day - timedelta(days=(day.weekday() + (1 if week_start == "sunday" else 0)) % 7)


def completed_on(choice: Choice, cohort_start: date, index: int) -> date:
    """The day on which even a member who came on the cohort's last day has completed the bucket."""
    if choice.mode != "rolling":
        return add_periods(cohort_start, choice.period, index + 1) - timedelta(days=1)
    last_member = add_periods(cohort_start, choice.period, 1) - timedelta(days=1)
    return last_member + timedelta(days=(index + 1) * DAYS[choice.period] - 1)


@dataclass(frozen=True)
class Average:
    """Retention over all cohorts that completed a bucket: a sum divided by a sum, never a mean of rates."""

    index: int
    cohorts: int
    members: int
    kept: Decimal
    base: Decimal

    @property
    def rate(self) -> Decimal | None:
        """Kept of base; None when there is nothing to divide by."""
        return self.kept / self.base if self.base else None


@dataclass(frozen=True)
class Grid:
    """The cells a report shows: cohorts in order, only buckets everybody in the cohort has completed."""

    choice: Choice
    sizes: Mapping[date, int]
    cells: Mapping[tuple[date, int], Cell]
    left_out: int

    @classmethod
    def of(cls, choice: Choice, cells: Iterable[Cell], first: date, day: date) -> Grid:
        """Cells of cohorts from `first` on that were complete at the end of `day`.

        What was complete then is known from the calendar alone: the report of a month is the same whenever it
        is made.
        """
        begun = [cell for cell in cells if first <= cell.cohort_start <= day]
        kept = {
            (cell.cohort_start, cell.period_index): cell
            for cell in begun
            if cell.is_complete and completed_on(choice, cell.cohort_start, cell.period_index) <= day
        }
        # A bucket that began after `day` was no cell of that day.
        running = [
            cell for cell in begun
            if (cell.cohort_start, cell.period_index) not in kept
            and add_periods(cell.cohort_start, choice.period, cell.period_index) <= day
        ]  # fmt: skip
        # Later cells of a rolling cohort count only whom they could reach so far.
        sizes = {cell.cohort_start: cell.cohort_size for cell in begun if cell.period_index == 0}
        return cls(choice, sizes, kept, len(running))

    @property
    def cohorts(self) -> list[date]:
        """Starts of all cohorts, the oldest first."""
        return sorted(self.sizes)

    @property
    def last_index(self) -> int:
        """The highest bucket that some cohort has completed; -1 without any."""
        return max((index for _, index in self.cells), default=-1)

    def rate(self, cohort: date, index: int) -> Decimal | None:
        """Retention of a complete cell."""
        cell = self.cells.get((cohort, index))
        return cell.retention_rate if cell else None

    def average(self, index: int) -> Average:
        """The weighted average of a bucket; cells without a rate (a missing exchange rate) are left out."""
        column = [
            cell for (_, at), cell in self.cells.items() if at == index and cell.retention_rate is not None
        ]
        if self.choice.subject == "revenue":
            kept = sum((Decimal(cell.retained_mrr or 0) for cell in column), Decimal(0))
            base = sum((Decimal(cell.eligible_starting_mrr or 0) for cell in column), Decimal(0))
        else:
            kept = sum((Decimal(cell.retained or 0) for cell in column), Decimal(0))
            base = sum((Decimal(cell.cohort_size) for cell in column), Decimal(0))
        return Average(index, len(column), sum(cell.cohort_size for cell in column), kept, base)

    def ranked(self, index: int) -> list[Cell]:
        """Cells of a bucket whose cohort is large enough to be compared, the best first."""
        column = [
            cell for (_, at), cell in self.cells.items()
            if at == index and cell.retention_rate is not None and cell.cohort_size >= LEAST_SIZE
        ]  # fmt: skip
        return sorted(column, key=lambda cell: (-Decimal(cell.retention_rate or 0), cell.cohort_start))
