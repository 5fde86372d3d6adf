"""One run in this process: how `metricpress demo` builds the marts, seen in the Dagster UI like any other.

Belongs here: opening the instance of `make dev`, running a job and telling how far it is. Does not belong
here: what the job does (jobs.py) and whether it is needed (the caller).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import UTC, datetime
from uuid import uuid4

import dagster as dg

from orchestration.build import Overrides, build_defs
from orchestration.defs.partitions import running_day
from orchestration.dev import prepare
from orchestration.errors import EXIT_CHECK_FAILED, MetricpressError
from orchestration.settings import Settings

#: Told after every asset: how many are done, how many there are, the asset's name.
Progress = Callable[[int, int, str], None]
JOB = "daily_metrics"


def build_marts(settings: Settings, progress: Progress | None = None) -> str:
    """Run the job that builds all marts for the running day; it repairs all that changed.

    Returns the run's id. What dbt prints goes to dagster/dbt.log in the home folder.
    Raises MetricpressError when a step of the run failed.
    """
    os.environ.update(prepare(settings))
    definitions = build_defs(overrides=Overrides(settings=settings))
    job = definitions.resolve_job_def(JOB)
    total = len(list(job.asset_layer.executable_asset_keys))
    run_id = str(uuid4())
    done: set[str] = set()

    def heard(event: dg.EventLogEntry) -> None:
        if event.dagster_event and event.dagster_event.is_step_materialization:
            name = event.dagster_event.step_materialization_data.materialization.asset_key.path[-1]
            done.add(name)
            if progress:
                progress(len(done), total, name)

    log = settings.home / "dagster" / "dbt.log"
    with dg.DagsterInstance.get() as instance, log.open("w") as output, redirect_stdout(output):
        instance.add_event_listener(run_id, heard)
        result = job.execute_in_process(
            instance=instance,
            run_id=run_id,
            partition_key=running_day(datetime.now(UTC)).isoformat(),
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            raise_on_error=False,
        )
    if not result.success:
        raise MetricpressError(
            f"the run {run_id} of {JOB} failed: {_reason(result)}",
            remedy="Look at it in the Dagster UI (make dev), or try: metricpress build",
            exit_code=EXIT_CHECK_FAILED,
        )
    return run_id


def _reason(result: dg.ExecuteInProcessResult) -> str:
    """The innermost error of the first step that failed."""
    for event in result.all_events:
        if event.is_step_failure and event.step_failure_data.error is not None:
            error = event.step_failure_data.error
            while error.cause is not None:
                error = error.cause
            return error.message.strip()
    return "no step tells why"
