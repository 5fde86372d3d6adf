"""A database built once with dbt, whose copies play histories, and how many of them are tried."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from orchestration.settings import Settings
from tests.conftest import drop_database
from tests.integration.exact.history import Player
from tests.integration.exact.replay import Project, capture


@pytest.fixture(scope="session")
def project_settings(new_settings: Callable[[Path], Settings], scratch_home: Path) -> Settings:
    return new_settings(scratch_home)


@pytest.fixture(scope="session")
def project(project_settings: Settings) -> Project:
    """The statements of the models, captured; its template is a database with all tables and no rows."""
    return capture(project_settings)


Players = Callable[[datetime], AbstractContextManager[Player]]


@pytest.fixture(scope="session")
def player(
    project: Project, project_settings: Settings, empty_database: Callable[..., str], server: str
) -> Players:
    """`with player(start) as playing:` gives a database of its own to play on, dropped afterwards."""

    @contextmanager
    def make(start: datetime) -> Iterator[Player]:
        url = empty_database(project.template)
        playing = Player(project, replace(project_settings, database_url=url), start)
        try:
            yield playing
        finally:
            playing.close()
            with psycopg.connect(server, autocommit=True) as connection:
                drop_database(connection, urlsplit(url).path.lstrip("/"))

    return make
