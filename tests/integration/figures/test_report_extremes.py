"""Every report with no data, one row, names of 200 characters, negative, very large and unknown values.

The copies with such values live in a transaction that is rolled back.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import date
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import psycopg
import pytest
from weasyprint import HTML

from orchestration.reports import RenderedReport, ReportRequest, render, templates
from orchestration.reports.document import Cards, FigureTable, Table
from orchestration.reports.document import Figure as DocumentFigure
from orchestration.warehouse.connection import connect
from scripts.extremes import EXTREMES, Extreme, copy_tenant
from tests.integration.figures.conftest import Business

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

#: Points: A4 less the margins of report.css. Heads and feet stand in the margins above and below.
LEFT, RIGHT, TOP, BOTTOM = 56.7, 538.6, 24.0, 818.0
MONTH = (date(2025, 2, 1), date(2025, 2, 28))
LAST = date(2025, 3, 23)
DAY = (date(2025, 3, 26), date(2025, 3, 26))
WEEKS = {"monday": (date(2025, 3, 17), date(2025, 3, 23)), "sunday": (date(2025, 3, 16), date(2025, 3, 22))}


class Words(HTMLParser):
    """The visible text of a page, alternative texts included."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.text: list[str] = []
        self._hidden = False
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden = tag == "style"
        self.text += [value or "" for name, value in attrs if name in ("aria-label", "alt")]

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.text.append(data)


@pytest.fixture(scope="module")
def copies(business: Business) -> Iterator[tuple[psycopg.Connection[Any], dict[str, str], str]]:
    """A connection that sees the copies, their ids by extreme, and the day their weeks begin on."""
    tenant = business.tenants[0]
    with connect(business.settings) as connection:
        ids = {name: copy_tenant(connection, tenant, name, LAST) for name in EXTREMES}
        row = connection.execute(
            "select week_start from marts.tenants where tenant_id = %s", [tenant]
        ).fetchone()
        assert row is not None
        yield connection, ids, row[0]
        connection.rollback()


def period_of(report: str, week_start: str) -> tuple[str, tuple[date, date]]:
    frequencies = templates.report_type(report, None).frequencies
    if "monthly" in frequencies:
        return "monthly", MONTH
    return ("weekly", WEEKS[week_start]) if "weekly" in frequencies else ("daily", DAY)


Copies = tuple[psycopg.Connection[Any], dict[str, str], str]


def made(copies: Copies, report: str, extreme: str, locale: str, *formats: str) -> RenderedReport:
    connection, ids, week_start = copies
    frequency, (first, last) = period_of(report, week_start)
    request = ReportRequest(ids[extreme], report, frequency, first, last, locale=locale)  # type: ignore[arg-type]
    return render(connection, request, formats)


@pytest.mark.parametrize("locale", ["en", "de"])
@pytest.mark.parametrize("extreme", EXTREMES)
@pytest.mark.parametrize("report", templates.available())
def test_every_report_holds_every_extreme(copies: Copies, report: str, extreme: Extreme, locale: str) -> None:
    got = made(copies, report, extreme, locale, "html")
    words = " ".join(" ".join(Words(got.files["html"].decode()).text).split())
    assert not re.search(r"\b(NaN|nan|None|inf|Infinity)\b|E\+\d", words)
    check_unknown(got, words)
    if extreme == "empty":
        check_empty(got, words)


def check_empty(got: RenderedReport, words: str) -> None:
    """A page that says so, and no zeros."""
    assert got.document.empty
    assert got.document.empty in words
    assert not [figure for figure in got.document.figures() if figure.value is not None]
    assert 'class="card"' not in got.files["html"].decode()


def check_unknown(got: RenderedReport, words: str) -> None:
    """What is unknown is a dash, and what it is a dash for stands on the page."""
    for block in got.document.blocks():
        figures: list[DocumentFigure] = []
        if isinstance(block, Cards | FigureTable):
            figures = list(block.figures)
        elif isinstance(block, Table):
            figures = [cell for row in block.rows for cell in row.cells if isinstance(cell, DocumentFigure)]
        for figure in figures:
            if figure.value is None:
                assert figure.reason, figure.key
                assert figure.reason.lower() in words.lower(), figure.key


@pytest.mark.parametrize(
    ("extreme", "locale"), [("names", "de"), ("large", "de"), ("negative", "en"), ("one-row", "en")]
)
@pytest.mark.parametrize("report", templates.available())
def test_no_word_leaves_the_page_or_lies_on_another(
    copies: Copies, report: str, extreme: str, locale: str
) -> None:
    check_page(made(copies, report, extreme, locale, "pdf").files["pdf"])


@pytest.mark.parametrize(
    "places",
    ["left: 0; top: 0", "left: 600px; top: 40px", "left: 20mm; top: 30mm", "left: 20mm; top: 1100px"],
)
def test_the_check_of_pages_finds_what_is_wrong(places: str) -> None:
    """The first word stands where the third does; the others are out on the left, on the right and below."""
    page = (
        "<style>@page { size: A4; margin: 0 } div { position: absolute; white-space: nowrap }</style>"
        "<div style='left: 20mm; top: 30mm'>one wordwordword</div>"
    )
    check_page(HTML(string=page).write_pdf())
    with pytest.raises(AssertionError):
        check_page(HTML(string=f"{page}<div style='{places}'>another wordwordwordword</div>").write_pdf())


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
@pytest.mark.parametrize("extreme", ["names", "large"])
def test_a_phone_shows_every_report_without_scrolling_sideways(
    copies: Copies, tmp_path: Path, extreme: str
) -> None:
    frames = "".join(
        f'<iframe name="{report}" width="360" height="700" srcdoc="{escape(page)}"></iframe>'
        for report in templates.available()
        for page in [made(copies, report, extreme, "de", "html").files["html"].decode()]
    )
    script = (
        "onload = () => { for (const frame of document.querySelectorAll('iframe')) { const page ="
        " frame.contentDocument.documentElement; frame.outerHTML ="
        " `<b>${frame.name} ${page.clientWidth} ${page.scrollWidth}</b>` } }"
    )
    file = tmp_path / "phone.html"
    file.write_text(f"<!DOCTYPE html><meta charset=utf-8>{frames}<script>{script}</script>")
    dumped = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=5000",
         f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", file.as_uri()],
        capture_output=True, check=True, timeout=120,
    ).stdout.decode()  # fmt: skip
    found = re.findall(r"<b>(\w+) (\d+) (\d+)</b>", dumped)
    assert {report for report, _, _ in found} == set(templates.available())
    assert all(int(seen) > 300 for _, seen, _ in found)
    assert [report for report, seen, wide in found if int(wide) > int(seen)] == []


def check_page(pdf: bytes) -> None:
    run = subprocess.run(["pdftotext", "-bbox", "-", "-"], input=pdf, capture_output=True, check=True)
    for number, page in enumerate(run.stdout.decode().split("<page ")[1:], start=1):
        boxes = [
            (match[5], *(float(match[place]) for place in range(1, 5)))
            for match in re.finditer(
                r'<word xMin="([\d.-]+)" yMin="([\d.-]+)" xMax="([\d.-]+)" yMax="([\d.-]+)">(.*?)</word>',
                page,
            )
        ]
        for word, left, top, right, bottom in boxes:
            assert LEFT - 1 <= left <= right <= RIGHT + 1.5, (number, word, left, right)
            assert TOP <= top <= bottom <= BOTTOM, (number, word, top, bottom)
        check_apart(number, boxes)


def check_apart(number: int, boxes: list[tuple[str, float, float, float, float]]) -> None:
    """No two words share ink: boxes are as high as the font, letters take the middle of them."""
    ink = sorted(
        (top + (bottom - top) * 0.3, bottom - (bottom - top) * 0.3, left + 0.4, right - 0.4, word)
        for word, left, top, right, bottom in boxes
    )
    for index, (top, bottom, left, right, word) in enumerate(ink):
        for other_top, _, other_left, other_right, other in ink[index + 1 :]:
            if other_top >= bottom:
                break
            assert right <= other_left or other_right <= left, (number, word, other, top)
