"""metricpress load: files into a raw table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.console import AsJson, print_json, progress, remark
from orchestration.settings import Settings

if TYPE_CHECKING:
    from orchestration.sources.files.load import LoadResult

MEGABYTE = 1_000_000


def load(  # noqa: PLR0917 - Typer calls it with keywords
    table: Annotated[str, typer.Argument(metavar="TABLE", help="The raw table, for example leads.")],
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="CSV, TSV, JSON lines, Parquet; .gz too.")
    ],
    tenant: Annotated[str | None, typer.Option(help="Tenant of all rows.")] = None,
    rename: Annotated[
        list[str] | None, typer.Option("--map", metavar="TARGET=SOURCE", help="Rename a column.")
    ] = None,
    constants: Annotated[
        list[str] | None, typer.Option("--set", metavar="COLUMN=VALUE", help="The same value for all rows.")
    ] = None,
    value_map: Annotated[
        list[str] | None, typer.Option("--map-value", metavar="COLUMN:FROM=TO", help="Translate a value.")
    ] = None,
    id_from: Annotated[
        str | None, typer.Option(metavar="A,B", help="Compose the key of these columns.")
    ] = None,
    date_format: Annotated[
        list[str] | None,
        typer.Option(metavar="[COLUMN=]FORMAT", help="Such as %d/%m/%Y %H:%M, epoch, epoch_ms."),
    ] = None,
    timezone: Annotated[
        str | None, typer.Option(help="Of moments without an offset; else the tenant's.")
    ] = None,
    delimiter: Annotated[str | None, typer.Option(help="Between fields; else told by the header.")] = None,
    encoding: Annotated[str, typer.Option(help="Of text files.")] = "utf-8",
    select: Annotated[
        Path | None, typer.Option(metavar="FILE.sql", help="A SELECT over the files, as tables of text.")
    ] = None,
    lookup: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="One more file for the select.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Load nothing when a row is rejected.")] = False,
    as_json: AsJson = False,
) -> None:
    """Load files into a raw table, in one transaction. Ends with 3 when rows were rejected."""
    from orchestration.sources.files import load as files_load
    from orchestration.sources.files.options import (
        LoadOptions,
        parse_date_formats,
        parse_pairs,
        parse_value_map,
    )
    from orchestration.warehouse.connection import connect

    options = LoadOptions(
        tenant=tenant,
        rename=parse_pairs("--map", rename or ()),
        constants=parse_pairs("--set", constants or ()),
        value_map=parse_value_map(value_map or ()),
        id_from=tuple(name.strip() for name in id_from.split(",")) if id_from else (),
        date_formats=parse_date_formats(date_format or ()),
        timezone=timezone,
        delimiter=delimiter,
        encoding=encoding,
        select=select,
        lookups=tuple(lookup or ()),
        strict=strict,
    )
    with connect(Settings.from_env()) as connection, _bar(table) as show:
        result = files_load.load(connection, table, files, options, show)
    if as_json:
        print_json(result.as_dict())
    else:
        _print(result)
    raise typer.Exit(result.exit_code)


@contextmanager
def _bar(table: str) -> Iterator[Callable[[int, int, str], None]]:
    """A bar of the megabytes read, on a terminal."""
    with progress(f"raw.{table}", total=None) as advance:
        shown = 0

        def show(done: int, total: int, doing: str) -> None:
            nonlocal shown
            megabytes = done // MEGABYTE
            advance(megabytes - shown, max(total // MEGABYTE, 1), f"raw.{table}: {doing}")
            shown = megabytes

        yield show


def _print(result: LoadResult) -> None:
    yielded = "" if result.yielded is None else f"  yielded {result.yielded:,}"
    print(
        f"raw.{result.table}: read {result.read:,}{yielded}  new {result.new:,}  changed {result.changed:,}"
        f"  unchanged {result.unchanged:,}  rejected {result.rejected:,}"
    )
    if not result.rejected:
        return
    if not result.loaded:
        print("Nothing was loaded, for --strict was given.")
    print("First reasons:" if result.rejected > len(result.reasons) else "Reasons:")
    for reason in result.reasons:
        print(f"  {reason}")
    remark(f"All of them: select * from raw.rejected_rows where load_id = '{result.load_id}'")
