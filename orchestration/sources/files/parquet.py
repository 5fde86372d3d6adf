"""Parquet files: their columns, and their rows as the CSV that COPY reads.

Belongs here: everything that needs pyarrow. Does not belong here: other formats. A NaN is no value: that is
how pandas writes a missing number.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.errors import MetricpressError
from orchestration.sources.files.source import Advance, open_bytes, unreadable

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 20_000


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file; a gzipped one is unpacked into a temporary file first, for Parquet is read from its end."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with open_bytes(path) as file:
            if path.suffix.lower() != ".gz":
                yield pq.ParquetFile(path)
                return
            with tempfile.TemporaryFile() as unpacked:
                shutil.copyfileobj(file, unpacked)
                yield pq.ParquetFile(unpacked)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        first_line = str(error).splitlines()[0]
        raise unreadable(path, f"not a readable Parquet file ({first_line})") from error


def parquet_columns(path: Path) -> tuple[tuple[str, ...], frozenset[str]]:
    """The column names, and those whose values are numbers, booleans or nested."""
    from pyarrow import types

    with _opened(path) as file:
        schema = file.schema_arrow
    if len(set(schema.names)) < len(schema.names):
        raise unreadable(path, "two columns have one name")
    as_json = {
        column.name
        for column in schema
        if types.is_boolean(column.type)
        or types.is_integer(column.type)
        or types.is_floating(column.type)
        or types.is_nested(column.type)
    }
    return tuple(schema.names), frozenset(as_json)


def parquet_blocks(path: Path, advance: Advance | None) -> Iterator[tuple[int, bytes]]:
    """The rows as CSV without a header: pairs of a number of rows and their bytes."""
    import pyarrow.csv as arrow_csv

    with _opened(path) as file:
        size, total = path.stat().st_size, max(file.metadata.num_rows, 1)
        options = arrow_csv.WriteOptions(include_header=False)
        for batch in file.iter_batches(BATCH_ROWS):
            block = io.BytesIO()
            arrow_csv.write_csv(_plain(batch, path), block, options)
            if advance:
                advance(size * batch.num_rows // total)
            yield batch.num_rows, block.getvalue()


def parquet_rows(path: Path, advance: Advance | None) -> Iterator[list[str | None]]:
    """The rows one by one, as text."""
    for _, block in parquet_blocks(path, advance):
        yield from csv.reader(io.StringIO(block.decode(), newline=""))


def _plain(batch: pa.RecordBatch, path: Path) -> pa.RecordBatch:
    """The batch with every column of a type that CSV can hold."""
    import pyarrow as pa

    columns = [
        _plain_column(column, field, path) for column, field in zip(batch.columns, batch.schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _plain_column(column: Any, field: Any, path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if types.is_nested(column.type):
        values = (None if value is None else json.dumps(value, default=str) for value in column.to_pylist())
        return pa.array(values, pa.string())
    if types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    if types.is_binary(column.type) or types.is_large_binary(column.type):
        raise MetricpressError(f'{path}: the column "{field.name}" holds bytes', remedy="Write it as text.")
    return column
