"""What languages lack of the texts of reports: printed as entries of a .po file, to be filled in.

    .venv/bin/python -m scripts.texts              what every language lacks or has wrong
    .venv/bin/python -m scripts.texts de revenue   missing entries of German, of files whose path says revenue

Belongs here: which files and data hold texts, and the comparison with orchestration/reports/locales. Does not
belong here: finding texts in a source (scripts/extraction.py).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from babel.messages.catalog import Catalog, Message
from babel.messages.plurals import get_plural
from babel.messages.pofile import read_po

from orchestration.reports.messages import LOCALES, SOURCE_LANGUAGE, languages, placeholders
from scripts import metrics_doc
from scripts.extraction import Text, messages_of, texts_of_python

PROJECT = Path(__file__).resolve().parents[1]
#: Folders whose sources hold texts, the form of their files, and who reads one.
SOURCES: tuple[tuple[str, str, Callable[[str], list[Text]]], ...] = (
    ("orchestration/reports", "*.py", texts_of_python),
    ("orchestration/delivery", "*.py", texts_of_python),
    ("report_templates", "*.j2", messages_of),
)
#: The function that looks a text up takes it from elsewhere.
LOOK_UP = "orchestration/reports/formatting.py"


@dataclass(frozen=True)
class Used:
    """A text and the place it is used at, `path:line:column`."""

    place: str
    text: Text

    @property
    def key(self) -> tuple[str, str]:
        """What tells one text from another."""
        return self.text.message, self.text.plural


@dataclass(frozen=True)
class Entry:
    """A translation and its place; `strings` has one text, or all plural forms."""

    place: str
    message: str
    plural: str
    strings: tuple[str, ...]
    fuzzy: bool

    @property
    def key(self) -> tuple[str, str]:
        """What tells one text from another."""
        return self.message, self.plural


def used_texts() -> list[Used]:
    """Every text of reports: of sources, of the metric catalogue, and titles of reports."""
    found = []
    for folder, form, read in SOURCES:
        for path in sorted((PROJECT / folder).rglob(form)):
            name = path.relative_to(PROJECT).as_posix()
            found += [Used(f"{name}:{text.line}:{text.column}", text) for text in read(path.read_text())]
    return [*found, *_of_catalogue(), *_of_report_types()]


def _of_catalogue() -> Iterator[Used]:
    """Title and description of each metric, and what it divides by."""
    name = metrics_doc.DEFINITIONS.relative_to(PROJECT).as_posix()
    lines = metrics_doc.DEFINITIONS.read_text().splitlines()
    for entry in metrics_doc.definitions():
        start = lines.index(f"- metric: {entry['metric']}") + 1
        for field in ("title", "description", "denominator"):
            if words := entry.get(field):
                line = next(
                    number for number, line in enumerate(lines[start:], start + 1)
                    if line.strip().startswith(f"{field}:")
                )  # fmt: skip
                yield Used(f"{name}:{line}:3", Text(words.strip(), line, 3))


def _of_report_types() -> Iterator[Used]:
    for path in sorted((PROJECT / "report_templates").glob("*/report.yml")):
        about: dict[str, Any] = yaml.safe_load(path.read_text())
        name = path.relative_to(PROJECT).as_posix()
        yield Used(f"{name}:1:1", Text(about["title"], 1, 1))


def translations(language: str) -> tuple[list[Entry], list[str]]:
    """All entries of a language's files, and what is wrong with the files themselves."""
    entries: list[Entry] = []
    problems: list[str] = []
    for path in sorted((LOCALES / language).glob("*.po")):
        name = path.relative_to(PROJECT).as_posix()
        with path.open("rb") as file:
            catalogue = read_po(file, locale=language, abort_invalid=True)
        problems += _header(catalogue, name, language)
        problems += [f"{name}: a translation is commented out: {key!r}" for key in catalogue.obsolete]
        written = len(re.findall(r'^msgid "', path.read_text("utf-8"), re.MULTILINE))
        held = [message for message in catalogue if message.id]
        if written != len(held) + 1:
            problems.append(f"{name}: {written - 1} entries hold {len(held)} texts: one stands twice")
        entries += [_entry(message, name) for message in held]
    return entries, problems


def _header(catalogue: Catalog, name: str, language: str) -> Iterator[str]:
    known = get_plural(language)
    if catalogue.num_plurals != known.num_plurals:
        yield f"{name}:1: Plural-Forms are not those of {language}: {known}"
    if str(catalogue.charset).lower() != "utf-8":
        yield f"{name}:1: Content-Type names the charset {catalogue.charset}, not utf-8"


def _entry(message: Message, name: str) -> Entry:
    identity = (message.id, "") if isinstance(message.id, str) else (message.id[0], message.id[1])
    strings = (message.string,) if isinstance(message.string, str) else tuple(message.string)
    return Entry(f"{name}:{message.lineno}", *identity, strings, message.fuzzy)


def problems_of_sources(used: list[Used]) -> list[str]:
    """Texts that are written so that they cannot be translated."""
    return [
        f"{one.place}: {one.text.problem}: {one.text.message!r}"
        for one in used
        if one.text.problem and not one.place.startswith(LOOK_UP)
    ]


def missing(language: str, used: list[Used]) -> dict[tuple[str, str], list[str]]:
    """Texts a language lacks, each with the places where it is used."""
    known = {entry.key for entry in translations(language)[0] if all(entry.strings) and not entry.fuzzy}
    found: dict[tuple[str, str], list[str]] = {}
    for one in used:
        if one.text.message and one.key not in known:
            found.setdefault(one.key, []).append(one.place)
    return found


def problems(language: str, used: list[Used]) -> list[str]:
    """All that is wrong with one language, each line with its place."""
    entries, found = translations(language)
    found += [
        f"{', '.join(places)}: no {language} for {' / '.join(filter(None, key))!r}"
        for key, places in missing(language, used).items()
    ]
    wanted, first = {one.key for one in used}, dict[tuple[str, str], str]()
    for entry in entries:
        if entry.key in first:
            found.append(f"{entry.place}: stands in {first[entry.key]} already: {entry.message!r}")
        first.setdefault(entry.key, entry.place)
        if entry.key not in wanted:
            found.append(f"{entry.place}: no source uses {entry.message!r}")
        if entry.fuzzy:
            found.append(f"{entry.place}: is marked fuzzy: {entry.message!r}")
        if all(entry.strings) and (wrong := _wrong(entry, language)):
            found.append(f"{entry.place}: {wrong}: {entry.message!r}")
    return found


def _wrong(entry: Entry, language: str) -> str:
    """What a translation does not keep of the text; the form for one may leave the number out."""
    forms = get_plural(language).num_plurals if entry.plural else 1
    if len(entry.strings) != forms:
        return f"{len(entry.strings)} plural forms of {forms}"
    wanted = placeholders(entry.plural or entry.message)
    for index, string in enumerate(entry.strings):
        free = {"count"} if entry.plural and index == 0 else set[str]()
        if placeholders(string) - free != wanted - free:
            return f"placeholders {sorted(placeholders(string))} instead of {sorted(wanted)}"
    if (entry.strings[0][-1:] in ".:") != (entry.message[-1:] in ".:"):
        return "one ends with a full stop or colon, the other does not"
    return ""


def as_po(key: tuple[str, str], places: list[str], language: str) -> str:
    """An entry to be filled in."""
    message, plural = key
    lines = [f"#: {place}" for place in places] + [f"msgid {_quoted(message)}"]
    if not plural:
        return "\n".join([*lines, 'msgstr ""', ""])
    forms = [f'msgstr[{index}] ""' for index in range(get_plural(language).num_plurals)]
    return "\n".join([*lines, f"msgid_plural {_quoted(plural)}", *forms, ""])


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def main(arguments: list[str]) -> int:
    """Print what is missing (standard output) and what is wrong (standard error); 1 when anything is."""
    used = used_texts()
    wanted = arguments[:1] or [language for language in languages() if language != SOURCE_LANGUAGE]
    part = arguments[1] if len(arguments) > 1 else ""
    wrong = problems_of_sources(used)
    for language in wanted:
        wrong += [line for line in problems(language, used) if f": no {language} for " not in line]
        for key, places in missing(language, used).items():
            if any(part in place for place in places):
                print(as_po(key, places, language))
                wrong.append(f"{', '.join(places)}: no {language} for {key[0]!r}")
    shown = [line for line in wrong if part in line]
    print("\n".join(shown), file=sys.stderr)
    return 1 if shown else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
