"""What Dagster and dbt add to a nightly build, in wall seconds in which PostgreSQL has nothing to do.

Belongs here: the run of the real job, the empty job and the bare `dbt build` beside it, and the ticks
of the schedules when nothing is to be done. Does not belong here: costs inside PostgreSQL (bench_marts).
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measuring import run_program
from orchestration.dev import prepare, target_of
from orchestration.marts.dbt import build_args, dbt_environment, project_args

if TYPE_CHECKING:
    from benchmarks.bench_marts import Bench

RUN, EMPTY, BARE = "Dagster run of a night", "empty Dagster job", "bare dbt build"
REPEATS = 3
BIN = Path(sys.executable).parent
#: Evaluates the schedules that build, as the daemon does in the warm code server, and counts run requests.
TICKS = """
import datetime as dt, json, dagster as dg
from orchestration.definitions import defs
with dg.DagsterInstance.get() as instance:
    requests = {}
    for name in ("daily_metrics", "intraday_refresh"):
        schedule = defs.resolve_schedule_def(name)
        with dg.build_schedule_context(
            instance=instance,
            scheduled_execution_time=dt.datetime.now(dt.UTC),
            repository_def=defs.get_repository_def(),
            resources={"settings": defs.resources["settings"]},
        ) as context:
            requests[name] = len(schedule.evaluate_tick(context).run_requests or [])
    print("TICKS", json.dumps(requests))
"""


def measure(bench: Bench, day: dt.date) -> None:
    """The run of `day`, beside the empty job and the bare dbt build, alternately."""
    settings = bench.of["long"]
    with tempfile.TemporaryDirectory(prefix="metricpress-bench-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        own = type(settings)(home=home, output_dir=home / "reports", database_url=settings.database_url)
        environment = {**prepare(own), "METRICPRESS_DATABASE_URL": str(settings.database_url)}
        dbt = {**dbt_environment(own), "DBT_TARGET_PATH": str(target_of(home)), "DBT_LOG_PATH": str(home)}
        execute = [str(BIN / "dagster"), "job", "execute"]
        night = [*execute, "-m", "orchestration.definitions", "-j", "daily_metrics"]
        night += ["--tags", json.dumps({"dagster/partition": str(day)})]
        empty = [*execute, "-f", str(Path(__file__).with_name("empty_job.py")), "-j", "empty"]
        bare = [str(BIN / "dbt"), "--quiet", *build_args(full_refresh=False), *project_args()]
        bench.tell("a first run of each, which is not counted")
        for command, variables in ((night, environment), (empty, environment), (bare, dbt)):
            run_program(command, variables)
        for _ in range(REPEATS):
            bench.cost(RUN, lambda: run_program(night, environment))
            bench.cost(EMPTY, lambda: run_program(empty, environment))
            bench.cost(BARE, lambda: run_program(bare, dbt))
        output = home / "ticks"
        run_program(
            ["sh", "-c", f"exec '{sys.executable}' -c \"$TICKS\" > '{output}'"],
            {**environment, "TICKS": TICKS},
        )
        bench.facts["ticks"] = json.loads(output.read_text().rpartition("TICKS ")[2])


def ratios(bench: Bench) -> dict[str, float]:
    """Wall seconds outside PostgreSQL: ours against the two that any use of Dagster and dbt pays."""
    if RUN not in bench.costs:
        return {}
    least = {name: min(cost.outside for cost in bench.costs[name]) for name in (RUN, EMPTY, BARE)}
    return {
        "Dagster and dbt outside PostgreSQL : empty job and bare dbt": least[RUN]
        / (least[EMPTY] + least[BARE])
    }


def facts(bench: Bench) -> dict[str, tuple[bool, str]]:
    """Whether nothing to do starts no run."""
    if "ticks" not in bench.facts:
        return {}
    requests = bench.facts["ticks"]
    told = ", ".join(f"{name} asks for {count}" for name, count in requests.items())
    return {"runs when nothing is to do": (not any(requests.values()), f"{told}")}
