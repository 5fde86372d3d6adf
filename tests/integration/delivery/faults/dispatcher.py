"""A dispatcher as a process of its own: the real command line, with the tiny report in place of WeasyPrint.

    python -m tests.integration.delivery.faults.dispatcher deliver --at MOMENT --json

`in_process` is what a child of multiprocessing's fork server runs: the imports are paid once, the process is
as separate as any other. REPORT_BYTES makes the PDF that large; PLANT names a bug to build in (planted.py).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pydantic.type_adapter
import rich.progress

import orchestration.cli.deliver
import orchestration.delivery.service
from orchestration.cli.main import run
from orchestration.delivery import rendering
from orchestration.reports import RenderedReport
from tests.integration.delivery import tiny_report
from tests.integration.delivery.faults import planted

#: Imported late by the command line; here once, for every child.
WARM = (rich.progress, pydantic.type_adapter, orchestration.cli.deliver, orchestration.delivery.service)


def render(*arguments: Any, **more: Any) -> RenderedReport:
    """The tiny report, as large as asked."""
    report = tiny_report.render(*arguments, **more)
    padding = b"x" * int(os.environ.get("REPORT_BYTES", "0"))
    return replace(report, files={name: content + padding for name, content in report.files.items()})


def in_process(environment: Mapping[str, str], arguments: Sequence[str], folder: str) -> None:
    """Become `metricpress ARGUMENTS`; what it prints goes to files in `folder`."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        with (Path(folder) / name).open("wb") as file:
            os.dup2(file.fileno(), number)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["metricpress", *arguments]
    main()


def main() -> None:
    """Run the command line with the tiny report."""
    rendering.render = render
    if os.environ.get("PLANT"):
        planted.plant(os.environ["PLANT"])
    run()


if __name__ == "__main__":
    main()
