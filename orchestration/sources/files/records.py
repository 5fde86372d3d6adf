"""Rows of delimited files and JSON lines, one by one, with the line each begins on.

Belongs here: the patient reading that survives every defect of a row. Does not belong here: the fast way that
hands whole blocks to the server (blocks.py) and Parquet (parquet.py).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from orchestration.sources.files.source import Advance, SourceFile, open_text, unreadable


class Record(NamedTuple):
    """A row: its line, its values in the order of the file's columns (None: no value).

    A row that cannot be taken apart has `defect`, the reason, and `content`, what it holds as JSON.
    """

    line: int
    values: list[str | None]
    defect: str | None = None
    content: str | None = None


def records(source: SourceFile, advance: Advance | None = None) -> Iterator[Record]:
    """All rows of a file in their order."""
    if source.format == "json":
        return _json_records(source, advance)
    if source.format == "parquet":
        return _parquet_records(source, advance)
    return _delimited_records(source, advance)


def _delimited_records(source: SourceFile, advance: Advance | None) -> Iterator[Record]:
    with open_text(source.path, source.encoding, advance) as text:
        reader = csv.reader(text, delimiter=source.delimiter)
        width = len(source.columns)
        next(reader)
        line = reader.line_num + 1
        try:
            for fields in reader:
                if fields:
                    yield _record(line, fields, width)
                line = reader.line_num + 1
        except csv.Error as error:
            raise unreadable(source.path, f"line {line}: {error}") from error


def _record(line: int, fields: list[str], width: int) -> Record:
    if len(fields) != width:
        defect = f"has {len(fields)} fields, the header names {width}"
        return Record(line, [], defect, json.dumps(fields, ensure_ascii=False).replace("\\u0000", "\\ufffd"))
    if any("\0" in field for field in fields):
        clean = [field.replace("\0", "\ufffd") for field in fields]
        return Record(line, [], "holds a zero byte", json.dumps(clean, ensure_ascii=False))
    return Record(line, fields)  # type: ignore[arg-type]  # list is invariant


def _parquet_records(source: SourceFile, advance: Advance | None) -> Iterator[Record]:
    from orchestration.sources.files.parquet import parquet_rows

    for number, values in enumerate(parquet_rows(source.path, advance), start=1):
        yield Record(number, values)


class _Number(str):
    """A number as it is written in the file: 10.10 stays 10.10."""


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_float=_Number, parse_int=_Number, parse_constant=_refuse_constant)


def json_columns_of(path: Path, encoding: str) -> tuple[str, ...]:
    """The keys of all lines, in the order of their first appearance."""
    keys: dict[str, None] = {}
    with open_text(path, encoding) as text:
        for line in text:
            document = _object(line)
            if isinstance(document, dict) and not document.keys() <= keys.keys():
                keys.update(dict.fromkeys(document))
    if any(not key.strip() or "\0" in key for key in keys):
        raise unreadable(path, "a key has no name")
    return tuple(keys)


def _object(line: str) -> dict[str, Any] | str:
    """The object on a line, or why there is none."""
    if "\\u0000" in line or "\0" in line:
        return "holds a zero byte"
    try:
        document = _DECODER.decode(line)
    except (ValueError, RecursionError):
        return "is not valid JSON"
    if not isinstance(document, dict):
        return "is not a JSON object"
    if "\\ud" in line.lower():
        try:
            literal(document).encode()
        except UnicodeEncodeError:
            return "holds half a surrogate pair"
    return document


def _json_records(source: SourceFile, advance: Advance | None) -> Iterator[Record]:
    with open_text(source.path, source.encoding, advance) as text:
        for number, line in enumerate(text, start=1):
            if not line.strip():
                continue
            document = _object(line)
            if isinstance(document, str):
                content = json.dumps([line.strip()], ensure_ascii=False)
                yield Record(number, [], document, content.replace("\\u0000", "\\ufffd"))
            else:
                as_json = source.json_columns
                yield Record(
                    number, [_json_text(document.get(name), name in as_json) for name in source.columns]
                )


def _json_text(value: Any, as_json: bool) -> str | None:
    if value is None:
        return None
    return value if isinstance(value, str) and not as_json else literal(value)


def literal(value: Any) -> str:
    """A decoded value as JSON again, numbers as they were written."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return (
            "{"
            + ", ".join(f"{json.dumps(k, ensure_ascii=False)}: {literal(v)}" for k, v in value.items())
            + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(literal, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
