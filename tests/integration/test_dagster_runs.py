"""Real runs of the Dagster definitions on an ephemeral instance: PostgreSQL, dbt and the build plan are real.

The dbt project is a tiny one over the same raw tables (tiny_dbt): what is tested here is how a run meets a
build, not the marts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest

from orchestration.build import Overrides, build_defs
from orchestration.defs.decisions import last_build, open_days
from orchestration.defs.resources import BuildOpener
from orchestration.delivery import service, subscriptions
from orchestration.delivery.subscriptions import Subscription
from orchestration.dev import make_manifest
from orchestration.marts.build import Build, open_build
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
TINY = Path(__file__).parent / "tiny_dbt"
REPORT_MARTS = Path(__file__).parents[1] / "unit" / "reports" / "fixtures" / "marts.sql"
SESSIONS = dg.AssetKey(["marts", "daily_sessions"])
TOTALS = dg.AssetKey(["marts", "session_totals"])
VIEW = dg.AssetKey(["staging", "stg_sessions"])


@pytest.fixture(scope="module")
def rows(module_settings: Settings) -> Settings:
    """Two tenants; the day of `b` begins eleven hours before that of `a`."""
    make_manifest(module_settings, TINY)
    with connect(module_settings) as conn:
        conn.execute(
            "insert into raw.tenants (tenant_id, name, timezone)"
            " values ('a', 'A', 'UTC'), ('b', 'B', 'Pacific/Auckland')"
        )
        conn.execute(
            "insert into raw.sessions (tenant_id, session_id, user_id, started_at) values"
            " ('a', '1', 'u', '2026-11-01T10:00Z'), ('a', '2', 'u', '2026-11-02T10:00Z'),"
            " ('b', '1', 'u', '2026-11-02T10:00Z')"
        )
    return module_settings


def definitions(settings: Settings, opener: BuildOpener = open_build) -> dg.Definitions:
    return build_defs(overrides=Overrides(settings=settings, dbt_project_dir=TINY, open_build=opener))


def run(
    defs: dg.Definitions,
    instance: dg.DagsterInstance,
    job: str = "daily_metrics",
    *,
    keys: list[dg.AssetKey] | None = None,
    **arguments: Any,
) -> dg.ExecuteInProcessResult:
    return defs.resolve_job_def(job).execute_in_process(
        instance=instance, asset_selection=keys, raise_on_error=False, **arguments
    )


def materialized(result: dg.ExecuteInProcessResult) -> set[tuple[dg.AssetKey, str | None]]:
    return {
        (event.asset_key, event.partition)
        for event in result.get_asset_materialization_events()
        if event.asset_key is not None
    }


def builds(settings: Settings) -> list[tuple[Any, ...]]:
    with connect(settings) as conn:
        return conn.execute(
            "select status, forced_from::text, forced_to::text from build.builds order by started_at"
        ).fetchall()


def test_days_and_ranges(rows: Settings) -> None:
    """One partition, then a range in a single run, then one asset of several: one build each."""
    defs, instance = definitions(rows), dg.DagsterInstance.ephemeral()

    one = run(defs, instance, partition_key="2026-11-02")
    assert one.success
    assert materialized(one) == {(SESSIONS, "2026-11-02"), (TOTALS, "2026-11-02"), (VIEW, None)}
    assert builds(rows) == [("complete", "2026-11-02", "2026-11-02")]
    with connect(rows) as conn:
        assert conn.execute("select tenant_id, sessions from marts.session_totals order by 1").fetchall() == [
            ("a", 2), ("b", 1),
        ]  # fmt: skip
    checks = {e.check_name: e.passed for e in one.get_asset_check_evaluations()}
    assert checks["not_null_daily_sessions_metric_date"] is True
    assert checks["at_most_one_session"] is False, "a warning is told, and does not fail the run"
    (event,) = [e for e in one.get_asset_materialization_events() if e.asset_key == SESSIONS]
    metadata = event.materialization.metadata
    assert metadata["dagster/row_count"].value == 3
    assert "data:image/svg+xml;base64," in str(metadata["rows_by_metric_date"].value)
    observed = {
        str(e.asset_key.path[-1]): e.asset_observation_data.asset_observation.metadata[
            "dagster/row_count"
        ].value
        for e in one.all_events
        if e.event_type_value == "ASSET_OBSERVATION" and e.asset_key
    }
    assert observed["sessions"] == 3
    assert observed["calls"] == 0

    tags = {
        "dagster/asset_partition_range_start": "2026-11-01",
        "dagster/asset_partition_range_end": "2026-11-03",
    }
    several = run(defs, instance, tags=tags, keys=[SESSIONS])
    assert several.success
    assert materialized(several) == {(SESSIONS, f"2026-11-0{day}") for day in (1, 2, 3)}
    assert builds(rows)[1:] == [("complete", "2026-11-01", "2026-11-03")]


def test_what_passes_by_itself_is_tried_again_what_stays_is_not(rows: Settings) -> None:
    attempts = []

    def failing_with(error: Exception, times: int) -> BuildOpener:
        attempts.clear()

        @contextmanager
        def opener(settings: Settings, **arguments: Any) -> Iterator[Build]:
            attempts.append(arguments)
            if len(attempts) <= times:
                raise error
            with open_build(settings, **arguments) as build:
                yield build

        return opener

    instance = dg.DagsterInstance.ephemeral()
    lasting = failing_with(psycopg.errors.UndefinedTable("no such table"), times=9)
    assert not run(definitions(rows, lasting), instance, partition_key="2026-11-02").success
    assert len(attempts) == 1

    passing = failing_with(psycopg.OperationalError("connection refused"), times=1)
    result = run(definitions(rows, passing), instance, partition_key="2026-11-02")
    assert result.success
    assert len(attempts) == 2
    assert [e.event_type_value for e in result.all_events].count("STEP_UP_FOR_RETRY") == 1


def tick(
    defs: dg.Definitions, name: str, now: datetime, settings: Settings, instance: dg.DagsterInstance
) -> dg.RunRequest | str:
    """What a schedule decides at `now`: a run request, or the reason to skip."""
    repository = defs.get_repository_def()
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=now,
        resources={"settings": settings},
        repository_def=repository,
    )
    data = repository.get_schedule_def(name).evaluate_tick(context)
    if data.run_requests:
        (request,) = data.run_requests
        return request
    return data.skip_message or ""


def test_ticks_ask_for_a_run_only_when_there_is_something_to_do(settings: Settings, tmp_path: Path) -> None:
    make_manifest(settings, TINY)
    defs, instance = definitions(settings), dg.DagsterInstance.local_temp(str(tmp_path))
    now = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)  # in Auckland 01:00 on the 21st
    with connect(settings) as conn:
        assert tick(defs, "daily_metrics", now, settings, instance) == "every tenant's last day is closed"
        assert "no raw row" in str(tick(defs, "intraday_refresh", now, settings, instance))
        conn.execute(
            "insert into raw.tenants (tenant_id, name, timezone)"
            " values ('a', 'A', 'UTC'), ('b', 'B', 'Pacific/Auckland')"
        )
        conn.execute("insert into build.builds (as_of, status) values ('2026-11-20T10:30Z', 'complete')")
        conn.commit()

        # a: the 19th is closed. b: at 10:30 UTC the 20th was still running; it has ended since.
        assert [(d.tenant_id, str(d.first), str(d.last)) for d in open_days(conn, now)] == [
            ("b", "2026-11-20", "2026-11-20")
        ]
        assert open_days(conn, now - timedelta(minutes=1)) == [], "not before 01:00"
        closing = tick(defs, "daily_metrics", now, settings, instance)
        assert isinstance(closing, dg.RunRequest)
        assert closing.tags["dagster/asset_partition_range_start"] == "2026-11-20"
        assert closing.tags["dagster/asset_partition_range_end"] == "2026-11-20"
        assert closing.tags["metricpress/tenants"] == "b"

        # The tenants' rows are changes nobody has built yet.
        refresh = tick(defs, "intraday_refresh", now, settings, instance)
        assert isinstance(refresh, dg.RunRequest)
        assert refresh.partition_key == "2026-11-20"

        # A failed build closes nothing; one tenant's own build closes only that tenant.
        conn.execute("insert into build.builds (as_of, status) values (%s, 'failed')", (now,))
        assert [d.tenant_id for d in open_days(conn, now)] == ["b"]
        conn.execute(
            "insert into build.builds (as_of, tenant_id, status) values (%s, 'b', 'complete')", (now,)
        )
        assert open_days(conn, now) == []
        conn.commit()
        assert tick(defs, "daily_metrics", now, settings, instance) == "every tenant's last day is closed"

        # A clock that has stopped needs no more days.
        later = now + timedelta(days=3)
        assert {d.tenant_id for d in open_days(conn, later)} == {"a", "b"}
        conn.execute(
            "insert into reporting.tenant_settings (tenant_id, clock_stops_at)"
            " values ('b', '2026-11-20T09:00Z')"
        )
        assert {d.tenant_id for d in open_days(conn, later)} == {"a"}

        conn.execute("delete from raw.changes")
        assert last_build(conn).pending is False


def test_no_tick_piles_up_behind_a_running_build(settings: Settings, tmp_path: Path) -> None:
    make_manifest(settings, TINY)
    defs, instance = definitions(settings), dg.DagsterInstance.local_temp(str(tmp_path))
    job = defs.resolve_job_def("intraday_refresh")
    instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    now = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    for name in ("daily_metrics", "intraday_refresh"):
        assert "under way" in str(tick(defs, name, now, settings, instance))


def test_a_missing_manifest_names_the_command(settings: Settings) -> None:
    with pytest.raises(Exception, match="manifest") as caught:
        build_defs(overrides=Overrides(settings=settings, dbt_project_dir=TINY))
    assert "orchestration.dev --prepare" in getattr(caught.value, "remedy", "")


@pytest.fixture(scope="module")
def reported(new_settings: Callable[[Path], Settings], tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Two tenants whose marts are built: the real reports over made-up figures."""
    settings = new_settings(tmp_path_factory.mktemp("reported"))
    make_manifest(settings, TINY)
    with connect(settings) as conn:
        conn.execute(REPORT_MARTS.read_text())
        conn.execute("grant select on all tables in schema marts to metricpress_pipeline")
        conn.execute(
            "insert into raw.tenants (tenant_id, name, timezone)"
            " values ('harbour', 'Harbour', 'UTC'), ('volt', 'Volt', 'UTC')"
        )
        conn.execute(
            "with b as (insert into build.builds (as_of, status) values (now(), 'complete') returning *)"
            " insert into build.mart_state (mart, build_id) select 'tenants', build_id from b"
        )
    return settings


@pytest.fixture
def harbour(reported: Settings) -> Settings:
    """The same with an empty ledger."""
    with connect(reported) as conn:
        for table in ("report_deliveries", "report_occurrences", "report_subscriptions"):
            conn.execute(f"delete from reporting.{table}")
    return reported


def ledger(settings: Settings) -> list[tuple[str, int, str]]:
    with connect(settings) as conn:
        return conn.execute(
            "select recipient, attempt_group, delivery_status from reporting.report_deliveries order by 1, 2"
        ).fetchall()


def with_form(op: str, **answers: Any) -> dict[str, Any]:
    return {"ops": {op: {"config": answers}}}


def metadata_of(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    (event,) = [e for e in result.all_events if e.event_type_value == "ASSET_MATERIALIZATION"]
    return dict(event.step_materialization_data.materialization.metadata)


RANGE = {
    "tenant": "harbour", "report": "lead_performance", "first_day": "2026-10-12", "last_day": "2026-10-15",
}  # fmt: skip


def test_a_report_on_demand_by_its_form(harbour: Settings) -> None:
    defs, instance = definitions(harbour), dg.DagsterInstance.ephemeral()
    shown = run(defs, instance, "report_on_demand", run_config=with_form("render_report", **RANGE))
    assert shown.success
    name = "harbour_lead_performance_range_2026-10-12_2026-10-15"
    assert {f"{name}.pdf", f"first page of {name}"} <= set(metadata_of(shown))
    assert ledger(harbour) == [], "without recipients nothing is recorded"

    form = with_form("render_report", **RANGE, recipients=["ceo@harbour.example"])
    sent = run(defs, instance, "report_on_demand", run_config=form)
    assert sent.success
    assert "ceo@harbour.example" in str(metadata_of(sent)["deliveries"].value)
    assert {path for path in metadata_of(sent) if path.startswith(name)} == {f"{name}.pdf"}
    assert ledger(harbour) == [("ceo@harbour.example", 1, "sent")]

    weekly = with_form("render_report", tenant="harbour", report="lead_performance", frequency="WEEKLY",
                       period="2026-10-14", recipients=["ceo@harbour.example"])  # fmt: skip
    assert run(defs, instance, "report_on_demand", run_config=weekly).success
    wrong = with_form("render_report", **(RANGE | {"parameters": {"staff_rows": 0}}))
    refused = run(defs, instance, "report_on_demand", run_config=wrong)
    assert not refused.success
    assert "staff_rows" in str(refused.get_step_failure_events()[0].step_failure_data.error)


def test_another_attempt_of_a_run_sends_nothing_twice(
    harbour: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database goes away after the report went out: the step runs again, the report does not."""
    real, calls = service.dispatch, []

    def lost_afterwards(*arguments: Any, **more: Any) -> Any:
        result = real(*arguments, **more)
        calls.append(result)
        if len(calls) == 1:
            raise psycopg.OperationalError("server closed the connection unexpectedly")
        return result

    monkeypatch.setattr(service, "dispatch", lost_afterwards)
    form = with_form("render_report", **RANGE, recipients=["ceo@harbour.example"])
    result = run(definitions(harbour), dg.DagsterInstance.ephemeral(), "report_on_demand", run_config=form)
    assert len(calls) == 2
    assert ledger(harbour) == [("ceo@harbour.example", 1, "sent")]
    assert result.success


def test_a_recipient_who_got_nothing_fails_the_run_and_resend_mends_it(harbour: Settings) -> None:
    defs, instance = definitions(harbour), dg.DagsterInstance.ephemeral()
    blocked = harbour.home / "outbox" / "blocked"
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("a file where the folder should be")
    form = with_form("render_report", **RANGE, method="file", recipients=["fine", "blocked"])
    failed = run(defs, instance, "report_on_demand", run_config=form)
    assert not failed.success
    (event,) = failed.get_step_failure_events()
    told = event.step_failure_data.error_display_string
    assert "blocked: failed" in told
    assert "fine" not in told.replace("fine: sent", "")
    assert "not_delivered" in event.step_failure_data.user_failure_data.metadata
    assert ledger(harbour) == [("blocked", 1, "failed"), ("fine", 1, "sent")]

    blocked.unlink()
    mended = run(defs, instance, "resend_failed", run_config=with_form("send_again", tenant="harbour"))
    assert mended.success
    assert ledger(harbour) == [("blocked", 1, "failed"), ("blocked", 2, "sent"), ("fine", 1, "sent")]
    again = run(defs, instance, "resend_failed", run_config=with_form("send_again"))
    assert again.success
    assert len(ledger(harbour)) == 3


def test_the_dispatch_job_takes_one_tenant(harbour: Settings) -> None:
    with connect(harbour) as conn:
        for tenant in ("harbour", "volt"):
            subscriptions.add(
                conn,
                Subscription(
                    tenant_id=tenant, name="daily", report="lead_performance", frequency="daily",
                    recipients=(f"ceo@{tenant}.example",), delivery_time=time(0), starts_on=date(2020, 1, 1),
                ),
            )  # fmt: skip
            conn.execute(
                "insert into reporting.tenant_settings (tenant_id, clock_stops_at)"
                " values (%s, '2026-10-20T12:00Z')",
                (tenant,),
            )
    form = {"ops": {"dispatch_reports": {"config": {"tenant": "harbour"}}}}
    result = run(definitions(harbour), dg.DagsterInstance.ephemeral(), "report_dispatch", run_config=form)
    assert result.success
    assert [row[0] for row in ledger(harbour)] == ["ceo@harbour.example"]
