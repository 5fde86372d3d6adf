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
from orchestration.sources.files.rules import looks_ambiguous, typed_rules
from orchestration.sources.files.session import Connection, scalar, temporary_table
from orchestration.sources.files.source import Advance, SourceFile

SAMPLE_ROWS = 100
#: A moment that ends in Z, +hh, +hhmm or ±hh:mm has an offset. One of digits and -: T. without a minus behind
#: a colon has none. Anything else is unclear.
HAS_OFFSET = (
    "({0} like '%Z' or {0} like '%+__' or {0} like '%+____' or {0} like '%+__:__' or {0} like '%-__:__')"
)
UNCLEAR_OFFSET = "(translate({0}, '0123456789-: T.', '') <> '' or {0} like '%:%-%')"
TENANT_ZONE = "(select z.timezone from raw.tenants as z where z.tenant_id = {1})"
#: No row of a raw table holds infinity, so what has no offset equals none.
CERTAIN_MOMENT = f"case when {HAS_OFFSET} then {{0}}::timestamptz when {{0}} is not null then 'infinity' end"
MOMENT_BY_TENANT = (
    f"case when {HAS_OFFSET} then {{0}}::timestamptz else {{0}}::timestamp at time zone {TENANT_ZONE} end"
)
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
    zone: str | None,
    advance: Advance | None,
    phase: Callable[[str], None],
) -> Merged | None:
    """Load all rows of the files, or nothing and None when a row has to be looked at.

    `zone` is the time zone of moments without an offset, None: each row's tenant's.
    """
    if not plan.is_direct or any(_has_ambiguous_dates(plan, source) for source in sources):
        return None
    if zone is None and plan.table.name == "tenants":
        return None
    try:
        with connection.transaction():
            return _load(connection, plan, sources, zone, advance, phase)
    except DOUBTS:
        return None


def _load(
    connection: Connection,
    plan: Plan,
    sources: Sequence[SourceFile],
    zone: str | None,
    advance: Advance | None,
    phase: Callable[[str], None],
) -> Merged:
    moments = [b for b in plan.bindings if b.column.type == "timestamptz"] if zone is None else []
    types = ["text" if moments and kind == "timestamptz" else kind for kind in plan.staged_types()]
    temporary_table(connection, "staged", [(staged_name(p), kind) for p, kind in enumerate(types)])
    total = sum(_copy(connection, plan, source, advance) for source in sources)
    phase("comparing")
    # Most exports write offsets: the rows are compared on that supposition, and one without does not count.
    incoming = _incoming(plan, {binding.name: CERTAIN_MOMENT for binding in moments})
    same = incoming.count_same(connection)
    if same < total and _some_have_no_offset(connection, moments):
        incoming = _incoming(plan, {binding.name: MOMENT_BY_TENANT for binding in moments})
        same = incoming.count_same(connection)
    if same < total:
        _check_rules(connection, plan, incoming.relation)
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


def _incoming(plan: Plan, casts: dict[str, str]) -> Incoming:
    """The staged rows as rows of the raw table; `casts` tells how columns staged as text get their type."""
    columns = [
        sql.SQL("{} as {}").format(
            _value(plan, binding, casts.get(binding.name)), sql.Identifier(binding.name)
        )
        for binding in plan.bindings
    ]
    if plan.extras:
        columns.append(sql.SQL("{} as extra").format(plan.extra()))
    relation = sql.SQL("(select {} from pg_temp.staged as s)").format(sql.SQL(", ").join(columns))
    names = tuple(binding.name for binding in plan.bindings)
    return Incoming(plan.table, relation, names, tuple(plan.extra_names))


def _value(plan: Plan, binding: Binding, cast: str | None) -> sql.Composable:
    value = binding.text()
    tenant = plan.binding("tenant_id")
    if cast is not None and tenant is not None:
        value = sql.SQL(cast).format(sql.SQL("({}::text)").format(value), tenant.text())
    elif not binding.positions:
        value = sql.SQL("{}::{}").format(value, sql.SQL(binding.column.type))
    if binding.column.required and binding.column.default is not None:
        value = sql.SQL("coalesce({}, {})").format(value, sql.SQL(binding.column.default))
    return value


def _some_have_no_offset(connection: Connection, moments: list[Binding]) -> bool:
    """Whether moments staged as text need their tenant's time zone; NotPlainError when that is not clear."""
    if not moments:
        return False
    texts = [sql.SQL("({}::text)").format(binding.text()) for binding in moments]
    without = sql.SQL(" or ").join(sql.SQL(f"not {HAS_OFFSET}").format(text) for text in texts)
    unclear = sql.SQL(" or ").join(
        sql.SQL(f"(not {HAS_OFFSET} and {UNCLEAR_OFFSET})").format(text) for text in texts
    )
    exists = sql.SQL("select exists (select from pg_temp.staged as s where {})")
    if not scalar(connection, exists.format(without)):
        return False
    if scalar(connection, exists.format(unclear)):
        raise NotPlainError("a moment with an offset of another form")
    return True


def _check_rules(connection: Connection, plan: Plan, relation: sql.Composable) -> None:
    """NotPlainError when a row breaks a rule; rows that are there already have kept them."""
    broken = sql.SQL(" or ").join(rule.broken for rule in typed_rules(plan))
    # The offset keeps the planner from casting a moment anew for each rule.
    query = sql.SQL("select exists (select from (select * from {} as n offset 0) as v where {})")
    if scalar(connection, query.format(relation, broken)):
        raise NotPlainError("a broken rule")


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
