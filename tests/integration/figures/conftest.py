"""Two generated businesses over two clock changes, with a load and tombstones, built once for this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from orchestration.figures.catalogue import Clock, Metric, read_catalogue, read_clocks
from orchestration.marts.build import build
from orchestration.settings import Settings
from orchestration.sources.files.load import LoadOptions, load
from orchestration.sources.generate import GenerateOptions, generate
from orchestration.warehouse.connection import connect
from tests.integration.figures.recounting import World

LAST_DAY = date(2025, 3, 31)


@dataclass
class Business:
    """The built database: its tenants, their rows for a second reader, and the load of two sessions."""

    settings: Settings
    clocks: dict[str, Clock]
    worlds: dict[str, World]
    metrics: dict[str, Metric]
    load_id: UUID

    @property
    def tenants(self) -> list[str]:
        return sorted(self.clocks)


@pytest.fixture(scope="session")
def business(new_settings: Callable[[Path], Settings], tmp_path_factory: pytest.TempPathFactory) -> Business:
    folder = tmp_path_factory.mktemp("figures")
    settings = new_settings(folder)
    with connect(settings, autocommit=True) as connection:
        generate(
            connection,
            GenerateOptions(tenants=2, days=75, sessions=2500, subscriptions=90, seed=11, end=LAST_DAY),
        )
        one = connection.execute("select min(tenant_id) from raw.tenants").fetchone()
        assert one is not None
        connection.execute(
            "update raw.sessions set deleted_at = now() where session_id in "
            "(select session_id from raw.sessions where started_at >= '2025-03-09' order by 1 limit 9)"
        )
        file = folder / "late.csv"
        file.write_text(
            "session_id,user_id,started_at\nlate-1,late-user,2025-03-09T12:00:00Z\n"
            "late-2,late-user,2025-03-10T03:59:59Z\n"
        )
        loaded = load(connection, "sessions", [file], LoadOptions(tenant=one[0]))
    build(settings, as_of=LAST_DAY)
    with connect(settings) as connection:
        clocks = {clock.tenant_id: clock for clock in read_clocks(connection)}
        worlds = {name: World(connection, name, clock.as_of) for name, clock in clocks.items()}
        metrics = {metric.metric: metric for metric in read_catalogue(connection)}
    return Business(settings, clocks, worlds, metrics, loaded.load_id)


@pytest.fixture
def reader(business: Business) -> Iterator[psycopg.Connection[Any]]:
    with connect(business.settings, "pipeline") as connection:
        yield connection
