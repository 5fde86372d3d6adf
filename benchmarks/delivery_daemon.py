"""How long a due report waits for a running Dagster: daemon and code server as processes, a real database.

Belongs here: starting and stopping them, and the samples. Does not belong here: verdicts.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.delivery_data import add_renditions
from orchestration.dev import ROOT, prepare
from orchestration.settings import Settings

#: The daemon loads the project, then every sensor has ticked.
WARM_UP_SECONDS = 90.0
LONGEST_WAIT = 120.0
UNEVEN_SECONDS = 12.0
AHEAD = timedelta(seconds=20)


@contextmanager
def running(settings: Settings, folder: Path) -> Iterator[None]:
    """Dagster's daemon, which starts the code server; both write to a log in `folder`."""
    environment = prepare(settings) | {"METRICPRESS_DATABASE_URL": settings.database_url or ""}
    environment |= {"METRICPRESS_OUTPUT_DIR": str(settings.output_dir), "DAGSTER_DISABLE_TELEMETRY": "yes"}
    environment |= {"METRICPRESS_REFRESH_MINUTES": "1440"}  # idle but for the sensors
    command = [str(Path(sys.executable).parent / "dagster-daemon"), "run", "-w", "workspace.yaml"]
    with (folder / "daemon.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment}, stdout=log, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            yield
            if process.poll() is not None:
                raise RuntimeError(f"the daemon ended:\n{(folder / 'daemon.log').read_text()[-3000:]}")
        finally:
            process.terminate()
            process.wait(timeout=60)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its code server


def waits(settings: Settings, conn: psycopg.Connection[Any], folder: Path, samples: int) -> list[float]:
    """Seconds from due to claimed of so many reports, one after the other."""
    with running(settings, folder):
        time.sleep(WARM_UP_SECONDS)
        return [_one(conn, folder, number) for number in range(samples)]


def _one(conn: psycopg.Connection[Any], folder: Path, number: int) -> float:
    """A report that is planned and rendered, so that it waits for nothing but the daemon."""
    conn.execute(
        """
        with ordered as (
            insert into reporting.report_subscriptions
                (tenant_id, name, report, frequency, recipients, starts_on, timezone, delivery_method)
            values ('t1', %(name)s, 'executive', 'daily', %(recipients)s, current_date + 9, 'UTC', 'file')
            returning tenant_id, subscription_id
        ),
        planned as (
            insert into reporting.report_occurrences (tenant_id, subscription_id, local_date,
                report_period_start, report_period_end, due_at)
            select tenant_id, subscription_id, current_date, current_date - 1, current_date - 1, %(due)s
            from ordered returning tenant_id, occurrence_id
        )
        insert into reporting.report_deliveries (tenant_id, occurrence_id, channel, recipient)
        select tenant_id, occurrence_id, 'file', %(name)s from planned
        """,
        {"name": f"folder{number}", "recipients": [f"folder{number}"], "due": datetime.now(UTC) + AHEAD},
    )
    add_renditions(conn, folder / "files", each=1, kilobytes=10)
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
            time.sleep(UNEVEN_SECONDS + number * 1.7)  # its run has ended, and no tick is met twice
            return float(row[0])
        time.sleep(0.5)
    log = (folder / "daemon.log").read_text()[-3000:]
    raise RuntimeError(f"not claimed within {LONGEST_WAIT} s; the daemon says:\n{log}")
