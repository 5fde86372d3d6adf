"""The audit log: acts that change no row are written here, and what the log holds is read.

Belongs here: one function for acts, the entries with what changed, secrets masked. Does not belong here: the
triggers that tell of changed rows (migrations 0003 and 0011), and how entries are printed (cli).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

Connection = psycopg.Connection[Any]
Act = Literal["backfill", "export", "grant"]

ACTIONS = ("insert", "update", "delete", "truncate", "backfill", "export", "grant")
#: Table -> what people call a row of it.
NAMES = {
    "report_subscriptions": "subscription",
    "report_templates": "template",
    "tenant_settings": "settings",
    "metric_targets": "target",
    "suppressions": "suppression",
    "report_occurrences": "report",
    "report_deliveries": "delivery",
}
MASK = "***"
#: Fields that tell of the row, not of the change.
_HEAD = frozenset({"tenant_id", "created_at", "updated_at", "created_by"})
_SECRET = re.compile(r"passw|secret|token|api_?key|signing|credential", re.IGNORECASE)
_URL = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s\"'<>]+", re.IGNORECASE)
#: Parts of an address from this length on are taken for keys, as in the hooks of Slack.
_LONGEST_PLAIN_PART = 15
#: Longer text is told by its length.
_LONGEST_TEXT = 300


@dataclass(frozen=True)
class Change:
    """One field before and after, secrets masked; None where there was, or is, no row."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Entry:
    """One act: who (login of the database, and a name where one was given), with which program, on what."""

    audit_id: int
    at: datetime
    tenant_id: str | None
    database_user: str
    application: str
    action: str
    object_type: str
    object: str
    name: str
    changes: tuple[Change, ...]


def record_action(
    conn: Connection,
    act: Act,
    object_type: str,
    name: str,
    *,
    tenant: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Tell the audit log of an act that changes no watched row, in the transaction of `conn`.

    `details` must hold no secret: it is stored as it is.
    """
    conn.execute(
        "select reporting.record_action(%s, %s, %s, %s, %s)",
        (tenant, act, object_type, name, Jsonb(dict(details or {}))),
    )


def read_audit(
    conn: Connection,
    *,
    tenant: str | None = None,
    since: datetime | None = None,
    object_: str | None = None,
    action: str | None = None,
    limit: int = 50,
) -> list[Entry]:
    """The newest entries. `object_`: a kind (subscription), a name, or a key or how it begins."""
    kinds = [table for table, name in NAMES.items() if object_ in (table, name)]
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(
            """
            select audit_id, at, tenant_id, database_user, application, action, object_type, object, before,
                after
            from reporting.audit_log
            where (%(tenant)s::text is null or tenant_id = %(tenant)s)
                and (%(since)s::timestamptz is null or at >= %(since)s)
                and (%(action)s::text is null or action = %(action)s)
                and (
                    %(object)s::text is null or object_type = any(%(kinds)s) or object_type = %(object)s
                    or starts_with(object, %(object)s)
                    or coalesce(after, before) ->> 'name' = %(object)s
                )
            order by audit_id desc limit %(limit)s
            """,
            {
                "tenant": tenant,
                "since": since,
                "action": action,
                "object": object_,
                "kinds": kinds,
                "limit": limit,
            },
        ).fetchall()
    return [_entry(row) for row in rows]


def changed(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> tuple[Change, ...]:
    """The fields that differ, in the order of the row; of a new or deleted row those that hold something."""
    fields = [name for name in (after or before or {}) if name not in _HEAD]
    if before is None or after is None:
        row = after if before is None else before
        held = [name for name in fields if row is not None and row[name] not in (None, [], {}, "")]
        return tuple(
            Change(name, _shown(name, (before or {}).get(name)), _shown(name, (after or {}).get(name)))
            for name in held
        )
    return tuple(
        Change(name, _shown(name, before.get(name)), _shown(name, after.get(name)))
        for name in fields
        if before.get(name) != after.get(name)
    )


def _entry(row: dict[str, Any]) -> Entry:
    before, after = row.pop("before"), row.pop("after")
    known = after or before or {}
    name = known.get("name") or known.get("metric") or row["object"]
    return Entry(**row, name=mask(str(name)), changes=changed(before, after))


def _shown(field: str, value: Any) -> Any:
    """A value that may be shown: no secret, no key in an address, no page of text."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if _SECRET.search(field):
        return MASK
    if isinstance(value, Mapping):
        return {name: _shown(name, part) for name, part in value.items()}
    if isinstance(value, list):
        return [_shown(field, part) for part in value]
    return mask(str(value))


def mask(text: str) -> str:
    """`text` without what opens doors: logins, queries and long parts of addresses; long text by its size."""
    if text.startswith("data:") or len(text) > _LONGEST_TEXT:
        return f"{text[:30]}... ({len(text):,} characters)"
    return _URL.sub(lambda found: _masked(found[0]), text)


def _masked(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return MASK
    _, at, place = parts.netloc.rpartition("@")
    path = "/".join(MASK if len(part) > _LONGEST_PLAIN_PART else part for part in parts.path.split("/"))
    return urlunsplit(
        parts._replace(
            netloc=f"{MASK}@{place}" if at else place,
            path=path,
            query=MASK if parts.query else "",
            fragment=MASK if parts.fragment else "",
        )
    )
