"""What documents cost: ours from marts to PDF and HTML, against a bare WeasyPrint loop and a warm Chromium.

    make bench PART=reports      or      python -m benchmarks.bench_reports --phases sides,dispatch,memory

- sides: distinct documents, all sides in turns on the same pages: documents a second and core, start to the
  first document, peak memory of the process tree. The limit is on ours against the bare loop.
- dispatch: subscriptions of 20 tenants as one dispatch with its workers, first distinct, then equal ones.
- memory: one process, document after document: what it grows by.

Needs the demo's marts (make demo), which are copied from `--marts` into a database of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.bench_load import run, with_own_database
from benchmarks.chromium import Chromium
from benchmarks.measuring import machine
from benchmarks.report_sides import TENANTS
from benchmarks.reports_data import copy_marts
from orchestration.settings import Settings
from orchestration.warehouse.connection import database_url

BARE_LIMIT = 1.15
#: Kilobytes that a process may grow by with each document, once warm.
GROWTH_LIMIT = 20.0
TICKS = os.sysconf("SC_CLK_TCK")
ROUND = 10
#: Runs as a process of its own: seconds and processor seconds of a dispatch and its workers.
DISPATCH = """
import json, resource, sys, time
from datetime import datetime
from orchestration.delivery.service import dispatch
from orchestration.settings import Settings
def processor():
    told = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in told)
settings, before, began = Settings.from_env(), processor(), time.perf_counter()
sent = len(dispatch(settings, datetime.fromisoformat(sys.argv[1])).sent)
print(json.dumps([sent, time.perf_counter() - began, processor() - before]))
"""


@dataclass
class Side:
    """One way to make documents: `work` makes the numbered ones and tells processor seconds."""

    name: str
    work: Callable[[Sequence[int]], float]
    process: int
    first: float
    processor: float = 0.0
    documents: int = 0
    rounds: list[float] = field(default_factory=list)

    def take_turn(self, numbers: Sequence[int]) -> None:
        """One round."""
        spent = self.work(numbers)
        self.processor += spent
        self.documents += len(numbers)
        self.rounds.append(spent / len(numbers))

    @property
    def each(self) -> float:
        """Processor seconds of one document."""
        return self.processor / self.documents


class Program:
    """A side that runs on Python, kept warm."""

    def __init__(self, name: str, environment: dict[str, str], folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.report_sides", name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment},
        )  # fmt: skip

    def ask(self, numbers: Sequence[int]) -> dict[str, float]:
        """Make the documents; what they cost."""
        assert self.process.stdin is not None and self.process.stdout is not None
        print(
            json.dumps({"numbers": list(numbers), "folder": str(self.folder)}),
            file=self.process.stdin,
            flush=True,
        )
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"a side ended with {self.process.wait()}")
        told: dict[str, float] = json.loads(line)
        return told

    def close(self) -> None:
        """End it by its input."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


def tree(root: int) -> list[int]:
    """A process and its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def processor_seconds(root: int) -> float:
    """User and system time of a process tree, ended children included."""
    total = 0
    for pid in tree(root):
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(value) for value in fields[11:15])
    return total / TICKS


def megabytes(root: int) -> float:
    """Memory of a process tree, shared pages divided among those who share them (PSS)."""
    total = 0
    for pid in tree(root):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total * 1024 / 1e6


@contextmanager
def peaks(roots: dict[str, int]) -> Iterator[dict[str, float]]:
    """The most memory that each of the process trees held meanwhile."""
    found = dict.fromkeys(roots, 0.0)
    done = threading.Event()

    def sample() -> None:
        while not done.wait(0.25):
            for name, root in roots.items():
                found[name] = max(found[name], megabytes(root))

    sampler = threading.Thread(target=sample, daemon=True)
    sampler.start()
    try:
        yield found
    finally:
        done.set()
        sampler.join()


def environment_of(settings: Settings) -> dict[str, str]:
    """For the sides."""
    return {
        "METRICPRESS_HOME": str(settings.home),
        "METRICPRESS_OUTPUT_DIR": str(settings.output_dir),
        "METRICPRESS_DATABASE_URL": settings.database_url or "",
        "METRICPRESS_RENDER_WORKERS": str(settings.render_workers),
    }


def sides(settings: Settings, folder: Path, options: argparse.Namespace, results: dict[str, Any]) -> bool:
    """Ours first in each round: it leaves the pages that the others print."""
    (folder / "pages").mkdir()
    with ExitStack() as stack:
        made = [program_side(name, words, settings, folder, stack) for name, words in (
            ("ours", "ours, marts to PDF and HTML"), ("bare", "bare WeasyPrint loop"))]  # fmt: skip
        made += browser_sides(folder, stack)
        with peaks({side.name: side.process for side in made}) as most:
            for start in range(0, options.sides, ROUND):
                for side in made:
                    side.take_turn(range(TENANTS + start, TENANTS + start + ROUND))
    print(f"sides: {options.sides} distinct documents in rounds of {ROUND}, load {os.getloadavg()[0]:.1f}")
    print(f"  {'':<28} {'a second and core':>18} {'seconds each':>13} {'first after':>12} {'peak MB':>8}")
    for side in made:
        print(f"  {side.name:<28} {1 / side.each:>18.2f} {side.each:>13.3f} {side.first:>11.1f}s "
              f"{most[side.name]:>8.0f}")  # fmt: skip
        results[side.name] = {"processor_seconds": side.each, "first": side.first,
                              "peak_megabytes": most[side.name], "rounds": side.rounds}  # fmt: skip
    ours, bare, new, reused = made
    verdict("  ours : Chromium, a new page each", ours.each / new.each, 1.0)
    verdict("  ours : Chromium, one page reused", ours.each / reused.each, 1.0)
    return verdict("  ours : bare loop", ours.each / bare.each, BARE_LIMIT)


def program_side(name: str, words: str, settings: Settings, folder: Path, stack: ExitStack) -> Side:
    """Started, and its first document made."""
    began = time.perf_counter()
    program = Program(name, environment_of(settings), folder)
    stack.callback(program.close)
    program.ask([0])
    first = time.perf_counter() - began
    return Side(words, lambda numbers: program.ask(numbers)["processor"], program.process.pid, first)


def browser_sides(folder: Path, stack: ExitStack) -> list[Side]:
    """One browser for both: a new page for each document, and one page for all."""
    began = time.perf_counter()
    browser = stack.enter_context(Chromium())
    browser.print_reused(folder / "0.html")
    first = time.perf_counter() - began

    def work(printed: Callable[[Path], bytes], numbers: Sequence[int]) -> float:
        before = processor_seconds(browser.process.pid)
        for number in numbers:
            data = printed(folder / f"{number}.html")
            (folder / f"{number}.chromium.pdf").write_bytes(data)
        return processor_seconds(browser.process.pid) - before

    pid = browser.process.pid
    return [Side("Chromium, a new page each", partial(work, browser.print_new), pid, first),
            Side("Chromium, one page reused", partial(work, browser.print_reused), pid, first)]  # fmt: skip


def dispatch(settings: Settings, folder: Path, options: argparse.Namespace, results: dict[str, Any]) -> bool:
    """Documents of one dispatch: each its own, and then fifty of a tenant the same."""
    with psycopg.connect(settings.database_url or "", autocommit=True) as conn:
        rows = conn.execute("select metric from marts.metric_catalogue order by position").fetchall()
        metrics = [metric for (metric,) in rows]
        for name, count in (("distinct", options.subscriptions), ("equal", options.equal)):
            subscribe(conn, count, metrics if name == "distinct" else [])
            moment = conn.execute("select max(complete_date) + 1 from marts.tenants").fetchone()
            assert moment is not None
            process = subprocess.Popen(
                [sys.executable, "-c", DISPATCH, f"{moment[0]}T12:00:00+00:00"],
                env={**os.environ, **environment_of(settings)}, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
            with peaks({name: process.pid}) as most:
                output, _ = process.communicate()
            sent, wall, processor = json.loads(output)
            if sent != count:
                raise AssertionError(f"{sent} sent, {count} expected")
            row = conn.execute("select count(distinct render_key) from reporting.report_deliveries "
                               "where files <> '[]'").fetchone()  # fmt: skip
            rendered = row[0] if row else 0
            print(f"dispatch: {count:,} subscriptions, {rendered} {name} documents in PDF and HTML, "
                  f"{settings.render_workers} workers: {wall:.1f} s, {count / wall:.1f} a second, "
                  f"{count / processor:.2f} a core, peak {most[name]:.0f} MB", flush=True)  # fmt: skip
            results[name] = {"wall": wall, "processor": processor, "rendered": rendered, "sent": sent,
                             "peak_megabytes": most[name]}  # fmt: skip
    return True


def subscribe(conn: psycopg.Connection[Any], count: int, metrics: Sequence[str]) -> None:
    """`count` daily reports over the tenants into folders; with `metrics` each with another one added."""
    conn.execute("truncate reporting.report_subscriptions cascade")
    conn.execute(
        """
        insert into raw.tenants (tenant_id, name) select 't' || n, 'Tenant ' || n
        from generate_series(1, %s) as n on conflict do nothing
        """,
        (TENANTS,),
    )
    chosen = [{"metrics": [metrics[n // TENANTS % len(metrics)]]} if metrics else {} for n in range(count)]
    conn.execute(
        """
        insert into reporting.report_subscriptions (tenant_id, name, report, frequency, recipients,
            starts_on, timezone, delivery_method, formats, parameters)
        select 't' || (n %% %(tenants)s + 1), 'report ' || n, 'executive', 'daily', array['folder' || n],
            (select max(complete_date) from marts.tenants), 'UTC', 'file', '{pdf,html}', p::jsonb
        from unnest(%(parameters)s::text[]) with ordinality as given (p, n)
        """,
        {"tenants": TENANTS, "parameters": [json.dumps(each) for each in chosen]},
    )


def memory(settings: Settings, folder: Path, options: argparse.Namespace, results: dict[str, Any]) -> bool:
    """Resident memory of one process, told every twenty documents; what it grows by in the later half."""
    with ExitStack() as stack:
        program = Program("ours", environment_of(settings), folder)
        stack.callback(program.close)
        points = []
        for start in range(0, options.documents, 20):
            points.append((start + 20, program.ask(range(start, start + 20))["resident"]))
            for path in folder.glob("*.*"):
                path.unlink()
    later = points[len(points) // 2 :]
    middle = sum(number for number, _ in later) / len(later)
    mean = sum(resident for _, resident in later) / len(later)
    spread = sum((number - middle) ** 2 for number, _ in later) or 1.0
    growth = 1000 * sum((n - middle) * (resident - mean) for n, resident in later) / spread
    print(f"memory: {options.documents:,} documents in one process: {points[0][1]:.0f} MB after twenty, "
          f"{points[-1][1]:.0f} MB at the end, at most {max(r for _, r in points):.0f} MB")  # fmt: skip
    results["memory"] = {"points": points, "growth_kilobytes": growth}
    return verdict("  kilobytes more for each document", growth, GROWTH_LIMIT)


def verdict(name: str, value: float, limit: float) -> bool:
    """Print a value beside its limit; True when it keeps to it."""
    fine = value <= limit
    print(f"{name:<44} {value:7.2f}   at most {limit:<5}   {'ok' if fine else 'MISSED'}", flush=True)
    return fine


PHASES: dict[str, Callable[[Settings, Path, argparse.Namespace, dict[str, Any]], bool]] = {
    "sides": sides, "dispatch": dispatch, "memory": memory,
}  # fmt: skip


def options_of() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--phases", default=",".join(PHASES))
    parser.add_argument("--sides", type=int, default=100, help="distinct documents for each side")
    parser.add_argument("--subscriptions", type=int, default=200, help="distinct ones of the dispatch")
    parser.add_argument("--equal", type=int, default=1000, help="subscriptions to one document a tenant")
    parser.add_argument("--documents", type=int, default=400, help="for the memory of one process")
    parser.add_argument("--full", action="store_true", help="1,000, 1,000, 1,000 and 10,000: hours")
    parser.add_argument("--marts", help="URL of the demo's database; default: that of the settings")
    parser.add_argument("--json", type=Path, help="write the results there")
    options = parser.parse_args()
    if options.full:
        options.sides = options.subscriptions = options.equal = 1000
        options.documents = 10_000
    return options


def measure(url: str, base: Settings, options: argparse.Namespace) -> int:
    """All phases on one copy of the marts."""
    run(url, "delete from raw.tenants")
    results: dict[str, Any] = {"load": os.getloadavg(), "options": {**vars(options), "json": None}}
    with psycopg.connect(url, autocommit=True) as conn:
        copy_marts(options.marts or database_url(base), conn, TENANTS)
    missed = 0
    for phase in options.phases.split(","):
        with tempfile.TemporaryDirectory(prefix="metricpress-bench-", ignore_cleanup_errors=True) as folder:
            home = Path(folder)
            own = replace(base, home=home, output_dir=home / "reports", database_url=url)
            missed |= not PHASES[phase](own, home, options, results)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1, default=str))
    return int(missed)


def main() -> int:
    """Measure the phases; 1 when one missed its limit."""
    options, base = options_of(), Settings.from_env()
    print(machine(database_url(base)), "\n")
    return with_own_database(base, partial(measure, base=base, options=options))


if __name__ == "__main__":
    sys.exit(main())
