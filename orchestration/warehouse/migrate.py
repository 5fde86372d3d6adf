"""Bring the database to the newest schema, and tell whether it is there.

Belongs here: running the Alembic migrations of ./migrations, safely from several processes. Does not belong
here: the SQL of a migration, and the schemas dbt keeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from orchestration.errors import MetricpressError
from orchestration.settings import Settings
from orchestration.warehouse.audit import record_action
from orchestration.warehouse.connection import connect, database_url, place
from orchestration.warehouse.roles import BI_ROLE, set_bi_password
from orchestration.warehouse.server import EmbeddedServer

FOLDER = Path(__file__).parent / "migrations"
#: Not Alembic's usual name, for the database may hold another program's migrations too.
VERSION_TABLE = "metricpress_migrations"
#: Names the advisory lock that lets one process migrate a database at a time.
LOCK = 7_305_112_001


@dataclass(frozen=True)
class MigrationState:
    """The revision of a database (None: never migrated) and the newest one known here."""

    current: str | None
    newest: str

    @property
    def is_newest(self) -> bool:
        """Whether there is nothing to do."""
        return self.current == self.newest


def newest_revision() -> str:
    """The revision of the last migration file; files are numbered 0001, 0002 and so on."""
    return max(path.name.partition("_")[0] for path in (FOLDER / "versions").glob("[0-9]*.py"))


def migration_state(connection: psycopg.Connection[Any]) -> MigrationState:
    """What the database says about itself; reads only."""
    known = connection.execute("select to_regclass(%s)", [f"public.{VERSION_TABLE}"]).fetchone()
    if known is None or known[0] is None:
        return MigrationState(None, newest_revision())
    query = sql.SQL("select version_num from public.{}").format(sql.Identifier(VERSION_TABLE))
    row = connection.execute(query).fetchone()
    return MigrationState(row[0] if row else None, newest_revision())


def migrate(settings: Settings) -> MigrationState:
    """Run the migrations the database lacks; each in a transaction. Returns the state before.

    Raises MetricpressError when a migration is refused, or when the database is newer than this program.
    """
    with connect(settings, autocommit=True, application_name="metricpress migrate") as connection:
        before = migration_state(connection)
        if not before.is_newest:
            connection.execute("select pg_advisory_lock(%s)", [LOCK])
            _upgrade(settings, migration_state(connection))
        if settings.database_url is None:
            access = EmbeddedServer(settings.home).start()
            set_bi_password(connection, access.bi_password)
            if before.current is None:
                record_action(connection, "grant", "role", BI_ROLE, details={"login": "password set"})
    return before


def _upgrade(settings: Settings, state: MigrationState) -> None:
    if state.is_newest:
        return
    url = database_url(settings)
    if state.current is not None and state.current > state.newest:
        raise MetricpressError(
            f"{place(url)} is at migration {state.current}, metricpress knows {state.newest}",
            remedy="Use the newer metricpress that migrated it.",
        )
    # Imported here: half a second that a database at the newest revision need not pay.
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    # The migrations are SQL files: sent as they are, without parameters, so that % stays %.
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: psycopg.connect(url, application_name="metricpress migrate"),
        poolclass=NullPool,
        execution_options={"no_parameters": True},
    )
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    try:
        with engine.connect() as connection:
            config.attributes.update(connection=connection, version_table=VERSION_TABLE)
            command.upgrade(config, "head")
            connection.commit()
    except DBAPIError as error:
        raise _explained(error.orig, place(url)) from error


def _explained(error: BaseException | None, where: str) -> MetricpressError:
    if isinstance(error, psycopg.Error) and error.diag.message_primary:
        return MetricpressError(
            f"migration of {where} refused: {error.diag.message_primary}",
            remedy=error.diag.message_hint
            or "Nothing was changed. The user of the URL must own the database.",
        )
    return MetricpressError(f"migration of {where} failed: {error}")
