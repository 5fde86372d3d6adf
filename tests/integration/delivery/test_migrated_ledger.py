"""A database that was in use before migration 0011: its rows are migrated, and the next dispatch goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from orchestration.delivery import subscriptions
from orchestration.delivery.service import dispatch
from orchestration.settings import Settings
from orchestration.warehouse import migrate
from orchestration.warehouse.connection import connect

pytestmark = pytest.mark.integration
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ACTIVE, PAUSED, DELETED = (UUID(int=number) for number in (1, 2, 3))
HAPPENED, FAILING = UUID(int=11), UUID(int=12)

#: What metricpress 0010 left: subscriptions, a report that went out, one that is tried again, suppressions.
ROWS = f"""
    insert into raw.tenants (tenant_id, name) values ('gym', 'Gym');
    insert into reporting.report_subscriptions
        (tenant_id, subscription_id, name, report, frequency, recipients, starts_on, is_active, deleted_at)
    values
        ('gym', '{ACTIVE}', 'daily', 'executive', 'daily',
            '{{ceo@gym.example,left@gym.example}}', '2026-11-18', true, null),
        ('gym', '{PAUSED}', 'paused', 'executive', 'daily', '{{cfo@gym.example}}', '2026-11-18', false, null),
        ('gym', '{DELETED}', 'daily', 'executive', 'daily',
            '{{old@gym.example}}', '2026-11-18', false, now());
    insert into reporting.report_occurrences (tenant_id, occurrence_id, subscription_id, local_date,
        report_period_start, report_period_end, due_at, state, closed_at)
    values
        ('gym', '{HAPPENED}', '{ACTIVE}', '2026-11-18', '2026-11-17', '2026-11-17', '2026-11-18 09:00+00',
            'sent', '2026-11-18 09:01+00'),
        ('gym', '{FAILING}', '{ACTIVE}', '2026-11-19', '2026-11-18', '2026-11-18', '2026-11-19 13:00+00',
            'pending', null);
    insert into reporting.report_deliveries (tenant_id, occurrence_id, channel, recipient, delivery_status,
        attempts, next_attempt_at, delivered_at, error_class, error_message)
    values
        ('gym', '{HAPPENED}', 'email', 'ceo@gym.example', 'sent', 1, null, '2026-11-18 09:01+00', null, null),
        ('gym', '{FAILING}', 'email', 'ceo@gym.example', 'failed', 2, '2026-11-20 11:59+00', null,
            'transient', 'the mail server was away');
    insert into reporting.suppressions (tenant_id, recipient, reason)
    values ('gym', 'left@gym.example', 'left the company');
"""


@pytest.fixture
def settings(empty_database: Callable[..., str], template: str, tmp_path: Path) -> Settings:
    """A database that metricpress 0010 used, migrated to the newest form."""
    settings = Settings(home=tmp_path, output_dir=tmp_path / "reports", database_url=empty_database())
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: connect(settings),
        execution_options={"no_parameters": True},
    )
    config = Config()
    config.set_main_option("script_location", str(migrate.FOLDER))
    with engine.connect() as connection:
        config.attributes.update(connection=connection, version_table=migrate.VERSION_TABLE)
        command.upgrade(config, "0010")
        connection.commit()
    engine.dispose()
    with connect(settings) as owner:
        owner.execute(ROWS.encode())
    assert migrate.migrate(settings).current == "0010"
    return settings


def states(warehouse: Any) -> dict[tuple[str, str], str]:
    rows = warehouse.rows(
        "select o.local_date::text as day, d.recipient, d.delivery_status"
        " from reporting.report_deliveries as d"
        " join reporting.report_occurrences as o using (tenant_id, occurrence_id)"
    )
    return {(row["day"], row["recipient"]): row["delivery_status"] for row in rows}


def test_what_was_ordered_promised_and_refused_stays_so(warehouse) -> None:
    warehouse.conn.execute(
        "insert into marts.tenants"
        " values ('gym', 'Gym', 'UTC', 'USD', 'monday', %s, '2026-11-20', '2026-11-19')",
        [NOON],
    )
    daily = subscriptions.find(warehouse.conn, "daily")
    assert (daily.subscription_id, daily.holiday_calendar, daily.when_incomplete, daily.open_from) == (
        ACTIVE, None, "notice", None,
    )  # fmt: skip
    result = dispatch(warehouse.settings, NOON)
    assert (result.planned, result.problems) == (1, ())
    assert states(warehouse) == {
        ("2026-11-18", "ceo@gym.example"): "sent",
        ("2026-11-19", "ceo@gym.example"): "sent",
        ("2026-11-20", "ceo@gym.example"): "sent",
        ("2026-11-20", "left@gym.example"): "skipped",
    }
    (retried,) = warehouse.rows(
        "select attempts, kind from reporting.report_deliveries where occurrence_id = %s", FAILING
    )
    assert retried == {"attempts": 3, "kind": "report"}
    again = dispatch(warehouse.settings, NOON)
    assert (again.planned, again.outcomes) == (0, ())
    subscriptions.resume(warehouse.conn, subscriptions.find(warehouse.conn, "paused"), NOON.date())
    assert dispatch(warehouse.settings, NOON).planned == 1, "the paused one is active from today on"
