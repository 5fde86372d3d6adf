"""Every figure can be explained: each column that metrics may use leads to raw rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestration.errors import MetricpressError
from orchestration.figures.evaluate import lineage, measures_of, names_in
from orchestration.figures.measures import FORMULAS, MEASURES
from orchestration.figures.row_sets import ROW_SETS
from orchestration.warehouse.contract import TABLES

MARTS = Path(__file__).resolve().parents[2] / "dbt_project" / "models" / "marts"
NUMBERS = ("bigint", "numeric", "integer")


def columns(folder: str, model: str) -> list[str]:
    described: dict[str, Any] = yaml.safe_load((MARTS / folder / f"{model}.yml").read_text())["models"][0]
    return [column["name"] for column in described["columns"] if column["data_type"] in NUMBERS]


COLUMNS = [
    (model, column)
    for folder, model in (("metrics", "daily_metrics"), ("revenue", "revenue_metrics"))
    for column in columns(folder, model)
]


@pytest.mark.parametrize(("model", "column"), COLUMNS, ids=[".".join(pair) for pair in COLUMNS])
def test_every_column_of_figures_has_a_row_set(model: str, column: str) -> None:
    lineage(model, column)
    for measure in measures_of(model, [column]).values():
        assert measure.rows in ROW_SETS


def test_a_column_without_a_row_set_is_named() -> None:
    with pytest.raises(MetricpressError, match="The column dreams of daily_metrics has no row set"):
        measures_of("daily_metrics", ["dreams / nullif(dau, 0)"])


def test_every_row_set_leads_to_a_raw_table_and_is_used() -> None:
    assert {row_set.table for row_set in ROW_SETS.values()} <= TABLES.keys()
    assert {measure.rows for measure in MEASURES.values()} == ROW_SETS.keys()


def test_formulas_lead_to_measures_only() -> None:
    for model, formulas in FORMULAS.items():
        for formula in formulas.values():
            for part in (formula.numerator, formula.denominator or ""):
                names = [name for name in names_in(part) if name != "gross_margin"]
                assert not set(names) - MEASURES.keys(), model


def test_names_in_an_expression() -> None:
    assert names_in("jobs_succeeded + jobs_failed") == ["jobs_succeeded", "jobs_failed"]
    assert names_in("case when mrr > 0 then dau / nullif(mau, 0) end") == ["mrr", "dau", "mau"]
    assert names_in("coalesce(a_1, 0)::numeric * 12.5 - 'it is'") == ["a_1"]
