"""The fast way of a load: PostgreSQL's COPY reads the file straight into typed columns.

Belongs here: the attempt, which takes every row or none. Does not belong here: finding out which row is bad;
after any doubt the attempt is undone and the rows are judged one by one (judge.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import psycopg
from psycopg import sql

from orchestration.sources.files.blocks import Blocks, NotPlainError
from orchestration.sources.files.merge import ConflictError, Incoming, Merged, merge_unchecked
from orchestration.sources.files.plan import Binding, Plan, staged_name
from orchestration.sources.files.records import records
from orchestration.sources.files.rules import KNOWN_TENANTS, looks_ambiguous, typed_rules
from orchestration.sources.files.session import Connection, scalar, temporary_table
from orchestration.sources.files.source import Advance, SourceFile

SAMPLE_ROWS = 100
#: What shows that a row has to be looked at, rather than that something is broken.
DOUBTS = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
    NotPlainError,
    ConflictError,
)


def attempt(
    connection: Connection,
    plan: Plan,
    sources: Sequence[SourceFile],
    advance: Advance | None,
    phase: Callable[[str], None],
) -> Merged | None:
    """Load all rows of the files, or nothing and None when a row has to be looked at."""
    if not plan.is_direct or any(_has_ambiguous_dates(plan, source) for source in sources):
        return None
    try:
        with connection.transaction():
            return _load(connection, plan, sources, advance, phase)
    except DOUBTS:
        return None


def _load(
    connection: Connection,
    plan: Plan,
    sources: Sequence[SourceFile],
    advance: Advance | None,
    phase: Callable[[str], None],
) -> Merged:
    types = plan.staged_types()
    temporary_table(connection, "staged", [(staged_name(p), kind) for p, kind in enumerate(types)])
    total = sum(_copy(connection, plan, source, advance) for source in sources)
    incoming = Incoming(
        plan.table, _relation(plan), tuple(b.name for b in plan.bindings), tuple(plan.extra_names)
    )
    phase("comparing")
    if _has_unknown_tenants(connection, plan):
        raise NotPlainError("an unknown tenant")
    same = incoming.count_same(connection)
    if same < total:
        if _breaks_a_rule(connection, plan):
            raise NotPlainError("a broken rule")
        phase("writing")
        merged = merge_unchecked(connection, incoming, total, same)
    else:
        merged = Merged(unchanged=total)
    connection.execute("drop table pg_temp.staged")
    return merged


def _copy(connection: Connection, plan: Plan, source: SourceFile, advance: Advance | None) -> int:
    names = [sql.Identifier(staged_name(plan.columns.index(name))) for name in source.columns]
    blocks = Blocks(source, advance)
    # Frozen rows: a scan of the staging table need not mark them as seen and write them again.
    statement = sql.SQL(
        "copy pg_temp.staged ({0}) from stdin with (format csv, delimiter {1}, force_null ({0}), freeze)"
    ).format(sql.SQL(", ").join(names), source.delimiter)
    with connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            for block in blocks:
                copy.write(block)
        if cursor.rowcount != blocks.rows:
            raise NotPlainError("a line break inside a field")
        return blocks.rows


def _relation(plan: Plan) -> sql.Composable:
    values = [
        sql.SQL("{} as {}").format(_value(binding), sql.Identifier(binding.name)) for binding in plan.bindings
    ]
    if plan.extras:
        values.append(sql.SQL("{} as extra").format(plan.extra()))
    return sql.SQL("(select {} from pg_temp.staged as s)").format(sql.SQL(", ").join(values))


def _value(binding: Binding) -> sql.Composable:
    value = binding.text()
    if not binding.positions:
        value = sql.SQL("{}::{}").format(value, sql.SQL(binding.column.type))
    if binding.column.required and binding.column.default is not None:
        value = sql.SQL("coalesce({}, {})").format(value, sql.SQL(binding.column.default))
    return value


def _has_unknown_tenants(connection: Connection, plan: Plan) -> bool:
    binding = plan.binding("tenant_id")
    if binding is None or not binding.positions or plan.table.name == "tenants":
        return False
    query = f"select exists (select distinct tenant_id from {{}} as v except ({KNOWN_TENANTS}))"
    return bool(scalar(connection, sql.SQL(query).format(_relation(plan))))


def _breaks_a_rule(connection: Connection, plan: Plan) -> bool:
    broken = [rule.broken for rule in typed_rules(plan)]
    query = sql.SQL("select exists (select from {} as v where {})").format(
        _relation(plan), sql.SQL(" or ").join(broken)
    )
    return bool(scalar(connection, query))


def _has_ambiguous_dates(plan: Plan, source: SourceFile) -> bool:
    """Whether a date among the first rows could be read with day or month first."""
    positions = [
        source.columns.index(plan.columns[binding.positions[0]])
        for binding in plan.bindings
        if binding.column.type in ("timestamptz", "date") and binding.positions
    ]
    if not positions or source.format == "parquet":
        return False
    for record in islice(records(source), SAMPLE_ROWS):
        if record.defect or any(looks_ambiguous(record.values[position]) for position in positions):
            return True
    return False
