"""A workbook written row by row: names of sheets, kinds of cells, widths, print set-up.

Belongs here: everything that needs XlsxWriter and the rules of XLSX. Does not belong here: what a report's
sheets hold (xlsx.py).

Rows go to a temporary file as they are written (XlsxWriter's constant_memory), so memory does not grow with
them; therefore a sheet is written from top to bottom. The same content gives the same bytes.
"""

from __future__ import annotations

import io
import math
from datetime import UTC, date, datetime
from decimal import Decimal

import xlsxwriter
from babel.numbers import get_currency_precision
from xlsxwriter.utility import xl_rowcol_to_cell

from orchestration.errors import MetricpressError
from orchestration.reports.document import Figure, Number
from orchestration.reports.formats.numbers import exact, fits_float

#: Limits of the format: rows of a sheet, characters of a cell, of a sheet's name, of a header line.
MOST_ROWS, MOST_CHARACTERS, LONGEST_NAME, LONGEST_HEADER = 1_048_576, 32_767, 31, 200
_FORBIDDEN = str.maketrans(dict.fromkeys("[]:*?/\\", " "))
_NARROW, _WIDE = 9, 48
#: Columns that a paragraph runs across, and how many characters a line of it holds.
_ACROSS, _LINE = 7, 105
_DURATIONS = {
    "milliseconds": '#,##0.0" ms"', "seconds": '#,##0.0" s"', "minutes": '#,##0.0" min"',
    "hours": '#,##0.00" h"', "days": '#,##0.0" d"',
}  # fmt: skip
_NUMBERS = {"integer": "#,##0", "decimal": "#,##0.00", "percent": "0.00%", "months": "#,##0.0",
            "duration": "#,##0.0"}  # fmt: skip


def number_format(figure: Figure) -> str:
    """The number format of a figure: money to the minor unit with its code, times in their unit."""
    if figure.format == "money":
        currency = figure.currency or "USD"
        digits = get_currency_precision(currency)
        return f"#,##0{'.' + '0' * digits if digits else ''}\\ [${currency}]"
    if figure.format in ("duration", "decimal") and figure.unit in _DURATIONS:
        return _DURATIONS[figure.unit]
    return _NUMBERS[figure.format]


def sheet_name(title: str, taken: set[str]) -> str:
    """A name Excel accepts: at most 31 UTF-16 units, none of []:*?/\\, no apostrophe at an end, used once."""
    name = " ".join("".join(c if c.isprintable() else " " for c in title.translate(_FORBIDDEN)).split())
    name = name.strip("' ") or "Sheet"
    if name.casefold() == "history":  # Excel keeps this name for itself
        name = f"{name} 1"
    short, number = _shortened(name, LONGEST_NAME), 1
    while short.casefold() in taken:
        number += 1
        ending = f" {number}"
        short = _shortened(name, LONGEST_NAME - len(ending)) + ending
    taken.add(short.casefold())
    return short


def _shortened(name: str, units: int) -> str:
    """The beginning of a name, counted as Excel does: a character beyond the basic plane is two."""
    while len(name.encode("utf-16-le")) // 2 > units:
        name = name[:-1]
    return name.strip("' ")


class Workbook:
    """One file in the making. `unfit`: cells whose numbers have more digits than a float keeps."""

    def __init__(self, title: str, author: str, subject: str, created: datetime) -> None:
        self._file = io.BytesIO()
        self._book = xlsxwriter.Workbook(
            self._file,
            {
                "constant_memory": True,
                "strings_to_formulas": False,
                "strings_to_urls": False,
                "strings_to_numbers": False,
            },
        )
        moment = created.astimezone(UTC).replace(tzinfo=None, microsecond=0)
        self._book.set_properties(
            {
                "title": title,
                "author": author,
                "subject": subject,
                "created": moment,
                "comments": "metricpress",
            }
        )
        self._title = title
        self._styles: dict[tuple[tuple[str, object], ...], object] = {}
        self._taken: set[str] = set()
        self._sheets: list[Sheet] = []
        self.unfit: list[tuple[str, str, Number]] = []

    def sheet(self, title: str) -> Sheet:
        """A further sheet, printed across and one page wide, with the report's title over every page."""
        name = sheet_name(title, self._taken)
        raw = self._book.add_worksheet(name)
        raw.set_landscape()
        raw.set_paper(9)
        raw.fit_to_pages(1, 0)
        raw.set_header("&L" + _shortened(self._title, LONGEST_HEADER).replace("&", "&&"))
        raw.set_footer("&L&A&R&P / &N")
        made = Sheet(self, raw, name)
        self._sheets.append(made)
        return made

    def style(self, **properties: object) -> object:
        """A cell format, made once."""
        key = tuple(sorted(properties.items()))
        if key not in self._styles:
            self._styles[key] = self._book.add_format(dict(properties))
        return self._styles[key]

    def close(self) -> bytes:
        """The finished file."""
        for sheet in self._sheets:
            sheet.finish()
        self._book.close()
        return self._file.getvalue()


class Sheet:
    """One sheet, written downwards; `row` is the next free one, from 0."""

    def __init__(self, book: Workbook, raw: xlsxwriter.worksheet.Worksheet, name: str) -> None:
        self.name = name
        self.row = 0
        self._book = book
        self._raw = raw
        self._widths: dict[int, int] = {}
        self._fixed: dict[int, int] = {}

    def skip(self) -> None:
        """Leave a row empty."""
        self.row += 1

    def heading(self, words: str, size: int = 11) -> None:
        """A line in bold; it runs over the empty cells beside it."""
        self._text(0, words, bold=True, font_size=size)
        self._raw.set_row(self.row, size * 1.5)
        self.row += 1

    def paragraph(self, words: str, **style: object) -> None:
        """Sentences, wrapped over the width of a page."""
        words = self._whole(words)
        height = 15.0 * sum(math.ceil(max(len(line), 1) / _LINE) for line in words.split("\n"))
        self._raw.set_row(self.row, min(height, 400.0))
        cell = self._book.style(text_wrap=True, valign="top", **style)
        self._raw.merge_range(self.row, 0, self.row, _ACROSS, "", cell)
        self._raw.write_string(self.row, 0, words, cell)
        self.row += 1

    def header(self, labels: list[str], freeze: bool = False) -> None:
        """Column heads; frozen, they stay in sight and are printed on every page."""
        for column, label in enumerate(labels):
            align = "left" if column == 0 else "right"
            self._text(column, label, bold=True, bottom=1, text_wrap=True, valign="bottom", align=align)
            longest = max((len(word) for word in label.split()), default=0)
            self._widen(column, max(longest, min(len(label), 18)))
        if freeze:
            self._raw.repeat_rows(self.row)
            self._raw.freeze_panes(self.row + 1, 1)
        self.row += 1

    def freeze_above(self) -> None:
        """Keep what was written so far in sight."""
        self._raw.freeze_panes(self.row, 0)

    def text(self, column: int, words: str, **style: object) -> None:
        """A text of the current row. It is never taken for a formula, a number or a link."""
        self._text(column, words, **style)
        self._widen(column, max((len(line) for line in words.split("\n")), default=0))

    def number(self, column: int, value: Number | None, form: str, **style: object) -> None:
        """A number of the current row; None leaves the cell empty, so that sums leave it out."""
        cell = self._book.style(num_format=form, **style)
        if value is None:
            self._raw.write_blank(self.row, column, None, cell)
            return
        if not fits_float(value):
            self._book.unfit.append((self.name, xl_rowcol_to_cell(self.row, column), value))
        exact(value)  # refuses what is not a number
        self._raw.write_number(self.row, column, float(value), cell)
        share = form.endswith("%")
        self._widen(column, len(f"{Decimal(value) * (100 if share else 1):,.2f}") + (1 if share else 4))

    def date(self, column: int, day: date | datetime, **style: object) -> None:
        """A day, or a moment without its timezone."""
        moment = isinstance(day, datetime)
        form = "yyyy-mm-dd hh:mm" if moment else "yyyy-mm-dd"
        plain = day.replace(tzinfo=None) if isinstance(day, datetime) else day
        cell = self._book.style(num_format=form, align="left", **style)
        self._raw.write_datetime(self.row, column, plain, cell)
        self._widen(column, 16 if moment else 10)

    def end_row(self) -> None:
        """Go to the next row."""
        self.row += 1
        if self.row >= MOST_ROWS:
            raise MetricpressError(
                f"sheet {self.name!r} has more than {MOST_ROWS:,} rows",
                remedy="ask for the formats csv or json",
                exit_code=1,
            )

    def width(self, column: int, characters: int) -> None:
        """Fix the width of a column whose texts are wrapped."""
        self._fixed[column] = characters

    def finish(self) -> None:
        """Set the widths, now that all cells are known."""
        for column, characters in self._widths.items():
            width = self._fixed.get(column, min(max(characters + 2, _NARROW), _WIDE))
            self._raw.set_column(column, column, width)

    def _widen(self, column: int, characters: int) -> None:
        self._widths[column] = max(self._widths.get(column, 0), characters)

    def _text(self, column: int, words: str, **style: object) -> None:
        cell = self._book.style(**style) if style else None
        self._raw.write_string(self.row, column, self._whole(words), cell)

    def _whole(self, words: str) -> str:
        """The text as far as a cell holds it; the end of a longer one is in CSV and JSON."""
        return words if len(words) <= MOST_CHARACTERS else words[: MOST_CHARACTERS - 1] + "…"
