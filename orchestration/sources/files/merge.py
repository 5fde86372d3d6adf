"""Rows found good into the raw table: new ones in, different ones changed, equal ones left alone.

Belongs here: comparing and writing. Does not belong here: where the rows come from and what makes them good.
In the SQL of this module `n` is an incoming row and `r` the row of the raw table with its key.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import psycopg
from psycopg import sql

from orchestration.sources.files.session import Connection, row_xid, scalar
from orchestration.warehouse.contract import RawTable

ATTEMPTS = 5


@dataclass(frozen=True)
class Merged:
    """How many incoming rows were new, changed and unchanged, and the xmin of those that were written."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0
    row_xid: int | None = None


class ConflictError(Exception):
    """One key came with two contents, or another session wrote the same rows meanwhile."""


@dataclass(frozen=True)
class Incoming:
    """Rows to merge: `relation` yields `columns` and, when `extra_names` is not empty, `extra`."""

    table: RawTable
    relation: sql.Composable
    columns: tuple[str, ...]
    extra_names: tuple[str, ...] = ()

    def count(self, connection: Connection) -> int:
        """How many rows come in."""
        return int(scalar(connection, self._sql("select count(*) from {rows}")))

    def count_same(self, connection: Connection) -> int:
        """How many stand in the raw table just so."""
        query = "select count(*) from {rows} join {target} as r on {on_key} where {same}"
        return int(scalar(connection, self._sql(query)))

    def count_known(self, connection: Connection) -> int:
        """How many have a key that the raw table knows."""
        return int(
            scalar(connection, self._sql("select count(*) from {rows} join {target} as r on {on_key}"))
        )

    def update(self, connection: Connection) -> int:
        """Change the rows that differ; a row that comes again after its tombstone lives again."""
        query = "update {target} as r set {assignments} from {rows} where {on_key} and not ({same})"
        return connection.execute(self._sql(query)).rowcount

    def insert(self, connection: Connection, *, none_known: bool) -> int:
        """Add the rows whose key is not known; UniqueViolation when one came up twice or meanwhile."""
        query = "insert into {target} ({columns}) select {columns} from {rows}"
        if not none_known:
            query += " where not exists (select from {target} as r where {on_key})"
        return connection.execute(self._sql(query)).rowcount

    def _sql(self, template: str) -> sql.Composed:
        names = [*self.columns, *(["extra"] if self.extra_names else [])]
        return sql.SQL(template).format(
            rows=sql.SQL("{} as n").format(self.relation),
            target=sql.Identifier("raw", self.table.name),
            columns=sql.SQL(", ").join(map(sql.Identifier, names)),
            on_key=_all(_equal(name) for name in self.table.primary_key),
            same=self._same(),
            assignments=self._assignments(),
        )

    def _values(self) -> list[sql.Identifier]:
        return [sql.Identifier(name) for name in self.columns if name not in self.table.primary_key]

    def _extra(self) -> sql.Composable:
        """The extra columns of the file over those the row has from other files."""
        return sql.SQL(
            "nullif((coalesce(r.extra, '{{}}') - {}::text[]) || coalesce(n.extra, '{{}}'), '{{}}'::jsonb)"
        ).format(sql.Literal(list(self.extra_names)))

    def _same(self) -> sql.Composable:
        parts: list[sql.Composable] = [
            sql.SQL("r.{0} is not distinct from n.{0}").format(name) for name in self._values()
        ]
        if self.extra_names:
            parts.append(sql.SQL("r.extra is not distinct from {}").format(self._extra()))
        if "deleted_at" not in self.columns:
            parts.append(sql.SQL("r.deleted_at is null"))
        return _all(parts)

    def _assignments(self) -> sql.Composable:
        parts: list[sql.Composable] = [sql.SQL("{0} = n.{0}").format(name) for name in self._values()]
        if self.extra_names:
            parts.append(sql.SQL("extra = {}").format(self._extra()))
        if "deleted_at" not in self.columns:
            parts.append(sql.SQL("deleted_at = null"))
        parts.append(sql.SQL("loaded_at = clock_timestamp()"))
        return sql.SQL(", ").join(parts)


def merge_unchecked(connection: Connection, incoming: Incoming, total: int, same: int) -> Merged:
    """Merge `total` rows, `same` of which are already there, whose keys may come up twice.

    Raises ConflictError when one key turns out to have two contents, UniqueViolation when a new key comes
    twice: the caller undoes the attempt and sorts the rows out.
    """
    known = incoming.count_known(connection)
    changed = 0
    if known > same:
        changed = incoming.update(connection)
        if changed != known - same or incoming.count_same(connection) != known:
            raise ConflictError
    if total > known:
        new = incoming.insert(connection, none_known=known == 0)
        if new != total - known:
            raise ConflictError
    return Merged(total - known, changed, same, row_xid(connection))


def merge_distinct(connection: Connection, incoming: Incoming) -> Merged:
    """Merge rows of which each key comes once; another session that adds the same keys is waited for."""
    total = incoming.count(connection)
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with connection.transaction():
                same = incoming.count_same(connection)
                changed = incoming.update(connection) if same < total else 0
                new = incoming.insert(connection, none_known=False) if same + changed < total else 0
                return Merged(new, changed, total - new - changed, row_xid(connection))
        except psycopg.errors.UniqueViolation:
            if attempt == ATTEMPTS:
                raise
    raise AssertionError("unreachable")


def _equal(name: str) -> sql.Composable:
    return sql.SQL("r.{0} = n.{0}").format(sql.Identifier(name))


def _all(parts: Iterable[sql.Composable]) -> sql.Composable:
    return sql.SQL(" and ").join(parts)
