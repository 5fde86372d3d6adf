"""What the random histories stand on: a replayed build is the real dbt build."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orchestration.marts.build import build, open_build
from tests.integration.exact.conftest import Players
from tests.integration.exact.history import Build, Write
from tests.integration.exact.replay import (
    Project,
    content,
    differences,
    full_content,
    portable,
    run_and_capture,
)
from tests.integration.exact.strategies import COLUMNS, DOMAINS
from tests.integration.exact.test_planted_bugs import START, TENANTS, a_row_of_each_table

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
NEXT_DAY = START + timedelta(days=1)


def test_replayed_build_is_the_real_one(player: Players, project: Project) -> None:
    """The same history by dbt and replayed: equal rows, and dbt sends the statements that were captured."""
    rows = a_row_of_each_table("t0")
    changes = [
        Write("set", "sessions", (("tenant_id", "t0"), ("session_id", "s1")), (("user_id", "u3"),)),
        Write("delete", "calls", (("tenant_id", "t0"), ("call_id", "c1"))),
    ]
    contents = []
    for by_dbt in (False, True):
        with player(START) as playing:
            for operation in (*TENANTS, *rows):
                operation.run(playing.raw)
            playing.build(Build())
            for operation in changes:
                operation.run(playing.raw)
            if by_dbt:
                with open_build(playing.settings, as_of=NEXT_DAY) as current:
                    sent, _ = run_and_capture(current)
                for model in project.models:
                    statements = sent[f"model.metricpress.{model.name}"]
                    assert tuple(portable(s, playing.settings) for s in statements) == model.incremental
            else:
                playing.build(Build(timedelta(days=1)))
            contents.append(content(playing.models, project))
            if by_dbt:
                replayed_full = full_content(playing.models, project)
                build(playing.settings, as_of=NEXT_DAY, full_refresh=True)
                assert not differences(project, replayed_full, content(playing.models, project))
    assert not differences(project, *contents)
    # A mart without rows would be equal whatever its SQL does.
    assert not [table for table, rows_of in contents[0].items() if table.startswith("marts.") and not rows_of]


def test_every_raw_table_is_in_a_history() -> None:
    from orchestration.warehouse.contract import TABLES

    assert set(COLUMNS) == set(TABLES) - {"tenants"}
    assert {table for tables in DOMAINS.values() for table in tables} == set(COLUMNS)
