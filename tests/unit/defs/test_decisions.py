"""Decisions of ticks, with a moment of our own: which days to close, when not to refresh."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from orchestration.defs.decisions import (
    LONGEST_CATCH_UP,
    LastBuild,
    OpenDays,
    days_to_close,
    reason_not_to_refresh,
)
from orchestration.defs.schedules import every

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def open_days(tenant: str, first: str, last: str) -> OpenDays:
    return OpenDays(tenant, date.fromisoformat(first), date.fromisoformat(last))


def test_nothing_open_means_no_run() -> None:
    assert days_to_close([], date(2026, 11, 21)) is None


def test_one_range_covers_all_tenants() -> None:
    days = [open_days("a", "2026-11-18", "2026-11-19"), open_days("b", "2026-11-20", "2026-11-20")]
    assert days_to_close(days, date(2026, 11, 21)) == (date(2026, 11, 18), date(2026, 11, 20))


def test_a_day_without_partition_waits() -> None:
    """Only a wrong clock ends a day before its partition exists; a run for it could not start."""
    assert days_to_close([open_days("a", "2026-11-22", "2026-11-22")], date(2026, 11, 21)) is None


def test_a_long_pause_asks_for_the_newest_days_only() -> None:
    first, last = days_to_close([open_days("a", "2020-01-01", "2026-11-20")], date(2026, 11, 21)) or (
        None,
        None,
    )
    assert last == date(2026, 11, 20)
    assert first == last - timedelta(days=LONGEST_CATCH_UP - 1)


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (LastBuild("complete", NOW, pending=False), "no raw row has changed"),
        (LastBuild(None, None, pending=False), "no raw row has changed"),
        (LastBuild("failed", NOW - timedelta(minutes=29), pending=True), "after 12:01 UTC"),
    ],
)
def test_reasons_not_to_refresh(build: LastBuild, reason: str) -> None:
    assert reason in (reason_not_to_refresh(build, NOW) or "")


@pytest.mark.parametrize(
    "build",
    [
        LastBuild("complete", NOW, pending=True),
        LastBuild(None, None, pending=True),
        LastBuild("failed", NOW - timedelta(minutes=31), pending=True),
    ],
)
def test_changed_rows_are_refreshed(build: LastBuild) -> None:
    assert reason_not_to_refresh(build, NOW) is None


@pytest.mark.parametrize(
    ("minutes", "cron"),
    [(1, "*/1 * * * *"), (5, "*/5 * * * *"), (60, "0 */1 * * *"), (90, "0 */1 * * *"), (1440, "0 0 * * *")],
)
def test_cadence_as_cron(minutes: int, cron: str) -> None:
    assert every(minutes) == cron
