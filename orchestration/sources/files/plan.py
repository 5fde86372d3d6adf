"""Which column of a raw table comes from where: the options matched against the columns of the files.

Belongs here: the matching, its errors, and each column's value as an SQL expression over a staging table with
the columns c1, c2, … in the order of the file. Does not belong here: casting and judging values (judge.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from psycopg import sql

from orchestration.errors import MetricpressError
from orchestration.sources.files.formats import DateFormat, date_format
from orchestration.sources.files.options import LoadOptions
from orchestration.warehouse.contract import TABLES, Column, RawTable

MOMENTS = ("timestamptz", "date")
#: Written by the loader, never by a file.
OWN_COLUMNS = ("loaded_at", "extra")
KEY_SEPARATOR = "|"


@dataclass(frozen=True)
class Binding:
    """One target column and its source: file columns (by position, several make a key) or a constant."""

    column: Column
    positions: tuple[int, ...] = ()
    constant: str | None = None
    translations: tuple[tuple[str, str], ...] = ()
    date_format: DateFormat | None = None

    @property
    def name(self) -> str:
        """The target column."""
        return self.column.name

    @property
    def is_direct(self) -> bool:
        """Whether PostgreSQL can read the value of the file as it stands, or it is text anyway."""
        return self.column.type == "text" or (
            self.date_format is None and not self.translations and len(self.positions) <= 1
        )

    def text(self) -> sql.Composable:
        """The value as text (or as staged), over a staging table named `s`."""
        if not self.positions:
            return sql.Literal(self.constant or None)
        parts = [sql.SQL("s.{}").format(sql.Identifier(staged_name(p))) for p in self.positions]
        value: sql.Composable = sql.SQL(f" || '{KEY_SEPARATOR}' || ").join(parts)
        if not self.translations:
            return value
        cases = [
            sql.SQL("when {} then {}").format(
                sql.SQL("{} = {}").format(value, sql.Literal(before))
                if before
                else sql.SQL("{} is null").format(value),
                sql.Literal(after or None),
            )
            for before, after in self.translations
        ]
        return sql.SQL("(case {} else {} end)").format(sql.SQL(" ").join(cases), value)


@dataclass(frozen=True)
class Plan:
    """How staged rows become rows of `table`."""

    table: RawTable
    columns: tuple[str, ...]
    bindings: tuple[Binding, ...]
    extras: tuple[int, ...]
    json_extras: tuple[int, ...]

    def binding(self, name: str) -> Binding | None:
        """The binding of a target column, None when the load does not touch it."""
        return next((binding for binding in self.bindings if binding.name == name), None)

    @property
    def constant_tenant(self) -> str | None:
        """The tenant of all rows when it is fixed."""
        binding = self.binding("tenant_id")
        return binding.constant if binding and not binding.positions else None

    @property
    def extra_names(self) -> list[str]:
        """The file columns that go to `extra`."""
        return [self.columns[position] for position in self.extras]

    @property
    def json_extra_names(self) -> frozenset[str]:
        """Those of them that come as JSON."""
        return frozenset(self.columns[position] for position in self.json_extras)

    @property
    def is_direct(self) -> bool:
        """Whether the files can be copied into typed columns: nothing has to be translated before a cast."""
        typed_positions = [b.positions[0] for b in self.bindings if b.column.type != "text" and b.positions]
        used = [position for binding in self.bindings for position in binding.positions]
        return all(binding.is_direct for binding in self.bindings) and all(
            used.count(position) == 1 for position in typed_positions
        )

    def staged_types(self) -> list[str]:
        """The types of c1, c2, … for a direct copy."""
        types = ["text"] * len(self.columns)
        for binding in self.bindings:
            if binding.positions and binding.column.type != "text":
                types[binding.positions[0]] = binding.column.type
        for position in self.json_extras:
            types[position] = "jsonb"
        return types

    def extra(self) -> sql.Composable:
        """The object of the extra columns over `s`; columns without a value are left out."""
        parts: list[sql.Composable] = []
        texts = [position for position in self.extras if position not in self.json_extras]
        if texts:
            names = [self.columns[position] for position in texts]
            values = [sql.Identifier("s", staged_name(position)) for position in texts]
            parts.append(
                sql.SQL("jsonb_strip_nulls(jsonb_object({}::text[], array[{}]))").format(
                    sql.Literal(names), sql.SQL(", ").join(values)
                )
            )
        parts += [
            sql.SQL(
                "case when {0} is null then '{{}}' else jsonb_build_object({1}::text, {0}::jsonb) end"
            ).format(sql.Identifier("s", staged_name(position)), sql.Literal(self.columns[position]))
            for position in self.json_extras
        ]
        if not parts:
            return sql.SQL("null::jsonb")
        return sql.SQL("nullif({}, '{{}}'::jsonb)").format(sql.SQL(" || ").join(parts))


def staged_name(position: int) -> str:
    """The staging column of the file's column at `position` (from 0)."""
    return f"c{position + 1}"


def raw_table(name: str) -> RawTable:
    """The raw table of that name, with or without `raw.` in front."""
    table = TABLES.get(name.removeprefix("raw."))
    if table is None:
        raise MetricpressError(f'there is no raw table "{name}"', remedy=f"Load one of {', '.join(TABLES)}.")
    return table


def make_plan(
    table: RawTable, columns: Sequence[str], options: LoadOptions, json_columns: frozenset[str] = frozenset()
) -> Plan:
    """Match the options with the columns of the files; MetricpressError on a name that is not there."""
    constants = dict(options.constants)
    if options.tenant is not None:
        _check_tenant_option(table, columns, options)
        constants["tenant_id"] = options.tenant
    targets = {column.name: column for column in table.all_columns if column.name not in OWN_COLUMNS}
    _check_targets(table, targets, options)
    by_name = {name: position for position, name in enumerate(columns)}
    sources: dict[str, tuple[int, ...]] = {name: (by_name[name],) for name in targets if name in by_name}
    for target, source in options.rename.items():
        sources[target] = (_position(by_name, source, f"--map {target}={source}"),)
    if options.id_from:
        key = _composed_key(table)
        sources[key] = tuple(_position(by_name, source, "--id-from") for source in options.id_from)
    bindings = tuple(
        Binding(
            column,
            () if name in constants else sources[name],
            constants.get(name),
            tuple(options.value_map.get(name, {}).items()),
            _date_format(column, options),
        )
        for name, column in targets.items()
        if name in constants or name in sources
    )
    _check_bound(table, columns, bindings, options)
    used = {position for binding in bindings for position in binding.positions}
    extras = tuple(p for p, name in enumerate(columns) if p not in used and name != "loaded_at")
    json_extras = tuple(position for position in extras if columns[position] in json_columns)
    return Plan(table, tuple(columns), bindings, extras, json_extras)


def _check_tenant_option(table: RawTable, columns: Sequence[str], options: LoadOptions) -> None:
    if "tenant_id" not in {column.name for column in table.all_columns}:
        raise MetricpressError(f"raw.{table.name} belongs to no tenant", remedy="Leave out --tenant.")
    if "tenant_id" in columns or "tenant_id" in options.rename:
        raise MetricpressError(
            "both --tenant and a column of the file give the tenant",
            remedy="Leave out --tenant, or overrule the column with --set tenant_id=…",
        )


def _check_targets(table: RawTable, targets: dict[str, Column], options: LoadOptions) -> None:
    named: dict[str, Iterable[str]] = {
        "--map": options.rename,
        "--set": options.constants,
        "--map-value": options.value_map,
        "--date-format": [column for column in options.date_formats if column != "*"],
    }
    for option, names in named.items():
        for name in names:
            if name not in targets:
                raise MetricpressError(
                    f'{option}: raw.{table.name} has no column "{name}"',
                    remedy=f"Its columns are {', '.join(targets)}.",
                )
    for name in options.date_formats:
        if name != "*" and targets[name].type not in MOMENTS:
            raise MetricpressError(f"--date-format: {name} is neither a moment nor a date")


def _position(by_name: dict[str, int], source: str, option: str) -> int:
    if source not in by_name:
        raise MetricpressError(
            f'{option}: the file has no column "{source}"', remedy=f"Its columns are {', '.join(by_name)}."
        )
    return by_name[source]


def _composed_key(table: RawTable) -> str:
    key = table.primary_key[-1]
    if len(table.key) > 1 or table.column(key).type != "text":
        raise MetricpressError(f"--id-from cannot compose the key of raw.{table.name}")
    return key


def _date_format(column: Column, options: LoadOptions) -> DateFormat | None:
    written = options.date_formats.get(column.name, options.date_formats.get("*"))
    return date_format(written) if written is not None and column.type in MOMENTS else None


def _check_bound(
    table: RawTable, columns: Sequence[str], bindings: tuple[Binding, ...], options: LoadOptions
) -> None:
    bound = {binding.name for binding in bindings}
    for name in table.primary_key:
        if name not in bound:
            remedy = f"The columns are {', '.join(columns)}. Say --map {name}=COLUMN"
            remedy += " or --tenant ID." if name == "tenant_id" else ", or --id-from."
            raise MetricpressError(
                f"nothing gives {name}, which is in the key of raw.{table.name}", remedy=remedy
            )
    for name in options.value_map:
        if name not in bound:
            raise MetricpressError(f"--map-value: nothing gives {name}")
