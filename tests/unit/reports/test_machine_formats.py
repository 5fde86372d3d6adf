"""XLSX, CSV and JSON: every number, typed and whole; nothing runs; the same bytes each time."""

from __future__ import annotations

import csv
import io
import json
import time
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from jsonschema import Draft202012Validator
from openpyxl.utils.escape import unescape

from orchestration.errors import MetricpressError
from orchestration.reports.document import Cards, Figure, Section
from orchestration.reports.formats import csv as csv_format
from orchestration.reports.formats import csv_raw, xlsx
from orchestration.reports.formats import json as json_format
from orchestration.reports.formats.workbook import MOST_CHARACTERS, number_format, sheet_name
from tests.unit.reports.machine_document import DOCUMENT, EVIL, LONG, REPORT, people

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "schemas" / "report.schema.json").read_text())


@pytest.fixture(scope="module")
def book() -> Any:
    return openpyxl.load_workbook(io.BytesIO(xlsx.render(DOCUMENT, REPORT, None)))


def rows_of(sheet: Any) -> list[tuple[Any, ...]]:
    return list(sheet.iter_rows(values_only=True))


def cell_beside(sheet: Any, label: str, column: int = 2) -> Any:
    return next(sheet.cell(row[0].row, column) for row in sheet.iter_rows() if row[0].value == label)


def test_the_workbook_has_a_sheet_for_each_section_and_those_about_the_figures(book: Any) -> None:
    assert book.sheetnames == [
        "Summary", "Rev x", "rev x 2", "People", "Sheet", "Definitions", "Sources", "Exact values",
    ]  # fmt: skip


def test_cells_have_types_and_formats(book: Any) -> None:
    summary = book["Summary"]
    mrr = cell_beside(summary, "MRR")
    assert mrr.value == pytest.approx(float(LONG), rel=1e-15)
    assert mrr.number_format == "#,##0\\ [$JPY]"
    rate = cell_beside(summary, "-Rate")
    assert (rate.value, rate.number_format) == (0.12345, "0.00%")
    assert cell_beside(summary, "LTV").value is None
    assert cell_beside(summary, "LTV", 10).value == "nobody left"
    assert cell_beside(summary, "First day").value == datetime(2026, 10, 12)
    assert cell_beside(summary, "Data as of").value == datetime(2026, 10, 19, 12, 30)
    call = cell_beside(book["rev x 2"], EVIL)
    assert (call.value, call.number_format) == (61.5, '#,##0.0" s"')


def test_no_text_of_a_workbook_is_a_formula(book: Any) -> None:
    kinds = {cell.data_type for sheet in book for row in sheet.iter_rows() for cell in row}
    assert kinds <= {"n", "s", "d", "inlineStr"}
    assert cell_beside(book["rev x 2"], EVIL, 1).value == EVIL
    assert not any(sheet._hyperlinks for sheet in book)


def test_a_heatmap_is_a_matrix(book: Any) -> None:
    found = rows_of(book["rev x 2"])
    start = next(index for index, row in enumerate(found) if row[1] == "Size")
    assert [row[:4] for row in found[start : start + 3]] == [
        ("", "Size", "0", "1"), ("@Oct", 12, 1, 0.5), ("Nov", None, 1, None),
    ]  # fmt: skip


def test_a_long_table_has_a_sheet_with_a_frozen_head_and_all_its_rows(book: Any) -> None:
    sheet = book["People"]
    found = rows_of(sheet)
    assert sheet.freeze_panes == "B3"
    assert found[1][:3] == ("Person", "Calls", "Team")
    assert [row[1] for row in found[2:62]] == list(range(60))
    assert found[62][:2] == ("All", 60)
    assert sheet.print_title_rows == "$2:$2"


def test_digits_a_float_loses_stand_as_text(book: Any) -> None:
    listed = {row[:2]: row[2] for row in rows_of(book["Exact values"])}
    cell = cell_beside(book["Summary"], "MRR").coordinate
    assert listed["Summary", cell] == "-1234567890123.456789"
    sources = {row[2]: row for row in rows_of(book["Sources"])}
    assert sources["mrr"][4:9] == (
        "-1234567890123.456789", "JPY", "marts.metric_timeseries", "value", "tenant_id=t, metric=mrr",
    )  # fmt: skip
    assert set(sources) >= {figure.key for figure in DOCUMENT.figures()}


def test_the_same_document_gives_the_same_workbook() -> None:
    first = xlsx.render(DOCUMENT, REPORT, None)
    time.sleep(1.1)  # a clock that got in would show
    assert xlsx.render(DOCUMENT, REPORT, None) == first
    properties = openpyxl.load_workbook(io.BytesIO(first)).properties
    assert properties.title == "Executive report: Ä & B, one week"
    assert properties.created == datetime(2026, 10, 19, 12, 30)


def test_what_a_cell_cannot_hold_is_cut_and_odd_characters_survive() -> None:
    odd = replace(DOCUMENT, tenant="a\x00b\x1f_x0041_😀", notes=("x" * 40_000,))
    found = openpyxl.load_workbook(io.BytesIO(xlsx.render(odd, REPORT, None)))["Summary"]
    assert unescape(cell_beside(found, "Tenant").value) == odd.tenant
    assert max(len(str(cell.value or "")) for row in found.iter_rows() for cell in row) == MOST_CHARACTERS


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("a/b:c*d?e[f]g\\h", "a b c d e f g h"),
        ("'quoted'", "quoted"),
        ("", "Sheet"),
        ("History", "History 1"),
        ("x" * 40, "x" * 31),
        ("😀" * 20, "😀" * 15),
    ],
)
def test_names_of_sheets(title: str, expected: str) -> None:
    assert sheet_name(title, set()) == expected


def test_names_of_sheets_differ_in_more_than_case() -> None:
    taken: set[str] = set()
    names = [sheet_name("Ein sehr langer Name eines Abschnitts", taken) for _ in range(11)]
    names += [sheet_name("EIN SEHR LANGER NAME EINES ABSCHNITTS", taken)]
    assert len({name.casefold() for name in names}) == 12
    assert max(map(len, names)) == 31


@pytest.mark.parametrize(
    ("format_", "unit", "currency", "expected"),
    [
        ("money", "currency", "KWD", "#,##0.000\\ [$KWD]"),
        ("money", "currency", "EUR", "#,##0.00\\ [$EUR]"),
        ("integer", "count", None, "#,##0"),
        ("duration", "hours", None, '#,##0.00" h"'),
        ("decimal", "milliseconds", None, '#,##0.0" ms"'),
        ("decimal", "ratio", None, "#,##0.00"),
    ],
)
def test_number_formats(format_: Any, unit: str, currency: str | None, expected: str) -> None:
    assert number_format(Figure("k", "l", 1, format_, unit, currency)) == expected


def parsed(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))


def test_csv_follows_rfc_4180_and_is_known_to_excel_as_utf_8() -> None:
    data = csv_format.render(DOCUMENT, REPORT, None)
    assert data.startswith(b"\xef\xbb\xbfreport,frequency,tenant")
    found = parsed(data)
    assert all(None not in line and None not in line.values() for line in found)
    assert data.count(b"\r\n") == len(found) + 2  # the header, and one inside quotes
    assert data.replace(b"\r\n", b"").count(b"\n") == 0


def test_no_text_of_csv_begins_as_a_formula_and_numbers_stay_numbers() -> None:
    found = parsed(csv_format.render(DOCUMENT, REPORT, None))
    numbers = ("value", "previous", "change", "change_rate", "target", "benchmark")
    for line in found:
        for column, words in line.items():
            if column in numbers:
                assert words == "" or Decimal(words).is_finite()
            else:
                assert not words.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    card = next(line for line in found if line["kind"] == "cards" and line["key"] == "mrr")
    assert card["value"] == "-1234567890123.456789"
    assert (card["previous"], card["change"], card["target"]) == ("-5", "1.5", "100")
    assert {line["row"] for line in found} >= {f"'{EVIL}", "'@Oct", "'-Rate"}


@pytest.mark.parametrize("words", ["=1", "+1", "-1", "@x", "\tx", "\rx", "\nx", " =1", "＝1", "\u00a0=1"])
def test_what_a_spreadsheet_would_run_is_neutralised(words: str) -> None:
    assert csv_format.neutral(words) == f"'{words}"
    assert csv_format.neutral(f"a{words}") == f"a{words}"


def test_raw_csv_holds_texts_as_they_are() -> None:
    data = csv_raw.render(DOCUMENT, REPORT, None)
    assert data.startswith(b"report,")
    assert {line["row"] for line in parsed(data)} >= {EVIL, "@Oct", "-Rate"}


def test_csv_tells_where_a_number_stands() -> None:
    found = parsed(csv_format.render(DOCUMENT, REPORT, None))
    cell = next(line for line in found if line["table"] == "cohorts" and line["column"] == "1")
    assert (cell["section"], cell["kind"], cell["row"], cell["value"]) == ("b", "chart", "'@Oct", "0.5")
    assert cell["unit"] == "rate"
    card = next(line for line in found if line["key"] == "mrr")
    assert card["mart_key"] == "tenant_id=t, metric=mrr"
    text = next(line for line in found if line["text"] == "north")
    assert (text["row"], text["column"], text["value"]) == ("Person 0", "Team", "")


def test_json_keeps_all_digits_and_follows_its_schema() -> None:
    data = json_format.render(DOCUMENT, REPORT, None)
    found = json.loads(data, parse_float=Decimal)
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(found)
    assert found["front"][1]["figures"][0]["value"] == LONG
    assert found["headline"] == EVIL
    assert found["sections"][1]["blocks"][0]["charts"][0]["series"][1]["values"] == [Decimal(1), None]
    assert len(found["sections"][1]["blocks"][2]["rows"]) == 61
    assert SCHEMA["$id"].endswith(json_format.SCHEMA_VERSION)


def test_the_schema_refuses_what_does_not_belong() -> None:
    validator = Draft202012Validator(SCHEMA)
    for change in ({"schema_version": "2.0"}, {"front": [{"kind": "cards"}]}, {"further": 1}):
        assert list(validator.iter_errors(json_format.as_object(DOCUMENT) | change))


def test_what_is_no_number_is_refused() -> None:
    bad = replace(DOCUMENT, front=(Cards((Figure("x", "X", Decimal("NaN")),)),))
    for module in (xlsx, csv_format, json_format):
        with pytest.raises(MetricpressError, match="not a finite number"):
            module.render(bad, REPORT, None)


def test_ten_thousand_rows_are_all_there() -> None:
    document = replace(DOCUMENT, sections=(Section("s", "S", "", (people(10_000),)),))
    sheet = openpyxl.load_workbook(io.BytesIO(xlsx.render(document, REPORT, None)), read_only=True)["S"]
    assert sum(1 for _ in sheet.iter_rows()) == 10_003
    assert csv_format.render(document, REPORT, None).count(b",p.") == 10_001
