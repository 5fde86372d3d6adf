"""The code location loads in a fresh interpreter, without a database, and holds what the committed list says.

After an intended change: UPDATE_SNAPSHOTS=1 pytest tests/contracts/test_definitions.py, and look at the
difference of definitions.txt before committing it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestration.dev import make_manifest
from orchestration.settings import Settings

pytestmark = pytest.mark.timeout(240)
PROJECT = Path(__file__).resolve().parents[2]
SNAPSHOT = Path(__file__).with_name("definitions.txt")
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
LISTING = """
from orchestration.definitions import defs
repository = defs.get_repository_def()
graph = repository.asset_graph
nodes = [graph.get(key) for key in graph.get_all_asset_keys()]
for kind, names in {
    "asset": [
        f"{node.key.to_user_string()} ({node.group_name}; {', '.join(node.owners)}"
        f"{'; daily' if node.partitions_def else ''})"
        for node in nodes
    ],
    "check": [key.to_user_string() for key in graph.asset_check_keys],
    "job": [job.name for job in repository.get_all_jobs()],
    "schedule": [f"{s.name} ({s.cron_schedule}, {s.default_status.value})" for s in repository.schedule_defs],
    "sensor": [f"{s.name} ({s.default_status.value})" for s in repository.sensor_defs],
}.items():
    for name in sorted(names):
        print(kind, name)
print("---")
for node in nodes:
    if not node.owners or not node.description or not node.kinds:
        print("no owner, description or kind:", node.key.to_user_string())
"""


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """What a fresh interpreter finds, with a database address where nothing listens."""
    home = tmp_path_factory.mktemp("home")
    make_manifest(Settings(home=home, output_dir=home, database_url=NOWHERE))
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("METRICPRESS_", "DAGSTER_"))}
    environment |= {
        "METRICPRESS_HOME": str(home),
        "METRICPRESS_DATABASE_URL": NOWHERE,
        "PYTHONWARNINGS": "error::UserWarning",
    }
    done = subprocess.run(
        [sys.executable, "-c", LISTING],
        cwd=PROJECT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found, _, bare = done.stdout.partition("---\n")
    return found, bare


def test_definitions_are_those_of_the_committed_list(listing: tuple[str, str]) -> None:
    if os.environ.get("UPDATE_SNAPSHOTS"):
        SNAPSHOT.write_text(listing[0])
    assert listing[0].splitlines() == SNAPSHOT.read_text().splitlines()


def test_every_asset_says_what_it_is_and_whose(listing: tuple[str, str]) -> None:
    assert listing[1] == ""
