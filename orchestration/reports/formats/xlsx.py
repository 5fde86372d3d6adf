"""The report as a workbook: numbers to count on, with their definitions and where they come from.

Belongs here: which sheets there are and what stands on them. Does not belong here: the rules of XLSX
(workbook.py), pictures, and rounding.

Sheets: Summary, one for each section (a table of many rows has one of its own, its head frozen), Definitions,
Sources, and Exact values where a number has more digits than a spreadsheet keeps (15).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
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
    Section,
    Table,
)
from orchestration.reports.formats.numbers import exact, key_text
from orchestration.reports.formats.view import STATUS_WORDS
from orchestration.reports.formats.workbook import Sheet, Workbook, number_format
from orchestration.reports.formatting import Formatter
from orchestration.reports.messages import N_
from orchestration.reports.periods import THIS
from orchestration.reports.templates import ReportType

#: A table of more rows has a sheet of its own.
LONG_ROWS = 40
_UNITS = {
    "count": N_("count"), "rate": N_("share"), "ratio": N_("ratio"), "seconds": N_("seconds"),
    "minutes": N_("minutes"), "hours": N_("hours"), "days": N_("days"), "months": N_("months"),
    "milliseconds": N_("milliseconds"), "score": N_("score"), "bytes": N_("bytes"),
}  # fmt: skip
_RATE = "0.0%"


def render(document: Document, report: ReportType, template_dir: Path | None) -> bytes:
    """The file, made as of the moment of the data: the same document gives the same bytes."""
    text = Formatter.of(document.locale)
    who = document.branch or document.tenant
    title = f"{document.title}: {who}, {document.period_words}"
    book = Workbook(title, document.tenant, document.headline, document.as_of)
    return _Report(document, text, book).write()


class _Report:
    """Writes the sheets of one document."""

    def __init__(self, document: Document, text: Formatter, book: Workbook) -> None:
        self.document = document
        self.text = text
        self.book = book
        self.this_period = _capital(text.t(THIS[document.frequency]))
        #: Every figure with the name of its sheet.
        self.told: list[tuple[str, Figure]] = []

    def write(self) -> bytes:
        self.summary()
        for section in self.document.sections:
            self.section(section)
        self.definitions()
        self.sources()
        self.exact_values()
        return self.book.close()

    def summary(self) -> None:
        document, text = self.document, self.text
        sheet = self.book.sheet(text.t("Summary"))
        sheet.heading(document.title, 16)
        about = (
            (text.t("Tenant"), document.tenant), (text.t("Branch"), document.branch or ""),
            (text.t("Period"), document.period_words), (text.t("First day"), document.period_start),
            (text.t("Last day"), document.period_end), (text.t("Data as of"), document.as_of),
            (text.t("Timezone"), document.timezone),
        )  # fmt: skip
        for label, value in about:
            if value:
                sheet.text(0, label, font_color="#5c646c")
                sheet.text(1, value) if isinstance(value, str) else sheet.date(1, value)
                sheet.end_row()
        sheet.skip()
        sheet.paragraph(document.headline, bold=True, font_size=13)
        for words in (document.standfirst, document.empty):
            if words:
                sheet.paragraph(words)
        self.blocks(sheet, document.front)
        sheet.skip()
        for words in (*document.warnings, *document.notes):
            sheet.paragraph(words, font_color="#5c646c")

    def section(self, section: Section) -> None:
        """A sheet; a table that fills one alone is frozen below its head."""
        long = [block for block in section.blocks if isinstance(block, Table) and len(block.rows) > LONG_ROWS]
        rest = [block for block in section.blocks if block not in long]
        if rest or not long:
            sheet = self.book.sheet(section.title)
            self.title(sheet, section.title, section.lead)
            if [block.kind for block in rest] not in (["table"], ["figure_table"]):
                sheet.freeze_above()
                self.blocks(sheet, rest)
            else:
                sheet.skip()
                self.block(sheet, rest[0], freeze=True)
        for table in long:
            sheet = self.book.sheet(table.title if rest else section.title)
            self.title(sheet, table.title, "" if rest else section.lead)
            self.table(sheet, table, freeze=True)

    def title(self, sheet: Sheet, title: str, lead: str) -> None:
        sheet.heading(title, 14)
        if lead:
            sheet.paragraph(lead)

    def blocks(self, sheet: Sheet, blocks: Sequence[Block]) -> None:
        for block in blocks:
            sheet.skip()
            self.block(sheet, block)

    def block(self, sheet: Sheet, block: Block, freeze: bool = False) -> None:
        match block:
            case Cards(figures=figures):
                label = next((f.comparison.label for f in figures if f.comparison), "")
                self.figures(sheet, self.text.t("Figure"), figures, label)
            case FigureTable(figures=figures):
                self.figures(sheet, block.title, figures, block.comparison_label, freeze)
            case Table():
                if block.title and not freeze:
                    sheet.heading(block.title)
                self.table(sheet, block, freeze)
            case Charts(charts=charts):
                for index, chart in enumerate(charts):
                    if index:
                        sheet.skip()
                    self.chart(sheet, chart)
            case Remarks(title=title, lines=lines):
                sheet.heading(title)
                for line in lines:
                    sheet.paragraph(line)
            case Insights(insights=insights):
                for insight in insights:
                    sheet.paragraph(insight.text)
                    self.told += [(sheet.name, figure) for figure in insight.figures]

    def figures(
        self, sheet: Sheet, title: str, figures: Sequence[Figure], before: str, freeze: bool = False
    ) -> None:
        """One figure a row: value, the period before, change, target, and why a cell is empty."""
        text, aimed = self.text, any(figure.target for figure in figures)
        target_labels = [text.t("Target"), text.t("Benchmark"), text.t("Standing")] if aimed else []
        labels = [title, self.this_period, _capital(before), text.t("Change"), text.t("Relative change"),
                  *target_labels, text.t("Unit"), text.t("Reason")]  # fmt: skip
        sheet.header(labels, freeze)
        for figure in figures:
            self.told.append((sheet.name, figure))
            comparison, target, form = figure.comparison, figure.target, number_format(figure)
            sheet.text(0, figure.label)
            sheet.number(1, figure.value, form, bold=True)
            sheet.number(2, comparison.value if comparison else None, form)
            sheet.number(3, comparison.change if comparison else None, form)
            sheet.number(4, comparison.change_rate if comparison else None, _RATE)
            if aimed:
                sheet.number(5, target.value if target else None, form)
                sheet.number(6, target.benchmark if target else None, form)
                sheet.text(
                    7, text.t(STATUS_WORDS[target.status]) if target and target.status else "", align="right"
                )
            sheet.text(5 + len(target_labels), self.unit(figure), align="right")
            sheet.text(6 + len(target_labels), figure.reason if figure.value is None else "", align="right")
            sheet.end_row()

    def table(self, sheet: Sheet, table: Table, freeze: bool = False) -> None:
        sheet.header([column.label for column in table.columns], freeze)
        missing: list[str] = []
        for row in table.rows:
            style: dict[str, object] = {"bold": True, "top": 1} if row.total else {}
            sheet.text(0, row.label, **style)
            for place, cell in enumerate(row.cells, start=1):
                if isinstance(cell, Figure):
                    self.told.append((sheet.name, cell))
                    sheet.number(place, cell.value, number_format(cell), **style)
                    if cell.value is None and cell.reason:
                        missing.append(cell.reason)
                else:
                    align = table.columns[place].align
                    sheet.text(place, cell, align=align, **style)
            sheet.end_row()
        if table.note:
            sheet.paragraph(table.note, font_color="#5c646c")
        for reason in dict.fromkeys(missing):
            sheet.paragraph(self.text.t("Empty cells: {reason}.", reason=reason), font_color="#5c646c")

    def chart(self, sheet: Sheet, chart: Chart) -> None:
        """What the picture shows, as a table: its x downwards; a heatmap as the matrix that it is."""
        sheet.heading(f"{chart.title} ({chart.note})" if chart.note else chart.title)
        if chart.kind == "heatmap":
            self.matrix(sheet, chart)
        else:
            form = number_format(chart.sample)
            sheet.header([self.x_label(chart), *(series.label for series in chart.series)])
            for index, x in enumerate(chart.x):
                self.name(sheet, 0, x)
                for place, series in enumerate(chart.series, start=1):
                    sheet.number(place, series.values[index], form)
                sheet.end_row()
        drawn = [value for series in chart.series for value in series.values]
        for figure in (*((chart.end,) if chart.end else ()), *chart.labels):
            self.told.append((sheet.name, figure))
            if figure.value not in drawn:
                sheet.text(0, figure.label)
                sheet.number(1, figure.value, number_format(figure))
                sheet.end_row()

    def matrix(self, sheet: Sheet, chart: Chart) -> None:
        heads = [series.head for series in chart.series if series.head]
        first = 2 if heads else 1
        sheet.header(["", *([heads[0].label] if heads else []), *(_words(x) for x in chart.x)])
        for series in chart.series:
            sheet.text(0, series.label)
            if series.head:
                self.told.append((sheet.name, series.head))
                sheet.number(1, series.head.value, number_format(series.head))
            for place, value in enumerate(series.values, start=first):
                sheet.number(place, value, number_format(chart.sample))
            sheet.end_row()

    def x_label(self, chart: Chart) -> str:
        return "" if any(isinstance(x, str) for x in chart.x) else self.text.t("Period")

    def name(self, sheet: Sheet, column: int, x: date | str) -> None:
        sheet.text(column, x) if isinstance(x, str) else sheet.date(column, x)

    def definitions(self) -> None:
        sheet = self.book.sheet(self.text.t("Definitions"))
        sheet.header([self.text.t("Figure"), self.text.t("Definition")], freeze=True)
        for definition in self.document.definitions:
            sheet.text(0, definition.title, valign="top")
            sheet.text(1, definition.text, text_wrap=True, valign="top")
            sheet.end_row()
        sheet.width(1, 100)

    def sources(self) -> None:
        """Every figure with the mart it stands in, and all its digits as text."""
        sheet, text = self.book.sheet(self.text.t("Sources")), self.text
        heads = (text.t("Sheet"), text.t("Figure"), text.t("Key"), text.t("Value"), text.t("Exact value"),
                 text.t("Unit"), text.t("Mart"), text.t("Column"), text.t("Row"))  # fmt: skip
        sheet.header(list(heads), freeze=True)
        for name, figure in self.sourced():
            source = figure.source
            sheet.text(0, name)
            sheet.text(1, figure.label)
            sheet.text(2, figure.key)
            sheet.number(3, figure.value, number_format(figure))
            sheet.text(4, "" if figure.value is None else exact(figure.value), align="right")
            sheet.text(5, self.unit(figure), align="right")
            sheet.text(6, source.mart if source else "", align="right")
            sheet.text(7, source.column if source else "", align="right")
            sheet.text(8, key_text(source) if source else "")
            sheet.end_row()

    def sourced(self) -> Iterator[tuple[str, Figure]]:
        """The figures shown, each key and value once: the sheet that shows it first."""
        seen: set[tuple[str, Number | None]] = set()
        for name, figure in self.told:
            if (figure.key, figure.value) not in seen:
                seen.add((figure.key, figure.value))
                yield name, figure

    def exact_values(self) -> None:
        if not self.book.unfit:
            return
        unfit, text = tuple(self.book.unfit), self.text
        sheet = self.book.sheet(text.t("Exact values"))
        sheet.paragraph(
            text.t("Spreadsheets keep 15 digits of a number. These have more; here they are whole.")
        )
        sheet.header([text.t("Sheet"), text.t("Cell"), text.t("Exact value")], freeze=True)
        for name, cell, value in unfit:
            sheet.text(0, name)
            sheet.text(1, cell, align="right")
            sheet.text(2, exact(value), align="right")
            sheet.end_row()

    def unit(self, figure: Figure) -> str:
        if figure.format == "money":
            return figure.currency or "USD"
        return self.text.t(_UNITS.get(figure.unit, figure.unit))


def _words(x: date | str) -> str:
    return x if isinstance(x, str) else x.isoformat()


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
