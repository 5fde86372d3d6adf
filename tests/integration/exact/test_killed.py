"""kill -9 of a real build at five points, while a reader looks at every mart without pause.

The build is held at each point by a lock that lets readers through, killed, and mended by the next build.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestration.delivery.readiness import readiness
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from tests.conftest import environment_of
from tests.integration.exact.conftest import Players
from tests.integration.exact.history import Build, Player, Write, put
from tests.integration.exact.replay import EXEMPT, Project
from tests.integration.exact.test_planted_bugs import START, TENANTS, a_row_of_each_table

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

METRICPRESS = str(Path(sys.executable).with_name("metricpress"))
#: What the build wants to write when it is held, and whether marts of it may stand by then.
POINTS = {
    "planning": "build.dirty_spans",
    "an early model": "intermediate.int_activity__user_days",
    "the middle": "marts.daily_metrics",
    "the last model": "marts.executive_summary",
    "before completion": "reporting.check_results",
}
PATIENCE = 300


class Reader(threading.Thread):
    """Reads every mart again and again: the checksums it saw of each, and whether one was ever empty."""

    def __init__(self, settings: Settings, project: Project) -> None:
        super().__init__(daemon=True)
        self.connection = connect(settings, autocommit=True)
        self.queries = {
            model.relation: f"select md5(string_agg(t::text, ' ' order by t::text)) from "
            f"(select {model.values} from {model.relation}) as t"
            for model in project.models
            if model.relation.startswith("marts.") and model.relation not in EXEMPT
        }
        self.seen: dict[str, set[str | None]] = defaultdict(set)
        self.rounds = 0
        self.is_done = threading.Event()

    def look(self) -> dict[str, str | None]:
        found = {}
        for relation, query in self.queries.items():
            row = self.connection.execute(query.encode()).fetchone()
            assert row is not None
            found[relation] = row[0]
        return found

    def run(self) -> None:
        while not self.is_done.is_set():
            for relation, checksum in self.look().items():
                self.seen[relation].add(checksum)
            self.rounds += 1


@contextmanager
def reading(settings: Settings, project: Project) -> Iterator[Reader]:
    reader = Reader(settings, project)
    reader.start()
    try:
        yield reader
    finally:
        reader.is_done.set()
        reader.join()
        reader.connection.close()


def changes(number: int) -> tuple[Write, ...]:
    """Something new in several domains."""
    key, day = f"n{number}", f"2025-03-{number + 10} 12:00 UTC"
    return (
        put("sessions", "t0", key, user_id=key, started_at=day, duration_seconds=60),
        put("leads", "t1", key, status="new", created_at=day, branch_id="b0"),
        put("calls", "t1", key, lead_id=key, direction="inbound", status="completed", started_at=day),
        put("jobs", "t1", key, status="failed", started_at=day),
        put("subscriptions", "t0", key, customer_id=key, status="active", quantity=1, unit_amount=number + 1,
            currency="USD", billing_interval="month", interval_count=1, started_at=day),
    )  # fmt: skip


def kill_at(player: Player, relation: str, watcher: psycopg.Connection[Any]) -> None:
    """Start a build, hold it where it writes `relation`, kill it there and let go."""
    waiting = """
        select exists (
            select from pg_locks
            where relation = %s::regclass and not granted
                and database = (select oid from pg_database where datname = current_database())
        )
    """
    with connect(player.settings) as holding:
        # Writers wait, readers do not.
        holding.execute(f"lock table {relation} in share mode".encode())
        process = subprocess.Popen(
            [METRICPRESS, "build", "--as-of", player.as_of.isoformat()],
            env=environment_of(player.settings), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        deadline = time.monotonic() + PATIENCE
        while watcher.execute(waiting, (relation,)).fetchone() != (True,):
            assert process.poll() is None, process.communicate()[0].decode()
            assert time.monotonic() < deadline, f"the build did not reach {relation}"
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        holding.rollback()
    # What the killed build had sent is carried out or rolled back by its server processes.
    while watcher.execute(
        "select exists (select from pg_stat_activity where datname = current_database() "
        "and application_name in ('metricpress-build', 'metricpress-dbt'))"
    ).fetchone() != (False,):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_killed_build_is_mended_by_the_next(players_of_kills: Player, project: Project) -> None:
    playing = players_of_kills
    for number, (point, relation) in enumerate(POINTS.items()):
        for write in changes(number):
            write.run(playing.raw)
        playing.clock = playing.as_of = playing.as_of + timedelta(hours=1)
        with reading(playing.settings, project) as reader:
            before = reader.look()
            kill_at(playing, relation, playing.raw)
            left = reader.look()
            ready = readiness(playing.raw, "t0", date(2025, 3, 30))
            assert ready.is_ready == (left == before), (point, ready)
            playing.build(Build())
            after = reader.look()
        assert readiness(playing.raw, "t0", date(2025, 3, 30)).is_ready
        assert before["marts.daily_metrics"] != after["marts.daily_metrics"]
        for mart, seen in reader.seen.items():
            assert seen <= {before[mart], after[mart]}, (point, mart)
            assert None not in seen, f"{mart} was empty at {point}"
        assert reader.rounds > 1
        assert playing.check() == "", point


@pytest.fixture
def players_of_kills(player: Players) -> Iterator[Player]:
    with player(START) as playing:
        for write in (*TENANTS, *a_row_of_each_table("t0"), *a_row_of_each_table("t1")):
            write.run(playing.raw)
        playing.build(Build())
        yield playing
