"""What a person sees beside an asset in the UI: row counts, the newest row, a small plot, pictures, links.

Belongs here: reading these facts from the warehouse and turning them into dagster metadata. Does not belong
here: figures of the business, which reports and dashboards show.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
from psycopg import sql

#: Above this many rows PostgreSQL's estimate stands in for a count, which would read the whole table.
EXACT_COUNT_BELOW = 100_000
PLOT_DAYS = 60
PLOT_WIDTH, PLOT_HEIGHT = 480, 48
#: Columns that date a row of a mart, in the order of preference.
DATE_COLUMNS = (
    "metric_date", "period_start", "movement_date", "month", "cohort_month", "cohort_week", "cohort_start",
)  # fmt: skip


@dataclass(frozen=True)
class TableFacts:
    """Rows of a table, whether that is an estimate, and rows per day (or week, month) of its date column."""

    rows: int
    is_estimate: bool
    date_column: str | None
    per_day: Sequence[tuple[date, int]]


def table_facts(conn: psycopg.Connection[Any], schema: str, table: str) -> TableFacts:
    """Rows of one table and, unless it is too large to be read each time, of its newest PLOT_DAYS dates."""
    name = sql.Identifier(schema, table)
    columns = {
        row[0]
        for row in conn.execute(
            "select column_name from information_schema.columns where table_schema = %s and table_name = %s",
            (schema, table),
        )
    }
    rows, is_estimate = row_count(conn, schema, table)
    date_column = next((c for c in DATE_COLUMNS if c in columns), None)
    if date_column is None or is_estimate:
        return TableFacts(rows, is_estimate, None, ())
    query = sql.SQL(
        "select {day}::date, count(*) from {table} where {day} is not null"
        " group by 1 order by 1 desc limit {days}"
    ).format(day=sql.Identifier(date_column), table=name, days=sql.Literal(PLOT_DAYS))
    per_day = tuple((row[0], row[1]) for row in reversed(conn.execute(query).fetchall()))
    return TableFacts(rows, is_estimate, date_column, per_day)


def row_count(conn: psycopg.Connection[Any], schema: str, table: str) -> tuple[int, bool]:
    """Rows of a table, and whether that is PostgreSQL's estimate because the table is large."""
    found = conn.execute(
        "select reltuples::bigint from pg_class where oid = to_regclass(%s)",
        (sql.Identifier(schema, table).as_string(conn),),
    ).fetchone()
    estimate = found[0] if found else 0
    if estimate > EXACT_COUNT_BELOW:
        return estimate, True
    counted = conn.execute(
        sql.SQL("select count(*) from {}").format(sql.Identifier(schema, table))
    ).fetchone()
    assert counted is not None  # count(*) gives one row
    return counted[0], False


def table_metadata(facts: TableFacts) -> dict[str, Any]:
    """The facts as metadata: `dagster/row_count` feeds the plot over time that the UI draws by itself."""
    metadata: dict[str, Any] = {"dagster/row_count": facts.rows}
    if facts.is_estimate:
        metadata["row_count_is_estimate"] = True
    if facts.per_day:
        (first, _), (last, newest) = facts.per_day[0], facts.per_day[-1]
        most = max(rows for _, rows in facts.per_day)
        metadata[f"rows_by_{facts.date_column}"] = picture(
            bar_plot([rows for _, rows in facts.per_day]),
            "svg+xml",
            "rows by date",
            f"{first} to {last}: {newest:,} at last, {most:,} at most",
        )
    return metadata


def bar_plot(values: Sequence[int]) -> bytes:
    """Bars from zero to the maximum as an SVG of few bytes: the UI shows short texts without a click."""
    top = max(values, default=0) or 1
    outline = "".join(f"V{PLOT_HEIGHT - round(value / top * PLOT_HEIGHT)}h1" for value in values)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{PLOT_WIDTH}" height="{PLOT_HEIGHT}"'
        f' viewBox="0 0 {max(len(values), 1)} {PLOT_HEIGHT}" preserveAspectRatio="none">'
        f'<path fill="#3b6ea8" d="M0 {PLOT_HEIGHT}{outline}V{PLOT_HEIGHT}z"/></svg>'
    ).encode()


def picture(data: bytes, subtype: str, alternative: str, caption: str = "") -> dg.MarkdownMetadataValue:
    """An image inside the event log as markdown: the UI shows it without a file server."""
    image = f"![{alternative}](data:image/{subtype};base64,{base64.b64encode(data).decode()})"
    return dg.MetadataValue.md(f"{image}\n\n{caption}" if caption else image)


def file_link(path: Path) -> dg.PathMetadataValue:
    """The path of a finished file, which the UI offers to copy."""
    return dg.MetadataValue.path(str(path.absolute()))


def markdown_table(rows: Sequence[Mapping[str, object]]) -> dg.MarkdownMetadataValue:
    """Rows with the same keys as a markdown table; an empty sequence gives an empty text."""
    if not rows:
        return dg.MetadataValue.md("")
    head = list(rows[0])
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    lines += ["| " + " | ".join(str(row[name]).replace("|", "\\|") for name in head) + " |" for row in rows]
    return dg.MetadataValue.md("\n".join(lines))
