"""What an analyst does: entries added to metric_definitions.sql, and nothing else, are there everywhere."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orchestration.errors import MetricpressError
from orchestration.marts import dbt
from orchestration.marts.build import open_build
from orchestration.reports.request import ReportRequest
from orchestration.reports.service import render
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from scripts import metrics_doc

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

ENTRIES = """\
- metric: missed_call_rate
  title: Missed of all calls
  domain: calls
  description: Calls nobody answered, of all.
  formula: calls_missed / total_calls
  unit: rate
  format: percent
  aggregation: ratio
  direction: down
  owner: sales
  numerator: calls_missed
  denominator: total_calls
  dimensions:
    staff: {model: staff_performance_daily, numerator: missed, denominator: calls}
- metric: inbound_calls
  title: Calls from outside
  domain: calls
  description: Inbound calls, by days of the branch.
  formula: sum of calls_inbound
  unit: count
  format: integer
  aggregation: sum
  direction: up
  owner: sales
  model: call_performance_hourly
  value: calls_inbound
- metric: outbound_calls
  title: Calls to the outside
  domain: calls
  description: All calls that are not inbound.
  formula: total_calls - inbound_calls
  unit: count
  format: integer
  aggregation: derived
  direction: up
  owner: sales
  value: total_calls - inbound_calls
"""
CALLS = """
    insert into raw.tenants (tenant_id, name, timezone) values ('acme', 'Acme', 'UTC');
    insert into raw.calls (tenant_id, call_id, staff_id, direction, status, started_at) values
        ('acme', '1', 'ida', 'inbound', 'missed', '2025-03-03 10:00Z'),
        ('acme', '2', 'ida', 'outbound', 'completed', '2025-03-03 11:00Z'),
        ('acme', '3', 'jon', 'inbound', 'completed', '2025-03-05 10:00Z'),
        ('acme', '4', 'jon', 'outbound', 'missed', '2025-03-05 11:00Z'),
        ('acme', '5', 'jon', 'outbound', 'completed', '2025-03-06 11:00Z')
"""
#: Counted by hand from the calls: the week of 3 March, and two of its days.
EXPECTED = {
    ("missed_call_rate", "week", "2025-03-03", "all"): Decimal("0.4"),
    ("missed_call_rate", "week", "2025-03-03", "ida"): Decimal("0.5"),
    ("missed_call_rate", "day", "2025-03-04", "all"): None,
    ("inbound_calls", "week", "2025-03-03", "all"): Decimal(2),
    ("inbound_calls", "day", "2025-03-03", "all"): Decimal(1),
    ("inbound_calls", "day", "2025-03-04", "all"): Decimal(0),
    ("outbound_calls", "week", "2025-03-03", "all"): Decimal(3),
    ("outbound_calls", "day", "2025-03-06", "all"): Decimal(1),
}
WEEK = {"frequency": "weekly", "period_start": date(2025, 3, 3), "period_end": date(2025, 3, 9)}


def request(*metrics: str) -> ReportRequest:
    return ReportRequest("acme", "executive", parameters={"metrics": list(metrics)}, **WEEK)  # type: ignore[arg-type]


def build_copy(settings: Settings, project: Path) -> None:
    with open_build(settings, as_of=date(2025, 3, 9)) as current:
        current.results = dbt.run_dbt(current.dbt_args, current.environment, project_dir=project)


def test_an_entry_is_all_it_takes(
    settings: Settings,
    metricpress: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = tmp_path / "dbt_project"
    shutil.copytree(dbt.PROJECT_DIR, project, ignore=shutil.ignore_patterns("target", "logs"))
    definitions = project / "macros" / "metrics" / "metric_definitions.sql"
    definitions.write_text(definitions.read_text().replace("{%- endmacro %}", ENTRIES + "{%- endmacro %}"))
    monkeypatch.setattr(metrics_doc, "DEFINITIONS", definitions)
    with connect(settings) as connection:
        connection.execute(CALLS)
    build_copy(settings, project)
    target = metricpress("config", "set", "acme", "missed_call_rate.target", "0.2")
    assert target.returncode == 0, target.stderr
    build_copy(settings, project)

    with connect(settings) as connection:
        catalogue = connection.execute(
            "select metric, dimensions from marts.metric_catalogue where metric = any(%s) order by position",
            (["missed_call_rate", "inbound_calls", "outbound_calls"],),
        ).fetchall()
        assert catalogue == [("missed_call_rate", ["staff"]), ("inbound_calls", []), ("outbound_calls", [])]
        found = {
            (metric, grain, str(start), who): value
            for metric, grain, start, who, value in connection.execute(
                "select metric, grain, period_start, dimension_value, value from marts.metric_timeseries"
            )
        }
        assert {key: found[key] for key in EXPECTED} == EXPECTED
        assert ("missed_call_rate", "day", "2025-03-04", "ida") not in found
        summary = connection.execute(
            "select metric, value, target, status from marts.executive_summary "
            "where period = 'week' and metric = any(%s) order by metric",
            (["missed_call_rate", "outbound_calls"],),
        ).fetchall()
        assert summary == [
            ("missed_call_rate", Decimal("0.4"), Decimal("0.2"), "warning"),
            ("outbound_calls", Decimal(3), None, "success"),
        ]
        report = render(connection, request("missed_call_rate", "outbound_calls"), formats=("html",))
        assert report.figures["missed_call_rate"] == Decimal("0.4")
        assert "Calls to the outside" in report.html_body or any(
            b"Calls to the outside" in content for content in report.files.values()
        )
        with pytest.raises(MetricpressError, match="no metric 'outbound_cals'"):
            render(connection, request("outbound_cals"), formats=("html",))
    assert "Calls from outside (`inbound_calls`)" in metrics_doc.render()
