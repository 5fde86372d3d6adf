"""Calendar arithmetic of report periods.

Belongs here: the period before, where a trend begins, and whether a period fits its frequency. Does not
belong here: when a report is due (delivery) and how a period reads (formatting.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from orchestration.errors import MetricpressError
from orchestration.reports.request import Frequency

GRAIN = {"daily": "day", "weekly": "week", "monthly": "month"}
#: Points on a trend chart: a month of days, a quarter of weeks, a year of months and the month a year ago.
TREND_POINTS = {"daily": 30, "weekly": 13, "monthly": 13}
BEFORE = {"daily": "the day before", "weekly": "the week before", "monthly": "the month before"}


@dataclass(frozen=True)
class Period:
    """One report period with inclusive ends, and what it is compared with."""

    frequency: Frequency
    start: date
    end: date

    @property
    def grain(self) -> str:
        """The grain of marts.metric_timeseries: day, week or month."""
        return GRAIN[self.frequency]

    @property
    def before(self) -> str:
        """The period of comparison in words."""
        return BEFORE[self.frequency]

    @property
    def this(self) -> str:
        """The period itself in words."""
        return f"this {self.grain}"

    @property
    def previous(self) -> Period:
        """The period that ends the day before this one begins."""
        return Period(self.frequency, self._start(-1), self.start - timedelta(days=1))

    @property
    def trend(self) -> tuple[date, ...]:
        """Starts of the periods on a trend chart, this one last."""
        points = TREND_POINTS[self.frequency]
        return tuple(self._start(index - points + 1) for index in range(points))

    def check(self, week_start: str) -> None:
        """Refuse a period that is not one whole day, week or month of the tenant."""
        if self.frequency == "daily":
            fits, remedy = self.start == self.end, "give the same day twice"
        elif self.frequency == "weekly":
            first = 0 if week_start == "monday" else 6
            fits = self.start.weekday() == first and self.end == self.start + timedelta(days=6)
            remedy = f"a week of this tenant begins on {week_start} and has seven days"
        else:
            fits = self.start.day == 1 and self.end == self._start(1) - timedelta(days=1)
            remedy = "give the first and the last day of one month"
        if not fits:
            message = f"{self.start} to {self.end} is not a period of a {self.frequency} report"
            raise MetricpressError(message, remedy=remedy)

    def _start(self, steps: int) -> date:
        if self.frequency == "daily":
            return self.start + timedelta(days=steps)
        if self.frequency == "weekly":
            return self.start + timedelta(weeks=steps)
        months = self.start.year * 12 + self.start.month - 1 + steps
        return date(months // 12, months % 12 + 1, 1)
