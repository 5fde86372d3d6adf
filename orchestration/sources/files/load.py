"""`load`: files into one raw table, in one transaction, with every refused row kept and explained.

Belongs here: the order of the steps and what a load reports. Does not belong here: the steps themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from psycopg import sql

from orchestration.errors import EXIT_FINE, EXIT_ROWS_REJECTED, MetricpressError
from orchestration.sources.files.direct import attempt
from orchestration.sources.files.judge import judge, prepare, stage_text
from orchestration.sources.files.merge import Incoming, Merged, merge_distinct
from orchestration.sources.files.options import LoadOptions
from orchestration.sources.files.plan import Plan, make_plan, raw_table, staged_name
from orchestration.sources.files.select import run_select, stage_files
from orchestration.sources.files.session import SETTINGS, Connection, local_settings, scalar, set_local
from orchestration.sources.files.source import Advance, SourceFile, for_plan, inspect
from orchestration.warehouse.contract import RawTable

#: Called with bytes read so far, bytes of all files, and what is being done.
Progress = Callable[[int, int, str], None]
REASONS_SHOWN = 5


@dataclass(frozen=True)
class Rejection:
    """A refused row: where it stood and why it was refused."""

    file: str
    line: int
    column: str | None
    value: str | None
    reason: str

    def __str__(self) -> str:
        """For example `calls.csv:7 status "answered" is not one of completed, missed, failed`."""
        column = f" {self.column}" if self.column else ""
        value = f' "{self.value}"' if self.value is not None else ""
        return f"{self.file}:{self.line}{column}{value} {self.reason}"


@dataclass(frozen=True)
class LoadResult:
    """What a load did: new + changed + unchanged + rejected = read, or = yielded when a select made the rows.

    A row that repeats another of the same call word for word counts as unchanged. `loaded` is False when
    `strict` held everything back. `reasons` are the first rejections.
    """

    load_id: UUID
    table: str
    files: list[str]
    read: int
    new: int
    changed: int
    unchanged: int
    rejected: int
    yielded: int | None = None
    loaded: bool = True
    reasons: list[Rejection] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def exit_code(self) -> int:
        """3 when any row was rejected, 0 when none."""
        return EXIT_ROWS_REJECTED if self.rejected else EXIT_FINE

    def as_dict(self) -> dict[str, Any]:
        """The result as plain values, for JSON."""
        return asdict(self)


def load(
    connection: Connection,
    table: str,
    files: Sequence[Path],
    options: LoadOptions | None = None,
    progress: Progress | None = None,
) -> LoadResult:
    """Load files into `raw.<table>`; commits when the connection is not inside a transaction already.

    Raises MetricpressError, with nothing loaded, when a file cannot be read at all or an option names what is
    not there. Rows that break the contract raise nothing: they are counted, and kept in raw.rejected_rows.
    """
    options = options or LoadOptions()
    target = raw_table(table)
    if not files:
        raise MetricpressError("no file to load")
    sources = [inspect(Path(path), options.delimiter, options.encoding) for path in files]
    lookups = [inspect(Path(path), options.delimiter, options.encoding) for path in options.lookups]
    with connection.transaction(), local_settings(connection, SETTINGS):
        return _Load(connection, target, sources, lookups, options, progress).run()


class _Load:
    """One call of `load`: what its steps share."""

    def __init__(
        self,
        connection: Connection,
        table: RawTable,
        sources: list[SourceFile],
        lookups: list[SourceFile],
        options: LoadOptions,
        progress: Progress | None,
    ) -> None:
        self.connection = connection
        self.table = table
        self.sources = sources
        self.lookups = lookups
        self.options = options
        self.bytes_read = 0
        self.bytes_total = sum(source.path.stat().st_size for source in (*sources, *lookups))
        self.progress = progress
        self.started_at = datetime.now(UTC)
        self.clock = time.monotonic()

    def run(self) -> LoadResult:
        """Everything between the opened files and the committed rows."""
        if self.options.select is None and self.options.lookups:
            raise MetricpressError(
                "--lookup files are read by a select", remedy="Give --select FILE.sql too."
            )
        zone = self._zone()
        set_local(self.connection, "timezone", zone or "UTC")
        if self.options.select is not None:
            return self._by_select(self.options.select, zone)
        columns = _common_columns(self.sources)
        json_columns = frozenset().union(*(source.json_columns for source in self.sources))
        plan = make_plan(self.table, columns, self.options, json_columns)
        sources = [for_plan(source, plan.json_extra_names) for source in self.sources]
        zone = zone or self._only_zone(plan)
        set_local(self.connection, "timezone", zone or "UTC")
        merged = attempt(self.connection, plan, sources, zone, self._advance, self._phase)
        if merged is not None:
            return self._record(merged, read=merged.new + merged.changed + merged.unchanged)
        self.bytes_read = 0
        prepare(self.connection)
        names = [staged_name(position) for position in range(len(plan.columns))]
        read = stage_text(self.connection, "text_rows", plan.columns, sources, self._advance, names)
        return self._carefully(plan, zone, read, yielded=None)

    def _by_select(self, path: Path, zone: str | None) -> LoadResult:
        prepare(self.connection)
        read = stage_files(self.connection, self.sources, self.lookups, self._advance)
        self._phase("selecting")
        columns, yielded = run_select(self.connection, path)
        plan = make_plan(self.table, columns, self.options)
        return self._carefully(plan, zone, read, yielded)

    def _carefully(self, plan: Plan, zone: str | None, read: int, yielded: int | None) -> LoadResult:
        self._phase("judging")
        judge(self.connection, plan, zone)
        rejected = int(scalar(self.connection, sql.SQL("select count(*) from pg_temp.refused")))
        held_back = self.options.strict and rejected > 0
        merged = Merged()
        if not held_back:
            self._phase("writing")
            good = sql.SQL("(select * from pg_temp.judged where _rule is null)")
            columns = tuple(binding.name for binding in plan.bindings)
            merged = merge_distinct(
                self.connection, Incoming(plan.table, good, columns, tuple(plan.extra_names))
            )
            repeats = int(
                scalar(self.connection, sql.SQL("select count(*) from pg_temp.judged where _rule = 0"))
            )
            merged = replace(merged, unchanged=merged.unchanged + repeats)
        return self._record(merged, read=read, yielded=yielded, rejected=rejected, loaded=not held_back)

    def _zone(self) -> str | None:
        """The time zone of all moments without an offset, None when it depends on the row's tenant."""
        zone = self.options.timezone
        if zone is not None:
            if not scalar(self.connection, sql.SQL("select raw.is_timezone({})").format(zone)):
                raise MetricpressError(
                    f'--timezone: PostgreSQL does not know "{zone}"',
                    remedy="Give a name such as Europe/Lisbon.",
                )
            return zone
        tenant = self.options.tenant
        if tenant is None or self.table.name == "tenants":
            return None
        query = "select timezone from raw.tenants where tenant_id = %s and deleted_at is null"
        row = self.connection.execute(query, [tenant]).fetchone()
        if row is None:
            raise MetricpressError(
                f'there is no tenant "{tenant}"',
                remedy=f"Add it: metricpress tenants add {tenant} --timezone …",
            )
        return str(row[0])

    def _only_zone(self, plan: Plan) -> str | None:
        """The one time zone that all tenants share, when they do or when no moment is loaded."""
        if not any(binding.column.type == "timestamptz" for binding in plan.bindings):
            return "UTC"
        if plan.table.name == "tenants":
            return None
        zones = self.connection.execute("select distinct timezone from raw.tenants limit 2").fetchall()
        return str(zones[0][0]) if len(zones) == 1 else None

    def _record(
        self,
        merged: Merged,
        *,
        read: int,
        rejected: int = 0,
        yielded: int | None = None,
        loaded: bool = True,
    ) -> LoadResult:
        """Write the load and its rejections down, and say what was done."""
        files = [source.name for source in self.sources]
        counts = (read, merged.new, merged.changed, merged.unchanged, rejected)
        load_id = scalar(
            self.connection,
            sql.SQL(
                "insert into raw.loads (table_name, tenant_id, files, rows_read, rows_new, rows_changed,"
                " rows_unchanged, rows_rejected, row_xid, started_at, finished_at)"
                " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, clock_timestamp()) returning load_id"
            ),
            [self.table.name, self.options.tenant, files, *counts, merged.row_xid, self.started_at],
        )
        reasons = self._keep_rejections(load_id) if rejected else []
        seconds = time.monotonic() - self.clock
        return LoadResult(
            load_id, self.table.name, files, *counts, yielded, loaded, reasons, round(seconds, 3)
        )

    def _keep_rejections(self, load_id: UUID) -> list[Rejection]:
        self.connection.execute(
            """
            insert into raw.rejected_rows (
                load_id, tenant_id, table_name, file_name, line_number, column_name, value, reason,
                row_content
            )
            select %s, coalesce(tenant_id, %s), %s, _file, _line, column_name, value, reason, row_content
            from pg_temp.refused order by _ordinal
            """,
            [load_id, self.options.tenant, self.table.name],
        )
        first = self.connection.execute(
            "select _file, _line, column_name, value, reason from pg_temp.refused order by _ordinal limit %s",
            [REASONS_SHOWN],
        )
        return [Rejection(*row) for row in first.fetchall()]

    def _advance(self, count: int) -> None:
        self.bytes_read += count
        if self.progress:
            self.progress(min(self.bytes_read, self.bytes_total), self.bytes_total, "reading")

    def _phase(self, description: str) -> None:
        if self.progress:
            self.progress(self.bytes_total, self.bytes_total, description)


def _common_columns(sources: Sequence[SourceFile]) -> tuple[str, ...]:
    """The columns of the files, which must be the same in all of them."""
    first = sources[0]
    for other in sources[1:]:
        differing = set(first.columns) ^ set(other.columns)
        if differing:
            raise MetricpressError(
                f"{first.name} and {other.name} have different columns: {', '.join(sorted(differing))}",
                remedy="Load them by two calls.",
            )
    return first.columns


__all__ = ["Advance", "LoadOptions", "LoadResult", "Rejection", "load"]
