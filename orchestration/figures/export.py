"""Summaries as CSV and as a workbook.

Belongs here: columns and cell formats of the files. Does not belong here: the figures (summary.py).
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

from orchestration.errors import MetricpressError
from orchestration.figures.summary import Line, Summary

COLUMNS = (
    "tenant_id", "domain", "metric", "title", "unit", "currency", "from", "to", "is_complete", "value",
    "numerator", "denominator", "previous_from", "previous_to", "previous_value", "change", "change_rate",
    "reason",
)  # fmt: skip
_WIDTHS = {"tenant_id": 20, "domain": 14, "metric": 26, "title": 30, "reason": 44}
_DEFAULT_WIDTH = 13


def records(summaries: Iterable[Summary]) -> Iterator[dict[str, Any]]:
    """One flat record a tenant and metric."""
    for summary in summaries:
        for line in summary.lines:
            yield record(summary, line)


def record(summary: Summary, line: Line) -> dict[str, Any]:
    """A line with everything that it holds for."""
    metric = line.metric
    return {
        "tenant_id": summary.clock.tenant_id,
        "domain": metric.domain,
        "metric": metric.metric,
        "title": metric.title,
        "unit": metric.unit,
        "currency": summary.clock.currency if metric.unit == "currency" else None,
        "from": summary.first,
        "to": summary.last,
        "is_complete": summary.has_ended,
        "value": line.value,
        "numerator": line.numerator,
        "denominator": line.denominator,
        "previous_from": summary.previous_first,
        "previous_to": summary.previous_last,
        "previous_value": line.previous_value,
        "change": line.change,
        "change_rate": line.change_rate,
        "reason": line.reason,
    }


def write_csv(summaries: Iterable[Summary], file: TextIO) -> None:
    """Comma-separated, with a header; full precision, an empty field where there is no value."""
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records(summaries))


def write_xlsx(summaries: Iterable[Summary], path: Path) -> int:
    """A workbook with one sheet, each figure in its metric's format; returns the rows written."""
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError

    book = xlsxwriter.Workbook(
        str(path), {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    )
    sheet = book.add_worksheet("Summary")
    header = book.add_format({"bold": True, "bottom": 1})
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    numbers = {
        form: book.add_format({"num_format": pattern})
        for form, pattern in (("percent", "0.0%"), ("integer", "#,##0"), ("decimal", "#,##0.00"))
    }
    for place, column in enumerate(COLUMNS):
        sheet.set_column(place, place, _WIDTHS.get(column, _DEFAULT_WIDTH))
        sheet.write_string(0, place, column.replace("_", " "), header)
    sheet.freeze_panes(1, 0)
    count = 0
    for summary in summaries:
        for line in summary.lines:
            count += 1
            form = line.metric.format if line.metric.format in numbers else "decimal"
            for place, (column, value) in enumerate(record(summary, line).items()):
                if value is None:
                    continue
                if column in ("from", "to", "previous_from", "previous_to"):
                    sheet.write_datetime(count, place, value, day)
                elif column in ("value", "previous_value", "change"):
                    sheet.write_number(count, place, float(value), numbers[form])
                elif column == "change_rate":
                    sheet.write_number(count, place, float(value), numbers["percent"])
                elif column in ("numerator", "denominator"):
                    whole = "integer" if value == value.to_integral_value() else "decimal"
                    sheet.write_number(count, place, float(value), numbers[whole])
                elif isinstance(value, bool):
                    sheet.write_boolean(count, place, value)
                else:
                    sheet.write_string(count, place, str(value))
    sheet.autofilter(0, 0, count, len(COLUMNS) - 1)
    try:
        book.close()
    except FileCreateError as error:
        raise MetricpressError(f"cannot write {path}: {error}", remedy="Give another file.") from error
    return count
