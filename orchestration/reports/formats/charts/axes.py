"""What charts over an axis share: the grid of values and the names below.

Belongs here: grid lines with their labels, names along the x axis. Does not belong here: marks.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import pairwise

from orchestration.reports.document import Figure
from orchestration.reports.formats.charts.canvas import (
    INK,
    QUIET,
    RULE,
    SIZE,
    Anchor,
    Canvas,
    cut,
    text_width,
)
from orchestration.reports.formats.scale import Scale
from orchestration.reports.formatting import Formatter

#: Points below the drawing for the names along the x axis.
FOOT = 16.0


def grid(canvas: Canvas, scale: Scale, sample: Figure, text: Formatter, right: float) -> float:
    """Horizontal lines with their values above the left end; gives where the drawing may begin."""
    room = canvas.width * 0.3
    labels = [cut(label, room) for label in text.axis(sample, scale.ticks)]
    for tick, label in zip(scale.ticks, labels, strict=True):
        y = scale.y(tick)
        canvas.line(0, y, right, y, INK if tick == 0 else RULE, 0.6 if tick == 0 else 0.5)
        canvas.text(0, y - 2.2, label)
    return 6 + max(text_width(label) for label in labels)


def names_of(x: Sequence[date | str], text: Formatter, frequency: str) -> list[str]:
    """The names along an axis as words; a month stands for its first day only where all are first days."""
    if any(isinstance(name, date) and name.day != 1 for name in x):
        frequency = "daily"
    return [text.short_date(name, frequency) if isinstance(name, date) else name for name in x]


def few_names(canvas: Canvas, names: Sequence[str], left: float, step: float, parts: int) -> None:
    """First and last name and some between, each under its point, as many as fit."""
    last = len(names) - 1
    shown = [0]
    for count in range(min(parts, last), 0, -1):
        shown = [round(last * part / count) for part in range(count + 1)]
        boxes = [_box(names[index], index, last, left + index * step) for index in shown]
        if all(first[1] + 6 <= second[0] for first, second in pairwise(boxes)):
            break
    room = canvas.width - left if last == 0 else canvas.width if len(shown) > 2 else last * step / 2 - 3
    for index in shown:
        x = left + index * step
        canvas.line(x, canvas.height - FOOT, x, canvas.height - FOOT + 3, QUIET)
        anchor: Anchor = "start" if index == 0 else "end" if index == last else "middle"
        canvas.text(x, canvas.height - 4, cut(names[index], room), anchor=anchor)


def _box(name: str, index: int, last: int, x: float) -> tuple[float, float]:
    """From where to where a name reaches."""
    width = text_width(name)
    begin = x if index == 0 else x - width if index == last else x - width / 2
    return begin, begin + width


def slot_names(canvas: Canvas, names: Sequence[str], left: float, slot: float, base: float) -> None:
    """Names in the middle of their slots, each second or third where they would touch."""
    widest = max(text_width(name) for name in names)
    every = next((n for n in (1, 2, 3, 4, 6, 12) if widest + 3 <= slot * n), 0)
    if not every and slot < 24:
        every = int(24 / slot) + 1
    every = every or 1
    for index, name in enumerate(names):
        if index % every:
            continue
        middle = left + (index + 0.5) * slot
        room = min(slot * every - 3, 2 * (middle - 0), 2 * (canvas.width - middle))
        canvas.text(middle, base, cut(name, room, SIZE), anchor="middle")
