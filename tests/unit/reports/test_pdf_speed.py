"""What makes PDFs cheap must not change what they say: the same words at the same places, the same bytes."""

from __future__ import annotations

import gc
import re
import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import weasyprint

from orchestration.reports import templates
from orchestration.reports.document import (
    Brand,
    Cards,
    Chart,
    Charts,
    Column,
    Document,
    Figure,
    FigureTable,
    Row,
    Section,
    Series,
    Table,
)
from orchestration.reports.formats import fitting, html, pdf, weasyprint_parts
from orchestration.reports.formats.charts.canvas import WIDE, text_width

REPORT = templates.report_type("executive", None)
FIGURE = Figure("mrr", "Recurring revenue", 1234567, "money", currency="JPY", reason="")
CHART = Chart(
    "c", "By week", "columns", tuple(f"W{week}" for week in range(1, 9)),
    (Series("Leads", tuple(range(10, 18))),), FIGURE, "Eight weeks.",
)  # fmt: skip
TABLE = Table(
    "t", "Plans", (Column("Plan", "left"), Column("Revenue"), Column("Customers")),
    tuple(Row(f"Plan {n}", (FIGURE, f"{n}")) for n in range(5)),
)  # fmt: skip
DOCUMENT = Document(
    report="executive", title="Executive report", frequency="weekly", tenant="Ärzte & Söhne", branch=None,
    period_start=date(2026, 10, 12), period_end=date(2026, 10, 18), period_words="one week",
    as_of=datetime(2026, 10, 19, tzinfo=UTC), timezone="UTC", headline="Revenue rose.", standfirst="By 3%.",
    brand=Brand(footer="A <footer>"), locale="en", front=(Cards((FIGURE,)), Charts((CHART,))),
    sections=(Section("s", "All", "", (FigureTable("f", "In full", (FIGURE,), "the week before"), TABLE)),),
)  # fmt: skip


def words(data: bytes, folder: Path) -> list[tuple[str, float, float]]:
    """Every word of a PDF with its left upper corner, page by page, in points."""
    path = folder / "x.pdf"
    path.write_bytes(data)
    told = subprocess.run(
        ["pdftotext", "-bbox", path, "-"], capture_output=True, text=True, check=True
    ).stdout
    found = re.findall(r'<word xMin="([\d.]+)" yMin="([\d.]+)"[^>]*>([^<]+)</word>', told)
    return [(word, float(x), float(y)) for x, y, word in found]


def test_the_version_is_the_one_whose_inside_is_used() -> None:
    """After an update of WeasyPrint: read weasyprint_parts.py against it, then move the number there."""
    assert weasyprint.__version__ == weasyprint_parts.KNOWN_VERSION


def test_the_fast_way_prints_what_the_documented_way_prints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = words(pdf.render(DOCUMENT, REPORT, None), tmp_path)
    fetcher, fonts, sheets = pdf._styles(None)
    for tag in ("text", "tspan", "textPath", "a"):
        monkeypatch.setitem(weasyprint.svg.TAGS, tag, weasyprint_parts.draw_letters)
    monkeypatch.setattr(weasyprint.svg, "text", weasyprint_parts.draw_letters)
    page = weasyprint.HTML(
        string=html.page(DOCUMENT, REPORT, None), base_url="asset:///", url_fetcher=fetcher
    )
    slow = words(page.write_pdf(stylesheets=sheets, font_config=fonts, pdf_variant="pdf/ua-1"), tmp_path)
    assert [word for word, _, _ in fast] == [word for word, _, _ in slow]
    assert {"W8", "¥1,234,567", "Söhne"} <= {word for word, _, _ in fast}
    for quick, plain in zip(fast, slow, strict=True):
        assert quick[1:] == pytest.approx(plain[1:], abs=0.8), quick[0]


def test_shipped_pages_are_well_formed_xml() -> None:
    page = html.page(replace(DOCUMENT, warnings=("a < b & c",), notes=("\u00a0",)), REPORT, None)
    fetcher, _, _ = pdf._styles(None)
    assert isinstance(pdf._page(page, fetcher, None), weasyprint_parts.ShippedPage)


def test_a_page_the_xml_parser_refuses_is_still_printed(tmp_path: Path) -> None:
    data = pdf.render(replace(DOCUMENT, headline="Bell \x07 rings"), REPORT, None)
    assert "rings" in [word for word, _, _ in words(data, tmp_path)]


def test_bytes_are_the_same_whatever_was_rendered_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1760000000")
    first = pdf.render(DOCUMENT, REPORT, None)
    pdf.render(replace(DOCUMENT, tenant="Ωμέγα", headline="Ein anderer Text"), REPORT, None)
    assert pdf.render(DOCUMENT, REPORT, None) == first
    assert gc.isenabled()


@pytest.mark.parametrize("digits", [1, 8, 18])
def test_columns_share_the_whole_page(digits: int) -> None:
    found = fitting.column_shares(["A name of a row"] * 3, [["Figure", "9" * digits]] * 4, "")
    assert sum(found) == pytest.approx(100)
    assert found[0] >= 100 * fitting._NAMES / WIDE
    # Where they fit, the widest cell and what stands left of it do.
    needed = text_width("9" * digits, 7.8) + 11.3
    assert found[1] * WIDE / 100 >= needed - WIDE / 100 or digits == 18


def test_no_word_of_a_table_stands_over_another(tmp_path: Path) -> None:
    """Widths are estimates: figures of many digits in many columns must still end before the next begins."""
    big = Figure("b", "Big", -123456789012, "money", currency="EUR", reason="")
    row = Row("Name " * 20, (big,) * 5)
    table = Table("w", "Wide", tuple(Column(f"C{n}") for n in range(6)), (row,) * 2)
    document = replace(DOCUMENT, sections=(Section("s", "S", "", (table,)),), front=())
    path = tmp_path / "x.pdf"
    path.write_bytes(pdf.render(document, REPORT, None))
    told = subprocess.run(
        ["pdftotext", "-bbox", path, "-"], capture_output=True, text=True, check=True
    ).stdout
    pattern = r'<word xMin="([\d.]+)" yMin="([\d.]+)" xMax="([\d.]+)" yMax="([\d.]+)">'
    boxes = [tuple(map(float, found)) for found in re.findall(pattern, told)]
    for left, top, right, _ in boxes:
        assert right < 595 - 50, "beyond the margin"
        for other, above, _, _ in boxes:
            assert not (abs(above - top) < 2 and left < other < right - 0.5)
