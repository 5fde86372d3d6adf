"""`metricpress demo` as a newcomer runs it, twice, in a folder of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import psycopg
import pytest

from orchestration.demo import ORDERS
from orchestration.reports.periods import newest_whole_period
from orchestration.reports.request import Frequency, ReportRequest
from orchestration.reports.service import build_document
from orchestration.reports.templates import report_type
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.server import EmbeddedServer
from tests.contracts.test_marts_contract import CONTRACT
from tests.tracing import insights_of, trace

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

PROJECT = Path(__file__).resolve().parents[2]
AGAIN_SECONDS = 60


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home folder the server's user can reach, with an embedded server of its own."""
    with tempfile.TemporaryDirectory(prefix="metricpress-demo-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        EmbeddedServer(folder).remove()


def demo(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("metricpress")
    return subprocess.run(
        [program, "demo", *arguments],
        cwd=home,
        env={"METRICPRESS_HOME": str(home), "COLUMNS": "80", "NO_COLOR": "1", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def first(home: Path) -> dict[str, Any]:
    done = demo(home, "--json")
    assert done.returncode == 0, done.stderr[-3000:]
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.fixture(scope="module")
def marts(home: Path, first: dict[str, Any]) -> Iterator[psycopg.Connection[Any]]:
    with connect(Settings(home=home, output_dir=home / "reports"), "bi") as connection:
        yield connection


def test_every_mart_has_rows_and_every_report_is_a_pdf(home: Path, first: dict[str, Any]) -> None:
    assert first["built"]
    assert set(CONTRACT) <= set(first["marts"])
    assert [name for name, rows in first["marts"].items() if not rows] == []
    assert len(first["dispatch"]["sent"]) == len(ORDERS)
    assert len(first["documents"]) == len(ORDERS)
    assert all(Path(path).read_bytes().startswith(b"%PDF") for path in first["documents"])
    assert len(list((home / "outbox").rglob("*.eml"))) == len(ORDERS)


def test_month_end_mrr_of_ravenstack(marts: psycopg.Connection[Any]) -> None:
    """Computed from the published file by others: start <= day and (no end or end > day)."""
    found = marts.execute(
        "select metric_date::text, mrr from marts.daily_metrics where tenant_id = 'ravenstack'"
        " and metric_date in ('2023-03-31', '2023-12-31', '2024-06-30', '2024-12-31') order by 1"
    ).fetchall()
    assert found == [
        ("2023-03-31", Decimal(41_648)),
        ("2023-12-31", Decimal(1_262_113)),
        ("2024-06-30", Decimal(3_833_405)),
        ("2024-12-31", Decimal(10_159_608)),
    ]


def test_monthly_active_users_of_the_charging_sites(marts: psycopg.Connection[Any]) -> None:
    found = marts.execute(
        "select distinct on (date_trunc('month', metric_date)) mau_month_to_date from marts.daily_metrics"
        " where tenant_id = 'ev-workplace' order by date_trunc('month', metric_date), metric_date desc"
    ).fetchall()
    assert [count for (count,) in found] == [2, 2, 9, 10, 23, 28, 32, 41, 45, 52, 62, 46]


def test_leads_and_calls_of_the_bank(marts: psycopg.Connection[Any]) -> None:
    found = marts.execute(
        "select sum(new_leads), sum(leads_converted), sum(total_calls), sum(calls_completed)"
        " from marts.daily_metrics where tenant_id = 'lisbon-bank'"
    ).fetchone()
    assert found == (41_188, 4_640, 41_188, 41_184)


def test_user_types_and_summary_agree_with_the_days(marts: psycopg.Connection[Any]) -> None:
    """The users of all types are those of the day; a summary of a day is that day."""
    other = marts.execute(
        "select count(*) from marts.daily_metrics as d join marts.engagement_by_user_type as e"
        " using (tenant_id, metric_date) where e.user_type = 'all' and"
        " (d.dau, d.wau, d.mau, d.total_sessions) is distinct from (e.dau, e.wau, e.mau, e.sessions)"
    ).fetchone()
    assert other == (0,)
    summaries = marts.execute(
        "select s.value, d.total_calls from marts.executive_summary as s join marts.daily_metrics as d"
        " on d.tenant_id = s.tenant_id and d.metric_date = s.period_start"
        " where s.metric = 'total_calls' and s.period = 'day'"
    ).fetchall()
    assert summaries
    assert all(value == calls for value, calls in summaries)


def test_every_number_an_executive_report_opens_with_stands_in_a_mart(
    marts: psycopg.Connection[Any],
) -> None:  # fmt: skip
    """The four businesses, 31 days back, 12 weeks and 8 months: each number is found by its source."""
    report, rules = report_type("executive", None), set()
    tenants = marts.execute("select tenant_id, complete_date, week_start from marts.tenants").fetchall()
    for tenant, complete, week_start in tenants:
        for frequency, count in (("daily", 31), ("weekly", 12), ("monthly", 8)):
            end = complete
            for _ in range(count):
                first, last = newest_whole_period(frequency, end, week_start)
                request = ReportRequest(tenant, "executive", cast(Frequency, frequency), first, last)
                insights = insights_of(build_document(marts, request, report))
                trace(marts, (figure for insight in insights for figure in insight.figures))
                rules |= {insight.rule for insight in insights}
                end = first - timedelta(days=1)
    assert rules >= {"target", "mover", "largest", "driver", "streak", "weekday"}


def test_the_portfolio_adds_up_dollars_and_yen(home: Path, first: dict[str, Any]) -> None:
    """At the rates of the ECB of that day, 31 December 2024: 1.0389 dollars and 163.06 yen for a euro."""
    with connect(Settings(home=home, output_dir=home / "reports")) as owner:
        by_currency = dict(
            owner.execute(
                "select currency, mrr from marts.daily_metrics join marts.tenants using (tenant_id)"
                " where metric_date = '2024-12-31' and mrr > 0"
            ).fetchall()
        )
        found = owner.execute(
            "select mrr, tenants, reporting_currency from marts.portfolio_metrics"
            " where metric_date = '2024-12-31'"
        ).fetchone()
    assert by_currency.keys() == {"USD", "JPY"}
    assert found is not None
    assert found[1:] == (2, "USD")
    wanted = by_currency["USD"] + by_currency["JPY"] / Decimal("163.06") * Decimal("1.0389")
    assert abs(found[0] - wanted) < Decimal("0.01")


def test_again_is_quick_builds_nothing_and_sends_nothing(home: Path, first: dict[str, Any]) -> None:
    started = time.monotonic()
    done = demo(home)
    seconds = time.monotonic() - started
    assert done.returncode == 0, done.stderr[-3000:]
    assert seconds < AGAIN_SECONDS
    assert "Loaded 0 rows" in done.stdout
    assert "not built again" in done.stdout
    assert "sent now: 0" in done.stdout
    assert "make dev" in done.stdout
    assert "metricpress dsn" in done.stdout
    assert len(list((home / "outbox").rglob("*.eml"))) == len(ORDERS)
    told = [line for line in done.stdout.splitlines() if not line.lstrip().startswith((".", "/", "reports"))]
    assert max(len(line) for line in told) <= 80
