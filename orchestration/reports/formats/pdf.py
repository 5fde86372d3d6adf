"""Pages on paper: HTML to PDF/UA through WeasyPrint, the same bytes for the same document.

Belongs here: WeasyPrint, what it may fetch, and the parsed style sheets a process keeps. Does not belong
here: markup and styles (report_templates/).
"""

from __future__ import annotations

import logging
import mimetypes
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from weasyprint import CSS, HTML
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import FatalURLFetchingError, URLFetcher, URLFetcherResponse

from orchestration.errors import MetricpressError
from orchestration.reports.document import Document
from orchestration.reports.formats.html import STYLES, page
from orchestration.reports.templates import ReportType, asset

# WeasyPrint and fontTools report every unsupported hint of a font file.
logging.getLogger("fontTools").setLevel(logging.ERROR)


class AssetFetcher(URLFetcher):  # type: ignore[misc]
    """Gives data: URIs and files of the template folders; every other address ends the rendering."""

    def __init__(self, template_dir: Path | None) -> None:
        super().__init__(allowed_protocols=("data", "asset"), allow_redirects=False)
        self._template_dir = template_dir

    def fetch(self, url: str, headers: Any = None) -> URLFetcherResponse:
        """Content of one address; MetricpressError text inside a fatal error for what is refused."""
        parts = urlsplit(url)
        if parts.scheme == "data":
            return super().fetch(url, headers)
        if parts.scheme != "asset":
            raise FatalURLFetchingError(f"templates may not fetch {url[:200]}")
        try:
            path = asset(unquote(parts.path).lstrip("/"), self._template_dir)
        except MetricpressError as error:
            raise FatalURLFetchingError(str(error)) from error
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return URLFetcherResponse(url, path.read_bytes(), {"Content-Type": kind})


@lru_cache(maxsize=4)
def _styles(template_dir: Path | None) -> tuple[AssetFetcher, FontConfiguration, list[CSS]]:
    fetcher, fonts = AssetFetcher(template_dir), FontConfiguration()
    sheets = [
        CSS(
            string=asset(name, template_dir).read_text("utf-8"),
            base_url="asset:///",
            url_fetcher=fetcher,
            font_config=fonts,
        )
        for name in STYLES
    ]
    return fetcher, fonts, sheets


def render(document: Document, report: ReportType, template_dir: Path | None) -> bytes:
    """The report as a tagged PDF. Title, author, language and dates come from the page."""
    fetcher, fonts, sheets = _styles(template_dir)
    markup = page(document, report, template_dir)
    try:
        pages = HTML(string=markup, base_url="asset:///", url_fetcher=fetcher)
        data: bytes = pages.write_pdf(stylesheets=sheets, font_config=fonts, pdf_variant="pdf/ua-1")
    except FatalURLFetchingError as error:
        raise MetricpressError(
            f"report {report.name} was refused an address: {error}",
            remedy="embed images as data: URIs, or put files below METRICPRESS_TEMPLATE_DIR",
            exit_code=1,
        ) from error
    return data
