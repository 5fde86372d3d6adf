"""The one partitioning of the marts and reports: a partition is a tenant-local date D, for all tenants at
once.

Belongs here: the partitions definition and pure functions between partition keys and days. Does not belong
here: deciding which days are due (decisions.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import dagster as dg

#: First day that can be asked for by itself. Older raw rows are kept up by every build all the same.
FIRST_DAY = date(2008, 1, 1)

#: `end_offset=1`: the day that is still running in UTC has ended for tenants further east.
DAYS = dg.DailyPartitionsDefinition(start_date=FIRST_DAY.isoformat(), timezone="UTC", end_offset=1)


def days_of_run(tags: Mapping[str, str]) -> tuple[date, date] | None:
    """First and last day (inclusive) that a run with these tags has to rebuild; None without partition.

    Dagster's time windows end exclusively; partition keys do not, and are therefore what is read here.
    """
    key = tags.get("dagster/partition")
    first = tags.get("dagster/asset_partition_range_start", key)
    last = tags.get("dagster/asset_partition_range_end", key)
    if first is None or last is None:
        return None
    days = date.fromisoformat(first), date.fromisoformat(last)
    if days[1] < days[0]:
        raise ValueError(f"partition range ends on {last}, before it begins on {first}")
    return days


def tags_of_days(days: tuple[date, date]) -> dict[str, str]:
    """Tags that make one run responsible for all days from the first to the last."""
    return {
        "dagster/asset_partition_range_start": days[0].isoformat(),
        "dagster/asset_partition_range_end": days[1].isoformat(),
    }


def running_day(now: datetime) -> date:
    """The newest partition at the moment `now`: the day that is running in UTC."""
    return now.astimezone(UTC).date()


def month_before(day: date) -> tuple[date, date]:
    """First and last day of the calendar month before the one that holds `day`."""
    last = day.replace(day=1) - timedelta(days=1)
    return last.replace(day=1), last
