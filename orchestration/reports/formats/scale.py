"""Round axis values.

Belongs here: the choice of ticks and the map from values to heights. Does not belong here: drawing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

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


def nice_scale(values: Sequence[Decimal], top: float, bottom: float, *, whole: bool = False) -> Scale:
    """A scale around the values with about three round ticks; it holds zero unless the values lie far off.

    `whole` keeps ticks on whole numbers.
    """
    low, high = min(values), max(values)
    spread = high - low
    far = spread < max(abs(low), abs(high)) * _FLAT
    if not far or low <= 0 <= high:
        low, high = min(low, Decimal(0)), max(high, Decimal(0))
    elif spread == 0:
        low, high = (
            (low * Decimal("0.9"), high * Decimal("1.1")) if low > 0 else (low * Decimal("1.1"), high * 0)
        )
    if low == high:
        high = low + 1
    step = _step((high - low) / 3, whole)
    first = (low / step).to_integral_value(ROUND_FLOOR) * step
    last = (high / step).to_integral_value(ROUND_CEILING) * step
    count = int((last - first) / step)
    ticks = tuple(first + step * index for index in range(count + 1))
    return Scale(first, last, top, bottom, ticks)


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
