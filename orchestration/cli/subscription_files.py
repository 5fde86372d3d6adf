"""metricpress subscriptions export and import: subscriptions as YAML, so that they can live in git."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.console import AsJson, print_json, remark
from orchestration.errors import EXIT_CHECK_FAILED
from orchestration.settings import Settings

if TYPE_CHECKING:
    from orchestration.delivery.subscription_changes import Change
    from orchestration.delivery.subscription_files import Difference


def export(
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only of this tenant.")] = None,
    file: Annotated[Path | None, typer.Option(help="Write there; default: print.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write subscriptions as YAML, for `import`; what is as by default is left out."""
    from orchestration.delivery.subscription_changes import NOT_ORDERED, plain
    from orchestration.delivery.subscription_files import exported
    from orchestration.delivery.subscriptions import listed
    from orchestration.warehouse.audit import record_action
    from orchestration.warehouse.connection import connect
    from orchestration.warehouse.tenants import require_tenant

    with connect(Settings.from_env(), "pipeline") as conn:
        if tenant is not None:
            require_tenant(conn, tenant)
        stored = listed(conn, tenant)
        record_action(conn, "export", "subscriptions", tenant or "all tenants", tenant=tenant)
    if as_json:
        by_tenant: dict[str, list[dict[str, Any]]] = {}
        for one in stored:
            values = {name: value for name, value in plain(one).items() if name not in NOT_ORDERED}
            by_tenant.setdefault(one.tenant_id, []).append(values)
        print_json(by_tenant)
    elif file is None:
        print(exported(stored), end="")
    else:
        file.write_text(exported(stored), encoding="utf-8")
        remark(f"{len(stored)} subscription{'s' if len(stored) != 1 else ''} written to {file}.")


def import_file(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="YAML as `export` writes it.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell; exit 1 when something would change.")
    ] = False,
    prune: Annotated[
        bool, typer.Option(help="Delete subscriptions of the file's tenants that it does not have.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make subscriptions what a YAML file says: all of it, or nothing when a part is wrong.

    A subscription is known by tenant and name. A second import of the same file changes nothing.
    """
    from orchestration.delivery.subscription_files import apply, compare, read
    from orchestration.warehouse.connection import connect

    settings = Settings.from_env()
    content = read(file)
    with connect(settings, "pipeline") as conn:
        difference = compare(conn, content, settings.template_dir, settings.webhook_private_hosts)
        if not dry_run:
            apply(conn, difference, prune=prune)
    if as_json:
        print_json(_told(difference, prune) | {"dry_run": dry_run})
    else:
        _print(difference, prune, dry_run)
    if dry_run and (difference.added or difference.changed or (prune and difference.absent)):
        sys.exit(EXIT_CHECK_FAILED)


def print_changes(changes: list[Change]) -> None:
    """A field: before -> after; long ones on several lines."""
    for change in changes:
        line = f"    {change.field}: {_shown(change.before)} -> {_shown(change.after)}"
        print(fill(line, 80, subsequent_indent=" " * 8, break_long_words=False, break_on_hyphens=False))


def _print(difference: Difference, prune: bool, dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    for one in difference.added:
        print(f'+ {one.tenant_id}: "{one.name}"')
    for one, changes in difference.changed:
        print(f'~ {one.tenant_id}: "{one.name}"')
        print_changes(changes)
    for one in difference.absent:
        if prune:
            print(f'- {one.tenant_id}: "{one.name}"')
        else:
            remark(f'not in the file, left as it is: {one.tenant_id}: "{one.name}" (--prune deletes it)')
    counts = [(len(difference.added), "added"), (len(difference.changed), "changed")]
    if prune:
        counts.append((len(difference.absent), "deleted"))
    told = ", ".join(f"{count} {would}{what}" for count, what in counts)
    print(f"{told}, {len(difference.unchanged)} unchanged.")


def _told(difference: Difference, prune: bool) -> dict[str, Any]:
    def names(found: list[Any]) -> list[dict[str, str]]:
        return [{"tenant_id": one.tenant_id, "name": one.name} for one in found]

    return {
        "added": names(difference.added),
        "changed": [
            {"tenant_id": one.tenant_id, "name": one.name, "changes": [vars(change) for change in changes]}
            for one, changes in difference.changed
        ],
        "unchanged": names(difference.unchanged),
        "deleted": names(difference.absent) if prune else [],
        "not_in_file": [] if prune else names(difference.absent),
    }


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None or value == {} else str(value)
