"""The roles of the database that people log in with.

Belongs here: passwords of roles and the address a BI tool is given. Does not belong here: what a role may do
(migration 0003), and taking a role on (connection.py).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql

from orchestration.errors import MetricpressError
from orchestration.settings import Settings
from orchestration.warehouse.server import EmbeddedServer

BI_ROLE = "metricpress_bi"


def set_bi_password(connection: psycopg.Connection[Any], password: str) -> None:
    """Let the role of BI tools log in with `password`; only its SCRAM verifier is sent to the server.

    Raises MetricpressError when the user of the connection may not alter roles.
    """
    verifier = connection.pgconn.encrypt_password(
        password.encode(), BI_ROLE.encode(), b"scram-sha-256"
    ).decode()
    statement = sql.SQL("alter role {} login password {}").format(
        sql.Identifier(BI_ROLE), sql.Literal(verifier)
    )
    try:
        connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege as error:
        raise MetricpressError(
            f'this user may not set the password of the role "{BI_ROLE}"',
            remedy=f"As a superuser run: alter role {BI_ROLE} login password '...'",
        ) from error


def bi_url(settings: Settings) -> str:
    """The address a BI tool connects with: role metricpress_bi and its password.

    The embedded server knows the password; for a database given by URL it is METRICPRESS_BI_PASSWORD.
    Raises MetricpressError when that is not set.
    """
    if settings.database_url is None:
        access = EmbeddedServer(settings.home).start()
        return with_login(access.url, BI_ROLE, access.bi_password)
    if settings.bi_password is None:
        raise MetricpressError(
            f'the password of the role "{BI_ROLE}" is not known',
            remedy="Set METRICPRESS_BI_PASSWORD, then once: metricpress dsn --set-password",
        )
    return with_login(settings.database_url, BI_ROLE, settings.bi_password)


def with_login(url: str, user: str, password: str) -> str:
    """`url` with another user and password."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user)}:{quote(password, safe='')}@{place}"))
