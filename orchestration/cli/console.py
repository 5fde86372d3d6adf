"""How commands print: results to standard output, remarks and progress to standard error.

Belongs here: tables, JSON and progress bars that every command shares. Does not belong here: what is shown.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

#: The option of every command that prints a table.
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def print_json(value: Any) -> None:
    """Print a value as JSON: moments in ISO 8601, numerics as numbers."""
    print(json.dumps(value, default=_plain, indent=2, ensure_ascii=False))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, UUID | Path):
        return str(value)
    raise TypeError(f"no JSON form of {type(value).__name__}")


def print_table(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    *,
    as_json: bool = False,
    title: str | None = None,
    empty: str = "nothing to show",
) -> None:
    """Print rows as a table of `columns`, numbers to the right; or as a JSON list with every field."""
    if as_json:
        print_json([dict(row) for row in rows])
        return
    if not rows:
        remark(empty)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left", pad_edge=False, show_edge=False)
    for column in columns:
        numeric = all(isinstance(row.get(column), int | float | Decimal | None) for row in rows)
        table.add_column(column.replace("_", " "), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    Console(highlight=False, markup=False).print(table)


def _cell(value: Any) -> str:
    match value:
        case None:
            text = ""
        case bool():
            text = "yes" if value else "no"
        case int():
            text = f"{value:,}"
        case list() | tuple():
            text = ", ".join(str(part) for part in value)
        case dict():
            text = json.dumps(value, ensure_ascii=False)
        case datetime():
            text = value.isoformat(sep=" ", timespec="minutes")
        case _:
            text = str(value)
    return text


def remark(text: str) -> None:
    """A line for the person at the screen; not part of the result."""
    print(text, file=sys.stderr)


@contextmanager
def progress(description: str, total: float | None = None) -> Iterator[Any]:
    """A progress bar on standard error; yields a function `advance(steps=1, total=None, description=None)`.

    Where standard error is no terminal the description is printed once instead.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    console = Console(stderr=True)
    if not console.is_terminal:
        remark(description)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
    )
    with Progress(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(description, total=total)

        def advance(steps: float = 1, total: float | None = None, description: str | None = None) -> None:
            bar.update(task, advance=steps, total=total, description=description)

        yield advance


def confirm(question: str, yes: bool) -> None:
    """Ask before something that cannot be undone; ends the command when the answer is no."""
    if not yes:
        typer.confirm(question, abort=True, err=True)
