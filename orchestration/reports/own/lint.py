"""Lint of an own template: every fault with its line and column, all of them at once.

Belongs here: the list of checks, and what they are checked against. Does not belong here: rendering
(render.py); what passes here is still rendered with a sample before it is saved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from pathlib import Path

from jinja2 import nodes

from orchestration.errors import EXIT_CHECK_FAILED, MetricpressError
from orchestration.reports.formatting import parse_locale
from orchestration.reports.messages import SOURCE_LANGUAGE, read_messages
from orchestration.reports.own.expressions import MOST_FINDINGS, Enough, SaidText, placeholders
from orchestration.reports.own.markup import faults_in_source
from orchestration.reports.own.names import Walk
from orchestration.reports.own.parameters import faults_of
from orchestration.reports.own.positions import Finding, Misspelt, Source, offset_of, parse
from orchestration.reports.own.sample import sample_document
from orchestration.reports.own.shape import TEXT, Figures, Obj, Shape, of_schema, shape_of
from orchestration.reports.own.template import LARGEST_SOURCE, LARGEST_TRANSLATIONS, OwnTemplate
from orchestration.reports.own.view import shared_sources, template_view
from orchestration.reports.templates import ReportType


@dataclass(frozen=True)
class Against:
    """What a template is checked against.

    `languages`: those the tenant's reports are written in. `figure_keys`: metrics of the catalogue and
    figures of the tenant's report; None where the marts are not built yet.
    """

    report: ReportType
    languages: tuple[str, ...] = ()
    figure_keys: frozenset[str] | None = None
    template_dir: Path | None = None


class LintError(MetricpressError):
    """A template with faults; `findings` are all of them."""

    def __init__(self, name: str, findings: list[Finding]) -> None:
        told = "\n".join(str(finding) for finding in findings)
        count = "1 fault" if len(findings) == 1 else f"{len(findings)} faults"
        super().__init__(
            f"template {name} has {count}:\n{told}",
            remedy="docs/interfaces.md, What a template sees, lists every name and rule.",
            exit_code=EXIT_CHECK_FAILED,
        )
        self.findings = findings


def lint(template: OwnTemplate, against: Against) -> list[Finding]:
    """All faults, by their place; none for a template that may be saved."""
    size = len(template.template_content.encode())
    if size > LARGEST_SOURCE:
        return [Finding(1, 1, "size", f"the template has {size:,} bytes, more than {LARGEST_SOURCE:,}")]
    source = Source(template.template_content)
    findings = [*_schema_findings(template, against.report), *_form_of_translations(template.translations)]
    try:
        return sorted({*findings, *_of_source(template, against, source, findings)})[:MOST_FINDINGS]
    except Misspelt as error:
        return sorted([*findings, source.finding(error.offset, "syntax", str(error))])
    except RecursionError:
        return sorted([*findings, source.finding(0, "syntax", "it nests too deeply to be checked")])


def _of_source(
    template: OwnTemplate, against: Against, source: Source, before: list[Finding]
) -> list[Finding]:
    """What is wrong in the source itself; `before`: what is wrong in schema and translations."""
    tree = parse(template.template_content)
    # What a faulty schema has cannot be known.
    is_sound = not [finding for finding in before if finding.part == "parameters"]
    walk = walked(template if is_sound else replace(template, parameters_schema={}), against, source, tree)
    findings = [finding for finding in walk.findings if is_sound or finding.rule != "parameter"]
    for data in tree.find_all(nodes.TemplateData):
        findings += [
            source.finding(offset_of(data) + fault.start, "markup", fault.message)
            for fault in islice(faults_in_source(data.data), MOST_FINDINGS)
        ]
    if not [finding for finding in before if finding.part == "translations"]:
        findings += _missing_translations(template, against, source, walk.texts)
    return findings


def walked(template: OwnTemplate, against: Against, source: Source, tree: nodes.Template) -> Walk:
    """The walk over the names of a template."""
    shared = {name: _shared_tree(text) for name, text in shared_sources(against.template_dir).items()}
    walk = Walk(source, shared, against.figure_keys)
    with suppress(Enough):
        walk.all(tree, known_names(template, against.report))
    return walk


def figure_keys(template: OwnTemplate, against: Against) -> tuple[str, ...]:
    """Keys of the figures that a template names; none for one that cannot be read."""
    source = Source(template.template_content)
    try:
        return tuple(walked(template, against, source, parse(template.template_content)).keys)
    except (Misspelt, RecursionError):
        return ()


def known_names(template: OwnTemplate, report: ReportType) -> dict[str, Shape]:
    """The names every template of a report sees, and their shapes."""
    parameters: dict[str, Shape] = {}
    for schema in (report.schema, template.parameters_schema):
        made = of_schema({**schema, "type": "object"})
        parameters |= made.fields if isinstance(made, Obj) else {}
    return {"document": _document_shape(), "parameters": Obj(parameters), "css": TEXT}


@lru_cache(maxsize=1)
def _document_shape() -> Shape:
    """The shape of every report's view, from the sample's."""
    view = shape_of(template_view(sample_document("sample", "Sample"), ("sample",)))
    assert isinstance(view, Obj)
    figures = view.fields["figures"]
    assert isinstance(figures, Obj)
    return Obj({**view.fields, "figures": Figures(figures.fields["sample"])})


@lru_cache(maxsize=32)
def _shared_tree(text: str) -> nodes.Template:
    """A shared template, parsed once; nothing changes it."""
    return parse(text)


def _schema_findings(template: OwnTemplate, report: ReportType) -> Iterator[Finding]:
    taken = report.schema.get("properties") or {}
    for path, message in faults_of(template.parameters_schema, taken):
        yield Finding(1, 1, "parameter", f"{path}: {message}", "parameters")


def _form_of_translations(translations: object) -> Iterator[Finding]:
    def told(message: str) -> Finding:
        return Finding(1, 1, "translation", message, "translations")

    if not isinstance(translations, Mapping):
        yield told("translations are an object: language to text to translation")
        return
    if len(str(translations)) > LARGEST_TRANSLATIONS:
        yield told(f"translations are larger than {LARGEST_TRANSLATIONS:,} letters")
    for language, texts in translations.items():
        try:
            parse_locale(str(language))
        except MetricpressError:
            yield told(f"{language!r} is no language")
        if not isinstance(texts, Mapping):
            yield told(f"{language}: texts are an object: text to translation")
            continue
        for text, said in texts.items():
            forms = said if isinstance(said, list) else [said]
            if not forms or not all(isinstance(form, str) and form for form in forms):
                yield told(f"{language}: {text!r} is translated by a text, or by a list of two, one and more")
                continue
            unknown = (
                {name for form in forms for name in placeholders(form)} - set(placeholders(text)) - {"count"}
            )
            for name in sorted(unknown):
                yield told(f"{language}: the translation of {text!r} has {{{name}}}, which the text has not")


def _missing_translations(
    template: OwnTemplate, against: Against, source: Source, texts: list[SaidText]
) -> Iterator[Finding]:
    for language in against.languages:
        if language == SOURCE_LANGUAGE:
            continue
        own, house = template.translations.get(language, {}), read_messages(language)
        one_form = own.keys() | house.texts.keys()
        own_forms = {text for text, forms in own.items() if isinstance(forms, list)} | house.plurals.keys()
        for said in texts:
            if said.text not in (one_form if said.plural is None else own_forms):
                message = f"no translation into {language!r} of {said.text!r}"
                yield source.finding(said.offset, "translation", message)
