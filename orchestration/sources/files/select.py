"""`--select`: a user's SELECT over the staged files that yields the columns of the raw table.

Belongs here: naming the files as tables, running the statement so that it can do nothing but read, and
staging what it yields. Does not belong here: judging what it yields (judge.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from orchestration.errors import MetricpressError
from orchestration.sources.files.judge import WHERE_FROM, stage_text
from orchestration.sources.files.plan import staged_name
from orchestration.sources.files.session import Connection, local_settings, temporary_table
from orchestration.sources.files.source import Advance, SourceFile

OWN_TABLES = ("text_rows", "judged", "refused", "staged", "yielded")
#: A select may yield these two to tell where a row comes from.
FILE, LINE = "_file", "_line"


def table_name(path: Path) -> str:
    """The table of a file: its name without ending, lower case, `_` for all but letters and digits."""
    stem = Path(path.stem if path.suffix.lower() == ".gz" else path.name).stem
    name = re.sub(r"[^a-z0-9]+", "_", stem.lower()).strip("_")
    return name if name and not name[0].isdigit() else f"_{name}"


def stage_files(
    connection: Connection,
    sources: Sequence[SourceFile],
    lookups: Sequence[SourceFile],
    advance: Advance | None,
) -> int:
    """Stage every file as a text table of its own; returns the rows of `sources` alone."""
    names = [table_name(source.path) for source in (*sources, *lookups)]
    for name in names:
        if names.count(name) > 1 or name in OWN_TABLES:
            raise MetricpressError(
                f'two tables of the select would be called "{name}"', remedy="Rename one of the files."
            )
    counts = []
    for source, name in zip((*sources, *lookups), names, strict=True):
        counts.append(stage_text(connection, name, source.columns, [source], advance))
        connection.execute(
            sql.SQL("alter table {} drop column _ordinal, drop column _defect, drop column _content").format(
                sql.Identifier("pg_temp", name)
            )
        )
        connection.execute(sql.SQL("analyze {}").format(sql.Identifier("pg_temp", name)))
    return sum(counts[: len(sources)])


def run_select(connection: Connection, path: Path) -> tuple[tuple[str, ...], int]:
    """Run the select of a file into `text_rows`; returns the columns it yields and the number of rows."""
    query = _read(path)
    try:
        with connection.transaction(), local_settings(connection, {"search_path": "pg_temp, pg_catalog"}):
            columns, count = _yield_rows(connection, query)
    except psycopg.Error as error:
        raise MetricpressError(f"{path}: {_explain(error)}", remedy=error.diag.message_hint or "") from error
    return _stage_yielded(connection, path, columns), count


def _read(path: Path) -> str:
    try:
        query = path.read_text(encoding="utf-8-sig").strip().rstrip(";")
    except (OSError, UnicodeDecodeError) as error:
        raise MetricpressError(f"{path}: cannot be read ({error})") from error
    if not query:
        raise MetricpressError(f"{path}: is empty", remedy="Write a SELECT over the staged files.")
    return query


def _yield_rows(connection: Connection, query: str) -> tuple[list[str], int]:
    """Fill `yielded` with what the query yields. Only reading is allowed, and one statement."""
    # As a subquery it can hold no statement that writes; prepared, the text can hold no second statement.
    wrapped = f"select * from (\n{query}\n) as yielded"
    described = connection.execute(f"{wrapped} limit 0", prepare=True).description
    columns = [column.name for column in described or ()]
    temporary_table(connection, "yielded", [("_ordinal", "bigint"), *((name, "text") for name in columns)])
    values = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in columns)
    with connection.transaction():
        connection.execute("set transaction read only")  # ends with this savepoint
        insert = "insert into pg_temp.yielded select row_number() over (), {} from (\n"
        text = sql.SQL(insert).format(values).as_string(connection) + query + "\n) as yielded"
        count = connection.execute(text, prepare=True).rowcount
    return columns, count


def _stage_yielded(connection: Connection, path: Path, columns: list[str]) -> tuple[str, ...]:
    """`yielded` as `text_rows`, numbered in its order."""
    names = [name for name in columns if name not in (FILE, LINE)]
    staged = [(staged_name(position), "text") for position in range(len(names))]
    temporary_table(connection, "text_rows", [*WHERE_FROM, *staged])
    file_name = (
        sql.SQL("coalesce(y._file, {})").format(str(path)) if FILE in columns else sql.Literal(str(path))
    )
    ordinal = sql.Identifier("y", "_ordinal")
    line = sql.SQL("coalesce(y._line::bigint, {})").format(ordinal) if LINE in columns else ordinal
    connection.execute(
        sql.SQL(
            "insert into pg_temp.text_rows select {}, {}, {}, null, null{} from pg_temp.yielded as y"
        ).format(
            ordinal,
            file_name,
            line,
            sql.SQL("").join(sql.SQL(", nullif({}, '')").format(sql.Identifier("y", name)) for name in names),
        )
    )
    return tuple(names)


def _explain(error: psycopg.Error) -> str:
    """PostgreSQL's message on one line."""
    return (error.diag.message_primary or str(error)).strip().replace("\n", " ")
