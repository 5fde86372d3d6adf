"""Sensors: reports that are due, and runs that failed.

Belongs here: cheap looks every few seconds, and telling the operator. Does not belong here: what is due,
which the ledger knows (orchestration/delivery).
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from uuid import uuid4

import dagster as dg

from orchestration.defs.jobs import Jobs
from orchestration.defs.reports import LOOK_AHEAD
from orchestration.defs.schedules import UNDER_WAY
from orchestration.delivery.channels import open_channel
from orchestration.delivery.channels.message import message_id
from orchestration.delivery.channels.parcel import Parcel
from orchestration.delivery.service import next_work
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

DISPATCH_SECONDS = 10
FAILURE_SECONDS = 30
#: Characters of a stack of causes that a mail can carry and a person reads.
LONGEST_CAUSE = 2000
logger = logging.getLogger(__name__)


def sensors_of(jobs: Jobs) -> Sequence[dg.SensorDefinition]:
    """All sensors; they run as soon as the code location is loaded."""
    return [_report_dispatch(jobs), tell_operator]


def _report_dispatch(jobs: Jobs) -> dg.SensorDefinition:
    @dg.sensor(
        job=jobs.report_dispatch,
        name="report_dispatch",
        minimum_interval_seconds=DISPATCH_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts a dispatch shortly before a report is due whose data is there, or a retry.",
    )
    def report_dispatch(
        context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]
    ) -> dg.RunRequest | dg.SkipReason:
        running = dg.RunsFilter(job_name=jobs.report_dispatch.name, statuses=UNDER_WAY)
        if context.instance.get_runs_count(running):
            return dg.SkipReason("a dispatch is under way")
        with connect(settings, "pipeline", autocommit=True) as conn:
            moment = next_work(conn, datetime.now(UTC), LOOK_AHEAD)
        if moment is None:
            return dg.SkipReason("no report is due")
        # No run key: sensors remember keys for ever, and the ledger already sees to it that nothing goes out
        # twice.
        form = {"not_before": moment.isoformat()}
        return dg.RunRequest(run_config={"ops": {"dispatch_reports": {"config": form}}})

    return report_dispatch


@dg.run_failure_sensor(
    name="tell_operator",
    minimum_interval_seconds=FAILURE_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Says what failed, why, and what to do: in the log, and by mail to METRICPRESS_OPERATOR.",
)
def tell_operator(context: dg.RunFailureSensorContext, settings: dg.ResourceParam[Settings]) -> None:
    """One message for a failed run."""
    subject, text = failure_message(
        context.dagster_run,
        {
            event.step_key or "": event.step_failure_data.error.message
            if event.step_failure_data.error
            else ""
            for event in context.get_step_failure_events()
        },
        context.failure_event.message or "",
    )
    logger.error("%s\n%s", subject, text)
    if settings.operator is None:
        return
    own_id = str(uuid4())
    with open_channel("email", settings) as channel:
        channel.send(
            Parcel(
                delivery_id=own_id,
                message_id=message_id(own_id, settings.mail_from),
                recipient=settings.operator,
                subject=subject,
                text=text,
                html=f"<pre>{escape(text)}</pre>",
                attachments=(),
            )
        )


def failure_message(run: dg.DagsterRun, steps: dict[str, str], reason: str) -> tuple[str, str]:
    """Subject and text for the operator: what failed, for which days, why, and how to repeat it."""
    tags = run.tags
    first = tags.get("dagster/asset_partition_range_start", tags.get("dagster/partition"))
    last = tags.get("dagster/asset_partition_range_end", first)
    days = "" if first is None else f" for {first}" if first == last else f" for {first} to {last}"
    causes = [f"{step}: {cause.strip()[:LONGEST_CAUSE]}" for step, cause in steps.items()] or [reason]
    text = "\n".join(
        [
            f"The run {run.run_id} of {run.job_name}{days} failed.",
            "",
            *causes,
            "",
            "Nothing is lost: the next build repairs what this one did not, and reports wait for their data.",
            f"Log and a button to repeat it: Dagster UI, Runs, {run.run_id[:8]}.",
        ]
    )
    return f"metricpress: {run.job_name}{days} failed", text
