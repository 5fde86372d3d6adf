"""A language made on the fly: every text of reports in Greek letters, so that what is not translated shows.

Belongs here: the language, and what a reader sees of a finished report. Numbers, dates and units come from
the locale el, in Greek letters too: a Latin letter is a text that no catalogue was asked for, or data.
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator

import openpyxl
import pytest

from orchestration.delivery.rendering import summary_of, text_body
from orchestration.reports import RenderedReport, formatting, messages, templates

LOCALE = "el"
_LETTERS = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "αβξδεφγηιζκλμνοπθρστυωψχϋςΑΒΞΔΕΦΓΗΙΖΚΛΜΝΟΠΘΡΣΤΥΩΨΧΫΏ",
)
_PARTS = re.compile(r"(\{[a-z_]+\})")
#: Two Latin letters or more; a lone one is an axis or a unit such as s and h.
_WORD = re.compile(r"[A-Za-z]{2,}")


#: Every text that was looked up: one that no source marks has no translation in a real language.
asked: set[str] = set()


class Greek(messages.Messages):
    """Every text in Greek letters, its placeholders as they are."""

    def get(self, message: str) -> str:
        asked.add(message)
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


def visible(page: str) -> str:
    """What a reader of a page sees or is read to: its text, and the attributes that hold text."""
    page = re.sub(r"<style>.*?</style>|<!--.*?-->", "", page, flags=re.DOTALL)
    spoken = re.findall(r'\b(?:alt|aria-label|title)="([^"]*)"', page)
    described = re.findall(r'<meta name="description" content="([^"]*)"', page)
    return html.unescape(" | ".join([re.sub(r"<[^>]*>", " | ", page), *spoken, *described]))


def cells(workbook: bytes) -> str:
    """All texts of a workbook but those of the sheet that tells sources, in the words of the marts."""
    sources = Greek(LOCALE, {}, {}, lambda count: 0).get("Sources")
    book = openpyxl.load_workbook(io.BytesIO(workbook))
    found = [str(sheet.title) for sheet in book]
    for sheet in book:
        if sheet.title != sources:
            found += [cell.value for row in sheet.iter_rows() for cell in row if isinstance(cell.value, str)]
    return " | ".join(found)


def parts(report: RenderedReport) -> Iterator[tuple[str, str]]:
    """Where a reader meets a report rendered as html and xlsx, and what stands there."""
    said = summary_of(report)
    highlights = [text for one in said.highlights for text in (one.label, one.value, one.change, one.status)]
    yield "page", visible(report.files["html"].decode())
    yield "mail", visible(report.html_body)
    yield "text", text_body(report)
    yield "Slack", " | ".join([said.title, said.period, said.as_of, said.against, *said.lines, *highlights])
    yield "workbook", cells(report.files["xlsx"])
