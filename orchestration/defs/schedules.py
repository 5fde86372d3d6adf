"""Schedules: ticks in the warm code server that start a run only when there is something to do.

Belongs here: cron lines and how a decision becomes a run request or a reason to skip. Does not belong here:
the decisions (decisions.py).
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from orchestration.defs.decisions import days_to_close, last_build, open_days, reason_not_to_refresh
from orchestration.defs.jobs import Jobs
from orchestration.defs.partitions import month_before, running_day, tags_of_days
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

#: Jobs that hold the one build there may be; `__ASSET_JOB` is what a click or a backfill starts.
BUILDING = ("daily_metrics", "monthly_cohorts", "intraday_refresh", "__ASSET_JOB")
UNDER_WAY = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]
#: The 1st has begun, and its first hour is over, everywhere from UTC+14 to UTC-12.
MONTH_HAS_ENDED_EVERYWHERE = "30 13 1 * *"
MINUTES_OF_HOUR, MINUTES_OF_DAY = 60, 1440

Tick = dg.RunRequest | dg.SkipReason


def schedules_of(jobs: Jobs, settings: Settings) -> Sequence[dg.ScheduleDefinition]:
    """All schedules; they run as soon as the code location is loaded."""
    return [
        _daily_metrics(jobs),
        _monthly_cohorts(jobs),
        _intraday_refresh(jobs, settings.refresh_minutes),
        dg.ScheduleDefinition(
            name="housekeeping",
            job=jobs.housekeeping,
            cron_schedule="40 3 * * *",
            default_status=dg.DefaultScheduleStatus.RUNNING,
        ),
    ]


def _daily_metrics(jobs: Jobs) -> dg.ScheduleDefinition:
    @dg.schedule(
        job=jobs.daily_metrics,
        name="daily_metrics",
        cron_schedule="0 * * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="At 01:00 of each tenant's timezone: close the day that has ended.",
    )
    def daily_metrics(context: dg.ScheduleEvaluationContext, settings: dg.ResourceParam[Settings]) -> Tick:
        now = moment_of(context)
        if build_is_under_way(context.instance):
            return dg.SkipReason("a build is under way; the next tick closes what it leaves open")
        with connect(settings, "pipeline") as conn:
            waiting = open_days(conn, now)
        days = days_to_close(waiting, running_day(now))
        if days is None:
            return dg.SkipReason("every tenant's last day is closed")
        tenants = ", ".join(sorted({day.tenant_id for day in waiting})[:20])
        return dg.RunRequest(tags={**tags_of_days(days), "metricpress/tenants": tenants})

    return daily_metrics


def _monthly_cohorts(jobs: Jobs) -> dg.ScheduleDefinition:
    @dg.schedule(
        job=jobs.monthly_cohorts,
        name="monthly_cohorts",
        cron_schedule=MONTH_HAS_ENDED_EVERYWHERE,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="On the 1st: cohorts and days of the month that ended, in one run.",
    )
    def monthly_cohorts(context: dg.ScheduleEvaluationContext, settings: dg.ResourceParam[Settings]) -> Tick:
        now = moment_of(context)
        first, last = month_before(now.date())
        with connect(settings, "pipeline") as conn:
            row = conn.execute(
                "select count(*) from build.tenants where complete_date >= %s", (first,)
            ).fetchone()
        if row is None or not row[0]:
            return dg.SkipReason(f"no tenant's clock reached {first:%B %Y}")
        return dg.RunRequest(tags=tags_of_days((first, last)))

    return monthly_cohorts


def _intraday_refresh(jobs: Jobs, minutes: int) -> dg.ScheduleDefinition:
    @dg.schedule(
        job=jobs.intraday_refresh,
        name="intraday_refresh",
        cron_schedule=every(minutes),
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Every {minutes} minutes (METRICPRESS_REFRESH_MINUTES): live figures.",
    )
    def intraday_refresh(context: dg.ScheduleEvaluationContext, settings: dg.ResourceParam[Settings]) -> Tick:
        now = moment_of(context)
        if build_is_under_way(context.instance):
            return dg.SkipReason("a build is under way")
        with connect(settings, "pipeline") as conn:
            reason = reason_not_to_refresh(last_build(conn), now)
        if reason is not None:
            return dg.SkipReason(reason)
        return dg.RunRequest(partition_key=running_day(now).isoformat())

    return intraday_refresh


def moment_of(context: dg.ScheduleEvaluationContext) -> datetime:
    """The moment the tick is for, in UTC."""
    return context.scheduled_execution_time.astimezone(UTC)


def every(minutes: int) -> str:
    """Cron line for a cadence in minutes (1 to 1440); from an hour on, whole hours."""
    if minutes < MINUTES_OF_HOUR:
        return f"*/{minutes} * * * *"
    hours = minutes // MINUTES_OF_HOUR
    return "0 0 * * *" if minutes >= MINUTES_OF_DAY else f"0 */{hours} * * *"


def build_is_under_way(instance: dg.DagsterInstance) -> bool:
    """Whether a run that builds is queued or running."""
    runs = instance.get_runs(filters=dg.RunsFilter(statuses=UNDER_WAY))
    return any(run.job_name in BUILDING for run in runs)
