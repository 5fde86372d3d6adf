"""The benchmarks' reading of the server's log: what they report rests on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.measuring import Server, Statement, busy_seconds

LOG = """\
2026-11-21 13:46:49.500 UTC [3581] metricpress-dbt LOG:  duration: 1500.250 ms  statement: /* {"app": "dbt", \
"node_id": "model.metricpress.daily_metrics"} */
\tselect 1
2026-11-21 13:46:49.600 UTC [3582]  LOG:  checkpoint starting: time
2026-11-21 13:46:50.000 UTC [3583] metricpress-build LOG:  duration: 200.000 ms  execute <unnamed>: select
\t  2
2026-11-21 13:46:50.000 UTC [3583] metricpress-build LOG:  duration: 0.100 ms
"""


def test_statements_carry_their_time_and_the_node_they_belong_to(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("2026-11-21 13:00:00.000 UTC [1] old LOG:  duration: 9.0 ms  statement: before\n" + LOG)
    server = Server.__new__(Server)
    server.log = log

    found = server.statements_since(log.stat().st_size - len(LOG))

    assert [(s.name, s.seconds) for s in found] == [
        ("daily_metrics", pytest.approx(1.50025)),
        ("metricpress-build: select 2", pytest.approx(0.2)),
        ("metricpress-build: ", pytest.approx(0.0001)),
    ]
    assert found[0].ended == pytest.approx(13 * 3600 + 46 * 60 + 49.5)


def test_statements_side_by_side_keep_the_server_busy_once() -> None:
    beside = [Statement(10.0, 4.0, "", ""), Statement(9.0, 2.0, "", ""), Statement(12.0, 3.0, "", "")]

    assert busy_seconds([*beside, Statement(20.0, 1.0, "", "")]) == pytest.approx(6 + 1)
