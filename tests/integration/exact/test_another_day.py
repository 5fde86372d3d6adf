"""The same raw rows, settings and as_of give the same marts on whatever day they are built.

Where libfaketime is installed (apt install libfaketime), a server runs 500 days ahead and the real build
fills its marts; everywhere, no statement of a model may ask for the time.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestration.marts.build import build
from orchestration.settings import Settings
from orchestration.warehouse import programs
from orchestration.warehouse.connection import connect
from orchestration.warehouse.migrate import migrate
from orchestration.warehouse.server import EmbeddedServer
from tests.integration.exact.conftest import Players
from tests.integration.exact.history import Build
from tests.integration.exact.replay import Project, content, differences
from tests.integration.exact.test_planted_bugs import START, TENANTS, a_row_of_each_table

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

ROWS = (*TENANTS, *a_row_of_each_table("t0"), *a_row_of_each_table("t1"))
LIBRARY = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))), None)
CLOCK = re.compile(
    r"\b(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday)\s*\(|"
    r"\b(current_date|current_time|current_timestamp|localtime|localtimestamp|loaded_at|updated_at\s*>\s*now)\b|"
    r"'(now|today|tomorrow|yesterday)'",
    re.IGNORECASE,
)
#: Which models may name loaded_at: of two changes at one instant the later loaded one holds.
BY_ORDER_OF_LOADING = ("int_revenue__subscription_periods", "pipeline_freshness")


def test_no_model_asks_for_the_time(project: Project) -> None:
    found = {
        (model.name, match.group(0))
        for model in project.models
        for statement in (*model.incremental, model.full)
        for match in CLOCK.finditer(statement)
    }
    # The state of a mart tells when it was built; it is no figure.
    state = {(model.name, "clock_timestamp(") for model in project.models}
    assert {(name, asked) for name, asked in found - state if name not in BY_ORDER_OF_LOADING} == set()
    for model in project.models:
        if model.name not in BY_ORDER_OF_LOADING:
            assert "clock_timestamp" not in model.full
            told = [s for s in model.incremental if "clock_timestamp" in s]
            assert all("build.mart_state" in s.replace('"', "") for s in told), model.name


@pytest.fixture
def later_settings(scratch_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A warehouse on a server whose clock is 500 days ahead."""
    if LIBRARY is None:
        pytest.skip("libfaketime is not installed: apt install libfaketime")
    run = subprocess.run

    def run_later(*arguments: Any, **options: Any) -> Any:
        faked = {"LD_PRELOAD": str(LIBRARY), "FAKETIME": "+500d", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        return run(*arguments, **(options | {"env": (options.get("env") or dict(os.environ)) | faked}))

    home = scratch_home / "later"
    home.mkdir(mode=0o755)
    with monkeypatch.context() as patch:
        patch.setattr(programs.subprocess, "run", run_later)
        server = EmbeddedServer(home)
        url = server.start(durable=False).url
    settings = Settings(home=home, output_dir=home, database_url=url)
    migrate(settings)
    yield settings
    server.remove()


def test_built_on_another_day(later_settings: Settings, player: Players, project: Project) -> None:
    with connect(later_settings, autocommit=True) as raw:
        row = raw.execute("select now()").fetchone()
        assert row is not None
        assert row[0] > datetime.now(UTC) + timedelta(days=499)
        for write in ROWS:
            write.run(raw)
    build(later_settings, as_of=START)
    with connect(later_settings, "pipeline") as connection:
        built_later = content(connection, project)
    with player(START) as playing:
        for write in ROWS:
            write.run(playing.raw)
        playing.build(Build())
        assert differences(project, content(playing.models, project), built_later) == ""
