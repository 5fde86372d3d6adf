"""The two sides that run on Python, each as a process of its own that stays warm.

    python -m benchmarks.report_sides ours      reads requests: marts to PDF and HTML, as deliveries do
    python -m benchmarks.report_sides bare      reads finished pages: a loop over WeasyPrint alone

One JSON line in, {"numbers": [...], "folder": ...}, one out: processor seconds of this process and of its
database session, wall seconds, and the process's resident megabytes. Belongs here: the two loops. Does not
belong here: comparing them.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

TENANTS = 20
FIRST_DAY = date(2023, 3, 1)
DAYS = 660
TICKS = os.sysconf("SC_CLK_TCK")
Work = Callable[[int, Path], None]


def distinct(number: int) -> tuple[str, date, dict[str, Any]]:
    """Tenant, day and parameters of the nth document: no two are equal below 26,400."""
    day = FIRST_DAY + timedelta(days=number // TENANTS % DAYS)
    metrics = {} if number < TENANTS * DAYS else {"metrics": ["mrr"]}
    return f"t{number % TENANTS + 1}", day, metrics


def ours() -> tuple[Work, Callable[[], float]]:
    """The whole path; leaves what the other sides need beside its own files."""
    from orchestration.reports import ReportRequest, render
    from orchestration.reports.formats import html
    from orchestration.reports.templates import report_type
    from orchestration.settings import Settings
    from orchestration.warehouse.connection import connect

    conn = connect(Settings.from_env(), "pipeline")
    conn.rollback()
    stat = Path(f"/proc/{conn.info.backend_pid}/stat")
    report = report_type("executive", None)
    spent_for_others = [0.0]

    def database() -> float:
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def work(number: int, folder: Path) -> None:
        tenant, day, parameters = distinct(number)
        request = ReportRequest(tenant, "executive", "daily", day, day, parameters=parameters)
        made = render(conn, request, ("pdf", "html"))
        (folder / f"{number}.pdf").write_bytes(made.files["pdf"])
        (folder / f"{number}.html").write_bytes(made.files["html"])
        if (folder / "pages").exists():
            began = time.process_time()
            (folder / "pages" / f"{number}.html").write_text(html.page(made.document, report, None))
            spent_for_others[0] += time.process_time() - began

    return work, lambda: time.process_time() + database() - spent_for_others[0]


def bare() -> tuple[Work, Callable[[], float]]:
    """What one would write: style sheets parsed once, then page after page."""
    from weasyprint import CSS, HTML
    from weasyprint.text.fonts import FontConfiguration

    templates = Path(__file__).parents[1] / "report_templates"
    fonts = FontConfiguration()
    sheets = []
    for name in ("fonts", "report"):
        css = (
            (templates / "styles" / f"{name}.css").read_text().replace("asset:///", f"{templates.as_uri()}/")
        )
        sheets.append(CSS(string=css, font_config=fonts))

    def work(number: int, folder: Path) -> None:
        page = HTML(string=(folder / "pages" / f"{number}.html").read_text(), base_url=templates.as_uri())
        data = page.write_pdf(stylesheets=sheets, font_config=fonts, pdf_variant="pdf/ua-1")
        (folder / f"{number}.bare.pdf").write_bytes(data)

    return work, time.process_time


def main() -> None:
    """Answer until the input ends."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    work, processor = {"ours": ours, "bare": bare}[sys.argv[1]]()
    for line in sys.stdin:
        asked = json.loads(line)
        began, before = time.perf_counter(), processor()
        for number in asked["numbers"]:
            work(number, Path(asked["folder"]))
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
        told = {"processor": processor() - before, "wall": time.perf_counter() - began, "resident": resident}
        print(json.dumps(told), file=out, flush=True)


if __name__ == "__main__":
    main()
