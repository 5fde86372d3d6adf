"""Where the warehouse is and how to connect to it, in which role.

Belongs here: the URL of the database (the embedded server is started when none is set) and connections whose
failures are explained. Does not belong here: SQL of any domain, and the life of the server (server.py).
"""

from __future__ import annotations

import re
from typing import Any, Literal
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg

from orchestration.errors import MetricpressError
from orchestration.settings import Settings
from orchestration.warehouse.server import EmbeddedServer

Role = Literal["owner", "pipeline", "bi"]
#: The database role a connection takes on after it logged in as the user of the URL.
DATABASE_ROLES: dict[Role, str | None] = {
    "owner": None,
    "pipeline": "metricpress_pipeline",
    "bi": "metricpress_bi",
}
OLDEST_SERVER = 15
CONNECT_SECONDS = 10


def database_url(settings: Settings, role: Role = "owner") -> str:
    """The libpq URL of the warehouse; sessions opened with it act in `role`. Starts the embedded server."""
    url = settings.database_url or EmbeddedServer(settings.home).start().url
    database_role = DATABASE_ROLES[role]
    return url if database_role is None else with_option(url, f"-c role={database_role}")


def with_option(url: str, option: str) -> str:
    """`url` with one more server option (`-c name=value`), beside those it already has."""
    parts = urlsplit(url)
    pairs = [pair for pair in parts.query.split("&") if pair]
    for position, pair in enumerate(pairs):
        if pair.startswith("options="):
            pairs[position] = f"{pair}%20{quote(option)}"
            break
    else:
        pairs.append(f"options={quote(option)}")
    return urlunsplit(parts._replace(query="&".join(pairs)))


def connect(
    settings: Settings,
    role: Role = "owner",
    *,
    autocommit: bool = False,
    application_name: str | None = None,
) -> psycopg.Connection[tuple[Any, ...]]:
    """A psycopg connection to the warehouse in `role`, session time zone UTC.

    The audit log names settings.actor and the application: the one given, else PGAPPNAME, which the command
    line sets to the command.

    Raises MetricpressError when the database cannot be reached, refuses the login, or lacks the role.
    """
    url = database_url(settings, role)
    session = with_option(url, "-c timezone=UTC")
    if settings.actor is not None:
        session = with_option(session, f"-c metricpress.actor={_escaped(settings.actor)}")
    try:
        connection = psycopg.connect(
            session,
            autocommit=autocommit,
            application_name=application_name,
            fallback_application_name="metricpress",
            connect_timeout=CONNECT_SECONDS,
        )
    except psycopg.OperationalError as error:
        raise _explained(url, str(error)) from error
    version = connection.info.server_version // 10000
    if version < OLDEST_SERVER:
        connection.close()
        raise MetricpressError(
            f"the database at {place(url)} is PostgreSQL {version}",
            remedy=f"Use PostgreSQL {OLDEST_SERVER} or newer.",
        )
    return connection


def _escaped(value: str) -> str:
    """A value as server options take it: spaces and backslashes after a backslash."""
    return re.sub(r"([\\\s])", r"\\\1", value)


def place(url: str) -> str:
    """host:port/database of a URL, without user, password and options: safe to show."""
    parts = urlsplit(url)
    return f"{parts.hostname or 'localhost'}:{parts.port or 5432}{parts.path}"


def _explained(url: str, reason: str) -> MetricpressError:
    """The refusal of a connection as one line and what to do about it."""
    where = place(url)
    lines = [line.strip() for line in reason.strip().splitlines() if line.strip()]
    last = lines[-1].rpartition("FATAL:")[2].strip() if lines else "no reason given"
    if 'role "metricpress_' in last:
        return MetricpressError(f"{where}: {last}", remedy="Run: metricpress migrate")
    if "permission denied to set role" in last:
        return MetricpressError(
            f"{where}: {last}", remedy="Run metricpress migrate as this user, or grant it the role."
        )
    if "password authentication failed" in last or "no password supplied" in last:
        return MetricpressError(
            f"{where}: {last}", remedy="Check user and password in METRICPRESS_DATABASE_URL."
        )
    if "does not exist" in last:
        return MetricpressError(f"{where}: {last}", remedy="Create it, or correct METRICPRESS_DATABASE_URL.")
    return MetricpressError(
        f"cannot reach the database at {where}: {last}",
        remedy="Check that the server runs and METRICPRESS_DATABASE_URL (metricpress doctor).",
    )
