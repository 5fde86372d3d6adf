"""What keeping the marts costs, as ratios to what one would write by hand, all measured in one run.

    make bench        or        python -m benchmarks.bench_marts --scale 0.05

How to read it, and what each side of a ratio does: benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from benchmarks import orchestration_share
from benchmarks.marts_data import (
    DAYS,
    LAST_DAY,
    SHORT_DAYS,
    TENANTS,
    Sizes,
    arrive,
    arrive_late,
    make_long,
    make_short,
    settings_of,
    stop_clocks,
    vacuum,
)
from benchmarks.measuring import Cost, Server, Statement, machine, measured, run_program
from orchestration.errors import EXIT_ROWS_REJECTED, MetricpressError
from orchestration.settings import Settings
from orchestration.warehouse.migrate import migrate

BASELINES = Path(__file__).parent / "baselines"
NIGHTS = 3
#: Days that arrive one by one: the nights, and one for each run of Dagster.
HELD = NIGHTS + 1
LATE_BY = dt.timedelta(days=200)
#: Seconds the kernel's accounts can tell apart.
SMALLEST = 0.01
MEMORY_LIMIT = 500
PHASES = ("nights", "late", "full", "backfill", "dagster")
#: Ratio -> (limit, what it must be: at least or at most).
LIMITS: dict[str, tuple[float, str]] = {
    "(a) : night": (20, "min"),
    "night, long : short history": (1.3, "max"),
    "late row of 200 days ago : night": (2, "max"),
    "full build : (c)": (1.3, "max"),
    "year's backfill : full build": (1.2, "max"),
    "Dagster and dbt outside PostgreSQL : empty job and bare dbt": (1.2, "max"),
}


class Bench:
    """One run: two databases, what was measured so far."""

    def __init__(self, settings: Settings, arguments: argparse.Namespace) -> None:
        self.server = Server(settings)
        self.scale: float = arguments.scale
        self.nights: int = arguments.nights
        self.names = {kind: f"bench_{kind}_{_digits(self.scale)}" for kind in ("long", "short")}
        self.of = {kind: settings_of(settings, self.server.url, name) for kind, name in self.names.items()}
        self.costs: dict[str, list[Cost]] = defaultdict(list)
        self.profile: dict[str, list[Statement]] = {}
        self.rows: dict[str, int] = {}
        self.facts: dict[str, Any] = {}
        self.began = time.monotonic()

    def tell(self, text: str) -> None:
        """A line of progress, on standard error."""
        print(f"[{time.monotonic() - self.began:6.0f} s] {text}", file=sys.stderr, flush=True)

    def cost(self, name: str, step: Callable[[], Any]) -> Any:
        """Measure a step under a name."""
        offset = self.server.log_size()
        result, cost = measured(self.server, step)
        self.costs[name].append(cost)
        self.profile[name] = self.server.statements_since(offset)
        self.tell(
            f"{name}: database {cost.database:.2f} s, statements {cost.statements:.2f} s, "
            f"wall {cost.wall:.2f} s" + (f", {cost.peak:.0f} MB" if cost.peak else "")
        )
        return result

    def build(self, kind: str, *options: str) -> float:
        """`metricpress build` (or backfill) on a database; peak megabytes."""
        command = options if options[0] == "backfill" else ("build", *options)
        return run_program(
            [str(Path(sys.executable).with_name("metricpress")), *command],
            {"METRICPRESS_DATABASE_URL": str(self.of[kind].database_url)},
            accepted=(0, EXIT_ROWS_REJECTED),
        )

    def run_sql(self, kind: str, *files: str) -> None:
        """A baseline, as psql would run it: each statement by itself, in one session."""
        with psycopg.connect(str(self.of[kind].database_url), autocommit=True) as conn:
            for statement in "".join((BASELINES / file).read_text() for file in files).split(";\n"):
                if statement.strip():
                    conn.execute(statement.encode())

    def best(self, name: str) -> Cost:
        """The cheapest of the repeats: what else the machine does only ever adds."""
        return min(self.costs[name], key=lambda cost: cost.database)


def prepare(bench: Bench) -> None:
    """Make the databases, unless they are kept from an earlier run (--keep)."""
    first_held = LAST_DAY - dt.timedelta(days=HELD - 1)
    with psycopg.connect(bench.server.url, autocommit=True) as conn:
        there = {name for (name,) in conn.execute("select datname from pg_database")}
        prepared = f"{bench.names['long']}_raw"
        if prepared not in there:
            unfinished = f"{prepared}_new"
            conn.execute(f"drop database if exists {unfinished} with (force)")
            conn.execute(f"create database {unfinished}")
            make_long(
                settings_of(bench.of["long"], bench.server.url, unfinished),
                Sizes(bench.scale),
                first_held,
                bench.tell,
            )
            conn.execute(f"alter database {unfinished} rename to {prepared}")
        for name in bench.names.values():
            conn.execute(f"drop database if exists {name} with (force)")
            bench.tell(f"copying {name}")
            conn.execute(f"create database {name} template {prepared} strategy file_copy")
        for own in bench.of.values():
            migrate(own)  # rows kept from an earlier run may be of an older schema
            stop_clocks(str(own.database_url), LAST_DAY)  # or a backfill would go on to today
        bench.tell("shortening the short history")
        make_short(bench.of["short"], first_held)
        for name in bench.names.values():
            # What the measuring reads; told to sessions that begin from now on.
            conn.execute(f"alter database {name} set log_min_duration_statement = 0")
    with psycopg.connect(str(bench.of["long"].database_url)) as conn:
        for table in ("sessions", "users", "leads", "calls", "subscriptions", "lead_status_changes"):
            row = conn.execute(
                sql.SQL("select count(*) from raw.{}").format(sql.Identifier(table))
            ).fetchone()
            bench.rows[table] = row[0] if row else 0


def nights(bench: Bench) -> None:
    """Full builds, then a new day each night: ours on both histories, and (a) refreshed beside it."""
    start = LAST_DAY - dt.timedelta(days=HELD)
    bench.cost("full build", lambda: bench.build("long", "--as-of", str(start)))
    bench.cost("full build, short history", lambda: bench.build("short", "--as-of", str(start)))
    vacuum(bench.of["long"])
    vacuum(bench.of["short"])
    bench.run_sql("long", "a_materialized_views.sql")
    for night in range(1, bench.nights + 1):
        day = start + dt.timedelta(days=night)
        bench.facts["rows of a day"] = arrive(bench.of["long"], day)
        arrive(bench.of["short"], day)
        bench.cost("night", lambda day=day: bench.build("long", "--as-of", str(day)))
        bench.cost("night, short history", lambda day=day: bench.build("short", "--as-of", str(day)))
        bench.cost("(a) refreshed", lambda: bench.run_sql("long", "a_refresh.sql"))
        bench.cost("(b) sessions grouped", lambda: bench.run_sql("long", "b_user_days.sql"))
    bench.cost("(a) MAU by self-join, one month", lambda: bench.run_sql("long", "a_mau_self_join_month.sql"))
    bench.cost("MAU, WAU, DAU in one pass, a year", lambda: bench.run_sql("long", "ours_windows.sql"))
    bench.cost("nothing new", lambda: bench.build("long", "--as-of", str(day)))


def late(bench: Bench) -> None:
    """A few rows of a day 200 days ago, with the clock where it was."""
    built = LAST_DAY - dt.timedelta(days=HELD - bench.nights)
    for repeat in range(bench.nights):
        arrive_late(bench.of["long"], built - LATE_BY + dt.timedelta(days=repeat))
        bench.cost("late row", lambda: bench.build("long", "--as-of", str(built)))


def full(bench: Bench) -> None:
    """The same tables and keys from nothing, by hand."""
    scripts = sorted(path.relative_to(BASELINES).as_posix() for path in (BASELINES / "c").glob("*.sql"))
    bench.cost("(c) by hand", lambda: bench.run_sql("long", *scripts))
    with psycopg.connect(str(bench.of["long"].database_url)) as conn:
        conn.execute("drop schema baseline_c cascade")


def backfill(bench: Bench) -> None:
    """All days of the year anew, in one run."""
    first = LAST_DAY - dt.timedelta(days=DAYS - 1)
    bench.cost(
        "year's backfill",
        lambda: bench.build("long", "backfill", str(first), str(LAST_DAY - dt.timedelta(days=1))),
    )


def dagster(bench: Bench) -> None:
    """A night as a run of Dagster, beside an empty job and a bare `dbt build`."""
    arrive(bench.of["long"], LAST_DAY)
    orchestration_share.measure(bench, LAST_DAY)


def ratios(bench: Bench) -> dict[str, float]:
    """Those whose both sides were measured."""
    found: dict[str, float] = {}

    def ratio(name: str, above: str, below: str, factor: float = 1) -> None:
        if above in bench.costs and below in bench.costs:
            found[name] = factor * bench.best(above).database / max(bench.best(below).database, SMALLEST)

    ratio("(a) : night", "(a) refreshed", "night")
    ratio("night, long : short history", "night", "night, short history")
    ratio("late row of 200 days ago : night", "late row", "night")
    ratio("full build : (c)", "full build", "(c) by hand")
    ratio("full build : (b)", "full build", "(b) sessions grouped")
    ratio("year's backfill : full build", "year's backfill", "full build")
    ratio(
        "self-join for MAU, a year : one pass",
        "(a) MAU by self-join, one month",
        "MAU, WAU, DAU in one pass, a year",
        DAYS / 30,
    )
    found.update(orchestration_share.ratios(bench))
    return found


def report(bench: Bench, phases: list[str], path: Path | None) -> int:
    """Print sizes, costs and ratios; 1 when a limit is missed."""
    print(machine(bench.server.url))
    rows = ", ".join(f"{count:,} {table}" for table, count in bench.rows.items())
    print(f"scale {bench.scale:g}: {TENANTS} tenants, {DAYS - HELD} days; {rows}")
    print(f"short history {SHORT_DAYS} days; {bench.facts.get('rows of a day', 0):,} rows a day\n")
    print(f"{'':<38}{'database':>10}{'statements':>12}{'wall':>9}{'memory':>9}")
    for name, costs in bench.costs.items():
        cost = bench.best(name)
        peak = max((c.peak for c in costs if c.peak), default=None)
        print(
            f"{name:<38}{cost.database:>9.2f}s{cost.statements:>11.2f}s{cost.wall:>8.2f}s"
            + (f"{peak:>6.0f} MB" if peak else "")
        )
    print()
    missed = []
    for name, value in ratios(bench).items():
        limit, kind = LIMITS.get(name, (None, ""))
        fine = limit is None or (value >= limit if kind == "min" else value <= limit)
        missed += [] if fine else [name]
        bound = "" if limit is None else f"{'at least' if kind == 'min' else 'at most'} {limit:g}"
        print(f"{name:<60}{value:>7.2f}  {bound:<13}{'' if limit is None else 'ok' if fine else 'MISSED'}")
    peak = max((c.peak for costs in bench.costs.values() for c in costs if c.peak), default=0)
    if peak:
        missed += [] if peak <= MEMORY_LIMIT else ["peak memory"]
        print(f"{'peak memory of the Python side, MB':<60}{peak:>7.0f}  at most {MEMORY_LIMIT}"
              f"  {'ok' if peak <= MEMORY_LIMIT else 'MISSED'}")  # fmt: skip
    for name, (holds, text) in orchestration_share.facts(bench).items():
        missed += [] if holds else [name]
        print(f"{name}: {text}")
    if path:
        path.write_text(
            json.dumps(
                {
                    "machine": machine(bench.server.url),
                    "scale": bench.scale,
                    "rows": bench.rows,
                    "phases": phases,
                    "costs": {name: [c.shown() for c in costs] for name, costs in bench.costs.items()},
                    "ratios": {name: round(value, 3) for name, value in ratios(bench).items()},
                    "missed": missed,
                    "profile": {name: profile_of(found) for name, found in bench.profile.items()},
                },
                indent=1,
            )
        )
        print(f"\nresults: {path}")
    if missed:
        print(f"\nmissed: {'; '.join(missed)}")
    return 1 if missed else 0


def profile_of(statements: list[Statement]) -> dict[str, float]:
    """Seconds by dbt node or kind of statement, the dearest first."""
    seconds: dict[str, float] = defaultdict(float)
    for statement in statements:
        seconds[statement.name] += statement.seconds
    return {
        name: round(value, 4)
        for name, value in sorted(seconds.items(), key=lambda pair: -pair[1])
        if value >= 0.001
    }


def drop(bench: Bench, *, also_raw: bool) -> None:
    """Remove the databases of this run."""
    with psycopg.connect(bench.server.url, autocommit=True) as conn:
        names = [*bench.names.values(), *([f"{bench.names['long']}_raw"] if also_raw else [])]
        for name in names:
            conn.execute(f"drop database if exists {name} with (force)")


def _digits(scale: float) -> str:
    return f"{scale:g}".replace(".", "_")


def main() -> int:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--scale", type=float, default=0.05, help="1: 10 million sessions; default %(default)s"
    )
    parser.add_argument("--nights", type=int, default=NIGHTS, choices=range(1, NIGHTS + 1), help="repeats")
    parser.add_argument("--phases", default=",".join(PHASES), help="default: %(default)s")
    parser.add_argument("--keep", action="store_true", help="keep the generated rows for the next run")
    parser.add_argument("--json", type=Path, default=Path("bench_marts.json"), help="default: %(default)s")
    arguments = parser.parse_args()
    phases = arguments.phases.split(",")
    if unknown := set(phases) - set(PHASES):
        parser.error(f"unknown phases: {', '.join(sorted(unknown))}")
    settings = Settings.from_env()
    if settings.database_url is not None:
        parser.error("the embedded server is measured: unset METRICPRESS_DATABASE_URL")
    bench = Bench(settings, arguments)
    try:
        prepare(bench)
        failed = []
        for phase in phases:
            try:
                globals()[phase](bench)
            except (RuntimeError, psycopg.Error, MetricpressError) as error:
                # What was measured before is worth its report.
                failed.append(phase)
                bench.tell(f"the phase {phase} failed: {error}")
        code = report(bench, phases, arguments.json)
        if failed:
            print(f"\nphases that failed: {', '.join(failed)}")
        return 1 if failed else code
    finally:
        drop(bench, also_raw=not arguments.keep)


if __name__ == "__main__":
    sys.exit(main())
