"""Every text of reports stands once in every language; what is missing or wrong is named with its place."""

from __future__ import annotations

from functools import cache

import pytest

from orchestration.reports.messages import SOURCE_LANGUAGE, languages
from orchestration.warehouse.tenant_settings import LANGUAGES
from scripts import texts

FURTHER = [language for language in languages() if language != SOURCE_LANGUAGE]


@cache
def used() -> list[texts.Used]:
    return texts.used_texts()


def test_texts_are_written_so_that_they_can_be_translated() -> None:
    assert not texts.problems_of_sources(used())


def test_the_languages_a_tenant_may_choose_are_those_with_texts() -> None:
    assert set(LANGUAGES) == set(languages())
    assert "de" in FURTHER


@pytest.mark.parametrize("language", FURTHER)
def test_a_language_is_complete(language: str) -> None:
    """`.venv/bin/python -m scripts.texts de` prints what is missing as entries to be filled in."""
    found = texts.problems(language, used())
    assert not found, "\n".join(["", *found])


def test_all_kinds_of_sources_are_read() -> None:
    places = [one.place for one in used()]
    for kind in (
        "documents/common.py",
        "periods.py",
        "macros.html.j2",
        "metric_definitions.sql",
        "report.yml",
    ):
        assert any(kind in place for place in places), kind
    assert all(place.split(":")[1:] for place in places), "each with line and column"


def entry(message: str, *strings: str, plural: str = "", fuzzy: bool = False) -> texts.Entry:
    return texts.Entry("x.po:1", message, plural, strings, fuzzy)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (entry("Rose to {value}", "Stieg auf {wert}"), "placeholders"),
        (entry("Rose to {value}", "Stieg"), "placeholders"),
        (entry("{count} lead", "{count} Lead", plural="{count} leads"), "1 plural forms of 2"),
        (entry("{count} lead", "ein Lead", "Leads", plural="{count} leads"), "placeholders"),
        (entry("Nothing moved.", "Nichts bewegte sich"), "full stop"),
        (entry("Calls", "Anrufe", fuzzy=True), "fuzzy"),
    ],
)
def test_a_wrong_translation_is_found(wrong: texts.Entry, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "translations", lambda language: ([wrong], []))
    source = texts.Used("a.py:1:1", texts.Text(wrong.message, 1, 1, wrong.plural))
    assert any("x.po:1" in line and said in line for line in texts.problems("de", [source]))


def test_missing_and_left_over_translations_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = [entry("Calls", "Anrufe"), entry("Calls", "Telefonate"), entry("Empty", "")]
    monkeypatch.setattr(texts, "translations", lambda language: (twice, []))
    sources = [texts.Used("a.py:3:7", texts.Text(words, 3, 7)) for words in ("Leads", "Empty")]
    found = "\n".join(texts.problems("de", sources))
    assert "a.py:3:7: no de for 'Leads'" in found
    assert "a.py:3:7: no de for 'Empty'" in found
    assert "x.po:1: no source uses 'Calls'" in found
    assert "stands in x.po:1 already" in found
