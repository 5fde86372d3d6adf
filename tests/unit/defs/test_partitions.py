"""Days and partition keys: what a run is responsible for."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from dagster import partition_loading_context

from orchestration.defs.partitions import DAYS, days_of_run, month_before, running_day, tags_of_days


def test_a_single_partition_forces_its_day() -> None:
    assert days_of_run({"dagster/partition": "2026-11-19"}) == (date(2026, 11, 19), date(2026, 11, 19))


def test_the_last_day_of_a_range_is_included() -> None:
    tags = {
        "dagster/asset_partition_range_start": "2026-11-01",
        "dagster/asset_partition_range_end": "2026-11-03",
    }
    assert days_of_run(tags) == (date(2026, 11, 1), date(2026, 11, 3))


def test_a_run_without_partition_forces_nothing() -> None:
    assert days_of_run({"dagster/schedule_name": "intraday_refresh"}) is None


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="before it begins"):
        days_of_run(tags_of_days((date(2026, 11, 3), date(2026, 11, 1))))


def test_days_survive_the_way_through_tags() -> None:
    days = date(2024, 2, 28), date(2024, 3, 1)
    assert days_of_run(tags_of_days(days)) == days


def test_the_running_day_is_a_partition_for_tenants_east_of_utc() -> None:
    """In Auckland a day ends at 11:00 UTC: its partition must be there before the UTC day ends."""
    with partition_loading_context(effective_dt=datetime(2026, 11, 20, 11, tzinfo=UTC)):
        assert DAYS.get_last_partition_key() == "2026-11-20"
    assert running_day(datetime(2026, 11, 20, 11, tzinfo=UTC)) == date(2026, 11, 20)


def test_the_running_day_is_told_in_utc() -> None:
    west = datetime.fromisoformat("2026-11-20T20:00:00-08:00")
    assert running_day(west) == date(2026, 11, 21)


@pytest.mark.parametrize(
    ("day", "first", "last"),
    [
        (date(2024, 3, 1), date(2024, 2, 1), date(2024, 2, 29)),
        (date(2027, 1, 1), date(2026, 12, 1), date(2026, 12, 31)),
        (date(2026, 11, 30), date(2026, 10, 1), date(2026, 10, 31)),
    ],
)
def test_the_month_before(day: date, first: date, last: date) -> None:
    assert month_before(day) == (first, last)
