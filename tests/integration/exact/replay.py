"""Builds of the marts without dbt's overhead: its own statements, captured once, sent again with psycopg.

dbt runs the project twice in a database without rows, as a full refresh and incrementally; each statement it
sends is kept. A replayed build sends those of the incremental run, model by model, each model in one
transaction, inside the real `open_build`: lock, plan and completion are the product's own. Models ask
nothing of the data while they are compiled, so the statements fit every history; test_replay.py holds it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

import psycopg

from orchestration.marts.build import Build, open_build
from orchestration.marts.dbt import (
    NodeResult,
    _environment,
    _node_result,
    build_args,
    project_args,
)
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

Connection = psycopg.Connection[Any]
#: Table -> its rows as text; 0.00 and 0 are one value, so numerics lose their scale.
Content = dict[str, set[str]]

_COMMENT = re.compile(r"^\s*/\*.*?\*/", re.DOTALL)
_WRITES = re.compile(
    r"^\s*(create|insert|delete|update|drop|truncate|alter|with\b.*\binsert into)\b",
    re.IGNORECASE | re.DOTALL,
)
_PREPARES = re.compile(r"^\s*create temporary table (?!\S*__dbt_tmp)", re.IGNORECASE)
_TEMPORARY = re.compile(r"__dbt_tmp\d+")
#: What tells of runs, not of the raw rows.
EXEMPT = ("marts.pipeline_freshness", "marts.report_usage", "marts.metric_alerts")
_KEPT_TABLES = """
    select
        format('%I.%I', table_schema, table_name),
        string_agg(quote_ident(column_name), ', ' order by ordinal_position),
        string_agg(
            format(case data_type when 'numeric' then 'trim_scale(%I)' else '%I' end, column_name),
            ', ' order by ordinal_position
        )
    from information_schema.columns
    join information_schema.tables using (table_schema, table_name)
    where table_schema in ('intermediate', 'marts') and table_type = 'BASE TABLE'
    group by 1
    order by 1
"""


@dataclass(frozen=True)
class Model:
    """A model that keeps rows: statements of an incremental run; what a full refresh prepares and asks."""

    name: str
    relation: str
    columns: str
    values: str
    incremental: tuple[str, ...]
    prepared: tuple[str, ...]
    full: str


@dataclass(frozen=True)
class Project:
    """The models in the order dbt ran them, and the name of an empty, built database to copy."""

    models: tuple[Model, ...]
    template: str

    def position(self, name: str) -> int:
        """Where a model stands in the order of work."""
        return [model.name for model in self.models].index(name)


class KilledError(Exception):
    """A build that was stopped on purpose."""


def run_and_capture(current: Build) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Run the build's models with dbt (no data tests): statements that write and compiled SQL, by model."""
    from dbt.cli.main import dbtRunner

    statements: dict[str, list[str]] = {}

    def on_event(event: Any) -> None:
        if event.info.name == "SQLQuery":
            statement = _COMMENT.sub("", event.data.sql)
            if _WRITES.match(statement):
                statements.setdefault(event.data.node_info.unique_id, []).append(statement)

    arguments = [*build_args(full_refresh=current.full_refresh), "--exclude-resource-type=test"]
    with _environment(current.environment):
        outcome = dbtRunner(callbacks=[on_event]).invoke(
            [*arguments, *project_args(), "--log-level", "none", "--log-level-file", "none"]
        )
    assert outcome.exception is None, outcome.exception
    results: list[Any] = list(getattr(outcome.result, "results", []))
    current.results = [_node_result(result) for result in results]
    return statements, {result.node.unique_id: result.node.compiled_code for result in results}


def portable(statement: str, settings: Settings) -> str:
    """A captured statement for any copy of the database and any moment."""
    database = urlsplit(settings.database_url or "").path.lstrip("/")
    return _TEMPORARY.sub("__dbt_tmp", statement.replace(f'"{database}".', ""))


def capture(settings: Settings) -> Project:
    """Build the empty database of `settings` both ways; it is then the template of all histories."""
    moment = datetime.fromisoformat("2000-01-01T00:00:00+00:00")
    with open_build(settings, as_of=moment, full_refresh=True) as current:
        full_statements, full = run_and_capture(current)
        order = [result.unique_id for result in current.results]
    with open_build(settings, as_of=moment) as current:
        incremental, _ = run_and_capture(current)
    with connect(settings) as connection:
        tables = {row[0]: row[1:] for row in connection.execute(_KEPT_TABLES).fetchall()}
    models = []
    for unique_id in order:
        name = unique_id.rsplit(".", 1)[-1]
        relation = next((table for table in tables if table.rsplit(".", 1)[-1] == name), None)
        if relation is None:
            continue  # a view
        models.append(
            Model(
                name,
                relation,
                *tables[relation],
                tuple(portable(statement, settings) for statement in incremental[unique_id]),
                # The temporary tables of a model's pre-hook.
                tuple(
                    portable(statement, settings)
                    for statement in full_statements[unique_id]
                    if _PREPARES.match(statement)
                ),
                portable(full[unique_id], settings),
            )
        )
    return Project(tuple(models), urlsplit(settings.database_url or "").path.lstrip("/"))


def replay(
    project: Project,
    settings: Settings,
    connection: Connection,
    *,
    as_of: datetime | date,
    tenant: str | None = None,
    forced: tuple[date, date] | None = None,
    fails_at: int | None = None,
    during: tuple[int, Callable[[], None]] | None = None,
) -> bool:
    """One incremental build on `connection`; False when there was nothing to do.

    `fails_at` stops it before the model of that number, `during` calls something before one.
    """
    with open_build(settings, as_of=as_of, tenant=tenant, forced=forced) as current:
        assert not current.full_refresh, "the models' SQL changed while the test ran"
        if current.is_empty:
            return False
        for number, model in enumerate(project.models):
            if fails_at == number:
                raise KilledError
            if during is not None and during[0] == number:
                during[1]()
            run_model(connection, model)
        current.results = [NodeResult("", "replayed", "model", "success", "", 0, 0, None, False, None)]
    return True


def run_model(connection: Connection, model: Model) -> None:
    """What dbt does for one incremental model, in one transaction."""
    with connection.transaction():
        for statement in model.incremental:
            connection.execute(statement.encode())
    connection.execute("discard temp")


def content(connection: Connection, project: Project, prefix: str = "") -> Content:
    """Every row of every table that models keep; `prefix` is a further column in front."""
    return {
        model.relation: {
            row[0]
            for row in connection.execute(
                f"select row({prefix}{model.values})::text from {model.relation}".encode()
            ).fetchall()
        }
        for model in project.models
        if model.relation not in EXEMPT
    }


def full_content(connection: Connection, project: Project) -> Content:
    """The same after a full refresh with the clocks of the last build, which is then rolled back."""
    with connection.transaction(force_rollback=True):
        for model in project.models:
            connection.execute(f"delete from {model.relation}".encode())
            for statement in model.prepared:
                connection.execute(statement.encode())
            connection.execute(
                f"insert into {model.relation} ({model.columns}) "
                f"select {model.columns} from ({model.full}\n) as full_refresh".encode()
            )
        return content(connection, project)


def differences(project: Project, incremental: Content, full: Content) -> str:
    """The first rows that only one of the two has, by table; empty when they are equal."""
    lines = []
    columns = {model.relation: model.columns for model in project.models}
    for table in incremental:
        if incremental[table] != full[table]:
            lines.append(f"{table} ({columns[table]})")
            lines += [f"    only incremental: {row}" for row in sorted(incremental[table] - full[table])[:3]]
            lines += [f"    only full:        {row}" for row in sorted(full[table] - incremental[table])[:3]]
    return "\n".join(lines)
