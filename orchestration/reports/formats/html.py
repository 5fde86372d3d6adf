"""Pages as HTML: for PDF with styles outside, as a file of its own with styles and fonts inside.

Belongs here: what templates are handed. Does not belong here: paper (pdf.py) and mail bodies (mail.py).
"""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from jinja2.exceptions import SecurityError
from markupsafe import Markup

from orchestration.errors import MetricpressError
from orchestration.reports.brand import palette
from orchestration.reports.document import Chart, Document
from orchestration.reports.formats import svg
from orchestration.reports.formatting import Formatter
from orchestration.reports.periods import NOUN
from orchestration.reports.templates import ReportType, asset, environment

STATUS_WORDS = {"success": "on target", "warning": "near target", "error": "off target"}
STYLES = ("styles/fonts.css", "styles/report.css")


def page(document: Document, report: ReportType, template_dir: Path | None, css: Markup | str = "") -> str:
    """The report as one HTML page; `css` is put inside, otherwise styles come from outside."""
    text, colours = Formatter.of(document.locale), palette(document.brand)

    def draw(chart: Chart) -> Markup:
        return svg.draw(chart, text, document.frequency, colours)

    context: dict[str, Any] = {
        "document": document,
        "text": text,
        "draw": draw,
        "palette": colours,
        "css": css,
        "status_words": STATUS_WORDS,
        "this_period": f"This {NOUN[document.frequency]}",
    }
    try:
        return environment(template_dir).get_template(report.template).render(context)
    except (TemplateError, SecurityError) as error:
        raise MetricpressError(
            f"template {report.template} failed: {type(error).__name__}: {error}",
            remedy="correct it in the template folder; it sees the document and the formatter, nothing else",
            exit_code=1,
        ) from error


def render(document: Document, report: ReportType, template_dir: Path | None) -> bytes:
    """A file that needs nothing beside it: styles and fonts are inside."""
    return page(document, report, template_dir, _inline_styles(template_dir)).encode("utf-8")


@lru_cache(maxsize=4)
def _inline_styles(template_dir: Path | None) -> Markup:
    css = "\n".join(asset(name, template_dir).read_text("utf-8") for name in STYLES)

    def embed(match: re.Match[str]) -> str:
        data = base64.b64encode(asset(match.group(1), template_dir).read_bytes()).decode("ascii")
        return f"url(data:font/woff2;base64,{data})"

    return Markup(re.sub(r"url\(asset:///([^)]+)\)", embed, css))
