"""Leaving the context of render workers ends them at once, with what still waits for them."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from orchestration.delivery.workers import Job, Workers

#: A worker that writes down its number and never answers.
STUCK = (
    "import os, sys, time\n"
    "with open(sys.argv[1], 'a') as log:\n    log.write(f'{os.getpid()}\\n')\n"
    "time.sleep(60)\n"
)


def test_leaving_early_starts_nothing_more(tmp_path: Path) -> None:
    log, nothing = tmp_path / "log", dict.fromkeys(("promise", "settings", "data_version", "look"))
    job: Any = Job(**nothing, snapshot="")  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt), Workers(1, (sys.executable, "-c", STUCK, str(log)), 20.0) as made:
        waiting = [made.submit(job) for _ in range(4)]
        while not log.exists():
            time.sleep(0.05)
        left = time.monotonic()
        raise KeyboardInterrupt
    assert time.monotonic() - left < 10
    assert [future.cancelled() for future in waiting] == [False, True, True, True]
    (pid,) = log.read_text().split()
    assert not Path(f"/proc/{pid}").exists()
