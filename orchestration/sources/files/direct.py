"""The fast way of a load: PostgreSQL's COPY reads the file straight into typed columns.

Belongs here: the attempt, which takes every row or none. Does not belong here: finding out which row is bad;
after any doubt the attempt is undone and the rows are judged one by one (judge.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
#: A moment that ends in Z, +hh, +hhmm or ±hh:mm has an offset. One of digits and -: T. without a minus behind
#: a colon has none. Anything else is unclear.
HAS_OFFSET = (
    "({0} like '%Z' or {0} like '%+__' or {0} like '%+____' or {0} like '%+__:__' or {0} like '%-__:__')"
)
UNCLEAR_OFFSET = (
    f"(not {HAS_OFFSET} and (translate({{0}}, '0123456789-: T.', '') <> '' or {{0}} like '%:%-%'))"
)
MOMENT_BY_TENANT = (
    f"case when {HAS_OFFSET} then {{0}}::timestamptz else {{0}}::timestamp at time zone z.timezone end"
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
            return _load(connection, _Direct(plan, zone is None), sources, advance, phase)
    except DOUBTS:
        return None


@dataclass(frozen=True)
class _Direct:
    """A plan and whether its moments are staged as text, for each row's time zone is its tenant's."""

    plan: Plan
    zone_by_tenant: bool

    def staged_types(self) -> list[str]:
        types = self.plan.staged_types()
        return ["text" if kind == "timestamptz" and self.zone_by_tenant else kind for kind in types]

    def moments(self) -> list[Binding]:
        """The columns that are cast with the tenant's time zone."""
        return [b for b in self.plan.bindings if b.column.type == "timestamptz" and self.zone_by_tenant]

    def relation(self) -> sql.Composed:
        """The staged rows as rows of the raw table."""
        values = [
            sql.SQL("{} as {}").format(self._value(binding), sql.Identifier(binding.name))
            for binding in self.plan.bindings
        ]
        if self.plan.extras:
            values.append(sql.SQL("{} as extra").format(self.plan.extra()))
        relation = sql.SQL("(select {} from pg_temp.staged as s").format(sql.SQL(", ").join(values))
        tenant = self.plan.binding("tenant_id")
        if self.moments() and tenant is not None:
            relation += sql.SQL(" left join raw.tenants as z on z.tenant_id = {}").format(tenant.text())
        return relation + sql.SQL(")")

    def _value(self, binding: Binding) -> sql.Composable:
        value = binding.text()
        if binding in self.moments():
            value = sql.SQL(MOMENT_BY_TENANT).format(sql.SQL("({}::text)").format(value))
        elif not binding.positions:
            value = sql.SQL("{}::{}").format(value, sql.SQL(binding.column.type))
        if binding.column.required and binding.column.default is not None:
            value = sql.SQL("coalesce({}, {})").format(value, sql.SQL(binding.column.default))
        return value


def _load(
    connection: Connection,
    direct: _Direct,
    sources: Sequence[SourceFile],
    advance: Advance | None,
    phase: Callable[[str], None],
) -> Merged:
    plan = direct.plan
    columns = [(staged_name(position), kind) for position, kind in enumerate(direct.staged_types())]
    temporary_table(connection, "staged", columns)
    total = sum(_copy(connection, plan, source, advance) for source in sources)
    names = tuple(binding.name for binding in plan.bindings)
    incoming = Incoming(plan.table, direct.relation(), names, tuple(plan.extra_names))
    phase("comparing")
    if _has_unclear_offsets(connection, direct):
        raise NotPlainError("a moment with an offset of another form")
    if _has_unknown_tenants(connection, direct):
        raise NotPlainError("an unknown tenant")
    same = incoming.count_same(connection)
    if same < total:
        if _breaks_a_rule(connection, direct):
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


def _has_unclear_offsets(connection: Connection, direct: _Direct) -> bool:
    unclear = [
        sql.SQL(UNCLEAR_OFFSET).format(sql.SQL("({}::text)").format(binding.text()))
        for binding in direct.moments()
    ]
    if not unclear:
        return False
    query = sql.SQL("select exists (select from pg_temp.staged as s where {})").format(
        sql.SQL(" or ").join(unclear)
    )
    return bool(scalar(connection, query))


def _has_unknown_tenants(connection: Connection, direct: _Direct) -> bool:
    binding = direct.plan.binding("tenant_id")
    if binding is None or not binding.positions or direct.plan.table.name == "tenants":
        return False
    query = f"select exists (select distinct tenant_id from {{}} as v except ({KNOWN_TENANTS}))"
    return bool(scalar(connection, sql.SQL(query).format(direct.relation())))


def _breaks_a_rule(connection: Connection, direct: _Direct) -> bool:
    broken = [rule.broken for rule in typed_rules(direct.plan)]
    query = sql.SQL("select exists (select from {} as v where {})").format(
        direct.relation(), sql.SQL(" or ").join(broken)
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
