"""The runbook's first hour as operator, run as it is written: its blocks, pasted into one bash."""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.delivery.conftest import HERE, PROJECT, environment_for

pytestmark = pytest.mark.integration
TENANT = "generated-1-001"


def blocks() -> list[str]:
    """The section's blocks of bash, without the first: its tenant and build are the fixture's."""
    text = (PROJECT / "docs" / "runbook.md").read_text()
    section = text.split("## A first hour as operator\n")[1].split("\n## ")[0]
    return re.findall(r"^```bash\n(.*?)^```", section, re.DOTALL | re.MULTILINE)[1:]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with a `metricpress` that renders the tiny report."""
    folder = tmp_path / "bin"
    folder.mkdir()
    at_once = folder / "at_once"
    at_once.touch()
    tiny = shlex.join([sys.executable, str(HERE / "command.py"), str(at_once)])
    own = shlex.quote(str(Path(sys.executable).with_name("metricpress")))
    (folder / "metricpress").write_text(
        f'#!/bin/sh\ncase "$1 $2" in "deliver preview" | "deliver send") exec {tiny} "$@" ;; esac\n'
        f'exec {own} "$@"\n'
    )
    (folder / "metricpress").chmod(0o755)
    return folder


def test_the_first_hour(warehouse, tmp_path: Path, programs: Path) -> None:
    warehouse.add_tenant(TENANT, complete=str(datetime.now(UTC).date() - timedelta(days=1)))
    script = "\n".join(blocks()).replace("8025", str(free_port()))
    # The doctor looks at this machine, and the mailbox is read below.
    for line in ("metricpress doctor", "rm -r playmail.py mail.log first-hour"):
        assert line in script
        script = script.replace(line, "")
    trap = "trap 'echo \"$? $BASH_COMMAND\" >> codes' ERR\ntrap 'kill $MAIL 2> /dev/null || true' EXIT\n"
    environment = environment_for(warehouse.settings) | {
        "PATH": f"{programs}:{Path(sys.executable).parent}:{os.environ['PATH']}", "COLUMNS": "80",
    }  # fmt: skip
    done = subprocess.run(
        ["bash", "-c", trap + script], cwd=tmp_path, env=os.environ | environment, text=True,
        capture_output=True, timeout=120, check=False,
    )  # fmt: skip
    told = done.stdout + done.stderr
    codes = (tmp_path / "codes").read_text().splitlines()
    assert [code for code in codes if "wait" not in code] == ["1 metricpress deliver send Board"] * 2, told
    wide = [line for line in done.stdout.splitlines() if len(line) > 80 and not line.startswith("/")]
    assert wide == []

    # Twice the first, resent once; then the first alone, and who replaces the one that is gone.
    accepted = (tmp_path / "mail.log").read_text().splitlines()
    ours = [line.removeprefix("accepted for ") for line in accepted if "me@acme.example" not in line]
    assert sorted(ours) == ["ceo@acme.example"] * 3 + ["cfo@acme.example"] * 2 + ["new@acme.example"]
    rows = warehouse.rows("select recipient, delivery_status from reporting.report_deliveries")
    assert sorted((row["recipient"].partition("@")[0], row["delivery_status"]) for row in rows) == [
        ("ceo", "failed"), *[("ceo", "sent")] * 3,
        ("cfo", "failed"), *[("cfo", "sent")] * 2,
        ("gone", "failed"), ("new", "sent"),
    ]  # fmt: skip
    (alert,) = warehouse.rows("select subject, sent_at from reporting.operator_notices where kind = 'alert'")
    assert alert["subject"] == f"{TENANT}: Board failed for gone@acme.example"
    assert alert["sent_at"] is not None
    assert "Nothing to send again." in told
    assert "gone@acme.example: " in told
    assert f"by {warehouse.conn.info.user}" in told, "the audit log"
