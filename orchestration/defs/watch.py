"""Watching over reports: alerts to the operator, the daily summary, files past their time.

Belongs here: the sensor, the jobs and the schedule of it. Does not belong here: what is worth telling and
what is to be removed (orchestration/delivery).
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from orchestration.delivery.operator_mail import tell
from orchestration.delivery.operator_summary import TOLD_FROM
from orchestration.delivery.retention import clean
from orchestration.settings import Settings

WATCH_SECONDS = 30


@dg.sensor(
    name="operator_alerts",
    minimum_interval_seconds=WATCH_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Tells of reports that were due and are not out: in the log, and to METRICPRESS_OPERATOR.",
)
def operator_alerts(settings: dg.ResourceParam[Settings]) -> dg.SkipReason:
    """A look and, where there is something new, a mail; no run."""
    told = tell(settings, datetime.now(UTC))
    if not told.alerts and not told.mails:
        return dg.SkipReason("nothing new")
    mails = [f"{mail.recipient}: {mail.error or mail.subject}" for mail in told.mails]
    return dg.SkipReason("; ".join([f"{len(told.alerts)} new alerts", *mails])[:1000])


@dg.op
def tell_summary(context: dg.OpExecutionContext, settings: dg.ResourceParam[Settings]) -> None:
    """Send the summary of yesterday, if it was not sent yet."""
    for mail in tell(settings, datetime.now(UTC)).mails:
        context.log.info("%s: %s", mail.recipient, mail.error or mail.subject)


@dg.job(description="The summary of yesterday's reports to METRICPRESS_OPERATOR, once a day.")
def operator_summary() -> None:
    """What was due, sent, late, failed, unknown, held, skipped; and what to do."""
    tell_summary()


@dg.op
def remove_old_files(context: dg.OpExecutionContext, settings: dg.ResourceParam[Settings]) -> None:
    """Rendered files after the tenant's retention_days; the ledger stays."""
    cleaned = clean(settings, datetime.now(UTC))
    context.log.info(
        "%d files of %d deliveries, %d orphans and %d unfinished ones removed, %d bytes",
        cleaned.files, cleaned.deliveries, cleaned.orphans, cleaned.partials, cleaned.bytes,
    )  # fmt: skip
    for problem in [*(f"left, as it lies elsewhere: {path}" for path in cleaned.outside), *cleaned.errors]:
        context.log.warning(problem)


def schedules(settings: Settings) -> Sequence[dg.ScheduleDefinition]:
    """The summary, in the operator's own morning."""
    return [
        dg.ScheduleDefinition(
            name="operator_summary",
            job=operator_summary,
            cron_schedule=f"{TOLD_FROM.minute} {TOLD_FROM.hour} * * *",
            execution_timezone=settings.operator_timezone,
            default_status=dg.DefaultScheduleStatus.RUNNING,
        )
    ]
