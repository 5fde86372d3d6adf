"""The list of metrics: what is committed holds, and each mistake is told with the metric's name."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.metric_macros import PROJECT, Macros, WrongMetric, documented_columns

PLAIN: dict[str, Any] = {
    "metric": "probe",
    "title": "Probe",
    "domain": "calls",
    "description": "A probe.",
    "formula": "sum of probes",
    "unit": "count",
    "format": "integer",
    "aggregation": "sum",
    "direction": "up",
    "owner": "sales",
    "value": "total_calls",
}
RATIO = {**PLAIN, "aggregation": "ratio", "value": None, "numerator": "mrr", "denominator": "dau"}
OTHER = {**PLAIN, "metric": "other"}


def derived(name: str, value: str, **fields: Any) -> dict[str, Any]:
    return {**PLAIN, "metric": name, "aggregation": "derived", "value": value, **fields}


def by(**dimensions: Any) -> dict[str, Any]:
    return {**PLAIN, "dimensions": dimensions}


#: What is wrong -> the entries, and what the message says beside the name.
MISTAKES: dict[str, tuple[list[Any], str]] = {
    "no list of fields": (["probe"], "number 1 is no list of fields but: probe"),
    "without a title": ([{**PLAIN, "title": ""}], "probe lacks title"),
    "without a name": ([{**PLAIN, "metric": None}], "number 1 lacks metric"),
    "unknown field": ([{**PLAIN, "titel": "x"}], "probe has the unknown field titel"),
    "unknown unit": ([{**PLAIN, "unit": "apples"}], "probe has unit apples; known: count"),
    "unknown format": ([{**PLAIN, "format": "roman"}], "probe has format roman"),
    "unknown direction": ([{**PLAIN, "direction": "left"}], "probe has direction left"),
    "unknown aggregation": ([{**PLAIN, "aggregation": "mean"}], "probe has aggregation mean"),
    "unknown grain": ([{**PLAIN, "grains": ["year"]}], "probe has the unknown grain year"),
    "a name that is none": ([{**PLAIN, "metric": "Probe rate"}], "Probe rate has a name that is none"),
    "a name of SQL": ([{**PLAIN, "metric": "end"}], "end has a name that is none"),
    "twice": ([PLAIN, OTHER, PLAIN], "probe stands twice"),
    "no value": ([{**PLAIN, "value": None}], "probe lacks value, an expression over daily_metrics"),
    "half a ratio": ([{**RATIO, "denominator": None}], "probe is a ratio and lacks numerator or denominator"),
    "unknown mart": ([{**PLAIN, "model": "daily_metric"}], "probe reads the unknown mart daily_metric"),
    "recount without a week": (
        [{**PLAIN, "aggregation": "recount"}],
        "probe is recounted: it needs the columns week and month_to_date",
    ),
    "recount of what adds up": (
        [{**PLAIN, "aggregation": "recount", "model": "staff_performance_daily", "grains": ["day"]}],
        "probe is recounted, but staff_performance_daily has several rows a day",
    ),
    "days of months": (
        [{**PLAIN, "model": "revenue_metrics", "grains": ["day"]}],
        "probe has grains, but revenue_metrics tells months only",
    ),
    "unknown dimension": ([by(country={"model": "x"})], "probe has the unknown dimension country"),
    "dimension without a mart": ([by(branch={"value": "x"})], "probe lacks the model of dimension branch"),
    "dimension of another mart": (
        [by(staff={"model": "call_performance_hourly", "value": "total_calls"})],
        "probe has dimension staff, which call_performance_hourly does not tell; it tells: branch",
    ),
    "dimension without a value": (
        [by(branch={"model": "call_performance_hourly"})],
        "probe lacks value in dimension branch, an expression over call_performance_hourly",
    ),
    "unknown field of a dimension": (
        [by(branch={"model": "call_performance_hourly", "valeu": "total_calls"})],
        "probe has the unknown field valeu in dimension branch",
    ),
    "a statement": ([{**PLAIN, "value": "1; drop table x"}], "probe has a value that is no expression"),
    "a comment": ([{**PLAIN, "value": "dau -- mau"}], "probe has a value that is no expression"),
    "a bracket too few": ([{**PLAIN, "value": "abs(dau"}], "probe has a value with a bracket or quote"),
    "the clock": ([{**PLAIN, "value": "extract(now())"}], "probe calls extract in value"),
    "an aggregate": ([{**PLAIN, "value": "sum(dau)"}], "probe calls sum in value; known functions: nullif"),
    "division by what may be 0": (
        [{**PLAIN, "value": "mrr / dau"}],
        "probe divides in value by what may be 0",
    ),
    "division by 0": ([{**PLAIN, "value": "mrr / 0"}], "probe divides in value by what may be 0"),
    "unknown column": (
        [{**PLAIN, "value": "total_cals"}],
        "probe names the unknown column total_cals of daily",
    ),
    "unknown column of a dimension": (
        [by(branch={"model": "call_performance_hourly", "value": "calls"})],
        "probe names the unknown column calls of call_performance_hourly",
    ),
    "derived from nothing": ([derived("probe", "1 + 1")], "probe is derived and names no metric"),
    "derived without a value": ([derived("probe", "")], "probe is derived and lacks value"),
    "derived from no metric": (
        [OTHER, derived("probe", "other + missing")],
        "probe is derived from missing, which is no metric",
    ),
    "derived from itself": ([derived("probe", "probe + 1")], "probe is derived from itself: probe -> probe"),
    "derived in a circle": (
        [OTHER, derived("probe", "other + second"), derived("second", "2 * probe")],
        "probe is derived from itself: probe -> second -> probe",
    ),
    "derived with a mart": (
        [OTHER, derived("probe", "other", model="daily_metrics")],
        "and cannot have model",
    ),
    "derived without a shared grain": (
        [
            {**OTHER, "grains": ["day"]},
            {**PLAIN, "metric": "monthly", "model": "revenue_metrics", "value": "new_mrr"},
            derived("probe", "other + monthly"),
        ],
        "probe is derived from metrics that share no grain: other, monthly",
    ),
}


def check(macros: Macros) -> None:
    """All that dbt checks, at parse and at execution."""
    entries = macros.metric_definitions()
    macros.derived_series(entries)
    macros.check_metric_columns(macros.metric_series(entries), documented_columns())


def test_committed_list_is_sound() -> None:
    check(Macros())


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_told_with_the_metric(mistake: str) -> None:
    entries, message = MISTAKES[mistake]
    with pytest.raises(WrongMetric) as refused:
        check(Macros(entries))
    assert f"Metric {message}" in str(refused.value) or message in str(refused.value)
    assert "metric_definitions.sql" in str(refused.value)


def test_derived_metric_of_derived_ones() -> None:
    """Names are replaced as words, quotients are safe from 0, and only shared grains and dimensions stay."""
    branch = {"model": "call_performance_hourly", "value": "total_calls"}
    entries = [
        {**OTHER, "dimensions": {"branch": branch}},
        {**OTHER, "metric": "other_2", "grains": ["day", "month"], "dimensions": {"branch": branch}},
        derived("both", "", numerator="other", denominator="other_2"),
        derived("probe", "both * 2 - other_2"),
    ]
    macros = Macros(entries)
    assert macros.derived_expression(entries, "both * 2 - other_2") == (
        "((other) / nullif((other_2), 0)) * 2 - other_2"
    )
    assert macros.metrics_behind(entries, "probe", []) == ["other", "other_2"]
    assert [s for s in macros.derived_series(entries) if s["metric"] == "probe"] == [
        {"metric": "probe", "dimension": "all", "grains": ["day", "month"]},
        {"metric": "probe", "dimension": "branch", "grains": ["day", "month"]},
    ]


@pytest.mark.timeout(240)
def test_dbt_parse_refuses_a_wrong_entry(tmp_path: Path) -> None:
    project = tmp_path / "dbt_project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target", "logs"))
    definitions = project / "macros" / "metrics" / "metric_definitions.sql"
    definitions.write_text(definitions.read_text().replace("  unit: score\n", "  unit: points\n", 1))
    dbt = [str(Path(sys.executable).with_name("dbt")), "parse", "--project-dir", str(project)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DBT_")}
    done = subprocess.run(
        [*dbt, "--profiles-dir", str(project)], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode != 0
    assert "Metric vendor_satisfaction has unit points; known: count, currency" in done.stdout
