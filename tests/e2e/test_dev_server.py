"""`make dev` as a user starts it: the UI answers, the location loads, runs launched there do their work."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from email import message_from_binary_file, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]
PROJECT = Path(__file__).resolve().parents[2]
LOCATION = "metricpress"
SELECTOR = {"repositoryName": "__repository__", "repositoryLocationName": LOCATION}
DAY = "2026-03-02"
OPERATOR = "operator@example.com"

LOCATION_STATE = """
{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus locationOrLoadError {
    __typename ... on PythonError { message } } } } } }
"""
AUTOMATION = """
query ($selector: RepositorySelector!) {
  schedulesOrError(repositorySelector: $selector) {
    ... on Schedules { results { name scheduleState { status } } } }
  sensorsOrError(repositorySelector: $selector) {
    ... on Sensors { results { name sensorState { status } } } }
}
"""
LAUNCH = """
mutation ($params: ExecutionParams!) { launchRun(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""
RUN = """
query ($run: ID!) { runOrError(runId: $run) { ... on Run { status eventConnection {
    events { __typename ... on MessageEvent { message }
        ... on ErrorEvent { error { message } }
        ... on MaterializationEvent { assetKey { path } partition metadataEntries { label } } } } } } }
"""
Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def started(module_settings: Settings) -> Iterator[Ask]:
    """Rows of one tenant, and the dev server on them; gives a function that asks its GraphQL API."""
    with connect(module_settings) as conn:
        conn.execute(
            "insert into raw.tenants (tenant_id, name, timezone) values ('gym', 'Gym', 'Europe/Lisbon')"
        )
        conn.execute(
            "insert into raw.sessions (tenant_id, session_id, user_id, started_at) values"
            " ('gym', '1', 'ann', %(day)s::date + time '10:00'),"
            " ('gym', '2', 'bob', %(day)s::date + time '11:00'),"
            " ('gym', '3', 'bob', %(day)s::date + time '12:00')",
            {"day": DAY},
        )
        # History ends soon after: no schedule finds a day to close while the test runs.
        conn.execute(
            "insert into reporting.tenant_settings (tenant_id, clock_stops_at) values ('gym', '2026-03-05')"
        )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("METRICPRESS_", "DAGSTER_"))}
    environment |= {
        "METRICPRESS_HOME": str(module_settings.home),
        "METRICPRESS_DATABASE_URL": module_settings.database_url or "",
        "METRICPRESS_REFRESH_MINUTES": "1440",
        "METRICPRESS_OPERATOR": OPERATOR,
    }
    log = module_settings.home / "dev.log"
    # Tests in the background of a shell ignore Ctrl-C, and children would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with log.open("w") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "orchestration.dev", "--port", str(port)],
            cwd=PROJECT, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def ask(query: str, **variables: object) -> dict[str, Any]:
        assert server.poll() is None, log.read_text()[-3000:]
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/graphql",
            json.dumps({"query": query, "variables": variables}).encode(),
            {"content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                content = json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{error}\n{log.read_text()[-3000:]}") from error
        assert "errors" not in content, content["errors"]
        data: dict[str, Any] = content["data"]
        return data

    try:
        until(lambda: loaded(ask), seconds=240)
        yield ask
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(timeout=90)
        finally:
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGKILL)


def loaded(ask: Ask) -> bool:
    """Whether the server answers and has finished loading the location."""
    try:
        entries = ask(LOCATION_STATE)["workspaceOrError"]["locationEntries"]
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
    return bool(entries) and entries[0]["loadStatus"] == "LOADED"


def until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(1)


def statuses(listed: Mapping[str, Any], state: str) -> dict[str, str]:
    return {entry["name"]: entry[state]["status"] for entry in listed["results"]}


def launch(ask: Ask, job: str, *, tags: Mapping[str, str] | None = None, config: object = None) -> str:
    """Start a run as the UI does; returns its id."""
    launched = ask(
        LAUNCH,
        params={
            "selector": {**SELECTOR, "jobName": job},
            "mode": "default",
            "runConfigData": config or {},
            "executionMetadata": {"tags": [{"key": k, "value": v} for k, v in (tags or {}).items()]},
        },
    )["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run: str = launched["run"]["runId"]
    return run


def ended(ask: Ask, run: str) -> tuple[str, list[dict[str, Any]]]:
    """Status and events of a run, once it has ended."""
    until(lambda: ask(RUN, run=run)["runOrError"]["status"] in ("SUCCESS", "FAILURE"), seconds=420)
    found = ask(RUN, run=run)["runOrError"]
    return found["status"], found["eventConnection"]["events"]


def errors(events: list[dict[str, Any]]) -> str:
    return "\n".join(event["error"]["message"] for event in events if event.get("error"))


def test_the_location_loads_and_its_schedules_run(started: Ask) -> None:
    (entry,) = started(LOCATION_STATE)["workspaceOrError"]["locationEntries"]
    assert (entry["name"], entry["locationOrLoadError"]) == (LOCATION, {"__typename": "RepositoryLocation"})
    automation = started(AUTOMATION, selector=SELECTOR)
    assert statuses(automation["schedulesOrError"], "scheduleState") == dict.fromkeys(
        ("daily_metrics", "housekeeping", "intraday_refresh", "monthly_cohorts", "operator_summary"),
        "RUNNING",
    )
    assert statuses(automation["sensorsOrError"], "sensorState") == dict.fromkeys(
        ("operator_alerts", "report_dispatch", "tell_operator"), "RUNNING"
    )


def test_a_partition_launched_in_the_ui_fills_the_marts(started: Ask, module_settings: Settings) -> None:
    run = launch(started, "daily_metrics", tags={"dagster/partition": DAY})
    status, events = ended(started, run)
    assert status == "SUCCESS", errors(events)
    assert (["marts", "daily_metrics"], DAY) in [
        (e["assetKey"]["path"], e["partition"]) for e in events if e["__typename"] == "MaterializationEvent"
    ]
    with connect(module_settings) as conn:
        assert conn.execute(
            "select total_sessions, dau, is_complete from marts.daily_metrics"
            " where tenant_id = 'gym' and metric_date = %s",
            (DAY,),
        ).fetchone() == (3, 2, True)
        # Dagster's storage is a schema of the same database.
        assert conn.execute("select status from dagster.runs where run_id = %s", (run,)).fetchone() == (
            status,
        )


def form(**answers: object) -> dict[str, Any]:
    """The launchpad's form for one report."""
    common = {"report": "executive", "frequency": "DAILY", "period": DAY}
    return {"ops": {"render_report": {"config": {**common, **answers}}}}


def test_a_report_on_demand_is_rendered_shown_and_sent(started: Ask, module_settings: Settings) -> None:
    run = launch(started, "report_on_demand", config=form(tenant="gym", recipients=["board@example.com"]))
    status, events = ended(started, run)
    assert status == "SUCCESS", errors(events)
    (shown,) = [e for e in events if e["__typename"] == "MaterializationEvent"]
    assert shown["assetKey"]["path"] == ["reports", "executive"]
    labels = {entry["label"] for entry in shown["metadataEntries"]}
    assert any(label.startswith("first page of gym_executive_daily") for label in labels), labels
    (mail,) = mails(module_settings, "board@example.com")
    assert [part.get_filename() for part in mail.iter_attachments()] == [f"gym_executive_daily_{DAY}.pdf"]


def test_the_operator_is_told_of_a_failed_run(started: Ask, module_settings: Settings) -> None:
    run = launch(started, "report_on_demand", config=form(tenant="nobody"))
    status, events = ended(started, run)
    assert status == "FAILURE"
    assert "there is no tenant" in errors(events)
    assert not [e for e in events if e["__typename"] == "ExecutionStepUpForRetryEvent"]

    def told() -> list[EmailMessage]:
        """Without the day's summary, which comes when it is its time."""
        found = mails(module_settings, OPERATOR)
        return [mail for mail in found if mail["subject"] == "metricpress: report_on_demand failed"]

    until(lambda: bool(told()), seconds=120)
    (mail,) = told()
    text = mail.get_body(("plain",))
    assert text is not None
    assert "there is no tenant" in text.get_content()
    assert run in text.get_content()


def mails(settings: Settings, recipient: str) -> list[EmailMessage]:
    """Messages to `recipient` in the outbox that stands for the mail server."""
    found = []
    for path in (settings.home / "outbox").glob("*.eml"):
        with path.open("rb") as file:
            message = message_from_binary_file(file, EmailMessage, policy=policy.default)
        if message["to"] == recipient:
            found.append(message)
    return found
