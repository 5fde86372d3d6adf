"""Reports: marts to a neutral document to html, pdf and a mail body.

Belongs here: data (reads marts only), documents, formats, and `render`, which ties them. Does not belong
here: when reports are due, who gets them and how they travel (delivery).
"""

from orchestration.reports.preview import first_page_png
from orchestration.reports.request import RenderedReport, ReportRequest
from orchestration.reports.service import render

__all__ = ["RenderedReport", "ReportRequest", "first_page_png", "render"]
