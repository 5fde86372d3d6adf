"""What a user can ask of a load: the options, and how they are written on a command line.

Belongs here: `LoadOptions` and the reading of `target=source`, `column=value` and `column:From=to`. Does not
belong here: whether the names exist in a file or a table (plan.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.errors import MetricpressError


@dataclass(frozen=True)
class LoadOptions:
    """How the columns of files become columns of a raw table.

    `rename` maps a target column to its source column, `constants` a target to its value, `value_map` a
    target to its translations (source value to target value; an empty string stands for NULL), `date_formats`
    a target to a format (the key `*` holds the format of all other moments and dates). `id_from` names the
    source columns whose values, joined by `|`, make the key. `lookups` are files that only `select` reads.
    """

    tenant: str | None = None
    rename: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    value_map: dict[str, dict[str, str]] = field(default_factory=dict)
    id_from: tuple[str, ...] = ()
    date_formats: dict[str, str] = field(default_factory=dict)
    timezone: str | None = None
    delimiter: str | None = None
    encoding: str = "utf-8"
    select: Path | None = None
    lookups: tuple[Path, ...] = ()
    strict: bool = False


def parse_pairs(option: str, texts: Iterable[str]) -> dict[str, str]:
    """`["a=b"]` to `{"a": "b"}`; the value may hold further equals signs and may be empty."""
    pairs: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise MetricpressError(f'{option} "{text}" has no "="', remedy=f"Write {option} name=value.")
        if name in pairs:
            raise MetricpressError(f"{option} names {name} twice", remedy="Give each column once.")
        pairs[name] = value
    return pairs


def parse_value_map(texts: Iterable[str]) -> dict[str, dict[str, str]]:
    """`["status:Won=converted"]` to `{"status": {"Won": "converted"}}`."""
    value_map: dict[str, dict[str, str]] = {}
    for text in texts:
        column, colon, rest = text.partition(":")
        before, equals, after = rest.partition("=")
        if not (column and colon and equals):
            raise MetricpressError(
                f'--map-value "{text}" is not of the form column:From=to',
                remedy="For example --map-value status:Won=converted; an empty side stands for no value.",
            )
        translations = value_map.setdefault(column, {})
        if translations.get(before, after) != after:
            raise MetricpressError(f'--map-value translates "{before}" of {column} twice')
        translations[before] = after
    return value_map


def parse_date_formats(texts: Iterable[str]) -> dict[str, str]:
    """`["%d/%m/%Y", "created_at=epoch"]` to `{"*": "%d/%m/%Y", "created_at": "epoch"}`."""
    formats: dict[str, str] = {}
    for text in texts:
        named = re.fullmatch(r"([a-z][a-z0-9_]*)=(.+)", text)
        column, date_format = (named[1], named[2]) if named else ("*", text)
        if column in formats:
            raise MetricpressError("--date-format is given twice for the same columns")
        formats[column] = date_format
    return formats
