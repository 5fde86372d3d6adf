"""Numbers read back out of files for machines, beside those of the document the files were made of.

`differences(format, data, document)` names each place where a file says something else: for xlsx, csv and
json by the number, for pages (finished_pages.py) by the text. Readers are openpyxl, csv, json.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import openpyxl
from openpyxl.utils.escape import unescape

from orchestration.reports.document import (
    Block,
    Cards,
    Chart,
    Charts,
    Column,
    Document,
    Figure,
    FigureTable,
    Insights,
    Number,
    Source,
    Table,
)
from orchestration.reports.formatting import Formatter
from tests.integration.figures.finished_pages import html_page, page_differences, pdf_page


def differences(format_: str, data: bytes, document: Document) -> list[str]:
    """Each place where the file and the document differ; none is what is wanted."""
    match format_:
        case "html":
            return page_differences(html_page(data.decode()), document)
        case "pdf":
            return page_differences(pdf_page(data), document)
        case "xlsx":
            return xlsx_differences(data, document)
        case "csv" | "csv-raw":
            return csv_differences(data, document, format_ == "csv-raw")
        case "json":
            return list(json_differences(json.loads(data, parse_float=Decimal), document, "$"))
    raise AssertionError(format_)


def same(found: Any, meant: Number | None) -> bool:
    """Whether a spreadsheet's number is the one meant, to the 15 digits it keeps."""
    if found is None or found == "" or meant is None:
        return found in (None, "") and meant is None
    if not isinstance(found, int | float):
        return False
    return abs(Decimal(repr(found)) - Decimal(meant)) <= abs(Decimal(meant)) * Decimal("1e-15")


def xlsx_differences(data: bytes, document: Document) -> list[str]:
    book = openpyxl.load_workbook(io.BytesIO(data))
    text = Formatter.of(document.locale)
    rows = [row for sheet in book for row in sheet.iter_rows(values_only=True)]
    found = [
        f"{title}: {words}"
        for block in document.blocks()
        for title, table in _xlsx_tables(block)
        for words in _nearest(rows, table)
    ]
    sources = {row[2]: row for row in book[text.t("Sources")].iter_rows(values_only=True)}
    for figure in document.figures():
        row = sources.get(figure.key)
        exact = "" if figure.value is None else format(Decimal(figure.value), "f")
        if row is None or (row[4] or "") != exact:
            found.append(f"source {figure.key}: {row and row[4]} and not {exact}")
    return found


XlsxRow = list[Any]


def _xlsx_tables(block: Block) -> Iterator[tuple[str, list[XlsxRow]]]:
    """Rows that follow each other on a sheet: texts, numbers, dates; Ellipsis is any cell."""
    match block:
        case Cards(figures=figures) | FigureTable(figures=figures):
            yield getattr(block, "title", "cards"), [_xlsx_figure(figure) for figure in figures]
        case Table(rows=rows):
            cells = [
                [row.label, *(cell.value if isinstance(cell, Figure) else cell for cell in row.cells)]
                for row in rows
            ]
            yield block.title, [[column.label for column in block.columns], *cells]
        case Charts(charts=charts):
            for chart in charts:
                values = [series.head.value if series.head else None for series in chart.series]
                heads = [[value] if any(one.head for one in chart.series) else [] for value in values]
                if chart.kind == "heatmap":
                    matrix = zip(chart.series, heads, strict=True)
                    yield chart.title, [[one.label, *head, *one.values] for one, head in matrix]
                else:
                    columns = zip(*(series.values for series in chart.series), strict=True)
                    yield chart.title, [[x, *values] for x, values in zip(chart.x, columns, strict=True)]
        case Insights(insights=insights):
            yield "insights", [[insight.text] for insight in insights]


def _xlsx_figure(figure: Figure) -> XlsxRow:
    comparison, target = figure.comparison, figure.target
    compared = [comparison.value, comparison.change, comparison.change_rate] if comparison else [None] * 3
    return [figure.label, figure.value, *compared, *([target.value, target.benchmark] if target else [])]


def _nearest(rows: Sequence[Sequence[Any]], table: Sequence[XlsxRow]) -> list[str]:
    """What is wrong where most of the rows stand one below the other."""
    tries = [
        [words for index, row in enumerate(table) for words in _wrong(rows[at + index], row)]
        for at in range(len(rows) - len(table) + 1)
        if _cell_alike(rows[at][0], table[0][0])
    ]
    return min(tries, key=len, default=["is not there"])


def _wrong(row: Sequence[Any], meant: XlsxRow) -> list[str]:
    cells = [*row, *[None] * (len(meant) - len(row))]
    return [
        f"{meant[0]}: {shown!r} and not {words!r}"
        for shown, words in zip(cells, meant, strict=False)
        if not _cell_alike(shown, words)
    ]


def _cell_alike(shown: Any, meant: Any) -> bool:
    if isinstance(meant, str):
        return unescape(str(shown or "")) == meant
    if isinstance(meant, date):
        return isinstance(shown, datetime) and shown.date() == meant
    return same(shown, meant)


NUMBERS = ("value", "previous", "change", "change_rate", "target", "benchmark")


def csv_differences(data: bytes, document: Document, raw: bool) -> list[str]:
    shown = list(csv.DictReader(io.StringIO(data.decode("utf-8" if raw else "utf-8-sig"), newline="")))
    meant = list(_csv_lines(document))
    found = [] if len(shown) == len(meant) else [f"{len(shown)} lines of {len(meant)}"]
    for line, words in zip(shown, meant, strict=False):
        for name, value in words.items():
            given = line[name] if raw or name in NUMBERS else re.sub(r"^'(?=\s*[=+\-@\s])", "", line[name])
            right = given == (value or "") if isinstance(value, str) else _decimal(given) == value
            if not right:
                found.append(f"{words['row']} {words['column']}, {name}: {line[name]!r} and not {value!r}")
    return found


def _decimal(words: str) -> Decimal | None:
    return Decimal(words) if words else None


def _csv_lines(document: Document) -> Iterator[dict[str, Any]]:
    parts = [("front", block) for block in document.front]
    parts += [(section.key, block) for section in document.sections for block in section.blocks]
    for section, block in parts:
        for line in _csv_block(block):
            yield {"section": section, "tenant": document.tenant, **line}


def _csv_block(block: Block) -> Iterator[dict[str, Any]]:
    match block:
        case Cards(figures=figures) | FigureTable(figures=figures):
            yield from (_csv_figure(figure, figure.label) for figure in figures)
        case Insights(insights=insights):
            for insight in insights:
                yield from (_csv_figure(figure, insight.text) for figure in insight.figures)
        case Table():
            yield from _csv_table(block)
        case Charts(charts=charts):
            for chart in charts:
                yield from _csv_chart(chart)


def _csv_table(table: Table) -> Iterator[dict[str, Any]]:
    for row in table.rows:
        for cell, column in zip(row.cells, table.columns[1:], strict=True):
            if isinstance(cell, Figure):
                yield _csv_figure(cell, row.label, column.label)
            else:
                yield {"row": row.label, "column": column.label, "text": cell, "value": None}


def _csv_chart(chart: Chart) -> Iterator[dict[str, Any]]:
    for series in chart.series:
        if series.head:
            yield _csv_figure(series.head, series.label, "head")
        for x, value in zip(chart.x, series.values, strict=True):
            yield {"row": series.label, "column": str(x), "value": value}
    for figure in (*((chart.end,) if chart.end else ()), *chart.labels):
        yield _csv_figure(figure, figure.label)


def _csv_figure(figure: Figure, row: str, column: str = "") -> dict[str, Any]:
    comparison, target = figure.comparison, figure.target
    return {
        "row": row, "column": column, "key": figure.key, "value": figure.value,
        "currency": figure.currency or "", "unit": figure.unit,
        "previous": comparison.value if comparison else None,
        "change": comparison.change if comparison else None,
        "change_rate": comparison.change_rate if comparison else None,
        "target": target.value if target else None, "benchmark": target.benchmark if target else None,
    }  # fmt: skip


#: What the JSON leaves out or says elsewhere.
LEFT_OUT = {"brand", "definition", "align", "wide", "sample", "period_words"}


def json_differences(found: Any, meant: Any, path: str) -> Iterator[str]:
    """Field by field along the document's own dataclasses."""
    match meant:
        case Column():
            yield from json_differences(found, meant.label, path)
        case Source():
            if found != {"mart": meant.mart, "column": meant.column, "key": dict(meant.key)}:
                yield f"{path}: {found}"
        case tuple():
            if len(found) != len(meant):
                yield f"{path}: {len(found)} of {len(meant)}"
            for index, (one, other) in enumerate(zip(found, meant, strict=False)):
                yield from json_differences(one, other, f"{path}[{index}]")
        case int() | Decimal() if not isinstance(meant, bool):
            if found is None or Decimal(found) != Decimal(meant):
                yield f"{path}: {found} and not {meant}"
        case _ if is_dataclass(meant):
            for name in (one.name for one in fields(meant) if one.name not in LEFT_OUT):
                yield from json_differences(
                    found.get(name, "nothing"), getattr(meant, name), f"{path}.{name}"
                )
        case _:
            words = meant.isoformat() if isinstance(meant, date) else meant
            if found != words:
                yield f"{path}: {found!r} and not {words!r}"
