"""How long a due report waits for a running Dagster: daemon and code server as processes, a real database.

Belongs here: starting and stopping them, and the samples. Does not belong here: verdicts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from orchestration.dev import ROOT, prepare
from orchestration.settings import Settings

#: The daemon loads the project, then every sensor has ticked.
WARM_UP_SECONDS = 60.0
LONGEST_WAIT = 120.0
AHEAD = timedelta(seconds=20)


@contextmanager
def running(settings: Settings, folder: Path) -> Iterator[None]:
    """Dagster's daemon, which starts the code server; both write to a log in `folder`."""
    environment = prepare(settings) | {"METRICPRESS_DATABASE_URL": settings.database_url or ""}
    environment |= {"METRICPRESS_OUTPUT_DIR": str(settings.output_dir), "DAGSTER_DISABLE_TELEMETRY": "yes"}
    command = [str(Path(sys.executable).parent / "dagster-daemon"), "run", "-w", "workspace.yaml"]
    with (folder / "daemon.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment}, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            yield
            if process.poll() is not None:
                raise RuntimeError(f"the daemon ended:\n{(folder / 'daemon.log').read_text()[-3000:]}")
        finally:
            process.terminate()
            process.wait(timeout=60)


def waits(settings: Settings, conn: psycopg.Connection[Any], folder: Path, samples: int) -> list[float]:
    """Seconds from due to claimed of so many reports, one after the other."""
    with running(settings, folder):
        time.sleep(WARM_UP_SECONDS)
        return [_one(conn, number) for number in range(samples)]


def _one(conn: psycopg.Connection[Any], number: int) -> float:
    due = datetime.now(UTC) + AHEAD
    conn.execute(
        """
        insert into reporting.report_subscriptions
            (tenant_id, name, report, frequency, delivery_time, recipients, starts_on, timezone,
            delivery_method)
        values ('t1', %s, 'executive', 'daily', %s, %s, %s, 'UTC', 'file')
        """,
        (f"report {number}", due.time(), [f"folder{number}"], due.date()),
    )
    began = time.monotonic()
    while time.monotonic() - began < LONGEST_WAIT:
        row = conn.execute(
            """
            select extract(epoch from d.claimed_at - o.due_at)
            from reporting.report_deliveries as d
            join reporting.report_occurrences as o using (tenant_id, occurrence_id)
            where d.recipient = %s and d.claimed_at is not null
            """,
            (f"folder{number}",),
        ).fetchone()
        if row is not None:
            time.sleep(15)  # until its run has ended: the next one is to meet an idle system
            return float(row[0])
        time.sleep(0.5)
    raise RuntimeError(f"not claimed within {LONGEST_WAIT} s; was the daemon running?")
