"""metricpress generate: data of any size from a seed."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import typer

from orchestration.cli.console import AsJson, print_table, progress, remark
from orchestration.settings import Settings

Rows = Annotated[int | None, typer.Option(help="Default: follows from --sessions.", min=0)]


def generate(  # noqa: PLR0917 - Typer calls it with keywords
    tenants: Annotated[int, typer.Option(min=1, help="How many, of falling size.")] = 3,
    days: Annotated[int, typer.Option(min=1, help="Length of the history.")] = 365,
    sessions: Annotated[int, typer.Option(min=0, help="Over all tenants.")] = 100_000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed and options: the same rows.")] = 1,
    end: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="Last day; default: yesterday."),
    ] = None,
    users: Rows = None,
    leads: Rows = None,
    calls: Rows = None,
    subscriptions: Rows = None,
    collaborations: Rows = None,
    jobs: Rows = None,
    api_requests: Rows = None,
    as_json: AsJson = False,
) -> None:
    """Make businesses of any size from a seed, in various time zones, currencies and weeks.

    Every row is marked: extra = {"generated": true}. The same options again add nothing.
    """
    from orchestration.sources.generate import GenerateOptions, tenant_plans
    from orchestration.sources.generate import generate as generate_rows
    from orchestration.sources.generate.write import last_day, planned_rows
    from orchestration.warehouse.connection import connect

    options = GenerateOptions(
        tenants=tenants,
        days=days,
        sessions=sessions,
        seed=seed,
        end=_day(end),
        users=users,
        leads=leads,
        calls=calls,
        subscriptions=subscriptions,
        collaborations=collaborations,
        jobs=jobs,
        api_requests=api_requests,
    )
    total = sum(planned_rows(plan) for plan in tenant_plans(options, last_day(options)))
    with connect(Settings.from_env()) as conn, progress("Generating", total) as advance:
        written = generate_rows(
            conn,
            options,
            lambda tenant, table, rows: advance(rows, description=f"{tenant} {table}"[:40]),
        )
    rows = [{"table": name, "rows": count} for name, count in sorted(written.items())]
    print_table(
        rows, ("table", "rows"), as_json=as_json, empty="nothing new: these tenants are there already"
    )
    if written:
        remark("Next: metricpress build")


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()
