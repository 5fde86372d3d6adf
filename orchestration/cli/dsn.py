"""metricpress dsn: the address to connect a BI tool, or psql, with."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import unquote, urlsplit

import typer

from orchestration.cli.console import AsJson, print_json, remark
from orchestration.errors import MetricpressError
from orchestration.settings import Settings


def dsn(
    admin: Annotated[bool, typer.Option("--admin", help="The owner's address instead: may do all.")] = False,
    set_password: Annotated[
        bool, typer.Option("--set-password", help="Give the role the password METRICPRESS_BI_PASSWORD.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Print the address a BI tool connects with: the role metricpress_bi, which reads the schema marts."""
    from orchestration.warehouse.audit import record_action
    from orchestration.warehouse.connection import connect, database_url
    from orchestration.warehouse.roles import BI_ROLE, bi_url, set_bi_password

    settings = Settings.from_env()
    if set_password:
        if settings.database_url is None:
            raise MetricpressError(
                "the embedded PostgreSQL makes its passwords itself", remedy="Run: metricpress dsn"
            )
        if settings.bi_password is None:
            raise MetricpressError(
                "METRICPRESS_BI_PASSWORD is not set", remedy="Set it to the password to be given."
            )
        with connect(settings) as connection:
            set_bi_password(connection, settings.bi_password)
            record_action(connection, "grant", "role", BI_ROLE, details={"login": "password set"})
        remark("The role metricpress_bi logs in with METRICPRESS_BI_PASSWORD from now on.")
    url = database_url(settings) if admin else bi_url(settings)
    if not as_json:
        print(url)
        return
    parts = urlsplit(url)
    print_json(
        {
            "url": url,
            "host": parts.hostname,
            "port": parts.port or 5432,
            "database": parts.path.lstrip("/"),
            "user": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
            "schema": None if admin else "marts",
        }
    )
