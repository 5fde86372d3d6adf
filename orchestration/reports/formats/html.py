"""Pages as HTML: for PDF with styles outside, as a file of its own with styles and fonts inside.

Belongs here: what templates are handed. Does not belong here: paper (pdf.py) and mail bodies (mail.py).
"""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from pathlib import Path

from jinja2 import TemplateError
from jinja2.exceptions import SecurityError
from markupsafe import Markup

from orchestration.errors import MetricpressError
from orchestration.reports.document import Document
from orchestration.reports.formats.view import page_view
from orchestration.reports.formatting import parse_locale
from orchestration.reports.templates import ReportType, asset, environment

STYLES = ("styles/fonts.css", "styles/report.css")


def page(document: Document, report: ReportType, template_dir: Path | None, css: Markup | str = "") -> str:
    """The report as one HTML page; `css` is put inside, otherwise styles come from outside."""
    language = parse_locale(document.locale).language
    try:
        template = environment(template_dir, language).get_template(report.template)
        return template.render(document=page_view(document, screen=bool(css)), css=css)
    except (TemplateError, SecurityError) as error:
        raise MetricpressError(
            f"template {report.template} failed: {type(error).__name__}: {error}",
            remedy="correct it in the template folder; docs/interfaces.md tells what a template sees",
            exit_code=1,
        ) from error


def render(document: Document, report: ReportType, template_dir: Path | None) -> bytes:
    """A file that needs nothing beside it: styles and fonts are inside."""
    return page(document, report, template_dir, inline_styles(template_dir)).encode("utf-8")


@lru_cache(maxsize=4)
def inline_styles(template_dir: Path | None) -> Markup:
    """The shared style sheets with their fonts inside."""
    css = "\n".join(asset(name, template_dir).read_text("utf-8") for name in STYLES)

    def embed(match: re.Match[str]) -> str:
        data = base64.b64encode(asset(match.group(1), template_dir).read_bytes()).decode("ascii")
        return f"url(data:font/woff2;base64,{data})"

    return Markup(re.sub(r"url\(asset:///([^)]+)\)", embed, css))
