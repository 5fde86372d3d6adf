"""docs/metrics.md tells the metrics as they are defined."""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]


def test_metrics_doc_is_up_to_date() -> None:
    script = [sys.executable, str(PROJECT / "scripts" / "metrics_doc.py"), "--check"]
    outcome = subprocess.run(script, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
