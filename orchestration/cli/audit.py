"""metricpress audit: who changed, sent, exported or granted what, and when."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from datetime import UTC, datetime
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.console import AsJson, print_json, remark
from orchestration.errors import MetricpressError
from orchestration.settings import Settings

if TYPE_CHECKING:
    from orchestration.warehouse.audit import Change, Entry

#: Of one value on the screen: files and figures of a report are long.
MOST_LINES = 4
#: action -> the verb of its line.
VERBS = {
    "insert": "added", "update": "changed", "delete": "deleted", "truncate": "emptied",
    "backfill": "built anew", "export": "exported", "grant": "granted",
}  # fmt: skip


def audit(
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only of this tenant; default: all.")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="MOMENT", help="From 2026-03-31 (UTC) or 2026-03-31T12:00+02:00 on.")
    ] = None,
    object_: Annotated[
        str | None,
        typer.Option(
            "--object",
            help="subscription, template, settings, target, suppression, report or delivery; or a name;"
            " or a key or how it begins.",
        ),
    ] = None,
    action: Annotated[
        str | None,
        typer.Option(help="insert, update, delete, truncate, backfill, export or grant; default: all."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many, the newest first.")] = 50,
    as_json: AsJson = False,
) -> None:
    """Tell who did what: each change with the fields before and after, secrets masked."""
    from orchestration.warehouse.audit import ACTIONS, read_audit
    from orchestration.warehouse.connection import connect

    if action is not None and action not in ACTIONS:
        raise MetricpressError(f"{action!r} is not an action", remedy=f"Known: {', '.join(ACTIONS)}.")
    with connect(Settings.from_env(), "pipeline") as conn:
        entries = read_audit(
            conn, tenant=tenant, since=start_of(since), object_=object_, action=action, limit=limit
        )
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    for entry in entries:
        _print(entry)
    if not entries:
        remark("The audit log holds nothing of the kind.")
    elif len(entries) == limit:
        remark(f"The newest {limit}; --limit shows more.")


def start_of(text: str | None) -> datetime | None:
    """A moment with its offset, or the beginning of a bare day in UTC."""
    from orchestration.cli.build import moment_from

    if text is None:
        return None
    moment = moment_from(text)
    if isinstance(moment, datetime):
        return moment
    return datetime(moment.year, moment.month, moment.day, tzinfo=UTC)


def _print(entry: Entry) -> None:
    from orchestration.warehouse.audit import NAMES

    what = NAMES.get(entry.object_type, entry.object_type)
    of_tenant = f" of {entry.tenant_id}" if entry.tenant_id and entry.tenant_id != entry.name else ""
    # The newest first, in UTC like every moment of the command line.
    _line(f"{entry.at:%Y-%m-%d %H:%M:%S}  {what} {entry.name}{of_tenant} {VERBS[entry.action]}", "", 21)
    _line(f"by {entry.database_user}, {entry.application or 'unnamed program'}", "  ", 4)
    for change in entry.changes:
        _line(_told(change, entry.action), "  ", 6)


def _told(change: Change, action: str) -> str:
    if action == "update":
        return f"{change.field}: {_text(change.before)} -> {_text(change.after)}"
    return f"{change.field}: {_text(change.before if action == 'delete' else change.after)}"


def _text(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(_text(part) for part in value) or "(empty)"
        case dict():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


def _line(text: str, indent: str, further: int) -> None:
    width = shutil.get_terminal_size().columns
    lines = wrap(text, width, initial_indent=indent, subsequent_indent=" " * further, break_on_hyphens=False)
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], " " * further + "... (--json shows all)"]
    print("\n".join(lines))
