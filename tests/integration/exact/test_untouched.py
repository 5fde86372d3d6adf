"""Rows that need not change are not touched: xmin stays, in every table that models keep."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.integration.exact.conftest import Players
from tests.integration.exact.history import Build, Player, Write, put
from tests.integration.exact.replay import content
from tests.integration.exact.test_planted_bugs import START, TENANTS, a_row_of_each_table

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


def versions(player: Player) -> dict[str, dict[str, str]]:
    """Table -> row -> the transaction that wrote it."""
    found = content(player.models, player.project, "xmin, ")
    return {
        table: {row.partition(",")[2]: row.partition(",")[0] for row in rows} for table, rows in found.items()
    }


def rewritten(before: dict[str, dict[str, str]], after: dict[str, dict[str, str]]) -> dict[str, list[str]]:
    """Rows with the same content as before that were written all the same."""
    found = {
        table: [row for row, xmin in rows.items() if before[table].get(row, xmin) != xmin]
        for table, rows in after.items()
    }
    return {table: rows for table, rows in found.items() if rows}


STEPS: dict[str, tuple[Write | Build, ...]] = {
    "nothing new": (Build(),),
    "an hour later on the same day": (Build(timedelta(hours=1)),),
    "a day later": (Build(timedelta(days=1)),),
    "over the end of a month": (Build(timedelta(days=31)),),
    "every day forced": (Build(forced_days=90),),
    "one more session": (
        put("sessions", "t0", "s7", user_id="u7", started_at="2025-03-05 12:00 UTC"),
        Build(),
    ),
    "a row put again as it is": (a_row_of_each_table("t0")[5], a_row_of_each_table("t0")[9], Build()),
    "a build that failed": (
        put("jobs", "t0", "j7", status="failed", started_at="2025-03-06 12:00 UTC"),
        Build(fails_at=60),
        Build(),
    ),
}


def test_unchanged_rows_keep_their_version(player: Players) -> None:
    with player(START) as playing:
        for write in (*TENANTS, *a_row_of_each_table("t0"), *a_row_of_each_table("t1")):
            write.run(playing.raw)
        playing.build(Build())
        for name, operations in STEPS.items():
            before = versions(playing)
            for operation in operations:
                if isinstance(operation, Write):
                    operation.run(playing.raw)
                else:
                    playing.build(operation)
            after = versions(playing)
            assert rewritten(before, after) == {}, name
            if name == "nothing new":
                assert before == after
            if name == "one more session":
                # Of the other tenant not a row.
                changed = {row for table in after for row in after[table].keys() - before[table].keys()}
                assert changed
                assert not [row for row in changed if "t1" in row.split(",")[0]]
        assert playing.check() == ""
