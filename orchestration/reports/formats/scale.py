"""Round axis values.

Belongs here: the choice of ticks and the map from values to heights. Does not belong here: drawing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from orchestration.reports.document import Figure
from orchestration.reports.formatting import SECONDS

_ONE = Decimal(1)
#: From how many seconds a time is told in units of how many (formatting.py): days, hours, minutes.
_TOLD_IN = ((72 * 3600, 86400), (3600, 3600), (60, 60))
_STEPS = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
#: An axis begins at zero unless the values fill less than this share of the way from zero.
_FLAT = Decimal("0.35")


@dataclass(frozen=True)
class Scale:
    """Values `low` to `high` over the heights `bottom` to `top`, with round ticks between."""

    low: Decimal
    high: Decimal
    top: float
    bottom: float
    ticks: tuple[Decimal, ...]

    def y(self, value: Decimal) -> float:
        """Height of a value in the picture."""
        share = float((value - self.low) / (self.high - self.low))
        return self.bottom - share * (self.bottom - self.top)

    @property
    def zero(self) -> float:
        """Height of zero, or of the edge that is nearest to it."""
        return self.y(min(max(Decimal(0), self.low), self.high))


def nice_scale(
    values: Sequence[Decimal],
    top: float,
    bottom: float,
    *,
    whole: bool = False,
    unit: Decimal = _ONE,
    most: Decimal | None = None,
) -> Scale:
    """A scale around the values with about three round ticks; it holds zero unless the values lie far off.

    `whole` keeps ticks on whole numbers. Ticks are round in `unit`: 86400 for seconds told as days. No tick
    stands above `most` unless a value does.
    """
    if unit != _ONE:
        scale = nice_scale([value / unit for value in values], top, bottom, whole=whole)
        ticks = tuple(tick * unit for tick in scale.ticks)
        return Scale(scale.low * unit, scale.high * unit, top, bottom, ticks)
    low, high = min(values), max(values)
    spread = high - low
    far = spread < max(abs(low), abs(high)) * _FLAT
    if not far or low <= 0 <= high:
        low, high = min(low, Decimal(0)), max(high, Decimal(0))
    elif spread == 0:
        low, high = (
            (low * Decimal("0.9"), high * Decimal("1.1")) if low > 0 else (low * Decimal("1.1"), high * 0)
        )
        if most is not None and low < most and max(values) <= most:
            high = min(high, most)
    if low == high:
        high = low + 1
    step = _step((high - low) / 3, whole)
    first = (low / step).to_integral_value(ROUND_FLOOR) * step
    last = (high / step).to_integral_value(ROUND_CEILING) * step
    count = int((last - first) / step)
    ticks = tuple(first + step * index for index in range(count + 1))
    return Scale(first, last, top, bottom, ticks)


def chart_scale(values: Sequence[Decimal], sample: Figure, top: float, bottom: float) -> Scale:
    """The scale of a chart's values: whole counts, shares up to 100%, times in their largest unit."""
    whole = sample.format == "integer"
    most = _ONE if sample.format == "percent" else None
    return nice_scale(values, top, bottom, whole=whole, unit=_tick_unit(values, sample), most=most)


def _tick_unit(values: Sequence[Decimal], sample: Figure) -> Decimal:
    """Days, hours, minutes or seconds in the figure's unit, as the largest value is told; else 1."""
    if sample.unit not in SECONDS:
        return _ONE
    size = SECONDS[sample.unit]
    longest = max(abs(value) for value in values) * size
    told = next((seconds for least, seconds in _TOLD_IN if longest >= least), 1)
    return Decimal(told) / size


def cut_scale(values: Sequence[Decimal], top: float, bottom: float) -> Scale:
    """A scale without ticks, cut below the smallest value where the values lie far above zero."""
    low, high = min(values), max(values)
    if low <= 0 or high - low >= high * _FLAT:
        return Scale(min(low, Decimal(0)), max(high, Decimal(0), low + 1), top, bottom, ())
    room = (high - low) / 4 or abs(high) / 4 or Decimal(1)
    return Scale(low - room, high, top, bottom, ())


def _step(least: Decimal, whole: bool) -> Decimal:
    power = Decimal(10) ** (least.adjusted())
    step = next(factor * power for factor in _STEPS if factor * power >= least)
    return max(step.to_integral_value(ROUND_CEILING), Decimal(1)) if whole else step
