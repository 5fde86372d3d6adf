"""What `metricpress load` costs, as ratios to what one would write by hand, all measured in one run.

    make bench PART=load    or        python -m benchmarks.bench_load --rows 1000000

In every round, on one database of its own and the same file of sessions:

- bare COPY: the file into an ordinary table without an index;
- by hand: COPY into a temporary table, then INSERT ... ON CONFLICT DO UPDATE into raw.sessions, triggers off;
- load: `load` into the empty raw.sessions, change recording on, committed;
- reload: the same once more, with nothing changed.

The ratios are those of the best times: what else the machine does only ever adds. Memory is the peak of the
loading process, and of its server process when it runs on this machine, for a quarter of the file and for all
of it.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from orchestration.settings import Settings
from orchestration.sources.files.load import LoadOptions, load
from orchestration.warehouse.connection import database_url
from orchestration.warehouse.migrate import migrate

LOAD_LIMIT, RELOAD_LIMIT = 1.5, 2.0
MEGABYTE = 1_000_000
TENANTS = {"acme": "Europe/Lisbon", "zen": "Asia/Tokyo", "pine": "America/New_York"}
COLUMNS = "tenant_id, session_id, user_id, user_type, branch_id, started_at, duration_seconds"
TYPED = (
    "tenant_id text, session_id text, user_id text, user_type text, branch_id text, started_at timestamptz,"
    " duration_seconds numeric"
)
Connection = psycopg.Connection[Any]


def write_sessions(path: Path, rows: int) -> None:
    """A CSV of sessions of three tenants over a year, in the order of an export: by moment."""
    chance = random.Random(20260101)
    start = datetime(2025, 1, 1, tzinfo=UTC)
    tenants = list(TENANTS)
    with path.open("w", encoding="utf-8") as file:
        file.write(COLUMNS.replace(" ", "") + "\n")
        for number in range(rows):
            moment = start + timedelta(seconds=number * 365 * 86400 // rows)
            file.write(
                f"{chance.choice(tenants)},{chance.getrandbits(64):016x}{number:08x},u{chance.randrange(50_000)},"
                f"{chance.choice(('supplier', 'couple'))},b{chance.randrange(20)},"
                f"{moment:%Y-%m-%dT%H:%M:%SZ},{chance.randrange(7200)}\n"
            )


def copy_in(connection: Connection, table: str, path: Path) -> None:
    """The file into a table, as psql's \\copy does."""
    statement = sql.SQL("copy {} from stdin with (format csv, header)").format(sql.Identifier(table))
    with path.open("rb") as file, connection.cursor().copy(statement) as copy:
        while block := file.read(1 << 20):
            copy.write(block)


def bare_copy(connection: Connection, path: Path) -> None:
    """COPY into a table without an index."""
    copy_in(connection, "bench_bare", path)


def by_hand(connection: Connection, path: Path) -> None:
    """What one would write: a temporary table and an upsert, without change recording."""
    connection.execute(f"create temporary table bench_staging ({TYPED}) on commit drop")
    copy_in(connection, "bench_staging", path)
    assignments = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS.split(", ")[2:])
    connection.execute(
        f"insert into raw.sessions ({COLUMNS}) select {COLUMNS} from bench_staging"
        f" on conflict (tenant_id, session_id) do update set {assignments}"
    )


def metricpress_load(connection: Connection, path: Path) -> None:
    """The product."""
    result = load(connection, "sessions", [path], LoadOptions())
    if result.rejected:
        raise AssertionError(f"rejected: {result.reasons}")


def timed(url: str, step: Callable[[Connection, Path], None], path: Path) -> float:
    """Seconds of one step in a session and a transaction of its own."""
    with psycopg.connect(url) as connection:
        began = time.perf_counter()
        step(connection, path)
        connection.commit()
        return time.perf_counter() - began


def run(url: str, statement: str) -> None:
    """A statement outside of what is measured."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


def one_round(url: str, path: Path, seconds: dict[str, list[float]]) -> None:
    """Measure all steps, each from the same start; the two short ones twice, beside each other."""

    def measure(name: str, step: Callable[[Connection, Path], None]) -> None:
        run(url, "checkpoint")
        seconds.setdefault(name, []).append(timed(url, step, path))

    run(url, "truncate raw.sessions; alter table raw.sessions disable trigger user")
    measure("by hand", by_hand)
    run(url, "alter table raw.sessions enable trigger user; truncate raw.sessions")
    measure("load", metricpress_load)
    for _ in range(2):
        run(url, f"create table bench_bare ({TYPED})")
        measure("bare COPY", bare_copy)
        run(url, "drop table bench_bare")
        measure("reload", metricpress_load)


def peak_memory(url: str, path: Path) -> tuple[float, float | None]:
    """Peak megabytes of a process that loads the file into an empty table, and of its server process."""
    run(url, "truncate raw.sessions")
    program = (
        "import sys, resource, pathlib, psycopg\n"
        "from orchestration.sources.files.load import LoadOptions, load\n"
        "with psycopg.connect(sys.argv[1]) as connection:\n"
        "    load(connection, 'sessions', [pathlib.Path(sys.argv[2])], LoadOptions())\n"
        "    status = pathlib.Path(f'/proc/{connection.info.backend_pid}/status')\n"
        "    lines = status.read_text().splitlines() if status.exists() else []\n"
        "    server = [line.split()[1] for line in lines if line.startswith('VmHWM')]\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, *server)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, url, str(path)], capture_output=True, text=True, check=True
    )
    kilobytes = [int(part) / 1000 for part in done.stdout.split()]
    return kilobytes[0], kilobytes[1] if len(kilobytes) > 1 else None


def with_own_database(settings: Settings, work: Callable[[str], int]) -> int:
    """Run `work` on the URL of a fresh, migrated database that is dropped afterwards."""
    url = database_url(settings)
    name = f"metricpress_bench_{os.getpid()}"
    run(url, f"create database {name}")
    own = urlunsplit(urlsplit(url)._replace(path=f"/{name}"))
    try:
        migrate(Settings(home=settings.home, output_dir=settings.output_dir, database_url=own))
        with psycopg.connect(own) as connection:
            for tenant, zone in TENANTS.items():
                connection.execute(
                    "insert into raw.tenants (tenant_id, name, timezone) values (%s, %s, %s)",
                    [tenant, tenant, zone],
                )
        return work(own)
    finally:
        run(url, f"drop database {name} with (force)")


def machine(url: str) -> str:
    """One line about where this was measured."""
    with psycopg.connect(url) as connection:
        version = connection.execute("select current_setting('server_version')").fetchone()
    model = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    load_average = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{os.cpu_count()} x {model[0] if model else platform.processor()}, load average {load_average},"
        f" Python {platform.python_version()}, PostgreSQL {version[0] if version else '?'}"
    )


def verdict(name: str, ratio: float, limit: float) -> bool:
    """Print a ratio beside its limit; True when it keeps to it."""
    print(f"{name:<28} {ratio:6.2f}   limit {limit:.1f}   {'ok' if ratio <= limit else 'TOO SLOW'}")
    return ratio <= limit


def measure(url: str, rows: int, rounds: int, folder: Path) -> int:
    """Measure, print, and return 0 when both ratios keep to their limits."""
    path, quarter = folder / "sessions.csv", folder / "quarter.csv"
    write_sessions(path, rows)
    write_sessions(quarter, rows // 4)
    print(machine(url))
    megabytes = path.stat().st_size / MEGABYTE
    print(f"{rows:,} sessions of {len(TENANTS)} tenants, {megabytes:.0f} MB, {rounds} rounds\n")
    measured: dict[str, list[float]] = {}
    for _ in range(rounds):
        one_round(url, path, measured)
    best = {step: min(seconds) for step, seconds in measured.items()}
    for step, seconds in best.items():
        every = ", ".join(f"{value:.2f}" for value in measured[step])
        print(
            f"{step:<28} {seconds:6.2f} s   {rows / seconds / 1000:5.0f} thousand rows a second   ({every})"
        )
    print()
    fine = verdict("load : by hand", best["load"] / best["by hand"], LOAD_LIMIT)
    fine &= verdict("reload : bare COPY", best["reload"] / best["bare COPY"], RELOAD_LIMIT)
    print()
    for name, file in (("a quarter of the file", quarter), ("the whole file", path)):
        client, server = peak_memory(url, file)
        beside = f", server process {server:.0f} MB" if server is not None else ""
        print(f"memory, {name:<21} loading process {client:.0f} MB{beside}")
    return 0 if fine else 1


def main() -> int:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="metricpress-bench-") as folder:
        return with_own_database(
            Settings.from_env(), lambda url: measure(url, arguments.rows, arguments.rounds, Path(folder))
        )


if __name__ == "__main__":
    sys.exit(main())
