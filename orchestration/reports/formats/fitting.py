"""How large words may be so that nothing leaves the page: cards, headlines, tables.

Belongs here: the choice of a size class from measured words; the style sheet says what a class looks like.
Does not belong here: drawing charts (charts/), which fit their words themselves.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from orchestration.reports.formats.charts.canvas import WIDE, text_width

#: Class and font size of the value on a card, the largest first; .value in report.css.
CARD_SIZES = (("", 22.0), ("long", 17.0), ("longer", 14.0), ("longest", 10.5))
_CARD, _SPARK = 147.0, 46.0
#: Of the serif face: digits take this much of an em, letters so much more than those of the sans.
_SERIF_DIGIT, _SERIF_LETTER = 0.6, 1.1
#: Class and length in characters up to which it holds; h1 in report.css.
HEADLINES = (("", 130), ("long", 260), ("longest", 10_000))
#: Class, font size, and padding before each column but the first; table in report.css.
DENSITIES = (("", 7.8, 11.3), ("dense", 7.2, 8.0), ("denser", 6.2, 5.0))
#: Where not even abbreviated numbers fit; what is still too long breaks within its cell.
SMALLEST = ("densest", 5.2, 4.0)
_HEAD_SIZE = 7.2
#: The names of the rows get at least this many points.
_NAMES = 105.0
#: Words longer than this may take several lines in a cell.
LONGEST_CELL = 26
#: What stands for a sparkline, whose width is the same in each class, and words as wide as an arrow or dot.
SPARK_WORDS, MARK_WORDS = "\0", "00"
#: The names of the rows get this part of the page where the figures leave it to them.
_NAMES_SHARE = 0.3


def card_size(words: str, has_spark: bool) -> str:
    """The class for the value on a card."""
    room = _CARD - (_SPARK if has_spark else 0)
    digits = sum(character.isdigit() or character in "$€£¥" for character in words)
    letters = "".join(character for character in words if not character.isdigit() and character not in "$€£¥")
    width = digits * _SERIF_DIGIT + text_width(letters, _SERIF_LETTER)
    fitting = (name for name, size in CARD_SIZES if width * size <= room)
    return next(fitting, CARD_SIZES[-1][0])


def headline_size(words: str) -> str:
    """The class for the headline of a page."""
    return next((name for name, most in HEADLINES if len(words) <= most), HEADLINES[-1][0])


def table_density(columns: Sequence[Sequence[str]], *, wraps: bool = True, small: bool = False) -> str | None:
    """The widest class in which a table fits; None if none does. `columns`: head and cells of each.

    `wraps`: whether long cells may take several lines; `small`: the smallest class, rather than None.
    """
    for name, size, padding in DENSITIES:
        if _NAMES + sum(_column(column, size, wraps) + padding for column in columns) <= WIDE:
            return name
    return SMALLEST[0] if small else None


def column_shares(
    names: Sequence[str], columns: Sequence[Sequence[str]], density: str | None, *, wraps: bool = True
) -> list[float]:
    """Percentages of the page, to a tenth, for the names of the rows and each further column.

    A table whose widths are given is laid out once; where the layout has to find them it measures each cell
    three times, a fifth of the time of a document.
    """
    _, size, padding = next((entry for entry in DENSITIES if entry[0] == density), SMALLEST)
    wanted = [_column(column, size, wraps) + padding for column in columns]
    figures = sum(wanted)
    longest = max((text_width(name, size) for name in names), default=0.0) + 2
    first = min(max(longest, WIDE * _NAMES_SHARE), max(WIDE - figures, _NAMES))
    stretch = (WIDE - first) / figures if figures else 0.0
    shares = [int(1000 * wide * stretch / WIDE) / 10 for wide in wanted]
    return [round(100 - sum(shares), 1), *shares]


def _column(words: Sequence[str], size: float, wraps: bool) -> float:
    """Points of a column: its longest cell, or the longest word of its head or of a cell that may wrap."""
    head, cells = words[0], words[1:]
    whole = (cell for cell in cells if not wraps or len(cell) <= LONGEST_CELL)
    widest = max((_SPARK if cell == SPARK_WORDS else text_width(cell, size) for cell in whole), default=0.0)
    if wraps and any(len(cell) > LONGEST_CELL for cell in cells):
        widest = max(widest, 12 * size * 0.6)
    head_size = min(_HEAD_SIZE, size)
    return max(widest, *(text_width(word, head_size) for word in re.split(r"[\s-]+", head)))
