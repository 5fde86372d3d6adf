"""Several dispatcher processes, killed ones among them: the server's mailbox against the ledger."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from threading import Thread

import psycopg
import pytest

from orchestration.delivery.service import dispatch, has_work
from tests.integration.delivery.faults.conftest import wait_until_gone

pytestmark = pytest.mark.integration
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def ledger(warehouse) -> Counter:
    rows = warehouse.rows(
        "select recipient from reporting.report_deliveries where delivery_status in ('sent', 'unknown')"
    )
    return Counter(row["recipient"] for row in rows)


def wait_until(condition, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def at_once(warehouse, start_dispatcher, tmp_path) -> list[dict[str, int]]:
    """Two dispatchers find everything planned, and start together; returns what they told."""
    assert has_work(warehouse.conn, NOON)
    start = tmp_path / "start"
    dispatchers = [start_dispatcher(wait_for=start) for _ in range(2)]
    wait_until(
        lambda: sum(not p.poll() for p in dispatchers) == 2 and len(list(tmp_path.glob("start.*"))) == 2
    )
    start.touch()
    told = [json.loads(process.communicate(timeout=60)[0]) for process in dispatchers]
    assert all(process.returncode == 0 for process in dispatchers)
    return told


def test_two_dispatchers_at_once_send_each_report_once(
    warehouse, mail_server, start_dispatcher, tmp_path
) -> None:
    for number in range(12):
        tenant = f"tenant{number:02}"
        warehouse.add_tenant(tenant)
        warehouse.subscribe(tenant, *(f"{name}@{tenant}.example" for name in "abcde"))
    counts = at_once(warehouse, start_dispatcher, tmp_path)

    assert len(mail_server.recipients()) == 60
    assert Counter(mail_server.recipients()) == ledger(warehouse)
    assert max(ledger(warehouse).values()) == 1
    assert sum(count["sent"] for count in counts) >= 60
    assert (warehouse.settings.home / "renderings").read_text().count("\n") == 12
    both = warehouse.rows("select count(distinct claimed_by) as n from reporting.report_deliveries")
    assert both == [{"n": 2}]  # else this proves nothing


def test_two_dispatchers_at_once_render_the_same_report_once(
    warehouse, mail_server, start_dispatcher, tmp_path
) -> None:
    """Whoever comes second to the same report waits, then takes the files of the first."""
    warehouse.add_tenant("gym")
    for number in range(6):
        warehouse.subscribe("gym", f"{number}@gym.example", name=f"subscription {number}")
    hold = warehouse.settings.home / "hold"
    hold.touch()

    def let_go() -> None:
        wait_until(lambda: Counter(warehouse.statuses().values())["rendering"] == 2)
        time.sleep(0.3)
        hold.unlink()

    helper = Thread(target=let_go)
    helper.start()
    at_once(warehouse, start_dispatcher, tmp_path)
    helper.join()
    assert (warehouse.settings.home / "renderings").read_text().count("\n") == 1
    assert set(warehouse.statuses().values()) == {"sent"}
    assert len(mail_server.recipients()) == 6


def cut_off(warehouse) -> None:
    """Every dispatcher loses its connections."""
    with psycopg.connect(warehouse.settings.database_url) as conn:
        conn.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where application_name like 'metricpress deliver%' and datname = current_database()"
        )


def test_the_database_gone_while_a_message_is_under_way(warehouse, mail_server, start_dispatcher) -> None:
    """Its outcome is recorded on a new connection; the dispatcher ends, and what is left goes out later."""
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "a@gym.example", "slow@gym.example", "z@gym.example")
    process = start_dispatcher()
    wait_until(lambda: warehouse.statuses().get("slow@gym.example") == "sending")
    cut_off(warehouse)
    process.wait(timeout=30)
    assert process.returncode != 0
    assert warehouse.statuses() == {
        "a@gym.example": "sent",
        "slow@gym.example": "sent",
        "z@gym.example": "ready",
    }
    dispatch(warehouse.settings, NOON + timedelta(minutes=1))
    assert Counter(mail_server.recipients()) == ledger(warehouse)
    assert len(mail_server.recipients()) == 3


def test_a_lost_outcome_is_recorded_over_the_recovery_of_another(
    warehouse, mail_server, start_dispatcher
) -> None:
    """Knowing is better than unknown: another dispatcher had taken the one under way for dead."""
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "slow@gym.example", "z@gym.example")
    process = start_dispatcher()
    wait_until(lambda: warehouse.statuses().get("slow@gym.example") == "sending")
    cut_off(warehouse)
    wait_until(lambda: has_work(warehouse.conn, NOON))
    assert len(dispatch(warehouse.settings, NOON).unknown) == 1
    process.wait(timeout=30)
    assert set(warehouse.statuses().values()) == {"sent"}
    assert Counter(mail_server.recipients()) == ledger(warehouse)


def test_killed_while_sending(warehouse, mail_server, start_dispatcher) -> None:
    """The slow recipient's message is under way: nobody knows, so it is unknown; the others go out once."""
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "a@gym.example", "slow@gym.example", "z@gym.example")
    process = start_dispatcher()
    wait_until(lambda: warehouse.statuses().get("slow@gym.example") == "sending")
    time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until(lambda: has_work(warehouse.conn, NOON))
    result = dispatch(warehouse.settings, NOON + timedelta(minutes=1))
    assert warehouse.statuses() == {
        "a@gym.example": "sent",
        "slow@gym.example": "unknown",
        "z@gym.example": "sent",
    }
    assert [outcome.reason for outcome in result.unknown] == ["the dispatcher ended while it was sending"]
    dispatch(warehouse.settings, NOON + timedelta(days=1, hours=-4))
    assert Counter(mail_server.recipients()) == ledger(warehouse)
    assert mail_server.recipients().count("slow@gym.example") == 1


def test_killed_while_rendering(warehouse, mail_server, start_dispatcher) -> None:
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "a@gym.example")
    hold = warehouse.settings.home / "hold"
    hold.touch()
    process = start_dispatcher()
    wait_until(lambda: warehouse.statuses().get("a@gym.example") == "rendering")
    assert not has_work(warehouse.conn, NOON)  # it is in hand
    process.kill()
    process.wait()
    wait_until(lambda: has_work(warehouse.conn, NOON))
    hold.unlink()
    assert len(dispatch(warehouse.settings, NOON).sent) == 1
    assert mail_server.recipients() == ["a@gym.example"]


@pytest.mark.parametrize("milliseconds", [300, 600, 900, 1300])
def test_killed_at_any_moment(warehouse, mail_server, start_dispatcher, milliseconds) -> None:
    """Nothing is lost, and nothing goes out twice: at most the one in hand is unknown."""
    for number in range(6):
        tenant = f"tenant{number}"
        warehouse.add_tenant(tenant)
        warehouse.subscribe(tenant, *(f"{name}@{tenant}.example" for name in "abcdefghij"))
    process = start_dispatcher()
    wait_until(lambda: bool(warehouse.statuses()))
    time.sleep(milliseconds / 1000 - 0.3)
    process.kill()
    wait_until_gone(warehouse)
    dispatch(warehouse.settings, NOON + timedelta(minutes=1))
    statuses = Counter(warehouse.statuses().values())
    assert statuses["sent"] + statuses["unknown"] == 60
    assert statuses["unknown"] <= 1
    mailbox = Counter(mail_server.recipients())
    assert max(mailbox.values()) == 1
    unknown = {name for name, status in warehouse.statuses().items() if status == "unknown"}
    assert set(ledger(warehouse)) - set(mailbox) <= unknown
    assert set(mailbox) <= set(ledger(warehouse))


def test_repeatable_channel_is_done_again_after_a_crash(warehouse) -> None:
    warehouse.add_tenant("gym")
    warehouse.subscribe("gym", "reports", delivery_method="file")
    dispatch(warehouse.settings, NOON)
    warehouse.conn.execute(
        "update reporting.report_deliveries "
        "set delivery_status = 'sending', delivered_at = null, claimed_by = 1"
    )
    warehouse.conn.execute("update reporting.report_occurrences set state = 'pending'")
    assert len(dispatch(warehouse.settings, NOON).sent) == 1
