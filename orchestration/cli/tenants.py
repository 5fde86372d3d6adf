"""metricpress tenants: add, list or remove tenants."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from orchestration.cli.console import AsJson, Yes, confirm, print_table, remark
from orchestration.cli.main import new_app
from orchestration.settings import Settings

app = new_app(help="Add, list or remove tenants.")


class WeekStart(StrEnum):
    """The first day of a tenant's week."""

    monday = "monday"
    sunday = "sunday"


@app.command()
def add(
    tenant_id: Annotated[str, typer.Argument(metavar="TENANT", help="Its id in every table.")],
    name: Annotated[str | None, typer.Option(help="Its name in reports; default the id.")] = None,
    timezone: Annotated[str, typer.Option(help="IANA name: where its days begin.")] = "UTC",
    currency: Annotated[str, typer.Option(help="ISO 4217 code of its reports.")] = "USD",
    week_start: Annotated[WeekStart, typer.Option(help="First day of its week.")] = WeekStart.monday,
    update: Annotated[bool, typer.Option("--update", help="Change the tenant when it exists.")] = False,
) -> None:
    """Add a tenant. Rows of unknown tenants are refused by `metricpress load`."""
    from orchestration.warehouse.connection import connect
    from orchestration.warehouse.tenants import Tenant, add_tenant

    tenant = Tenant(tenant_id, name or tenant_id, timezone, currency, week_start.value)
    with connect(Settings.from_env()) as connection:
        added = add_tenant(connection, tenant, update=update)
    print(f'Tenant "{tenant_id}" {"added" if added else "changed"}: {timezone}, {currency}.')


@app.command("list")
def list_tenants(as_json: AsJson = False) -> None:
    """List all tenants."""
    from orchestration.warehouse.connection import connect
    from orchestration.warehouse.tenants import all_tenants

    with connect(Settings.from_env()) as connection:
        tenants = [vars(tenant) for tenant in all_tenants(connection)]
    columns = ("tenant_id", "name", "timezone", "currency", "week_start")
    empty = "There is no tenant yet. Add one: metricpress tenants add TENANT"
    print_table(tenants, columns, as_json=as_json, empty=empty)


@app.command()
def remove(
    tenant_id: Annotated[str, typer.Argument(metavar="TENANT")],
    yes: Yes = False,
) -> None:
    """Remove a tenant and its rows everywhere, except in the audit log."""
    from orchestration.warehouse.connection import connect
    from orchestration.warehouse.tenants import remove_tenant

    settings = Settings.from_env()
    confirm(f'Remove the tenant "{tenant_id}" and all its rows for good?', yes)
    with connect(settings) as connection:
        removed = remove_tenant(connection, tenant_id)
    rows = [{"table": table, "rows": count} for table, count in removed.items()]
    print_table(rows, ("table", "rows"))
    remark(f"Rendered reports in {settings.output_dir} and the audit log are kept.")
