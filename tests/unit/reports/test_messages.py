"""Texts in a language, their values and plural forms."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestration.reports import messages
from orchestration.reports.messages import fill, languages, read_messages


def test_values_take_the_place_of_their_names() -> None:
    assert fill("{name} rose {change}", {"name": "{change}", "change": "4%"}) == "{change} rose 4%"
    with pytest.raises(KeyError, match="change"):
        fill("{change}", {})


def test_english_needs_no_catalogue() -> None:
    english = read_messages("en")
    assert english.get("Nobody wrote this") == "Nobody wrote this"
    assert [english.get_plural("a lead", "leads", count) for count in (0, 1, 2)] == [
        "leads", "a lead", "leads",
    ]  # fmt: skip
    assert languages()[0] == "en"


def test_plural_forms_are_those_of_the_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Polish has three: one, few, many."""
    (tmp_path / "pl").mkdir()
    (tmp_path / "pl" / "common.po").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
        'msgid "{count} day"\nmsgid_plural "{count} days"\n'
        'msgstr[0] "{count} dzień"\nmsgstr[1] "{count} dni"\nmsgstr[2] "{count} dnia"\n'
    )
    monkeypatch.setattr(messages, "LOCALES", tmp_path)
    assert languages() == ("en", "pl")
    polish = read_messages.__wrapped__("pl")
    forms = [polish.get_plural("{count} day", "{count} days", count) for count in (1, 3, 5, 12, 22)]
    assert forms == ["{count} dzień", "{count} dni", "{count} dnia", "{count} dnia", "{count} dni"]
