"""A language made on the fly: every text of reports in Greek letters, so that what is not translated shows.

Belongs here: the language and the walk over what a reader sees. Numbers, dates and units come from the locale
el, in Greek letters too: a Latin letter is a text that no catalogue was asked for, or data.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from orchestration.reports import formatting, messages, templates

LOCALE = "el"
_LETTERS = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "αβξδεφγηιζκλμνοπθρστυωψχϋςΑΒΞΔΕΦΓΗΙΖΚΛΜΝΟΠΘΡΣΤΥΩΨΧΫΏ",
)
_PARTS = re.compile(r"(\{[a-z_]+\})")
#: Two Latin letters or more; a lone one is an axis or a unit such as s and h.
_WORD = re.compile(r"[A-Za-z]{2,}")


class Greek(messages.Messages):
    """Every text in Greek letters, its placeholders as they are."""

    def get(self, message: str) -> str:
        parts = _PARTS.split(message)
        return "".join(part if part.startswith("{") else part.translate(_LETTERS) for part in parts)

    def get_plural(self, singular: str, plural: str, count: int) -> str:
        return self.get(singular if count == 1 else plural)


def speak_greek(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every look-up of the language el go to Greek."""
    read = messages.read_messages

    def read_greek(language: str) -> messages.Messages:
        return Greek(language, {}, {}, lambda count: 0) if language == LOCALE else read(language)

    for module in (formatting, templates):
        monkeypatch.setattr(module, "read_messages", read_greek)
    monkeypatch.setattr(formatting, "languages", lambda: ("en", "de", LOCALE))


def latin_words(text: str, data: frozenset[str]) -> list[str]:
    """Words in Latin letters that are no data, each with what stands around it."""
    found = []
    for match in _WORD.finditer(text):
        if match[0] not in data:
            found.append(f"{match[0]}: …{text[max(match.start() - 40, 0) : match.end() + 40]}…")
    return found


def strings(view: Any, skipped: frozenset[str]) -> Iterator[str]:
    """Every text of plain data but those under keys that no reader sees."""
    if isinstance(view, str):
        yield view
    elif isinstance(view, Mapping):
        for key, value in view.items():
            if key not in skipped:
                yield from strings(value, skipped)
    elif isinstance(view, Sequence):
        for value in view:
            yield from strings(value, skipped)
