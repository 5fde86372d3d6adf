"""Calendar arithmetic of report periods.

Belongs here: the period before, where a trend begins, and whether a period fits its frequency. Does not
belong here: when a report is due (delivery) and how a period reads (formatting.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from orchestration.errors import MetricpressError
from orchestration.reports.formatting import Formatter
from orchestration.reports.messages import N_
from orchestration.reports.request import Frequency

GRAIN = {"daily": "day", "weekly": "week", "monthly": "month", "range": "day"}
#: Points on a trend chart: a month of days, a quarter of weeks, a year of months and the month a year ago.
TREND_POINTS = {"daily": 30, "weekly": 13, "monthly": 13}
BEFORE = {"daily": N_("the day before"), "weekly": N_("the week before"),
          "monthly": N_("the month before"), "range": N_("the day before")}  # fmt: skip
THIS = {"daily": N_("this day"), "weekly": N_("this week"), "monthly": N_("this month"),
        "range": N_("this period")}  # fmt: skip


@dataclass(frozen=True)
class Period:
    """One report period with inclusive ends, and what it is compared with.

    A range is any number of whole days; it is compared with the range before of the same length.
    """

    frequency: Frequency
    start: date
    end: date

    @property
    def grain(self) -> str:
        """The grain of marts.metric_timeseries: day, week or month."""
        return GRAIN[self.frequency]

    def before(self, text: Formatter) -> str:
        """The period of comparison in words: `the week before`."""
        if self.frequency == "range" and self.days > 1:
            return text.n("the {count} day before", "the {count} days before", self.days)
        return text.t(BEFORE[self.frequency])

    def this(self, text: Formatter) -> str:
        """The period itself in words: `this week`."""
        return text.t(THIS[self.frequency])

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.end - self.start).days + 1

    @property
    def previous(self) -> Period:
        """The period that ends the day before this one begins."""
        return Period(self.frequency, self._start(-1), self.start - timedelta(days=1))

    @cached_property
    def trend(self) -> tuple[date, ...]:
        """Starts of the periods on a trend chart, this one last."""
        if self.frequency == "range":
            return tuple(self.start + timedelta(days=index) for index in range(self.days))
        points = TREND_POINTS[self.frequency]
        return tuple(self._start(index - points + 1) for index in range(points))

    @property
    def trend_periods(self) -> tuple[Period, ...]:
        """The periods on a trend chart: of a range its days, else those before and this one."""
        if self.frequency == "range":
            return tuple(Period("daily", day, day) for day in self.trend)
        length = self.end - self.start
        return tuple(Period(self.frequency, start, start + length) for start in self.trend)

    def trend_span(self, text: Formatter) -> str:
        """How long the trend is, in words: `13 weeks`."""
        count = len(self.trend)
        if self.grain == "month":
            return text.n("{count} month", "{count} months", count)
        if self.grain == "week":
            return text.n("{count} week", "{count} weeks", count)
        return text.n("{count} day", "{count} days", count)

    def check(self, week_start: str) -> None:
        """Refuse a period that is not one whole day, week or month of the tenant; a range needs a day."""
        if self.frequency == "range":
            fits, remedy = self.start <= self.end, "give the first day, then the last"
        elif self.frequency == "daily":
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
        if self.frequency == "range":
            return self.start + timedelta(days=steps * self.days)
        if self.frequency == "weekly":
            return self.start + timedelta(weeks=steps)
        months = self.start.year * 12 + self.start.month - 1 + steps
        return date(months // 12, months % 12 + 1, 1)


def whole_period(frequency: str, day: date, week_start: str) -> tuple[date, date]:
    """First and last day (inclusive) of the day, week or month that holds `day`."""
    if frequency == "daily":
        return day, day
    if frequency == "weekly":
        first = day - timedelta(days=(day.weekday() + (1 if week_start == "sunday" else 0)) % 7)
        return first, first + timedelta(days=6)
    next_month = (day.replace(day=28) + timedelta(days=4)).replace(day=1)
    return day.replace(day=1), next_month - timedelta(days=1)


def newest_whole_period(frequency: str, complete: date, week_start: str) -> tuple[date, date]:
    """The last day, week or month that has ended when `complete` (inclusive) has."""
    first, last = whole_period(frequency, complete, week_start)
    return (
        (first, last) if last <= complete else whole_period(frequency, first - timedelta(days=1), week_start)
    )
