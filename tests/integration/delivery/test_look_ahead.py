"""What the sensor asks every few seconds: whether a dispatch has something to do, now or in a moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orchestration.delivery import subscriptions
from orchestration.delivery.service import dispatch, next_work

pytestmark = pytest.mark.integration
DUE = datetime(2026, 11, 20, 9, tzinfo=UTC)
AHEAD = timedelta(seconds=30)


def test_the_moment_of_the_next_report_without_writing_it(warehouse) -> None:
    warehouse.add_tenant("gym")
    subscription = warehouse.subscribe("gym", "ceo@gym.example")
    assert next_work(warehouse.conn, DUE - timedelta(seconds=31), AHEAD) is None
    assert next_work(warehouse.conn, DUE - timedelta(seconds=20), AHEAD) == DUE
    assert warehouse.rows("select * from reporting.report_occurrences") == []
    subscriptions.pause(warehouse.conn, subscription)
    assert next_work(warehouse.conn, DUE - timedelta(seconds=10), AHEAD) is None, "paused in the last moment"
    subscriptions.resume(warehouse.conn, subscription, DUE.date())
    assert next_work(warehouse.conn, DUE, AHEAD) == DUE
    assert len(dispatch(warehouse.settings, DUE).sent) == 1
    assert next_work(warehouse.conn, DUE, AHEAD) is None


def test_a_report_without_its_data_is_no_work_until_it_is_given_up(warehouse) -> None:
    warehouse.add_tenant("gym", complete="2026-11-18")
    warehouse.subscribe("gym", "ceo@gym.example", max_lateness=timedelta(hours=2))
    assert next_work(warehouse.conn, DUE - timedelta(seconds=20), AHEAD) is None
    dispatch(warehouse.settings, DUE)
    assert next_work(warehouse.conn, DUE, AHEAD) is None
    given_up = DUE + timedelta(hours=2)
    assert next_work(warehouse.conn, given_up - timedelta(seconds=20), AHEAD) == given_up


def test_a_retry_is_foreseen(warehouse) -> None:
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "ceo@gym.example")
    dispatch(warehouse.settings, DUE)
    again = DUE + timedelta(minutes=3)
    warehouse.conn.execute("update reporting.report_occurrences set state = 'pending', closed_at = null")
    warehouse.conn.execute(
        "update reporting.report_deliveries set delivery_status = 'failed', delivered_at = null, "
        "next_attempt_at = %s",
        (again,),
    )
    assert next_work(warehouse.conn, again - timedelta(minutes=1), AHEAD) is None
    assert next_work(warehouse.conn, again - timedelta(seconds=5), AHEAD) == again
