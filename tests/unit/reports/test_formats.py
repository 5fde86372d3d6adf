"""Templates, escaping, what templates may reach, and the mail body."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from orchestration.errors import MetricpressError
from orchestration.reports import first_page_png, templates
from orchestration.reports.document import Brand, Cards, Document, Figure, FigureTable, Section
from orchestration.reports.formats import html, mail, pdf

EVIL = "<script>alert('x')</script>{{ 7 * 7 }}"
FIGURE = Figure("evil", EVIL, 3, definition=EVIL, reason="")
DOCUMENT = Document(
    report="executive", title="Executive report", frequency="weekly", tenant=EVIL, branch=None,
    period_start=date(2026, 10, 12), period_end=date(2026, 10, 18), period_words="one week",
    as_of=datetime(2026, 10, 19, tzinfo=UTC), timezone="UTC", headline=EVIL, standfirst=EVIL,
    brand=Brand(footer=EVIL), locale="en", front=(Cards((FIGURE,)),),
    sections=(Section("s", EVIL, EVIL, (FigureTable("f", EVIL, (FIGURE,), "the week before"),)),),
    notes=(EVIL,),
)  # fmt: skip
REPORT = templates.report_type("executive", None)


class Tags(HTMLParser):
    """Collects tags and attributes."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


def test_text_of_the_data_is_never_markup() -> None:
    page = html.page(DOCUMENT, REPORT, None)
    assert "<script>" not in page
    assert "49" not in page.replace("#", "")
    assert "script" not in Tags(mail.body(DOCUMENT, None)).tags


def test_the_html_file_needs_nothing_beside_it() -> None:
    page = html.render(DOCUMENT, REPORT, None).decode()
    assert "asset:" not in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "data:font/woff2" in page


def test_a_mail_body_holds_what_mail_clients_keep() -> None:
    body = mail.body(replace(DOCUMENT, tenant="A" * 200), None)
    parsed = Tags(body)
    assert not {"script", "link", "img", "svg"} & set(parsed.tags)
    assert not [name for name, _ in parsed.attributes if name in ("href", "src", "onclick")]
    assert len(body.encode()) < 100_000
    # The style sheet only adds to what the elements say themselves, and no table is as wide as no phone.
    assert body.count("<style>@media (max-width:480px){") == body.count("<style") == 1
    assert all((value or "").endswith("%") for name, value in parsed.attributes if name == "width")
    styles = [value or "" for name, value in parsed.attributes if name == "style"]
    assert not [style for style in styles if re.search(r"(^|;)(min-)?width:\d+px", style)]


@pytest.mark.parametrize(("kind", "shown"), [("png", True), ("jpeg", True), ("svg+xml", False)])
def test_a_logo_stands_in_the_mail_where_mail_clients_show_it(kind: str, shown: bool) -> None:
    logo = f"data:image/{kind};base64,AAAA"
    body = mail.body(replace(DOCUMENT, brand=Brand(logo=logo), tenant="Acme"), None)
    assert (f'<img src="{logo}"' in body) == shown
    assert ">Acme</td>" in body


def test_a_null_figure_prints_its_reason_in_page_and_mail() -> None:
    missing = Figure("m", "Churn", None, "percent", reason="nobody paid")
    document = replace(
        DOCUMENT,
        front=(Cards((missing,)),),
        sections=(Section("s", "S", "", (FigureTable("f", "F", (missing,), "the week before"),)),),
    )
    page = html.page(document, REPORT, None)
    assert page.count("nobody paid") == 2
    assert "— Churn: nobody paid." in page
    assert "nobody paid" in mail.body(document, None)


@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "http://example.org/x.png", "https://example.org/x.png", "ftp://example.org/x",
     "asset:///../pyproject.toml", "asset:///fonts/../../pyproject.toml", "asset:////etc/passwd",
     "../pyproject.toml"],
)  # fmt: skip
def test_a_template_reaches_no_file_and_no_network(tmp_path: Path, address: str) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "template.html.j2").write_text(
        f'<html lang="en"><title>x</title><img alt="" src="{address}"></html>'
    )
    (folder / "report.yml").write_text("{title: Mine, document: executive, frequencies: [weekly]}")
    (folder / "parameters.schema.json").write_text("{}")
    with pytest.raises(MetricpressError) as caught:
        pdf.render(DOCUMENT, templates.report_type("mine", tmp_path), tmp_path)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize(
    "source",
    ["{{ document.__class__.__mro__ }}", "{{ ''.__class__ }}", "{% include '/etc/passwd' %}", "{{ nothing }}",
     "{% include '../pyproject.toml' %}", "{{ cycler.__init__.__globals__ }}", "{% for %}"],
)  # fmt: skip
def test_a_template_that_reaches_out_or_errs_is_named(tmp_path: Path, source: str) -> None:
    folder = tmp_path / "executive"
    folder.mkdir()
    (folder / "template.html.j2").write_text(source)
    with pytest.raises(MetricpressError, match="executive"):
        html.page(DOCUMENT, REPORT, tmp_path)


def test_an_unknown_report_lists_the_known() -> None:
    with pytest.raises(MetricpressError) as caught:
        templates.report_type("../executive", None)
    assert "executive, lead_performance" in caught.value.remedy


@pytest.mark.parametrize("name", templates.available())
def test_every_shipped_report_is_complete(name: str) -> None:
    report = templates.report_type(name, None)
    Draft202012Validator.check_schema(dict(report.schema))
    sample = json.loads(templates.asset(f"{name}/sample.json", None).read_text())
    templates.check_parameters(report, sample["parameters"])
    assert sample["report"] == name
    assert sample["frequency"] in report.frequencies
    with pytest.raises(MetricpressError, match="surprise"):
        templates.check_parameters(report, {"surprise": 1})


def test_fonts_are_small_and_licensed() -> None:
    fonts = list((templates.SHIPPED / "fonts").glob("*"))
    assert sum(path.stat().st_size for path in fonts) < 400_000
    licences = [path.read_text() for path in fonts if path.suffix == ".txt"]
    assert len(licences) == 2
    assert all("SIL Open Font License, Version 1.1" in text for text in licences)


def test_the_first_page_is_a_picture() -> None:
    data = pdf.render(DOCUMENT, REPORT, None)
    assert (first_page_png(data) or b"").startswith(b"\x89PNG")
