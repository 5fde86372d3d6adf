"""What a report is asked with and what comes back.

Belongs here: ReportRequest and RenderedReport. Does not belong here: how one becomes the other (service.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

from orchestration.reports.document import Document, Number
from orchestration.reports.own.template import Limits, OwnTemplate

#: What kind of period a report covers; a range is any number of whole days.
Frequency = Literal["daily", "weekly", "monthly", "range"]


@dataclass(frozen=True)
class ReportRequest:
    """One report about one period of one tenant; `period_end` is inclusive, both are tenant-local dates.

    `template`: html and pdf are made from this own or public template, within `limits`; else from the
    report's.
    """

    tenant_id: str
    report: str
    frequency: Frequency
    period_start: date
    period_end: date
    branch_id: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    locale: str = "en"
    template_dir: Path | None = None
    template: OwnTemplate | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class RenderedReport:
    """A finished report: files by format, a body for mail, and the figures it shows."""

    title: str
    document: Document
    figures: dict[str, Number | None]
    files: dict[str, bytes]
    html_body: str
