"""Retention as others count it: events of their documentation and tests in, cohort_retention out.

One tenant a scenario, all in one build; each tenant's clock stops where the published matrix ends.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestration.marts.build import build
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

pytestmark = pytest.mark.integration

POSTHOG = Path(__file__).parents[2] / "data" / "reference" / "posthog"
POSTHOG_CELLS = 203
#: Scenario -> (first day after its matrix, mode).
POSTHOG_ENDS = {
    "day_recurring": (date(2020, 6, 21), "calendar"),
    "week_recurring_sunday": (date(2020, 7, 26), "calendar"),
    "week_recurring_monday": (date(2020, 7, 27), "calendar"),
    "month_recurring": (date(2020, 12, 1), "calendar"),
    "day_unbounded": (date(2020, 6, 16), "unbounded"),
}
VENDORS: dict[str, list[str]] = {
    # amplitude.com/docs, retention analysis time: back after 23 hours, on Dec 6, in January
    "amplitude_day": ["2023-12-01T17:59", "2023-12-02T17:00"],
    "amplitude_week": ["2023-12-01T12:00", "2023-12-06T12:00"],
    "amplitude_month": ["2023-12-03T12:00", "2024-01-03T12:00"],
    "amplitude_month_late": ["2023-12-03T12:00", "2024-02-02T12:00"],
    # docs.mixpanel.com, retention: Monday 20:00 to Tuesday 06:00, Friday to Monday
    "mixpanel_night": ["2024-01-01T20:00", "2024-01-02T06:00"],
    "mixpanel_weekend": ["2024-01-05T12:00", "2024-01-08T12:00"],
    # mozilla/bigquery-etl, mozfun/bits28/retention: bits 13, 10 and 0 as of 2020-01-28
    "mozilla_bits": ["2020-01-15T12:00", "2020-01-18T12:00", "2020-01-28T12:00"],
}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def marts(module_settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    with connect(module_settings) as connection:
        for scenario, (end, _) in POSTHOG_ENDS.items():
            _add_tenant(connection, scenario, end, "sunday" if scenario.endswith("sunday") else "monday")
        for scenario in VENDORS:
            _add_tenant(connection, scenario, date(2024, 6, 1), "monday")
        sessions = [
            (event["scenario"], event["person_id"], event["timestamp_utc"])
            for event in rows_of(POSTHOG / "retention_events.csv")
        ]
        sessions += [(scenario, "person", moment) for scenario, days in VENDORS.items() for moment in days]
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into raw.sessions (tenant_id, session_id, user_id, started_at) "
                "values (%s, %s, %s, %s)",
                [(tenant, str(n), user, moment + "Z") for n, (tenant, user, moment) in enumerate(sessions)],
            )
    build(module_settings, as_of=date(2025, 1, 1))
    with connect(module_settings, "bi") as connection:
        yield connection


def _add_tenant(connection: psycopg.Connection[Any], tenant: str, end: date, week_start: str) -> None:
    connection.execute(
        "insert into raw.tenants (tenant_id, name, timezone, week_start) values (%s, %s, 'UTC', %s)",
        (tenant, tenant, week_start),
    )
    connection.execute(
        "insert into reporting.tenant_settings (tenant_id, clock_stops_at, retention_cohorts) "
        "values (%s, %s, '{first_activity,recurring}')",
        (tenant, datetime(end.year, end.month, end.day, tzinfo=UTC)),
    )


def test_posthog_recurring_cohorts(
    marts: psycopg.Connection[Any], record_property: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = {
        (scenario, period, start, index): retained
        for scenario, (_, mode) in POSTHOG_ENDS.items()
        for period, start, index, retained in marts.execute(
            "select period, cohort_start, period_index, retained from marts.cohort_retention "
            "where tenant_id = %s and cohort_by = 'recurring' and mode = %s",
            (scenario, mode),
        ).fetchall()
    }
    expected = rows_of(POSTHOG / "retention_expected.csv")
    wrong = []
    for cell in expected:
        key = (
            cell["scenario"],
            cell["period"],
            date.fromisoformat(cell["cohort_start"]),
            int(cell["period_index"]),
        )
        # A period in which nobody was active is no cohort: PostHog prints it as a row of zeros.
        retained = ours.get(key, 0)
        if retained != int(cell["retained_users"]):
            wrong.append((key, retained, cell["retained_users"]))
    with capsys.disabled():
        print(f"\nPostHog retention: {len(expected) - len(wrong)} of {len(expected)} cells agree")
    assert wrong == []
    assert len(expected) == POSTHOG_CELLS


def retained(marts: psycopg.Connection[Any], tenant: str, period: str, mode: str) -> dict[int, int]:
    """Buckets in which the tenant's one person was active."""
    return dict(
        marts.execute(
            "select period_index, retained from marts.cohort_retention where tenant_id = %s "
            "and subject = 'user' and cohort_by = 'first_activity' and period = %s and mode = %s",
            (tenant, period, mode),
        ).fetchall()
    )


@pytest.mark.parametrize(
    ("tenant", "period", "mode", "active", "idle"),
    [
        ("amplitude_day", "day", "rolling", {0, 1}, {2}),
        ("amplitude_day", "day", "calendar", {0, 1}, {2}),
        ("amplitude_week", "week", "rolling", {0}, {1}),
        ("amplitude_month", "month", "rolling", {0, 1}, {2}),
        # Amplitude's own ranges of 31 days contradict its month of 30 days, in which day 61 is month 2.
        ("amplitude_month_late", "month", "rolling", {0, 2}, {1}),
        ("mixpanel_night", "day", "calendar", {0, 1}, set()),
        # Mixpanel rolls by 24 hours (day 0); here a day is the user's local day, also when rolling.
        ("mixpanel_night", "day", "rolling", {0, 1}, set()),
        ("mixpanel_weekend", "week", "calendar", {0, 1}, set()),
        ("mixpanel_weekend", "week", "rolling", {0}, {1}),
        ("mozilla_bits", "day", "rolling", {0, 3, 13}, {7}),
        ("mozilla_bits", "week", "rolling", {0, 1}, {2}),
    ],
)
def test_vendors_examples(
    marts: psycopg.Connection[Any], tenant: str, period: str, mode: str, active: set[int], idle: set[int]
) -> None:
    found = retained(marts, tenant, period, mode)
    assert {index for index, count in found.items() if count} == active
    assert all(found[index] == 0 for index in idle)


def test_incomplete_cell_is_null(marts: psycopg.Connection[Any]) -> None:
    """The bucket in progress where the clock stops has no figure, never 0."""
    last = marts.execute(
        "select retained, retention_rate, is_complete from marts.cohort_retention "
        "where tenant_id = 'month_recurring' and cohort_by = 'first_activity' and period = 'week' "
        "and mode = 'rolling' order by period_index desc limit 1"
    ).fetchone()
    end = POSTHOG_ENDS["month_recurring"][0]
    assert (end - date(2020, 1, 10)) % timedelta(days=7) != timedelta(0)
    assert last == (None, None, False)
