"""What was published is kept, and what later data made of it is recorded with the load that brought it."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from orchestration.cli import restatements as command
from orchestration.figures.restatements import read_restatements
from orchestration.marts.build import build
from orchestration.settings import Settings
from orchestration.sources.files.load import LoadOptions, load
from orchestration.sources.generate import GenerateOptions, generate
from orchestration.warehouse.connection import connect

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
LAST_DAY = date(2025, 3, 31)
Figures = dict[tuple[str, str, str, date], Decimal | None]

PUBLISHED = "select tenant_id, metric, grain, period_start, value from reporting.published_figures"
SERIES = """
    select tenant_id, metric, grain, period_start, value from marts.metric_timeseries
    where dimension = 'all' and is_complete
"""


def figures(connection: psycopg.Connection[Any], query: str) -> Figures:
    rows = connection.execute(query.encode()).fetchall()
    return {(tenant, metric, grain, start): value for tenant, metric, grain, start, value in rows}


def restated(connection: psycopg.Connection[Any]) -> dict[tuple[str, str, str, date], tuple[Any, Any]]:
    rows = connection.execute(
        "select tenant_id, metric, grain, period_start, old_value, new_value from reporting.restatements"
    ).fetchall()
    return {(tenant, metric, grain, start): (old, new) for tenant, metric, grain, start, old, new in rows}


def deliver(connection: psycopg.Connection[Any], tenant: str, shown: dict[str, Any]) -> None:
    """A daily report on the last day but one that went out just now."""
    subscription = connection.execute(
        "insert into reporting.report_subscriptions (tenant_id, name, report, frequency, recipients) "
        "values (%s, 'Daily', 'executive', 'daily', '{ceo@acme.example}') returning subscription_id",
        (tenant,),
    ).fetchone()
    assert subscription is not None
    occurrence = connection.execute(
        "insert into reporting.report_occurrences (tenant_id, subscription_id, local_date, "
        "report_period_start, report_period_end, due_at, state) "
        "values (%s, %s, '2025-03-31', '2025-03-30', '2025-03-30', now(), 'sent') returning occurrence_id",
        (tenant, subscription[0]),
    ).fetchone()
    assert occurrence is not None
    connection.execute(
        "insert into reporting.report_deliveries (tenant_id, occurrence_id, channel, recipient, "
        "delivery_status, delivered_at, report_data) "
        "values (%s, %s, 'email', 'ceo@acme.example', 'sent', clock_timestamp(), %s::jsonb)",
        (tenant, occurrence[0], json.dumps(shown)),
    )


def come_late(connection: psycopg.Connection[Any], one: str, other: str, file: Path) -> UUID:
    """Sessions for one tenant by a load, whose id is returned; a call for the other by another tool."""
    file.write_text(
        "session_id,user_id,started_at\n"
        "late-1,late-user,2025-02-20T12:00:00Z\nlate-2,late-user,2025-03-30T12:00:00Z\n"
    )
    connection.execute(
        "insert into raw.calls (tenant_id, call_id, direction, status, started_at) "
        "values (%s, 'late', 'inbound', 'missed', '2025-02-20 12:00Z')",
        (other,),
    )
    return load(connection, "sessions", [file], LoadOptions(tenant=one)).load_id


def test_published_figures_and_their_restatements(
    module_settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with connect(module_settings, autocommit=True) as connection:
        generate(connection, GenerateOptions(tenants=2, days=60, sessions=2000, seed=7, end=LAST_DAY))
        one, other = (
            row[0] for row in connection.execute("select tenant_id from raw.tenants order by 1").fetchall()
        )
        build(module_settings, as_of=LAST_DAY)

        # Every ended month is published, as it stands in the marts; the first history restates nothing.
        before = figures(connection, SERIES)
        kept = figures(connection, PUBLISHED)
        assert kept == {key: value for key, value in before.items() if key[2] == "month"}
        assert {key[3] for key in kept} >= {date(2025, 2, 1), date(2025, 3, 1)}
        assert restated(connection) == {}

        # A report shows a day; then a load brings late sessions to one tenant, a tool a call to the other.
        shown = before[(one, "dau", "day", date(2025, 3, 30))]
        assert shown is not None
        deliver(connection, one, {"dau": int(shown), "dau.previous": 1, "mrr_bridge.end": 5})
        load_id = come_late(connection, one, other, tmp_path / "late.csv")
        build(module_settings, as_of=LAST_DAY)

        after = figures(connection, SERIES)
        published = {**kept, (one, "dau", "day", date(2025, 3, 30)): shown}
        expected = {key: (value, after[key]) for key, value in published.items() if after[key] != value}
        assert restated(connection) == expected
        assert expected[(one, "dau", "day", date(2025, 3, 30))] == (shown, shown + 1)
        assert (one, "total_sessions", "month", date(2025, 2, 1)) in expected
        assert (other, "calls_missed", "month", date(2025, 2, 1)) in expected
        causes = connection.execute(
            "select tenant_id, table_name, load_id from reporting.restatement_causes"
        ).fetchall()
        assert set(causes) == {(one, "sessions", load_id), (other, "calls", None)}
        assert connection.execute("select count(*) from build.consumed_loads").fetchone() == (0,)

        # People are told where each figure stood, and only of what it can have changed by.
        told = {
            (row.tenant_id, row.metric, row.grain, row.period_start): row
            for row in read_restatements(connection, date(2020, 1, 1)).restatements
        }
        assert told.keys() == expected.keys()
        (place,) = told[(one, "dau", "day", date(2025, 3, 30))].published_in
        assert place.startswith("report Daily ")
        (place,) = told[(other, "calls_missed", "month", date(2025, 2, 1))].published_in
        assert place.startswith("month closed ")
        assert {(key[0], str(cause)) for key, row in told.items() for cause in row.causes} == {
            (one, "late.csv into sessions"),
            (other, "outside of metricpress into calls"),
        }
        assert read_restatements(connection, date(2020, 1, 1), other).restatements != []
        assert read_restatements(connection, date(2999, 1, 1)).restatements == []
        monkeypatch.setattr(command.Settings, "from_env", classmethod(lambda _: module_settings))
        monkeypatch.setenv("COLUMNS", "80")
        command.restatements("2020-01-01")
        shown = capsys.readouterr().out
        assert "after late.csv into sessions" in shown
        assert max(map(len, shown.splitlines())) <= 80
        command.restatements("2020-01-01", as_json=True)
        assert len(json.loads(capsys.readouterr().out)) == len(expected)

        # Neither a full refresh nor a build with nothing new restates anything.
        build(module_settings, as_of=LAST_DAY, full_refresh=True)
        assert restated(connection) == expected

        # Marts built as of an earlier day do not know March: what is not there is not restated.
        build(module_settings, as_of=date(2025, 3, 10), full_refresh=True)
        looked_back = {key: values for key, values in restated(connection).items() if key not in expected}
        assert not [key for key in looked_back if key[3] >= date(2025, 3, 1)]
        assert None not in [new for _, new in looked_back.values()]


def test_a_row_tells_the_load_that_wrote_it(settings: Settings, tmp_path: Path) -> None:
    """By the direct way, by the careful way with a rejected row, and inside a transaction of the caller."""
    good = "call_id,direction,status,started_at\n{0},inbound,missed,2025-02-20T12:00:00Z\n"
    with connect(settings, autocommit=True) as connection:
        connection.execute("insert into raw.tenants (tenant_id, name) values ('acme', 'Acme')")
        (tmp_path / "a.csv").write_text(good.format("a"))
        (tmp_path / "b.csv").write_text(good.format("b") + "c,inbound,answered,2025-02-20T12:00:00Z\n")
        (tmp_path / "d.csv").write_text(good.format("d"))
        options = LoadOptions(tenant="acme")
        loads = {
            name: load(connection, "calls", [tmp_path / f"{name}.csv"], options).load_id for name in "ab"
        }
        with connection.transaction():
            loads["d"] = load(connection, "calls", [tmp_path / "d.csv"], options).load_id
        again = load(connection, "calls", [tmp_path / "d.csv"], options)
        assert again.unchanged == 1
        connection.execute(
            "insert into raw.calls (tenant_id, call_id, direction, status, started_at) "
            "values ('acme', 'tool', 'inbound', 'missed', '2025-02-20 12:00Z')"
        )
        found = connection.execute(
            "select c.call_id, l.load_id from raw.calls as c "
            "left join raw.loads as l on l.row_xid = c.xmin::text::bigint"
        ).fetchall()
    assert dict(found) == {**loads, "tool": None}
