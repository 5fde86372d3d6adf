"""A dispatcher of its own process with the tiny report: python dispatcher.py MOMENT [FILE TO WAIT FOR]."""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import datetime
from pathlib import Path

import tiny_report

from orchestration.delivery import rendering
from orchestration.delivery.service import dispatch
from orchestration.settings import Settings

STATES = ("sent", "waiting", "failed", "unknown", "skipped")


def main() -> None:
    rendering.render = tiny_report.render
    if len(sys.argv) > 2:
        Path(f"{sys.argv[2]}.{os.getpid()}").touch()
        while not Path(sys.argv[2]).exists():
            time.sleep(0.01)
    result = dispatch(Settings.from_env(), datetime.fromisoformat(sys.argv[1]))
    counts = {name: len(getattr(result, name)) for name in STATES}
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
