"""A metric's history, as the rules look at it, and the figures with sources that sentences are made of.

Belongs here: what every rule needs (the usual change, what is material) and the figures. Does not belong
here: rules (rules.py) and queries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from statistics import median

from orchestration.reports.data.common import TargetRow
from orchestration.reports.data.insights import Reading
from orchestration.reports.document import Figure, Source

SERIES = "marts.metric_timeseries"
#: The usual is that of so many periods: four weeks, half a year, a year; and the fewest that can tell it.
WINDOW, FEWEST_CHANGES = {"day": 28, "week": 26, "month": 12}, 8
#: A change below these is never news: 5% of the value before, or a percentage point of a share.
LEAST_RATE, LEAST_POINTS = Decimal("0.05"), Decimal("0.01")
#: Nor is one of an amount below this part of MRR, where the tenant has any.
LEAST_OF_MRR = Decimal("0.01")
#: Counts, and bases of shares, below this say little.
LEAST_COUNT = 20
#: How many standard deviations of pure chance a change of a count or of a share has to pass.
CHANCE = 3


@dataclass(frozen=True)
class Case:
    """One metric up to the period of the report. `values` go with `starts`; None is not known.

    `is_stock`: the value at the end of a period, such as MRR; else what happened in it. `base`: what a share
    of this period was divided by, where it is known. `floor`: no smaller change of the value is news.
    """

    figure: Figure
    tenant_id: str
    grain: str
    is_stock: bool
    starts: tuple[date, ...]
    values: tuple[Decimal | None, ...]
    target: TargetRow | None = None
    base: Decimal | None = None
    floor: Decimal = Decimal(0)

    @property
    def now(self) -> Decimal | None:
        """The value of the report's period."""
        return self.values[-1]

    @property
    def start(self) -> date:
        """The first day of the report's period."""
        return self.starts[-1]

    @property
    def lag(self) -> int:
        """Periods back to what a value is compared with: what happens on a day goes by the weekday."""
        return 7 if self.is_by_weekday else 1

    @property
    def is_by_weekday(self) -> bool:
        """True for what happens on a day: Sundays are told from Mondays."""
        return self.grain == "day" and not self.is_stock

    @property
    def before(self) -> Decimal | None:
        """The value that this one is compared with."""
        return self.values[-1 - self.lag] if len(self.values) > self.lag else None

    @property
    def change(self) -> Decimal | None:
        """This value less the one it is compared with."""
        return None if self.now is None or self.before is None else self.now - self.before

    @property
    def past(self) -> list[Decimal]:
        """Known values before this period, oldest first."""
        return [value for value in self.values[:-1] if value is not None]

    @property
    def usual_value(self) -> Decimal:
        """The median of the last values, of all where none of them is known; of a day that of its weekday."""
        recent = self.values[-1 - WINDOW[self.grain] : -1]
        same = recent[::7] if self.is_by_weekday and len(recent) == WINDOW["day"] else ()
        known = ([value for value in values if value is not None] for values in (same, recent))
        return median(next(filter(None, known), self.past))

    def is_echo_of(self, other: Case) -> bool:
        """Whether both moved from and to the same values, as calls do where each lead is called once."""
        return (self.now, self.before) == (other.now, other.before)

    @cached_property
    def usual_change(self) -> Decimal | None:
        """The median size of past changes, their mean where most are 0; None when there are too few.

        What stands at the end of a period grows by rates: its changes are scaled to the value before.
        """
        pairs = zip(self.values[:-1], self.values[self.lag : -1], strict=False)
        known = [(old, new) for old, new in pairs if old is not None and new is not None]
        if self.is_stock and self.figure.format != "percent" and self.before:
            scale = abs(self.before)
            sizes = [abs(new - old) / abs(old) * scale for old, new in known if old][-WINDOW[self.grain] :]
        else:
            sizes = [abs(new - old) for old, new in known][-WINDOW[self.grain] :]
        if len(sizes) < FEWEST_CHANGES:
            return None
        return median(sizes) or sum(sizes, Decimal(0)) / len(sizes)

    def is_material(self, old: Decimal, new: Decimal, least_rate: Decimal = LEAST_RATE) -> bool:
        """Whether a move is large enough to be told: by its rate or in points, and beyond chance."""
        size = abs(new - old)
        if self.figure.format == "percent":
            return size >= max(LEAST_POINTS, CHANCE * self._chance_of_share(old, new))
        if self.figure.format == "integer":
            largest = max(abs(old), abs(new))
            if largest < LEAST_COUNT or size < CHANCE * (abs(old) + abs(new)).sqrt():
                return False
        return old != 0 and size >= max(self.floor, least_rate * abs(old))

    def _chance_of_share(self, old: Decimal, new: Decimal) -> Decimal:
        """The standard deviation of the difference of two shares of `base`; 0 where that is not known."""
        middle = (old + new) / 2
        if not self.base or not 0 < middle < 1:
            return Decimal(0)
        return (2 * middle * (1 - middle) / self.base).sqrt()

    def value_at(self, index: int, role: str = "value") -> Figure:
        """The figure of a period, by its index in `starts`; `role` ends its key."""
        key = self.figure.key if role == "value" else f"{self.figure.key}.{role}"
        source = Source(SERIES, "value", self._rows(self.starts[index]))
        return replace(self.figure, key=key, value=self.values[index], source=source, history=())

    def change_rate(self) -> Figure | None:
        """The size of the change as a share of what was before; None for shares and from 0."""
        if self.figure.format == "percent" or not self.before or self.change is None:
            return None
        new, old = (_one(f"period_start = '{day}'") for day in (self.start, self.starts[-1 - self.lag]))
        source = Source(SERIES, f"abs({new} - {old}) / abs({old})", self._rows())
        return Figure(f"{self.figure.key}.change_rate", self.figure.label,
                      abs(self.change) / abs(self.before), "percent", "rate", source=source)  # fmt: skip

    def median_of(self, indices: Sequence[int]) -> Figure:
        """The median of some periods."""
        days = ", ".join(f"'{self.starts[index]}'" for index in indices)
        known = [value for index in indices if (value := self.values[index]) is not None]
        column = f"percentile_cont(0.5) within group (order by value) filter (where period_start in ({days}))"
        return replace(self.figure, key=f"{self.figure.key}.usual", value=median(known),
                       source=Source(SERIES, column, self._rows()), history=())  # fmt: skip

    def aim(self) -> Figure:
        """The target of this period."""
        key = (("tenant_id", self.tenant_id), ("metric", self.figure.key), ("period", self.grain),
               ("period_start", self.start.isoformat()))  # fmt: skip
        value = self.target.target if self.target else None
        return replace(self.figure, key=f"{self.figure.key}.target", value=value, history=(),
                       source=Source("marts.executive_summary", "target", key))  # fmt: skip

    def _rows(self, start: date | None = None) -> tuple[tuple[str, str], ...]:
        return rows_of(self.tenant_id, self.figure.key, self.grain, start)


def rows_of(
    tenant_id: str, metric: str, grain: str, start: date | None = None, dimension: str = "all",
    dimension_value: str | None = None,
) -> tuple[tuple[str, str], ...]:  # fmt: skip
    """The key of rows of the time series; of one period, of one value of a dimension where given."""
    key = {
        "tenant_id": tenant_id, "metric": metric, "grain": grain, "dimension": dimension,
        "dimension_value": "all" if dimension == "all" else dimension_value,
        "period_start": start.isoformat() if start else None,
    }  # fmt: skip
    return tuple((name, value) for name, value in key.items() if value is not None)


def _one(condition: str) -> str:
    """SQL for the value of the one row a condition finds."""
    return f"sum(value) filter (where {condition})"


def starts_back(start: date, grain: str, count: int) -> tuple[date, ...]:
    """Starts of `count` periods, the last of them `start`."""
    if grain == "month":
        months = (start.year * 12 + start.month - 1 - back for back in range(count - 1, -1, -1))
        return tuple(date(month // 12, month % 12 + 1, 1) for month in months)
    length = timedelta(days=7 if grain == "week" else 1)
    return tuple(start - length * back for back in range(count - 1, -1, -1))


def make_case(
    figure: Figure, tenant_id: str, grain: str, is_stock: bool, starts: Sequence[date],
    readings: Mapping[date, Reading], target: TargetRow | None = None, floor: Decimal = Decimal(0),
) -> Case:  # fmt: skip
    """A case out of readings in any order, from the first value other than 0; a quotient of few is None."""
    values = [_value(readings.get(start)) for start in starts]
    first = next((index for index, value in enumerate(values) if value), len(values) - 1)
    last = readings.get(starts[-1])
    base = Decimal(last.denominator) if last is not None and last.denominator is not None else None
    return Case(figure, tenant_id, grain, is_stock, tuple(starts[first:]), tuple(values[first:]), target,
                base, floor)  # fmt: skip


def _value(reading: Reading | None) -> Decimal | None:
    if reading is None or (reading.denominator is not None and reading.denominator < LEAST_COUNT):
        return None
    return Decimal(reading.value)
