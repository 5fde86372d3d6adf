"""metricpress migrate: bring the database to the newest schema."""

from __future__ import annotations

from orchestration.settings import Settings


def migrate() -> None:
    """Bring the database to the newest schema; does nothing when it is there already."""
    from orchestration.warehouse.connection import database_url, place
    from orchestration.warehouse.migrate import migrate as run_migrations

    settings = Settings.from_env()
    before = run_migrations(settings)
    where = place(database_url(settings))
    if before.is_newest:
        print(f"{where} is at the newest migration, {before.newest}.")
    else:
        print(f"{where} migrated from {before.current or 'nothing'} to {before.newest}.")
