"""Several dispatcher processes, killed ones among them: the server's mailbox against the ledger."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from orchestration.delivery.service import dispatch, has_work

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


def test_two_dispatchers_at_once_send_each_report_once(
    warehouse, mail_server, start_dispatcher, tmp_path
) -> None:
    for number in range(12):
        tenant = f"tenant{number:02}"
        warehouse.add_tenant(tenant)
        warehouse.subscribe(tenant, *(f"{name}@{tenant}.example" for name in "abcde"))
    start = tmp_path / "start"
    dispatchers = [start_dispatcher(wait_for=start) for _ in range(2)]
    wait_until(
        lambda: sum(not p.poll() for p in dispatchers) == 2 and len(list(tmp_path.glob("start.*"))) == 2
    )
    start.touch()
    counts = [json.loads(process.communicate(timeout=60)[0]) for process in dispatchers]

    assert len(mail_server.recipients()) == 60
    assert Counter(mail_server.recipients()) == ledger(warehouse)
    assert max(ledger(warehouse).values()) == 1
    assert sum(count["sent"] for count in counts) >= 60
    assert all(process.returncode == 0 for process in dispatchers)
    assert (warehouse.settings.home / "renderings").read_text().count("\n") == 12
    both = warehouse.rows("select count(distinct claimed_by) as n from reporting.report_deliveries")
    assert both == [{"n": 2}]  # else this proves nothing


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
    process.wait()
    time.sleep(0.3)  # until the server has noticed
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
