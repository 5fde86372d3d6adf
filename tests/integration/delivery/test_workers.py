"""Rendering side by side: what befalls a worker costs one report a retry, and nothing is rendered twice."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import psycopg
import pytest

from orchestration.delivery import service, workers
from orchestration.delivery.service import dispatch
from tests.integration.delivery.conftest import NOON

pytestmark = pytest.mark.integration

HERE = Path(__file__).parent
MANY = 14


@pytest.fixture
def tiny_workers(warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Dispatches of this test render in two workers with the tiny report; returns their log."""
    log = tmp_path / "workers"
    monkeypatch.setenv("WORKERS", str(log))
    command = (sys.executable, str(HERE / "tiny_worker.py"))
    monkeypatch.setattr(service, "Workers", partial(workers.Workers, command=command, seconds=20.0))
    warehouse.settings = replace(warehouse.settings, render_workers=2, outbox_only=True)
    return log


def add(warehouse, tenants: list[str], each: int = 1) -> None:
    for tenant in tenants:
        warehouse.add_tenant(tenant)
        for number in range(each):
            warehouse.subscribe(tenant, f"{number}@{tenant}.example", name=f"report {number}")


def rendered(log: Path) -> Counter[str]:
    return Counter(line.split()[1] for line in log.read_text().splitlines())


def test_many_reports_are_rendered_side_by_side_and_equal_ones_once(warehouse, tiny_workers: Path) -> None:
    tenants = [f"tenant{number:02}" for number in range(MANY)]
    add(warehouse, tenants, each=3)
    assert len(dispatch(warehouse.settings, NOON).sent) == 3 * MANY
    assert rendered(tiny_workers) == Counter(tenants)
    assert len({line.split()[0] for line in tiny_workers.read_text().splitlines()}) == 2
    keys = warehouse.rows("select distinct render_key from reporting.report_deliveries")
    assert len(keys) == MANY


def test_few_reports_need_no_worker(warehouse, tiny_workers: Path) -> None:
    add(warehouse, ["one", "two"])
    assert len(dispatch(warehouse.settings, NOON).sent) == 2
    assert not tiny_workers.exists()


@pytest.mark.parametrize(
    ("befalls", "error_class", "told"),
    [("kill", "transient", "ended with -9"), ("hang", "transient", "longer than 20 seconds"),
     ("disk", "transient", "no room"), ("break", "permanent", "ZeroDivisionError: by nought"),
     ("refuse", "permanent", "no such branch. add it")],
)  # fmt: skip
def test_what_befalls_a_worker_costs_one_report(
    warehouse, tiny_workers: Path, befalls: str, error_class: str, told: str
) -> None:
    add(warehouse, [f"{befalls}-it", *(f"tenant{number:02}" for number in range(MANY))])
    assert len(dispatch(warehouse.settings, NOON).sent) == MANY
    (failed,) = warehouse.rows(
        "select error_class, error_message, attempts from reporting.report_deliveries"
        " where tenant_id = %s and delivery_status = 'failed'",
        f"{befalls}-it",
    )
    assert failed["error_class"] == error_class
    assert told in failed["error_message"]
    assert failed["attempts"] == 1
    again = dispatch(warehouse.settings, NOON + timedelta(hours=1)).sent
    assert len(again) == (1 if error_class == "transient" else 0)
    assert not locks(warehouse)


def test_a_worn_worker_is_replaced(warehouse, tiny_workers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOST_DOCUMENTS", "4")
    add(warehouse, [f"tenant{number:02}" for number in range(MANY)])
    assert len(dispatch(warehouse.settings, NOON).sent) == MANY
    each = Counter(line.split()[0] for line in tiny_workers.read_text().splitlines())
    assert max(each.values()) <= 4
    assert len(each) >= 4


def test_a_report_another_dispatcher_renders_is_waited_for(warehouse, tiny_workers: Path) -> None:
    """Two dispatchers, each with workers, at the same reports: every one is rendered once."""
    tenants = [f"tenant{number:02}" for number in range(MANY)]
    add(warehouse, tenants)
    other = (
        "import sys; from dataclasses import replace; from functools import partial\n"
        "from datetime import datetime; from orchestration.settings import Settings\n"
        "from orchestration.delivery import service, workers\n"
        "service.Workers = partial(workers.Workers, command=(sys.executable, sys.argv[1]))\n"
        "settings = replace(Settings.from_env(), render_workers=2, outbox_only=True)\n"
        "service.dispatch(settings, datetime.fromisoformat(sys.argv[2]))\n"
    )
    from tests.conftest import environment_of

    command = [sys.executable, "-c", other, str(HERE / "tiny_worker.py"), NOON.isoformat()]
    environment = environment_of(warehouse.settings) | {
        "METRICPRESS_OUTPUT_DIR": str(warehouse.settings.output_dir)
    }
    with subprocess.Popen(command, env=environment) as process:
        dispatch(warehouse.settings, NOON)
        assert process.wait(60) == 0
    assert rendered(tiny_workers) == Counter(tenants)
    assert set(warehouse.statuses().values()) == {"sent"}


def test_workers_end_with_their_dispatcher(warehouse, tiny_workers: Path) -> None:
    add(warehouse, [f"tenant{number:02}" for number in range(MANY)])
    dispatch(warehouse.settings, NOON)
    pids = {line.split()[0] for line in tiny_workers.read_text().splitlines()}
    assert pids
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def locks(warehouse) -> list[dict[str, object]]:
    conn: psycopg.Connection = warehouse.conn
    found = conn.execute(
        "select objid from pg_locks where locktype = 'advisory' and classid <> 0 and pid <> pg_backend_pid()"
        " and database = (select oid from pg_database where datname = current_database())"
    )
    return found.fetchall()
