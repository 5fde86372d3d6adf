"""One long table as CSV: a line for each number, and for each text that stands in a table.

Belongs here: the columns, their order, and what spreadsheets must not take for a formula. Does not belong
here: sentences of the report (they are in JSON and XLSX), and any rounding.

RFC 4180: commas, CR LF, quotes where needed, a header. Numbers are unrounded, with a point. UTF-8 with a byte
order mark, without which Excel reads a file that is opened with a double click in the code page of Windows.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

from orchestration.reports.document import (
    Block,
    Cards,
    Chart,
    Charts,
    Document,
    Figure,
    FigureTable,
    Insights,
    Number,
    Remarks,
    Table,
)
from orchestration.reports.formats.numbers import exact, key_text
from orchestration.reports.templates import ReportType

#: Spreadsheets take a cell that begins so for a formula (OWASP, "CSV injection"), some after blanks too.
_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")


@dataclass(frozen=True)
class Line:
    """One line: where the number stands in the report, the number, and what goes with it.

    `value` and those compared with it are unrounded, in `unit` (money in `currency`, rates as fractions).
    `column` of a chart is its x: a date as 2026-11-20, or a name.
    """

    report: str
    frequency: str
    tenant: str
    branch: str
    period_start: str
    period_end: str
    as_of: str
    timezone: str
    section: str
    section_title: str
    kind: str
    table: str
    table_title: str
    row: str
    column: str
    key: str = ""
    label: str = ""
    value: Number | None = None
    text: str = ""
    unit: str = ""
    format: str = ""
    currency: str = ""
    previous: Number | None = None
    change: Number | None = None
    change_rate: Number | None = None
    movement: str = ""
    judgement: str = ""
    target: Number | None = None
    benchmark: Number | None = None
    status: str = ""
    reason: str = ""
    mart: str = ""
    mart_column: str = ""
    mart_key: str = ""


COLUMNS = tuple(field.name for field in fields(Line))


def render(document: Document, report: ReportType, template_dir: Path | None) -> bytes:
    """The file; texts that a spreadsheet would run have an apostrophe before them."""
    return b"\xef\xbb\xbf" + _write(document, raw=False)


def render_raw(document: Document) -> bytes:
    """The same lines for programs: texts as they are, no byte order mark."""
    return _write(document, raw=True)


def lines(document: Document) -> Iterator[Line]:
    """Every number of the document in the order of reading."""
    for block in document.front:
        yield from _Walk(document, "front", "").block(block)
    for section in document.sections:
        walk = _Walk(document, section.key, section.title)
        for block in section.blocks:
            yield from walk.block(block)


def neutral(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def _write(document: Document, raw: bool) -> bytes:
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for line in lines(document):
        values = (getattr(line, name) for name in COLUMNS)
        writer.writerow([_cell(value, raw) for value in values])
    return file.getvalue().encode("utf-8")


def _cell(value: str | Number | None, raw: bool) -> str:
    match value:
        case None:
            return ""
        case str():
            return value if raw else neutral(value)
        case number:
            return exact(number)


class _Walk:
    """Makes the lines of one section."""

    def __init__(self, document: Document, section: str, title: str) -> None:
        self.begin = (
            document.report, document.frequency, document.tenant, document.branch or "",
            document.period_start.isoformat(), document.period_end.isoformat(), document.as_of.isoformat(),
            document.timezone, section, title,
        )  # fmt: skip

    def block(self, block: Block) -> Iterator[Line]:
        match block:
            case Cards(figures=figures):
                yield from (self.figure(figure, "cards", "", "", figure.label) for figure in figures)
            case FigureTable(figures=figures):
                for figure in figures:
                    yield self.figure(figure, "figure_table", block.key, block.title, figure.label)
            case Table():
                yield from self.table(block)
            case Charts(charts=charts):
                for chart in charts:
                    yield from self.chart(chart)
            case Insights(insights=insights):
                for insight in insights:
                    for figure in insight.figures:
                        yield self.figure(figure, "insight", insight.rule, "", insight.text)
            case Remarks():
                return

    def table(self, table: Table) -> Iterator[Line]:
        for row in table.rows:
            for cell, column in zip(row.cells, table.columns[1:], strict=True):
                if isinstance(cell, Figure):
                    yield self.figure(cell, "table", table.key, table.title, row.label, column.label)
                else:
                    place = ("table", table.key, table.title, row.label, column.label)
                    yield Line(*self.begin, *place, label=column.label, text=cell)

    def chart(self, chart: Chart) -> Iterator[Line]:
        sample = chart.sample
        for series in chart.series:
            if series.head:
                yield self.figure(series.head, "chart", chart.key, chart.title, series.label, "head")
            for x, value in zip(chart.x, series.values, strict=True):
                place = ("chart", chart.key, chart.title, series.label, str(x))
                yield Line(*self.begin, *place, label=series.label, value=value, unit=sample.unit,
                           format=sample.format, currency=sample.currency or "")  # fmt: skip
        for figure in (*((chart.end,) if chart.end else ()), *chart.labels):
            yield self.figure(figure, "chart_label", chart.key, chart.title, figure.label)

    def figure(
        self, figure: Figure, kind: str, table: str, title: str, row: str, column: str = ""
    ) -> Line:  # fmt: skip
        comparison, target, source = figure.comparison, figure.target, figure.source
        return Line(
            *self.begin, kind, table, title, row, column,
            key=figure.key,
            label=figure.label,
            value=figure.value,
            unit=figure.unit,
            format=figure.format,
            currency=figure.currency or "",
            previous=comparison.value if comparison else None,
            change=comparison.change if comparison else None,
            change_rate=comparison.change_rate if comparison else None,
            movement=comparison.movement if comparison else "",
            judgement=comparison.judgement if comparison else "",
            target=target.value if target else None,
            benchmark=target.benchmark if target else None,
            status=(target.status if target else None) or "",
            reason=figure.reason if figure.value is None else "",
            mart=source.mart if source else "",
            mart_column=source.column if source else "",
            mart_key=key_text(source) if source else "",
        )  # fmt: skip
