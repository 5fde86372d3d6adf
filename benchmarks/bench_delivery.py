"""What delivery costs, as ratios to what one would write by hand, and how long a report that is due waits.

    make bench PART=delivery      or      python -m benchmarks.bench_delivery --phases send,plan,tick,daemon

- send: so many due subscriptions over 20 tenants, documents rendered before, to a mail server in a process of
  its own: messages a second of `dispatch` against a bare smtplib loop over the very messages it sent.
- plan: 10,000 reports that fall due at once become rows of the ledger.
- tick: what a sensor does when nothing is due, beside 10,000 subscriptions and 100,000 old deliveries.
- daemon: seconds from due to claimed, with Dagster's daemon and code server running and otherwise idle.
"""

from __future__ import annotations

import argparse
import json
import os
import smtplib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import psycopg

from benchmarks import delivery_data
from benchmarks.bench_load import run, with_own_database
from benchmarks.delivery_daemon import waits
from benchmarks.measuring import machine
from orchestration.delivery.service import has_work, plan_occurrences
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect, database_url

HERE = Path(__file__).parent
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TENANTS = 20
SENDER = "Reports <reports@metricpress.example>"
SEND_LIMIT, PLAN_LIMIT, TICK_LIMIT, DAEMON_LIMIT = 0.7, 2.0, 0.2, 20.0
#: Runs as a process of its own, so that its peak memory is that of a dispatcher.
DISPATCH = """
import json, resource, sys, time
from datetime import datetime
from orchestration.delivery.service import dispatch
from orchestration.settings import Settings
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
settings, before, began = Settings.from_env(), peak(), time.perf_counter()
sent = len(dispatch(settings, datetime.fromisoformat(sys.argv[1])).sent)
print(json.dumps([sent, time.perf_counter() - began, before, peak()]))
"""


@contextmanager
def mail_server(folder: Path) -> Iterator[int]:
    """A sink on a port; what it took lies in `folder`."""
    folder.mkdir()
    command = [sys.executable, str(HERE / "smtp_sink.py"), str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()


def dispatched(settings: Settings, port: int) -> tuple[int, float, float, float]:
    """Messages, seconds, and megabytes of the process before and after."""
    environment = {
        "METRICPRESS_HOME": str(settings.home),
        "METRICPRESS_DATABASE_URL": settings.database_url or "",
        "METRICPRESS_SMTP_URL": f"smtp://127.0.0.1:{port}?tls=none",
        "METRICPRESS_MAIL_FROM": SENDER,
    }
    done = subprocess.run(
        [sys.executable, "-c", DISPATCH, NOON.isoformat()],
        env={**os.environ, **environment}, check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    sent, seconds, before, after = json.loads(done.stdout)
    return sent, seconds, before, after


def bare_loop(messages: list[tuple[str, bytes]], port: int) -> float:
    """Seconds of what one would write."""
    began = time.perf_counter()
    with smtplib.SMTP("127.0.0.1", port) as connection:
        for recipient, content in messages:
            connection.sendmail("reports@metricpress.example", [recipient], content)
    return time.perf_counter() - began


def messages_in(folder: Path) -> list[tuple[str, bytes]]:
    """Recipient and content of what a sink took."""
    parts = (path.read_bytes().partition(b"\n") for path in sorted(folder.iterdir()))
    return [(head.decode(), content) for head, _, content in parts]


def send(settings: Settings, folder: Path, options: argparse.Namespace) -> bool:
    """Both sides in turns; of each the best counts: what else the machine does only ever adds."""
    count = options.messages
    with psycopg.connect(settings.database_url or "", autocommit=True) as conn:
        delivery_data.add_subscriptions(conn, TENANTS, count, "2026-11-20")
        plan_all(settings)
        delivery_data.add_renditions(conn, folder / "files", options.sharing, options.kilobytes)
        ours: list[float] = []
        bare: list[float] = []
        for number in range(options.rounds):
            delivery_data.reset(conn)
            taken = folder / f"dispatch{number}"
            with mail_server(taken) as port:
                sent, seconds, before, after = dispatched(settings, port)
            messages = messages_in(taken)
            if not sent == len(messages) == len({recipient for recipient, _ in messages}) == count:
                raise AssertionError(f"{sent} sent, {len(messages)} arrived, {count} expected")
            ours.append(seconds)
            with mail_server(folder / f"bare{number}") as port:
                bare.append(bare_loop(messages, port))
    size = sum(len(content) for _, content in messages) / count / 1000
    print(f"send: {count:,} messages of {size:.0f} kB, {options.sharing} share a rendering")
    for name, seconds_of in (("dispatch", ours), ("bare smtplib loop", bare)):
        rates = ", ".join(f"{count / seconds:.0f}" for seconds in seconds_of)
        print(f"  {name:<20} {count / min(seconds_of):5.0f} messages a second   ({rates})")
    print(f"  memory of the dispatcher: {before:.0f} MB with its imports, at most {after:.0f} MB")
    return verdict("  dispatch : bare loop", min(bare) / min(ours), SEND_LIMIT, at_least=True)


def plan_all(settings: Settings) -> float:
    """Seconds to plan what is due."""
    with connect(settings, "pipeline", autocommit=True) as conn:
        began = time.perf_counter()
        plan_occurrences(conn, NOON)
        return time.perf_counter() - began


def plan(settings: Settings, folder: Path, options: argparse.Namespace) -> bool:
    """All at once, as after a night without a planner."""
    with psycopg.connect(settings.database_url or "", autocommit=True) as conn:
        delivery_data.add_subscriptions(conn, TENANTS, options.subscriptions, "2026-11-20")
        seconds = plan_all(settings)
        planned = conn.execute("select count(*) from reporting.report_occurrences").fetchone()
    if planned is None or planned[0] != options.subscriptions:
        raise AssertionError(f"{planned} planned, {options.subscriptions} expected")
    return verdict(f"plan: {options.subscriptions:,} reports at once, seconds", seconds, PLAN_LIMIT)


def tick(settings: Settings, folder: Path, options: argparse.Namespace) -> bool:
    """Nothing due, nothing open."""
    with psycopg.connect(settings.database_url or "", autocommit=True) as conn:
        delivery_data.add_subscriptions(conn, TENANTS, options.subscriptions, "2026-11-20")
        plan_all(settings)
        delivery_data.add_history(conn, 9)
    seconds = []
    with connect(settings, "pipeline", autocommit=True) as conn:
        for number in range(20):
            began = time.perf_counter()
            if has_work(conn, NOON + timedelta(seconds=number)):
                raise AssertionError("something is due")
            seconds.append(time.perf_counter() - began)
    print(
        f"tick: beside {options.subscriptions:,} subscriptions and {10 * options.subscriptions:,} deliveries"
    )
    print(f"  the first {seconds[0] * 1000:.0f} ms, the longest of the rest {max(seconds[1:]) * 1000:.0f} ms")
    return verdict("  median, seconds", statistics.median(seconds), TICK_LIMIT)


def daemon(settings: Settings, folder: Path, options: argparse.Namespace) -> bool:
    """Due at odd moments, half a minute apart."""
    with psycopg.connect(settings.database_url or "", autocommit=True) as conn:
        delivery_data.add_subscriptions(conn, 1, 0, "2026-11-20")
        seconds = waits(settings, conn, folder, options.samples)
    shown = ", ".join(f"{value:.1f}" for value in seconds)
    print(f"daemon: seconds from due to claimed: {shown}")
    return verdict("  the longest, seconds", max(seconds), DAEMON_LIMIT)


def verdict(name: str, value: float, limit: float, *, at_least: bool = False) -> bool:
    """Print a value beside its limit; True when it keeps to it."""
    fine = value >= limit if at_least else value <= limit
    word = "at least" if at_least else "at most"
    print(f"{name:<44} {value:7.3f}   {word} {limit:<4}   {'ok' if fine else 'MISSED'}", flush=True)
    return fine


PHASES: dict[str, Callable[[Settings, Path, argparse.Namespace], bool]] = {
    "send": send, "plan": plan, "tick": tick, "daemon": daemon,
}  # fmt: skip


def options_of() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--phases", default=",".join(PHASES))
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sharing", type=int, default=50, help="deliveries to one rendering")
    parser.add_argument("--kilobytes", type=int, default=60, help="size of a PDF")
    parser.add_argument("--subscriptions", type=int, default=10_000)
    parser.add_argument("--samples", type=int, default=4)
    return parser.parse_args()


def measure(phase: str, base: Settings, url: str, options: argparse.Namespace) -> int:
    """One phase in a database of its own and a folder of its own."""
    run(url, "delete from raw.tenants")
    with tempfile.TemporaryDirectory(prefix="metricpress-bench-", ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "home"
        home.mkdir()
        own = replace(base, home=home, output_dir=home / "reports", database_url=url)
        return 0 if PHASES[phase](own, Path(folder), options) else 1


def main() -> int:
    """Measure the phases; 1 when one missed its limit."""
    options, base = options_of(), Settings.from_env()
    print(machine(database_url(base)), "\n")
    missed = [
        with_own_database(base, partial(measure, phase, base, options=options))
        for phase in options.phases.split(",")
    ]
    return max(missed)


if __name__ == "__main__":
    sys.exit(main())
