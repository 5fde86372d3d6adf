"""The same numbers in all formats: read back from the finished files of every report there is, and the marts.

Every report that can be asked for is rendered on the built database, with its sample's parameters in English
and without any in German, and each number of each file is compared with the document. What the JSON says is
looked up in the marts by the source that stands beside it.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest
from jsonschema import Draft202012Validator

from orchestration.reports import RenderedReport, ReportRequest, render, templates
from orchestration.reports.document import Chart, Charts, Document, Figure, Number, Series
from orchestration.reports.formats import pdf
from orchestration.reports.periods import newest_whole_period
from orchestration.reports.service import DOCUMENTS, FORMATS, renderer
from orchestration.warehouse.connection import connect
from tests.integration.figures.conftest import Business
from tests.integration.figures.finished_files import differences
from tests.integration.figures.finished_pages import html_page, html_problems, pdf_page
from tests.integration.figures.structure import problems
from tests.unit.reports.machine_document import DOCUMENT, REPORT

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "schemas" / "report.schema.json").read_text())
#: A report that tells of what was sent is empty where nothing was.
MAY_BE_EMPTY = {"usage"}
Reader = psycopg.Connection[Any]
Finished = Callable[[str, str], RenderedReport]


def asked(business: Business, name: str, locale: str) -> ReportRequest:
    """In English by its sample and of the longest period, in German of the shortest, of another tenant."""
    report = templates.report_type(name, None)
    sample = json.loads((templates.SHIPPED / name / "sample.json").read_text())
    tenant = business.tenants[0 if locale == "en" else -1]
    frequency = report.frequencies[-1 if locale == "en" else 0]
    clock = business.clocks[tenant]
    period = newest_whole_period(frequency, clock.complete_date, clock.week_start)
    parameters = sample.get("parameters", {}) if locale == "en" else {}
    return ReportRequest(tenant, name, frequency, *period, parameters=parameters, locale=locale)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def finished(business: Business) -> Iterator[Callable[[str, str], RenderedReport]]:
    """A report by name and locale in all formats, made once."""
    with connect(business.settings, "pipeline") as conn:

        @cache
        def make(name: str, locale: str) -> RenderedReport:
            return render(conn, asked(business, name, locale), list(FORMATS))

        yield make


@pytest.mark.parametrize("name", templates.available())
def test_every_format_says_the_same_numbers(finished: Finished, reader: Reader, name: str) -> None:
    figures = 0
    for locale in ("en", "de"):
        made = finished(name, locale)
        for format_, data in made.files.items():
            assert differences(format_, data, made.document) == [], f"{name} as {format_} in {locale}"
        Draft202012Validator(SCHEMA).validate(json.loads(made.files["json"], parse_float=Decimal))
        figures += sum(figure.value is not None for figure in made.document.figures())
        told, silent = looked_up(reader, made)
        assert [one for one in told if one[1] != one[2]] == []
        assert told or not silent, f"{name}: no source can be looked up, among them that of {silent}"
    assert figures or name in MAY_BE_EMPTY


@pytest.mark.parametrize("locale", ["en", "de"])
@pytest.mark.parametrize("name", templates.available())
def test_the_pdf_tells_all_to_who_cannot_see_it(finished: Finished, name: str, locale: str) -> None:
    made = finished(name, locale)
    charts = [c for block in made.document.blocks() if isinstance(block, Charts) for c in block.charts]
    assert problems(made.files["pdf"], [chart.alt for chart in charts]) == []


@pytest.mark.parametrize("locale", ["en", "de"])
@pytest.mark.parametrize("name", templates.available())
def test_the_pdf_is_read_in_the_order_of_the_page(finished: Finished, name: str, locale: str) -> None:
    """Paragraphs, headings and items follow each other in the tags as in the HTML."""
    files = finished(name, locale).files
    (main,) = html_page(files["html"].decode()).find("main")
    read, at = "".join(pdf_page(files["pdf"]).chunks()), 0
    for chunk in main.chunks():
        found = read.find(chunk, at)
        assert found >= 0, f"{chunk} does not come where it stands on the page"
        at = found + len(chunk)


@pytest.mark.parametrize("name", templates.available())
def test_the_html_needs_no_network_and_tells_its_structure(finished: Finished, name: str) -> None:
    for locale in ("en", "de"):
        assert html_problems(finished(name, locale).files["html"].decode(), locale) == []


@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium to open the file with")
def test_a_browser_that_opens_the_html_asks_nobody(finished: Finished, tmp_path: Path) -> None:
    file, log = tmp_path / "report.html", tmp_path / "net.json"
    file.write_bytes(finished("executive", "en").files["html"])
    subprocess.run(
        ["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile",
         "--disable-component-update", "--disable-background-networking", f"--log-net-log={log}",
         "--virtual-time-budget=2000", f"--screenshot={tmp_path}/page.png", file.as_uri()],
        check=True, capture_output=True, timeout=120,
    )  # fmt: skip
    assert (tmp_path / "page.png").stat().st_size > 10_000
    asked_for = set(re.findall(r'"url":"((?:https?|wss?|ftp):[^"]+)"', log.read_text()))
    # The browser's own services, which no page asks for.
    assert {url for url in asked_for if not re.search(r"//[\w.]*(google|gvt1|gstatic)[\w.]*/", url)} == set()


def test_all_documents_have_a_report() -> None:
    assert {templates.report_type(name, None).document for name in templates.available()} <= set(DOCUMENTS)


def looked_up(reader: Reader, made: RenderedReport) -> tuple[list[tuple[str, Any, Any]], list[str]]:
    """Of the figures in the JSON: key, value, and what the mart says; and the keys of sources in words."""
    found: dict[str, tuple[str, Any, Any]] = {}
    silent: list[str] = []
    for figure in figures_of(json.loads(made.files["json"], parse_float=Decimal)):
        if figure["key"] in found or figure["value"] is None:
            continue
        value = at_source(reader, figure["source"]) if figure["source"] else None
        if value is None:
            silent.append(figure["key"])
        else:
            told, stored = Decimal(figure["value"]), Decimal(value)
            close = abs(told - stored) <= abs(stored) * Decimal("1e-15")
            found[figure["key"]] = (figure["key"], told, told if close else stored)
    return list(found.values()), silent


def at_source(reader: Reader, source: dict[str, Any]) -> Number | None:
    """What `select column from mart where key` gives; None where that is no SQL, or not one row."""
    where = [f"{name if name.rstrip()[-1] in '<>=' else name + ' ='} %s" for name in source["key"]]
    query = f"select {source['column']} from {source['mart']} where {' and '.join(where) or 'true'}"
    try:
        with reader.transaction():
            rows = reader.execute(query.encode(), list(source["key"].values())).fetchall()
    except (psycopg.ProgrammingError, psycopg.DataError):
        return None
    return rows[0][0] if len(rows) == 1 else None


def figures_of(value: Any) -> Iterator[dict[str, Any]]:
    """The figures anywhere in a parsed file."""
    if isinstance(value, dict):
        if "source" in value and "comparison" in value:
            yield value
        for member in value.values():
            yield from figures_of(member)
    elif isinstance(value, list):
        for member in value:
            yield from figures_of(member)


def off(figure: Figure) -> Figure:
    """The figure with another value, just large enough to show in print."""
    step = {"percent": Decimal("0.001"), "money": Decimal(1), "duration": Decimal(5)}.get(
        figure.format, Decimal(1)
    )
    return replace(figure, value=(figure.value or 0) + step)


def changed(block: Any, index: int) -> Any:
    """The block with one of its numbers wrong."""
    new: dict[str, Any] = {}
    match block.kind:
        case "cards" | "figure_table":
            figures = list(block.figures)
            figures[index] = off(figures[index])
            new = {"figures": tuple(figures)}
        case "table":
            rows = list(block.rows)
            cells = (off(rows[index].cells[0]), *rows[index].cells[1:])
            rows[index] = replace(rows[index], cells=cells)
            new = {"rows": tuple(rows)}
        case "charts":
            new = {"charts": tuple(wrong_chart(chart) for chart in block.charts)}
    return replace(block, **new)


def wrong_chart(chart: Chart) -> Chart:
    if chart.kind == "heatmap":
        series = chart.series[0]
        wrong = Series(series.label, (Decimal(1), Decimal("0.6")), series.head)
        return replace(chart, series=(wrong, *chart.series[1:]))
    return replace(chart, end=off(chart.end)) if chart.end else chart


def planted() -> dict[str, Document]:
    """Documents with one wrong number each."""
    front, (one, two, three) = DOCUMENT.front, DOCUMENT.sections
    first, second = one.blocks[0], two.blocks

    def section(index: int, position: int) -> Document:
        blocks = (*second[:index], changed(second[index], position), *second[index + 1 :])
        return replace(DOCUMENT, sections=(one, replace(two, blocks=blocks), three))

    return {
        "card": replace(DOCUMENT, front=(front[0], changed(front[1], 1), *front[2:])),
        "end of a line": replace(DOCUMENT, front=(*front[:2], changed(front[2], 0), front[3])),
        "figure table": replace(
            DOCUMENT, sections=(replace(one, blocks=(changed(first, 1),)), two, three)
        ),
        "heatmap": section(0, 0),
        "cell": section(1, 0),
        "cell where there is none": section(1, 1),
        "last row": section(2, 60),
    }  # fmt: skip


@pytest.mark.parametrize("format_", FORMATS)
def test_a_wrong_number_in_one_format_is_found(format_: str) -> None:
    draw = renderer(format_)
    assert differences(format_, draw(DOCUMENT, REPORT, None), DOCUMENT) == []
    for place, document in planted().items():
        assert differences(format_, draw(document, REPORT, None), DOCUMENT), place


@pytest.mark.parametrize("format_", ["xlsx", "csv", "json"])
def test_the_last_of_nineteen_digits_is_compared(format_: str) -> None:
    front: Any = DOCUMENT.front
    mrr = front[1].figures[0]
    almost = replace(mrr, value=mrr.value + Decimal("0.000001"))
    cards = replace(front[1], figures=(almost, *front[1].figures[1:]))
    document = replace(DOCUMENT, front=(cards, *front[2:]), sections=())
    whole = replace(document, front=front[1:])
    draw = renderer(format_)
    assert differences(format_, draw(whole, REPORT, None), whole) == []
    assert differences(format_, draw(document, REPORT, None), whole)


def test_the_rules_for_tags_find_what_weasyprint_leaves_open(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = renderer("pdf")(DOCUMENT, REPORT, None)
    assert problems(whole, ["alt"]) == []
    assert problems(whole, ["another"]) == ["no figure says: another"]
    monkeypatch.setattr(pdf, "mend", lambda document, file: None)
    found = " ".join(problems(renderer("pdf")(DOCUMENT, REPORT, None), []))
    for words in (
        "LI stands in Div",
        "scopes of headers",
        "without a text",
        "off the page",
        "outside the tree",
    ):
        assert words in found
