"""A report without a template: stands in for orchestration.reports.render where its looks do not matter."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from orchestration.reports import RenderedReport, ReportRequest
from orchestration.reports.document import Brand, Cards, Document, Figure

MRR = Decimal("12345.678901234567890123")


def render(conn: Any, request: ReportRequest, formats: Sequence[str] = ("pdf",)) -> RenderedReport:
    """Two figures and a few bytes; leaves a line in RENDERINGS, waits while `hold` lies beside it."""
    if "RENDERINGS" in os.environ:
        with Path(os.environ["RENDERINGS"]).open("a") as log:
            log.write(f"{request.tenant_id} {request.report} {request.period_end}\n")
        while Path(os.environ["RENDERINGS"]).with_name("hold").exists():
            time.sleep(0.01)
    figures = (
        Figure("mrr", "MRR", MRR, format="money", currency="USD"),
        Figure("customers", "Paying customers", 7),
        Figure("nrr", "Net revenue retention", None, format="percent", reason="no customers before"),
    )
    document = Document(
        report=request.report, title="Tiny", frequency=request.frequency, tenant=request.tenant_id,
        branch=None,
        period_start=request.period_start, period_end=request.period_end,
        period_words=str(request.period_end),
        as_of=datetime(2026, 11, 20, tzinfo=UTC), timezone="UTC", headline="All is well",
        standfirst=".leading dot", brand=Brand(), locale=request.locale, front=(Cards(figures),),
    )  # fmt: skip
    body = f"%PDF-1.7\n{request}\n".encode() + bytes(range(256)) * 20 + b"\r\n.\r\n..\r\n%%EOF"
    files = {name: body if name == "pdf" else b"<p>tiny</p>" for name in formats}
    return RenderedReport(
        title=f"Tiny: {request.tenant_id}, {request.period_end}",
        document=document,
        figures={"mrr": MRR, "customers": 7, "nrr": None},
        files=files,
        html_body="<html><body><p>.All is well</p></body></html>",
    )
