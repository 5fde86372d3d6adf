"""From a request to a finished report: the one function the rest of the project calls.

Belongs here: checking a request, choosing the document and the formats. Does not belong here: what a report
says (documents/), how it looks (formats/), and where it goes (delivery).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from orchestration.errors import MetricpressError
from orchestration.reports.brand import read_brand
from orchestration.reports.data.common import Connection, read_settings, snapshot
from orchestration.reports.document import Brand, Document, figure_values
from orchestration.reports.documents.prose import settings_print
from orchestration.reports.formats import mail
from orchestration.reports.formatting import Formatter, require_language
from orchestration.reports.own.parameters import check_all, check_use, for_document
from orchestration.reports.own.template import MADE_FROM_TEMPLATE
from orchestration.reports.request import RenderedReport, ReportRequest
from orchestration.reports.templates import ReportType, check_frequency, check_parameters, report_type

Builder = Callable[[Connection, ReportRequest, Formatter, Brand], Document]
Renderer = Callable[[Document, ReportType, Path | None], bytes]

#: Modules with a function `build`, imported when a report is asked for.
DOCUMENTS = {
    name: f"orchestration.reports.documents.{name}"
    for name in (
        "billing",
        "cohort",
        "coordination",
        "executive",
        "lead_performance",
        "operations",
        "revenue",
        "usage",
    )
}
#: Modules with a function `render`, imported when a format is asked for: WeasyPrint takes seconds.
FORMATS = {
    "pdf": "orchestration.reports.formats.pdf",
    "html": "orchestration.reports.formats.html",
    "xlsx": "orchestration.reports.formats.xlsx",
    "csv": "orchestration.reports.formats.csv",
    "json": "orchestration.reports.formats.json",
    "csv-raw": "orchestration.reports.formats.csv_raw",
}
#: Formats that are sent; `csv-raw` is for programs beside this one: spreadsheets may run what it holds.
SENT_FORMATS = tuple(name for name in FORMATS if name != "csv-raw")


def render(conn: Connection, request: ReportRequest, formats: Sequence[str] = ("pdf",)) -> RenderedReport:
    """Render one report in the formats asked for; the body for mail comes with every report.

    Reads schema marts (and the tenant's settings where the role may) in one snapshot. MetricpressError names
    what is unknown: report, frequency, parameter, tenant, branch, period, format.
    """
    report = report_type(request.report, request.template_dir)
    _check(request, report, formats)
    document = build_document(conn, request, report)
    own = _from_own_template(document, request, report, formats)
    files = {
        name: own[name] if name in own else renderer(name)(document, report, request.template_dir)
        for name in formats
    }
    title = f"{document.title}: {document.branch or document.tenant}, {document.period_words}"
    return RenderedReport(
        title, document, figure_values(document), files, mail.body(document, request.template_dir)
    )


def build_document(conn: Connection, request: ReportRequest, report: ReportType) -> Document:
    """What the report says, before it has any look."""
    text = Formatter.of(request.locale)
    if request.template is not None:
        request = replace(request, parameters=for_document(request.template, request.parameters))
    with snapshot(conn):
        settings = read_settings(conn, request.tenant_id)
        brand, problems = read_brand(settings.get("brand") or {})
        build: Builder = import_module(DOCUMENTS[report.document]).build
        document = build(conn, request, text, brand)
    return replace(
        document,
        title=text.t(report.title),
        notes=document.notes + settings_print(settings, text, figure_values(document)),
        warnings=document.warnings + tuple(text.t(problem) for problem in problems),
    )


def _check(request: ReportRequest, report: ReportType, formats: Sequence[str]) -> None:
    require_language(request.locale)
    check_frequency(report, request.frequency)
    if report.document not in DOCUMENTS:
        raise MetricpressError(
            f"report {report.name}: report.yml names an unknown document {report.document!r}",
            remedy=f"known documents: {', '.join(DOCUMENTS)}",
        )
    for name in formats:
        if name not in FORMATS:
            raise MetricpressError(f"unknown format {name!r}", remedy=f"known formats: {', '.join(FORMATS)}")
    if request.template is None:
        check_parameters(report, request.parameters)
    else:
        check_use(request.template, report, formats)
        check_all(request.template, report, request.parameters)


def _from_own_template(
    document: Document, request: ReportRequest, report: ReportType, formats: Sequence[str]
) -> dict[str, bytes]:
    """The files that the request's template makes: none without one, and none of data alone."""
    template = request.template
    if template is None or not set(formats) & set(MADE_FROM_TEMPLATE):
        return {}
    # Imported when one is asked for: its lint and its process concern nobody else.
    from orchestration.reports.own.render import render_own

    return render_own(
        template, document, report, request.parameters, formats, request.limits, request.template_dir
    )


def renderer(name: str) -> Renderer:
    """The function that makes a file of a format, imported now."""
    made: Renderer = import_module(FORMATS[name]).render
    return made
