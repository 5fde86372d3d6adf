"""Pages on paper: HTML to PDF/UA through WeasyPrint, the same bytes for the same document.

Belongs here: WeasyPrint, what it may fetch, and the parsed style sheets a process keeps. Does not belong
here: markup and styles (report_templates/).
"""

from __future__ import annotations

import gc
import logging
import mimetypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

from weasyprint import CSS, HTML
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import FatalURLFetchingError, URLFetcher, URLFetcherResponse

from orchestration.errors import MetricpressError
from orchestration.reports.document import Document
from orchestration.reports.formats import weasyprint_parts
from orchestration.reports.formats.html import STYLES, page
from orchestration.reports.formats.pdf_tags import mend
from orchestration.reports.templates import ReportType, asset

# WeasyPrint and fontTools report every unsupported hint of a font file.
logging.getLogger("fontTools").setLevel(logging.ERROR)
weasyprint_parts.install()
logger = logging.getLogger(__name__)


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
        with _collected_once():
            data: bytes = _page(markup, fetcher, template_dir).write_pdf(
                stylesheets=sheets, font_config=fonts, pdf_variant="pdf/ua-1", finisher=mend
            )
    except FatalURLFetchingError as error:
        raise MetricpressError(
            f"report {report.name} was refused an address: {error}",
            remedy="embed images as data: URIs, or put files below METRICPRESS_TEMPLATE_DIR",
            exit_code=1,
        ) from error
    return data


def _page(markup: str, fetcher: AssetFetcher, template_dir: Path | None) -> HTML:
    """Shipped templates are read fast; own ones may be any HTML."""
    if template_dir is None:
        try:
            return weasyprint_parts.ShippedPage(markup, "asset:///", fetcher)
        except ElementTree.ParseError as error:
            logger.warning("a shipped template is not well-formed, which costs time: %s", error)
    return HTML(string=markup, base_url="asset:///", url_fetcher=fetcher)


@contextmanager
def _collected_once() -> Iterator[None]:
    """Search for garbage once, after the document: while it is made, what it is made of is all in use."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.collect(0)
        if was_enabled:
            gc.enable()
