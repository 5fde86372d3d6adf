"""A file as the loader sees it: its format, its columns and its bytes, unpacked.

Belongs here: opening, gzip, what format a name means, the header of delimited files. Does not belong here:
reading rows (records.py, blocks.py) and what the columns mean (plan.py).
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Literal

from orchestration.errors import MetricpressError

Format = Literal["delimited", "json", "parquet"]
#: Told how many bytes of the file on disk were read so far.
Advance = Callable[[int], None]

SUFFIXES: dict[str, Format] = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".tab": "delimited",
    ".txt": "delimited",
    ".jsonl": "json",
    ".ndjson": "json",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
}
DELIMITERS = ",\t;|"
GZIP_MAGIC = b"\x1f\x8b"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
#: A free-text field may be long; the default of the csv module (128 kB) is not.
csv.field_size_limit(256 * 1024 * 1024)


@dataclass(frozen=True)
class SourceFile:
    """One file: `columns` in the order of its rows; `json_columns` are handed on as JSON, not as text."""

    path: Path
    format: Format
    columns: tuple[str, ...]
    delimiter: str = ","
    encoding: str = "utf-8"
    gzipped: bool = False
    json_columns: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The path as the user gave it: how messages and raw.rejected_rows name the file."""
        return str(self.path)


def unreadable(path: Path, why: str, remedy: str = "") -> MetricpressError:
    """The error for a file that cannot be read at all."""
    return MetricpressError(f"{path}: {why}", remedy=remedy)


def file_format(path: Path) -> Format:
    """The format a file name means; `.gz` is looked through."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    if not suffixes or suffixes[-1] not in SUFFIXES:
        raise unreadable(
            path,
            "the name does not tell the format",
            f"Name it one of {', '.join(SUFFIXES)}, with .gz or without.",
        )
    return SUFFIXES[suffixes[-1]]


@contextmanager
def open_bytes(path: Path, advance: Advance | None = None) -> Iterator[IO[bytes]]:
    """The unpacked bytes of a file; what is wrong with the file itself becomes a MetricpressError."""
    try:
        with path.open("rb") as packed:
            counted = _Counted(packed, advance) if advance else packed
            if _is_gzipped(path):
                with gzip.GzipFile(fileobj=counted, mode="rb") as unpacked:
                    yield unpacked  # type: ignore[misc]  # reads like any other
            else:
                yield counted  # type: ignore[misc]
    except FileNotFoundError as error:
        raise unreadable(path, "no such file") from error
    except (IsADirectoryError, PermissionError) as error:
        raise unreadable(path, error.strerror or str(error)) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise unreadable(path, f"damaged gzip file ({error})", "Fetch the file again.") from error


class _Counted(io.RawIOBase):
    """A file that tells how much of it was read."""

    def __init__(self, file: IO[bytes], advance: Advance) -> None:
        self._file = file
        self._advance = advance

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        block = self._file.read(len(buffer))
        buffer[: len(block)] = block
        self._advance(len(block))
        return len(block)


def _is_gzipped(path: Path) -> bool:
    if path.suffix.lower() == ".gz":
        return True
    with path.open("rb") as file:
        return file.read(2) == GZIP_MAGIC


def inspect(path: Path, delimiter: str | None = None, encoding: str = "utf-8") -> SourceFile:
    """Look at a file: its format and columns. Raises MetricpressError when it cannot be read at all."""
    if not path.exists():
        raise unreadable(path, "no such file")
    kind = file_format(path)
    if kind == "parquet":
        from orchestration.sources.files.parquet import parquet_columns

        columns, json_columns = parquet_columns(path)
        return SourceFile(path, kind, columns, json_columns=json_columns)
    if kind == "json":
        from orchestration.sources.files.records import json_columns_of

        columns = json_columns_of(path, encoding)
        return SourceFile(path, kind, columns, encoding=encoding, json_columns=frozenset(columns))
    with open_text(path, encoding) as text:
        first_line = text.readline()
        delimiter = _delimiter(path, first_line, delimiter)
        text_again = _chain(first_line, text)
        header = next(csv.reader(text_again, delimiter=delimiter), [])
    return SourceFile(
        path, kind, _checked_header(path, header), delimiter, encoding, gzipped=_is_gzipped(path)
    )


def for_plan(source: SourceFile, json_columns: frozenset[str]) -> SourceFile:
    """The same file, handing on as JSON only those of its JSON columns that are wanted so."""
    return replace(source, json_columns=source.json_columns & json_columns)


def _chain(first_line: str, rest: Iterator[str]) -> Iterator[str]:
    yield first_line
    yield from rest


@contextmanager
def open_text(path: Path, encoding: str, advance: Advance | None = None) -> Iterator[io.TextIOWrapper]:
    """The text of a file without a byte order mark, line ends as they are."""
    codec = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
    with open_bytes(path, advance) as raw:
        try:
            with io.TextIOWrapper(io.BufferedReader(raw, 1 << 20), encoding=codec, newline="") as text:  # type: ignore[type-var]
                yield text
        except LookupError as error:
            raise MetricpressError(f'--encoding "{encoding}" is unknown') from error
        except UnicodeDecodeError as error:
            raise unreadable(
                path,
                f"not {encoding} (byte 0x{error.object[error.start]:02x})",
                "Give its encoding, for example --encoding latin-1.",
            ) from error


def _delimiter(path: Path, first_line: str, given: str | None) -> str:
    if given is not None:
        delimiter = {"\\t": "\t", "tab": "\t"}.get(given, given)
        if len(delimiter) != 1 or delimiter in '"\r\n':
            raise MetricpressError(f'--delimiter "{given}" is not one character')
        return delimiter
    if ".tsv" in path.suffixes or ".tab" in path.suffixes:
        return "\t"
    return max(DELIMITERS, key=first_line.count)


def _checked_header(path: Path, header: list[str]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in header)
    if not any(names):
        raise unreadable(path, "no header", "The first line must name the columns.")
    if "" in names:
        raise unreadable(path, f"column {names.index('') + 1} of the header has no name")
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise unreadable(path, f'the header names "{repeated[0]}" twice', "Name each column once.")
    if any("\0" in name for name in names):
        raise unreadable(path, "the header holds zero bytes", "Is it a text file?")
    return names
