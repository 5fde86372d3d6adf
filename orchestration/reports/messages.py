"""Texts of reports in other languages: catalogues of messages, and their look-up.

Belongs here: which languages are complete, reading locales/<language>/*.po, filling in placeholders. Does not
belong here: numbers and dates (formatting.py), and the texts themselves (beside what they say).

English is the language of the source: a text is its own key. Python says `text.t("… {name} …", name=…)`,
`text.n("{count} lead", "{count} leads", count)` and marks a text that is translated later with `N_("…")`;
templates say `{{ t("…") }}`. A test finds every text that a language lacks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from gettext import c2py
from pathlib import Path

from babel.messages.plurals import get_plural
from babel.messages.pofile import read_po

LOCALES = Path(__file__).with_name("locales")
SOURCE_LANGUAGE = "en"
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")


def N_(message: str) -> str:
    """Mark a text for translation where it is defined; it is translated where it is used."""
    return message


def placeholders(message: str) -> frozenset[str]:
    """Names of the values a text takes."""
    return frozenset(_PLACEHOLDER.findall(message))


def fill(message: str, values: Mapping[str, object]) -> str:
    """Put values in place of `{name}`; nothing else in braces means anything, so a text cannot reach objects.

    KeyError names a placeholder without a value.
    """
    return _PLACEHOLDER.sub(lambda match: str(values[match.group(1)]), message) if "{" in message else message


@dataclass(frozen=True)
class Messages:
    """The texts of one language. `texts`: English to translation; `plurals`: English singular to forms.

    `plural_form`: which of the forms a count takes.
    """

    language: str
    texts: Mapping[str, str]
    plurals: Mapping[str, tuple[str, ...]]
    plural_form: Callable[[int], int]

    def get(self, message: str) -> str:
        """The text in this language; one that is missing stays English, and the test of texts fails."""
        return self.texts.get(message, message)

    def has(self, message: str, plural: str = "") -> bool:
        """Whether the language has the text; the language of the source has every one."""
        known = self.plurals if plural else self.texts
        return self.language == SOURCE_LANGUAGE or message in known

    def get_plural(self, singular: str, plural: str, count: int) -> str:
        """The form for a count."""
        forms = self.plurals.get(singular)
        if forms is None:
            return singular if count == 1 else plural
        return forms[self.plural_form(count)]


def languages() -> tuple[str, ...]:
    """Languages reports can be written in, the source's first."""
    return (SOURCE_LANGUAGE, *sorted(path.parent.name for path in LOCALES.glob("*/common.po")))


@lru_cache(maxsize=16)
def read_messages(language: str) -> Messages:
    """All catalogues of a language, as one."""
    texts: dict[str, str] = {}
    plurals: dict[str, tuple[str, ...]] = {}
    for path in sorted((LOCALES / language).glob("*.po")):
        with path.open("rb") as file:
            catalogue = read_po(file, locale=language)
        for message in catalogue:
            if not message.id or not message.string or message.fuzzy:
                continue
            if isinstance(message.id, str):
                texts[message.id] = str(message.string)
            else:
                plurals[message.id[0]] = tuple(message.string)
    # The rule of the language itself: which of its forms 0, 1, 2, 5 or 21 of a thing take.
    return Messages(language, texts, plurals, c2py(get_plural(language).plural_expr))
