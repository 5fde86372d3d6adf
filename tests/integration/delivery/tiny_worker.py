"""A render worker with the tiny report: some tenants kill it, some hang, some break. WORKERS: a log of it."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import tiny_report

from orchestration.delivery import render_worker, rendering
from orchestration.errors import MetricpressError
from orchestration.reports import RenderedReport


def render(conn: Any, request: Any, formats: Any = ("pdf",)) -> RenderedReport:
    """The tiny report, but for tenants whose name says what befalls it, and that only once."""
    befalls, log = request.tenant_id.partition("-")[0], Path(os.environ["WORKERS"])
    with log.open("a") as file:
        file.write(f"{os.getpid()} {request.tenant_id}\n")
    first = log.read_text().count(f" {request.tenant_id}\n") == 1
    if befalls == "kill" and first:
        os.kill(os.getpid(), signal.SIGKILL)
    if befalls == "hang" and first:
        time.sleep(600)
    if befalls == "break":
        raise ZeroDivisionError("by nought")
    if befalls == "refuse":
        raise MetricpressError("no such branch", remedy="add it")
    if befalls == "disk" and first:
        raise OSError("no room")
    return tiny_report.render(conn, request, formats)


if __name__ == "__main__":
    rendering.render = render
    render_worker.WARM = ()
    render_worker.MOST_DOCUMENTS = int(os.environ.get("MOST_DOCUMENTS", "1000"))
    render_worker.main()
