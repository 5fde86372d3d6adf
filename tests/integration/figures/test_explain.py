"""Every metric of the catalogue, explained and recounted in plain Python from the raw rows it names."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import psycopg
import pytest

from orchestration.errors import MetricpressError
from orchestration.figures.catalogue import DERIVED, Metric
from orchestration.figures.explain import Explanation, explain
from orchestration.settings import Settings
from tests.integration.figures.conftest import Business
from tests.integration.figures.recounting import COUNTERS, Number, Window

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

Parts = dict[str, Number | None]
#: Clock changes: New York on 9 March, Berlin on 30 March 2025.
PERIODS = [
    (0, "day", date(2025, 3, 9)),
    (0, "month", date(2025, 3, 1)),
    (1, "day", date(2025, 3, 30)),
    (1, "week", date(2025, 3, 30)),
    (1, "month", date(2025, 3, 10)),
]


def close(one: Number | None, other: Number | None) -> bool:
    if one is None or other is None:
        return one is other
    difference = abs(Fraction(one) - Fraction(other))
    return difference <= Fraction(1, 10**9) * max(1, abs(Fraction(one)))


def share(numerator: Number | None, denominator: Number | None) -> Fraction | None:
    return None if numerator is None or not denominator else Fraction(numerator) / Fraction(denominator)


def named(parts: Parts, *names: str) -> Fraction:
    return sum((Fraction(parts[name] or 0) for name in names), Fraction(0))


#: Metrics that are neither a count nor one sum over another: their own arithmetic, after metric-rules.
FORMULAS: dict[str, Callable[[Parts], Fraction | None]] = {
    "arr": lambda p: 12 * named(p, "mrr"),
    "mrr_growth_rate": lambda p: share(named(p, "mrr") - named(p, "starting_mrr"), p["starting_mrr"]),
    "net_mrr_churn_rate": lambda p: share(
        named(p, "starters_churn", "starters_contraction")
        - named(p, "starters_expansion", "lasting_reactivation"),
        p["starting_mrr"],
    ),
    "gross_mrr_churn_rate": lambda p: share(
        named(p, "starters_churn", "starters_contraction"), p["starting_mrr"]
    ),
    "ltv": lambda p: share(
        share(p["mrr"], p["total_customers"]), share(p["starters_churned"], p["starting_customers"])
    ),
    "ltv_to_cac": lambda p: share(
        share(
            share(p["mrr"], p["total_customers"]),
            share(p["starters_churned"], p["starting_customers"]),
        ),
        share(p["marketing_spend"], p["new_customers"]),
    ),
    "payback_months": lambda p: share(
        share(p["marketing_spend"], p["new_customers"]), share(p["mrr"], p["total_customers"])
    ),
    "quick_ratio": lambda p: share(
        named(p, "movements_new", "movements_reactivation", "movements_expansion", "movements_resumed"),
        named(p, "movements_contraction", "movements_churn", "movements_paused"),
    ),
}


def recounted(business: Business, found: Explanation) -> Number | None:
    """The figure from the rows that the explanation names, and from nothing else of it."""
    metric, world = found.metric, business.worlds[found.clock.tenant_id]
    sides: dict[str, Parts] = defaultdict(dict)
    for part in found.parts:
        assert part.row_count == len(part.rows)
        pairs = [(row.day, world.rows[row.table][row.key]) for row in part.rows]
        whole = is_whole(business.metrics[part.metric], found.grain)
        value = COUNTERS[part.column](world, Window(found.first, found.last, whole), pairs)
        assert close(value, part.value), (part.column, value, part.value)
        sides[part.side][part.column] = value
    formula = FORMULAS.get(metric.metric)
    if formula is not None:
        return formula({name: value for side in sides.values() for name, value in side.items()})
    numerator = (
        named(sides["numerator"], *sides["numerator"]) if None not in sides["numerator"].values() else None
    )
    if "denominator" not in sides:
        return numerator
    return share(numerator, named(sides["denominator"], *sides["denominator"]))


def is_whole(metric: Metric, grain: str) -> bool:
    """Counted once over the period, rather than day by day."""
    monthly = metric.month_value is not None and grain == "month"
    return metric.source_model == "revenue_metrics" or monthly or metric.aggregation == "recount"


@pytest.mark.parametrize(("place", "grain", "day"), PERIODS)
def test_every_metric_is_recounted_from_the_rows_it_names(
    business: Business, reader: psycopg.Connection[Any], place: int, grain: Any, day: date
) -> None:
    tenant = business.tenants[place]
    told, with_rows = 0, 0
    for metric in business.metrics.values():
        if grain not in metric.grains or metric.source_model == DERIVED:
            continue
        found = explain(reader, metric.metric, tenant, day, grain, with_rows=True)
        assert found.is_confirmed, (metric.metric, found.value, found.recounted)
        assert close(recounted(business, found), found.value), (metric.metric, found.value)
        told += 1
        with_rows += any(part.rows for part in found.parts)
    assert told > 50
    assert with_rows > told * 0.5, "most figures have rows behind them"


def test_a_derived_metric_leads_to_the_rows_of_its_metrics(
    business: Business, reader: psycopg.Connection[Any]
) -> None:
    derived = [metric for metric in business.metrics.values() if metric.source_model == DERIVED]
    for metric in derived:
        found = explain(reader, metric.metric, business.tenants[0], date(2025, 3, 9), with_rows=True)
        assert found.is_confirmed
        assert {part.metric for part in found.parts} <= business.metrics.keys()
        recounted(business, found)


def test_rows_tell_which_load_brought_them(business: Business, reader: psycopg.Connection[Any]) -> None:
    found = explain(reader, "dau", business.tenants[0], date(2025, 3, 9), with_rows=True)
    loads = {key: load and load.load_id for (_, key), load in found.loads.items()}
    assert loads.pop("late-1") == business.load_id
    # 23:59:59 on the day that has 23 hours.
    assert loads.pop("late-2") == business.load_id
    assert set(loads.values()) == {None}, "generated rows were not loaded"


def test_days_add_up_to_the_week(business: Business, reader: psycopg.Connection[Any]) -> None:
    found = explain(reader, "total_sessions", business.tenants[1], date(2025, 3, 30), "week")
    assert [point.name for point in found.days] == [str(found.first + timedelta(days=n)) for n in range(7)]
    assert sum((point.value or Decimal(0) for point in found.days), Decimal(0)) == found.value


def test_rows_that_changed_after_the_build_are_told(
    business: Business, reader: psycopg.Connection[Any]
) -> None:
    reader.execute(
        "insert into raw.calls (tenant_id, call_id, direction, status, started_at) "
        "values (%s, 'new', 'inbound', 'missed', '2025-03-09 12:00Z')",
        (business.tenants[0],),
    )
    found = explain(reader, "total_calls", business.tenants[0], date(2025, 3, 9))
    reader.rollback()
    assert not found.is_confirmed
    assert found.recounted is not None and found.value is not None
    assert found.recounted == found.value + 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mrrr", "{}", "2025-03-09"), "There is no metric 'mrrr'"),
        (("mrr", "nobody", "2025-03-09"), "There is no tenant 'nobody'"),
        (("mrr", "{}", "2035-03-09"), "hold no mrr"),
        (("nrr", "{}", "2025-03-09", "week"), "not told for a week"),
    ],
)
def test_what_is_not_there_is_named(
    business: Business, reader: psycopg.Connection[Any], arguments: tuple[str, ...], message: str
) -> None:
    metric, tenant, day, *grain = arguments
    with pytest.raises(MetricpressError, match=message) as caught:
        explain(reader, metric, tenant.format(business.tenants[0]), date.fromisoformat(day), *grain)  # type: ignore[arg-type]
    assert caught.value.remedy


def test_the_command_prints_a_table_and_json(
    business: Business, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from orchestration.cli import explain as command

    monkeypatch.setattr(command.Settings, "from_env", classmethod(lambda _: business.settings))
    monkeypatch.setenv("COLUMNS", "80")
    tenant = business.tenants[0]
    command.explain("stickiness", tenant, "2025-03-09", rows=True, limit=2)
    shown = capsys.readouterr()
    assert "Rows of mau, in raw.sessions" in shown.out
    assert max(map(len, shown.out.splitlines())) <= 80
    command.explain("stickiness", tenant, "2025-03-09", rows=True, limit=0, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert found["parts"][0]["row_count"] == len(found["parts"][0]["rows"])
    assert isinstance(business.settings, Settings)
