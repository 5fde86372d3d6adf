"""Fixtures every test may use: a real PostgreSQL and fresh, migrated databases in it.

`server`      URL of a PostgreSQL for the session: the embedded one in a folder of its own, or the one of
              METRICPRESS_TEST_DATABASE_URL (its user must be allowed to create databases and roles).
`settings`    Settings of a fresh, migrated database for one test.
`database`    a connection as its owner, for one test; uncommitted work is rolled back at the end.
`module_settings`, `module_database`: the same, shared by the tests of a module.
`metricpress` runs the command line on `settings`.

A database is copied from a template that is migrated once.
"""

from __future__ import annotations

import io
import itertools
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from orchestration.cli.main import run
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.migrate import migrate
from orchestration.warehouse.server import EmbeddedServer

PROJECT = Path(__file__).resolve().parents[1]
OWN_SERVER = "METRICPRESS_TEST_DATABASE_URL"


@pytest.fixture(autouse=True, scope="session")
def _clean_environment() -> Iterator[None]:
    """No setting of the developer's shell reaches a test."""
    patch = pytest.MonkeyPatch()
    for name in list(os.environ):
        if name.startswith(("METRICPRESS_", "STRIPE_", "SLACK_")) and name != OWN_SERVER:
            patch.delenv(name)
    yield
    patch.undo()


@pytest.fixture(scope="session")
def scratch_home() -> Iterator[Path]:
    """A folder for the session that the server's user can reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="metricpress-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def server(scratch_home: Path) -> Iterator[str]:
    """URL of a database on the session's server, with the rights to create others."""
    given = os.environ.get(OWN_SERVER)
    if given:
        yield given
        return
    embedded = EmbeddedServer(scratch_home)
    yield embedded.start(durable=False).url
    embedded.remove()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of random and long tests; they stand here since pytest reads them before it collects."""
    parser.addoption("--long", action="store_true", help="also the tests marked long")
    group = parser.getgroup("histories", "random histories of tests/integration/exact")
    group.addoption("--histories", type=int, help="how many, made anew each time (default: the same 25)")
    group.addoption("--domain", help="of one domain only: activity, leads, revenue, ...")
    group.addoption("--histories-seed", type=int, help="repeat a run that printed this seed")


#: Seconds a test of each kind may take; a busy machine takes several times what a quiet one does.
TIMEOUTS = {"unit": 60, "integration": 300, "e2e": 1200}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark tests by their folder, those that use the server as integration, and give each its timeout."""
    if not config.getoption("--long"):
        long = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]
    for item in items:
        folder = item.path.relative_to(PROJECT / "tests").parts[0]
        kind = folder if folder in TIMEOUTS else "unit"
        if kind == "unit" and "server" in getattr(item, "fixturenames", ()):
            kind = "integration"
        if item.get_closest_marker(kind) is None:
            item.add_marker(kind)
        kinds = [name for name in TIMEOUTS if item.get_closest_marker(name)]
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(max(TIMEOUTS[name] for name in kinds)))


def with_database(url: str, name: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def drop_database(connection: psycopg.Connection[Any], name: str) -> None:
    """Drop a test's database, whoever is still in it.

    A role that is no superuser may not force out an autovacuum worker; a plain drop asks it to leave.
    """
    drop = sql.SQL("drop database if exists {}").format(sql.Identifier(name))
    for _ in range(12):
        for statement in (drop + sql.SQL(" with (force)"), drop):
            try:
                connection.execute(statement)
                return
            except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ObjectInUse):
                time.sleep(0.5)
    connection.execute(drop)


@pytest.fixture(scope="session")
def empty_database(server: str) -> Iterator[Callable[..., str]]:
    """Makes databases: `empty_database(template=None, owner=None)` gives the URL of a new one."""
    made: list[str] = []
    numbers = itertools.count(1)

    def make(template: str | None = None, owner: str | None = None) -> str:
        name = f"metricpress_test_{os.getpid()}_{next(numbers)}"
        statement = sql.SQL("create database {}").format(sql.Identifier(name))
        if template:
            statement += sql.SQL(" template {} strategy file_copy").format(sql.Identifier(template))
        if owner:
            statement += sql.SQL(" owner {}").format(sql.Identifier(owner))
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(statement)
        made.append(name)
        return with_database(server, name)

    yield make
    if OWN_SERVER not in os.environ:
        return  # they go with the server
    with psycopg.connect(server, autocommit=True) as connection:
        for name in made:
            drop_database(connection, name)


@pytest.fixture(scope="session")
def template(empty_database: Callable[..., str], scratch_home: Path) -> str:
    """Name of a migrated database without rows, to copy from."""
    url = empty_database()
    migrate(Settings(home=scratch_home, output_dir=scratch_home, database_url=url))
    return urlsplit(url).path.lstrip("/")


@pytest.fixture(scope="session")
def new_settings(empty_database: Callable[..., str], template: str) -> Callable[[Path], Settings]:
    """Makes Settings of a fresh, migrated database: `new_settings(home)`."""

    def make(home: Path) -> Settings:
        return Settings(home=home, output_dir=home / "reports", database_url=empty_database(template))

    return make


@pytest.fixture
def settings(new_settings: Callable[[Path], Settings], tmp_path: Path) -> Settings:
    return new_settings(tmp_path)


@pytest.fixture
def database(settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    connection = connect(settings)
    yield connection
    connection.rollback()
    connection.close()


@pytest.fixture(scope="module")
def module_settings(
    new_settings: Callable[[Path], Settings], tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    return new_settings(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def module_database(module_settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    connection = connect(module_settings)
    yield connection
    connection.rollback()
    connection.close()


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment of a process that is to work with these settings."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("METRICPRESS_")}
    environment |= {"METRICPRESS_HOME": str(settings.home), "COLUMNS": "80", "NO_COLOR": "1"}
    environment["METRICPRESS_RENDER_WORKERS"] = str(settings.render_workers)
    if settings.database_url:
        environment["METRICPRESS_DATABASE_URL"] = settings.database_url
    return environment


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def metricpress(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., Outcome]:
    """`metricpress("tenants", "list", stdin="", env={})` runs the command line, in this process."""

    def call(*arguments: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Outcome:
        out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
        with monkeypatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            for name in [name for name in os.environ if name.startswith("METRICPRESS_")]:
                patch.delenv(name)
            for name, value in (environment_of(settings) | dict(env or {})).items():
                patch.setenv(name, value)
            patch.setenv("PGAPPNAME", "")  # the command sets its own, which ends with it
            patch.chdir(tmp_path)
            patch.setattr(sys, "argv", ["metricpress", *arguments])
            patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8"))
            with pytest.raises(SystemExit) as ended:
                run()
        code = ended.value.code
        texts = [stream.buffer.getvalue().decode() for stream in (out, err) if stream.flush() is None]  # type: ignore[attr-defined]
        return Outcome(code if isinstance(code, int) else int(code is not None), *texts)

    return call
