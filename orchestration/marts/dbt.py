"""How dbt is called: where the project lies, its environment, its arguments, and one run in this process.

Belongs here: everything that knows dbt's command line. Does not belong here: what has to be built (plan.py),
when and under which lock (build.py). dbt is imported only when it runs: the import takes seconds.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg.conninfo import conninfo_to_dict

from orchestration.errors import MetricpressError
from orchestration.settings import Settings
from orchestration.warehouse.connection import database_url

PROJECT_DIR = Path(__file__).resolve().parents[2] / "dbt_project"

#: Nodes that make nothing: unit tests belong to the test suite, an exposure only names who reads the marts.
NOT_BUILT = ("unit_test", "exposure")

#: Called after each finished node with (nodes finished, nodes in all, name of the node).
Progress = Callable[[int, int, str], None]
#: Called with the unique id of each node that was made without an error, in the thread that made it.
Made = Callable[[str], None]


@dataclass(frozen=True)
class NodeResult:
    """What became of one model or test; `relation` holds a test's failing rows, `failures` counts them."""

    unique_id: str
    name: str
    kind: str
    status: str
    message: str
    seconds: float
    failures: int
    relation: str | None
    blocking: bool
    mart: str | None


def dbt_environment(settings: Settings) -> dict[str, str]:
    """The variables that dbt_project/profiles.yml reads, for the warehouse of these settings."""
    parts = conninfo_to_dict(database_url(settings))
    return {
        "METRICPRESS_DBT_HOST": str(parts.get("host") or "localhost"),
        "METRICPRESS_DBT_PORT": str(parts.get("port") or 5432),
        "METRICPRESS_DBT_USER": str(parts.get("user") or ""),
        "METRICPRESS_DBT_PASSWORD": str(parts.get("password") or ""),
        "METRICPRESS_DBT_DBNAME": str(parts.get("dbname") or ""),
        "METRICPRESS_DBT_SSLMODE": str(parts.get("sslmode") or "prefer"),
        # Models are large statements run once: compiling them took ten times as long as running them.
        "PGOPTIONS": "-c jit=off -c synchronous_commit=off",
    }


def project_args(project_dir: Path = PROJECT_DIR) -> list[str]:
    """Arguments that name the dbt project, for any dbt command."""
    return ["--project-dir", str(project_dir), "--profiles-dir", str(project_dir)]


def build_args(*, full_refresh: bool) -> list[str]:
    """Arguments of the dbt command that builds and checks the models.

    Views stand since the last full refresh, which any change of the models' SQL brings about.
    """
    command = ["build", *(f"--exclude-resource-type={kind}" for kind in NOT_BUILT)]
    return (
        [*command, "--full-refresh"] if full_refresh else [*command, "--exclude", "config.materialized:view"]
    )


def project_hash(project_dir: Path = PROJECT_DIR) -> str:
    """SHA-256 over the SQL of models and macros: figures built by other SQL have to be built anew."""
    digest = hashlib.sha256()
    for folder in ("models", "macros"):
        for path in sorted((project_dir / folder).rglob("*.sql")):
            digest.update(path.relative_to(project_dir).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def run_dbt(
    args: list[str],
    environment: Mapping[str, str],
    progress: Progress | None = None,
    made: Made | None = None,
    project_dir: Path = PROJECT_DIR,
) -> list[NodeResult]:
    """Run dbt in this process and return what became of each node.

    Raises MetricpressError when dbt cannot run at all, such as for a model that does not compile.
    """
    from dbt.cli.main import dbtRunner

    finished = 0
    total = 0

    def on_event(event: Any) -> None:
        nonlocal finished, total
        if event.info.name in ("NodeStart", "NodeFinished"):
            total = max(total, int(getattr(event.data, "total", 0) or 0))
        if event.info.name == "NodeFinished":
            finished += 1
            if progress is not None:
                progress(finished, max(total, finished), event.data.node_info.node_name)
            if made is not None and event.data.node_info.node_status == "success":
                made(event.data.node_info.unique_id)
        if event.info.name == "LogStartLine":
            total = max(total, int(event.data.total))

    with _environment(environment):
        outcome = dbtRunner(callbacks=[on_event]).invoke(
            [*args, *project_args(project_dir), "--log-level", "none", "--log-level-file", "warn"]
        )
    if outcome.exception is not None:
        raise MetricpressError(
            f"dbt could not run: {outcome.exception}",
            remedy="Run `metricpress doctor`; the models are in dbt_project/models.",
            exit_code=1,
        ) from outcome.exception
    results = getattr(outcome.result, "results", None)
    return [_node_result(result) for result in results or []]


def _node_result(result: Any) -> NodeResult:
    node = result.node
    kind = str(node.resource_type)
    return NodeResult(
        unique_id=node.unique_id,
        name=node.name,
        kind=kind,
        status=str(result.status),
        message=result.message or "",
        seconds=float(result.execution_time),
        failures=int(result.failures or 0),
        relation=getattr(node, "relation_name", None),  # unit tests have none
        blocking=_is_blocking(dict(getattr(node.config, "meta", {}) or {})),
        mart=_mart_of(kind, node.name, getattr(node, "attached_node", None)),
    )


def _is_blocking(meta: Mapping[str, Any]) -> bool:
    return bool(meta.get("blocking", False))


def _mart_of(kind: str, name: str, attached_node: str | None) -> str | None:
    if kind == "test":
        return attached_node.rsplit(".", 1)[-1] if attached_node else None
    return name


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
