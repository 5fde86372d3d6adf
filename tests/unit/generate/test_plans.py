"""How much is generated for whom, and what makes a plan another plan."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from orchestration.errors import MetricpressError
from orchestration.sources.generate import GenerateOptions, tenant_plans
from orchestration.sources.generate.plans import PLACES, dealt_out

END = dt.date(2025, 3, 31)


def test_every_row_asked_for_is_dealt_out() -> None:
    options = GenerateOptions(
        tenants=7, sessions=1_000_003, leads=101, calls=1_009, subscriptions=53, users=977
    )
    plans = tenant_plans(options, END)
    for kind, total in (("sessions", 1_000_003), ("leads", 101), ("calls", 1_009), ("subscriptions", 53)):
        assert sum(getattr(plan, kind) for plan in plans) == total
    assert sum(plan.users for plan in plans) == 977


def test_largest_remainders_come_first() -> None:
    assert dealt_out(10, [1, 1, 1]) == [4, 3, 3]
    assert dealt_out(3, [5, 3, 2]) == [1, 1, 1]  # 1.5, 0.9, 0.6: the last two are nearest to one more
    assert dealt_out(0, [1, 2]) == [0, 0]


def test_tenants_differ_in_zone_currency_week_and_seed() -> None:
    plans = tenant_plans(GenerateOptions(tenants=len(PLACES)), END)
    assert len({plan.timezone for plan in plans}) == len(PLACES)
    assert {plan.week_start for plan in plans} == {"monday", "sunday"}
    assert len({plan.seed for plan in plans}) == len(PLACES)
    assert len({plan.currency for plan in plans}) >= 8


def test_days_end_with_the_last_day() -> None:
    plan = tenant_plans(GenerateOptions(tenants=1, days=30), END)[0]
    assert (plan.first_day, plan.last_day) == (dt.date(2025, 3, 2), END)


def test_a_plan_is_known_by_everything_that_changes_a_row() -> None:
    plan = tenant_plans(GenerateOptions(tenants=1), END)[0]
    assert plan.fingerprint() == tenant_plans(GenerateOptions(tenants=1), END)[0].fingerprint()
    for change in ({"sessions": 1}, {"seed": 2}, {"first_day": END}, {"foreign_share": 0.5}):
        assert replace(plan, **change).fingerprint() != plan.fingerprint()


def test_without_leads_there_are_no_calls() -> None:
    assert tenant_plans(GenerateOptions(tenants=1, sessions=0), END)[0].calls == 0


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (GenerateOptions(tenants=0), "tenants is 0"),
        (GenerateOptions(days=0), "days is 0"),
        (GenerateOptions(sessions=-1), "sessions is -1"),
        (GenerateOptions(leads=3_000_000_000), "leads is 3000000000"),
    ],
)
def test_options_out_of_range_are_named(options: GenerateOptions, named: str) -> None:
    with pytest.raises(MetricpressError, match=named) as caught:
        tenant_plans(options, END)
    assert caught.value.remedy
