"""CSV for programs: the lines of csv.py with every text as it is.

Belongs here: the format `csv-raw`, which previews may ask for and nobody is sent. Does not belong here:
columns.
"""

from __future__ import annotations

from pathlib import Path

from orchestration.reports.document import Document
from orchestration.reports.formats import csv
from orchestration.reports.templates import ReportType


def render(document: Document, report: ReportType, template_dir: Path | None) -> bytes:
    """The file. A spreadsheet that opens it may run what stands in a name: it is for programs."""
    return csv.render_raw(document)
