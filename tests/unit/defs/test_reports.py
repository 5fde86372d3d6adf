"""Periods of reports on demand, and what the operator is told."""

from __future__ import annotations

from datetime import date

import dagster as dg
import pytest

from orchestration.defs.reports import ReportFrequency, period_asked
from orchestration.defs.sensors import failure_message
from orchestration.errors import MetricpressError

DAILY, WEEKLY, MONTHLY = ReportFrequency


# 2026-11-20 is a Friday, 2026-11-22 a Sunday.
@pytest.mark.parametrize(
    ("frequency", "day", "week_start", "first", "last"),
    [
        (DAILY, "2026-11-20", "monday", "2026-11-20", "2026-11-20"),
        (WEEKLY, "2026-11-20", "monday", "2026-11-16", "2026-11-22"),
        (WEEKLY, "2026-11-22", "monday", "2026-11-16", "2026-11-22"),
        (WEEKLY, "2026-11-20", "sunday", "2026-11-15", "2026-11-21"),
        (WEEKLY, "2026-11-22", "sunday", "2026-11-22", "2026-11-28"),
        (MONTHLY, "2024-02-10", "monday", "2024-02-01", "2024-02-29"),
        (MONTHLY, "2026-12-31", "monday", "2026-12-01", "2026-12-31"),
        # Without a day: the newest period that ended by 20 November.
        (DAILY, "", "monday", "2026-11-20", "2026-11-20"),
        (WEEKLY, "", "monday", "2026-11-09", "2026-11-15"),
        (WEEKLY, "", "sunday", "2026-11-08", "2026-11-14"),
        (MONTHLY, "", "monday", "2026-10-01", "2026-10-31"),
    ],
)
def test_the_period_asked_for(
    frequency: ReportFrequency, day: str, week_start: str, first: str, last: str
) -> None:
    complete = date(2026, 11, 20)
    assert period_asked(frequency, day, complete, week_start) == (
        date.fromisoformat(first),
        date.fromisoformat(last),
    )


def test_a_period_that_ends_today_is_the_newest() -> None:
    assert period_asked(MONTHLY, "", date(2026, 10, 31), "monday")[1] == date(2026, 10, 31)


def test_what_is_no_date_is_named() -> None:
    with pytest.raises(MetricpressError, match="'yesterday' is not a date"):
        period_asked(DAILY, "yesterday", date(2026, 11, 20), "monday")


def test_the_operator_is_told_what_failed_for_which_days_and_why() -> None:
    run = dg.DagsterRun(
        job_name="daily_metrics",
        tags={
            "dagster/asset_partition_range_start": "2026-11-01",
            "dagster/asset_partition_range_end": "2026-11-03",
        },
    )
    subject, text = failure_message(run, {"marts": "model daily_metrics failed: division by zero"}, "")
    assert subject == "metricpress: daily_metrics for 2026-11-01 to 2026-11-03 failed"
    assert "marts: model daily_metrics failed: division by zero" in text
    assert run.run_id in text


def test_a_run_that_failed_before_its_first_step_tells_why() -> None:
    _, text = failure_message(dg.DagsterRun(job_name="report_dispatch"), {}, "the process was killed")
    assert "the process was killed" in text
