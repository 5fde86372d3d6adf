"""Jobs: what one run does, and the housekeeping of runs.

Belongs here: selections with a name, and jobs that make no asset. Does not belong here: when they run
(schedules.py, sensors.py) and what an asset does.
"""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition as AssetJob

from orchestration.defs.partitions import DAYS
from orchestration.defs.requests import render_report, send_again
from orchestration.defs.watch import remove_old_files
from orchestration.settings import Settings

#: Runs of the five-minute refresh and of dispatches are of no interest later; days and backfills are kept.
SHORT_LIVED = {"intraday_refresh": timedelta(days=7), "report_dispatch": timedelta(days=30)}
#: Folders of dbt runs that failed.
DBT_LOGS_KEPT = timedelta(days=14)
PURGE_BATCH = 500


@dataclass(frozen=True)
class Jobs:
    """All jobs, for schedules and sensors to name."""

    daily_metrics: AssetJob
    monthly_cohorts: AssetJob
    intraday_refresh: AssetJob
    report_dispatch: AssetJob
    observe_raw: AssetJob
    report_on_demand: dg.JobDefinition
    resend_failed: dg.JobDefinition
    housekeeping: dg.JobDefinition

    def all(self) -> Sequence[dg.JobDefinition | AssetJob]:
        """Every job."""
        return list(vars(self).values())


def jobs_of(marts: dg.AssetsDefinition, reports: dg.AssetsDefinition, raw: dg.AssetsDefinition) -> Jobs:
    """The jobs over these assets; the three that build differ in who starts them and for which days."""
    all_marts = dg.AssetSelection.assets(*marts.keys)
    return Jobs(
        daily_metrics=dg.define_asset_job(
            "daily_metrics", all_marts, partitions_def=DAYS, description="Close the days that have ended."
        ),
        monthly_cohorts=dg.define_asset_job(
            "monthly_cohorts",
            all_marts,
            partitions_def=DAYS,
            description="On the 1st: the month that ended, all its days and cohorts, in one run.",
        ),
        intraday_refresh=dg.define_asset_job(
            "intraday_refresh",
            all_marts,
            partitions_def=DAYS,
            description="Live figures: repair what changed.",
        ),
        report_dispatch=dg.define_asset_job(
            "report_dispatch",
            dg.AssetSelection.assets(*reports.keys),
            description="Render and send the reports that are due.",
        ),
        observe_raw=dg.define_asset_job(
            "observe_raw",
            dg.AssetSelection.assets(*raw.keys),
            description="Count the rows of the raw tables.",
        ),
        report_on_demand=report_on_demand,
        resend_failed=resend_failed,
        housekeeping=housekeeping,
    )


@dg.job(description="Render one report now, for any days, and send it where recipients are asked for.")
def report_on_demand() -> None:
    """One report by the form of the launchpad: what `metricpress deliver preview` and `send` do."""
    render_report()


@dg.job(description="Send again what failed, to those who did not get it: the same files and figures.")
def resend_failed() -> None:
    """What `metricpress deliver resend --failed-only` does."""
    send_again()


@dg.op
def purge_runs(context: dg.OpExecutionContext, settings: dg.ResourceParam[Settings]) -> None:
    """Delete short-lived runs, and the folders of dbt runs, that are past their time."""
    now = datetime.now(UTC)
    deleted = 0
    for job_name, kept in SHORT_LIVED.items():
        old = context.instance.get_run_records(
            filters=dg.RunsFilter(
                job_name=job_name,
                statuses=[
                    dg.DagsterRunStatus.SUCCESS,
                    dg.DagsterRunStatus.FAILURE,
                    dg.DagsterRunStatus.CANCELED,
                ],
                created_before=now - kept,
            ),
            limit=PURGE_BATCH,
        )
        for record in old:
            context.instance.delete_run(record.dagster_run.run_id)
        deleted += len(old)
    folders = purge_folders(settings.home / "dbt", DBT_LOGS_KEPT)
    context.log.info("%d runs and %d folders deleted", deleted, folders)


@dg.job(description="Delete runs, logs of dbt and files of reports that are past their time.")
def housekeeping() -> None:
    """Dagster keeps its event log for ever by itself; files are kept as each tenant says."""
    purge_runs()
    remove_old_files()


def purge_folders(parent: Path, kept: timedelta) -> int:
    """Remove the folders in `parent` that were last written longer ago than `kept`; returns how many."""
    limit = time.time() - kept.total_seconds()
    old = [path for path in parent.glob("run-*") if path.is_dir() and path.stat().st_mtime < limit]
    for path in old:
        shutil.rmtree(path)
    return len(old)
