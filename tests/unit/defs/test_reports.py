"""What the operator is told."""

from __future__ import annotations

import dagster as dg

from orchestration.defs.sensors import failure_message


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
