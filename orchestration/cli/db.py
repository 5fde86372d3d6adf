"""metricpress db: the life of the embedded PostgreSQL."""

from __future__ import annotations

from typing import Any

from orchestration.cli.console import AsJson, Yes, confirm, print_json, remark
from orchestration.cli.main import new_app
from orchestration.errors import MetricpressError
from orchestration.settings import Settings

app = new_app(help="Start, stop, look at or remove the embedded PostgreSQL.")


def _server(settings: Settings) -> Any:
    from orchestration.warehouse.server import EmbeddedServer

    if settings.database_url is not None:
        raise MetricpressError(
            "METRICPRESS_DATABASE_URL is set, so metricpress uses that database and no embedded one",
            remedy="Start and stop that server with its own means, or unset METRICPRESS_DATABASE_URL.",
        )
    return EmbeddedServer(settings.home)


@app.command()
def start() -> None:
    """Start the embedded PostgreSQL, making it when there is none."""
    access = _server(Settings.from_env()).start()
    print(f"PostgreSQL runs on 127.0.0.1:{access.port} until: metricpress db stop")


@app.command()
def stop() -> None:
    """Stop the embedded PostgreSQL; its data stay."""
    print("Stopped." if _server(Settings.from_env()).stop() else "It did not run.")


@app.command()
def status(as_json: AsJson = False) -> None:
    """Say whether the database is there, where, and at which migration."""
    from orchestration.warehouse.connection import connect, place
    from orchestration.warehouse.migrate import migration_state, newest_revision
    from orchestration.warehouse.server import EmbeddedServer

    settings = Settings.from_env()
    server = EmbeddedServer(settings.home) if settings.database_url is None else None
    access = server.running() if server else None
    facts: dict[str, Any] = {"kind": "embedded" if server else "by METRICPRESS_DATABASE_URL"}
    facts["state"] = server.status() if server else "running"
    if server:
        facts["folder"] = str(server.link.resolve())
    if server is None or access is not None:
        with connect(settings) as connection:
            facts["address"] = place(settings.database_url or (access.url if access else ""))
            facts["version"] = connection.info.parameter_status("server_version")
            facts["migration"] = migration_state(connection).current
            size = connection.execute("select pg_database_size(current_database())").fetchone()
            facts["megabytes"] = round(size[0] / 1e6) if size else None
    facts["newest_migration"] = newest_revision()
    if as_json:
        print_json(facts)
        return
    for name, value in facts.items():
        print(f"{name.replace('_', ' '):<17}{'none' if value is None else value}")


@app.command()
def remove(yes: Yes = False) -> None:
    """Stop the embedded PostgreSQL and delete everything in it."""
    server = _server(Settings.from_env())
    if server.status() == "absent":
        remark("There is no embedded PostgreSQL.")
        return
    confirm(f"Delete the database in {server.link.resolve()} for good?", yes)
    server.remove()
    print("Removed.")
