"""`metricpress` in a process of its own with the tiny report: python command.py FILE-TO-WAIT-FOR WORDS."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import tiny_report

from orchestration.cli.main import run
from orchestration.delivery import rendering


def main() -> None:
    rendering.render = tiny_report.render
    signal = Path(sys.argv.pop(1))
    Path(f"{signal}.{os.getpid()}").touch()
    while not signal.exists():
        time.sleep(0.01)
    run()


if __name__ == "__main__":
    main()
