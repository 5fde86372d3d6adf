"""From a document and an own template to its files: the request to the child and what its failures say.

Belongs here: putting together what the child needs. Does not belong here: the child (child.py), the database.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import nodes

from orchestration.reports.formats.html import STYLES, inline_styles
from orchestration.reports.formatting import parse_locale
from orchestration.reports.own.lint import Against, figure_keys
from orchestration.reports.own.parameters import samples, seen
from orchestration.reports.own.positions import Misspelt, parse
from orchestration.reports.own.process import render_apart
from orchestration.reports.own.sample import sample_document
from orchestration.reports.own.template import (
    MADE_FROM_TEMPLATE,
    SOURCE_NAME,
    Limits,
    OwnTemplate,
    TemplateFailure,
)
from orchestration.reports.own.view import shared_sources, template_view
from orchestration.reports.templates import ReportType, asset

if TYPE_CHECKING:
    from orchestration.reports.document import Document


def render_own(
    template: OwnTemplate,
    document: Document,
    report: ReportType,
    parameters: Mapping[str, Any],
    formats: Sequence[str],
    limits: Limits,
    template_dir: Path | None,
) -> dict[str, bytes]:
    """The files made from the template, html and pdf. TemplateFailure names it and says what it did."""
    # The child's module loads WeasyPrint, which is not needed to read its request.
    from orchestration.reports.own.child import Job

    keys = figure_keys(template, Against(report, template_dir=template_dir))
    made = tuple(name for name in formats if name in MADE_FROM_TEMPLATE)
    language = str(parse_locale(document.locale).language)
    job = Job(
        sources={**shared_sources(template_dir), SOURCE_NAME: template.template_content},
        views={name: template_view(document, keys, screen=name == "html") for name in made},
        parameters=seen(template, report, parameters),
        language=language,
        translations=dict(template.translations.get(language, {})),
        formats=made,
        css=inline_styles(template_dir),
        house_styles=wears_house_styles(template.template_content),
    )
    try:
        return render_apart(job, limits, template_dir, _edition(template_dir))
    except TemplateFailure as error:
        raise TemplateFailure(error.kind, f"template {template.name}: {error}", error.line) from error


def render_sample(
    template: OwnTemplate, report: ReportType, locale: str, limits: Limits, template_dir: Path | None
) -> dict[str, bytes]:
    """The template with made-up data, in both formats: whether it can be rendered at all."""
    keys = figure_keys(template, Against(report, template_dir=template_dir))
    document = sample_document(report.name, report.title, locale, keys)
    return render_own(template, document, report, samples(template), MADE_FROM_TEMPLATE, limits, template_dir)


def wears_house_styles(source: str) -> bool:
    """Whether a page extends a shared one or asks for its styles; a page of its own is printed as it is."""
    try:
        tree = parse(source)
        return any(tree.find_all(nodes.Extends)) or any(
            name.name == "css" for name in tree.find_all(nodes.Name)
        )
    except (Misspelt, RecursionError):
        return False


def _edition(template_dir: Path | None) -> str:
    """Differs when the style sheets or their fonts do, which the server keeps in memory."""
    digest = hashlib.sha256()
    for name in STYLES:
        digest.update(asset(name, template_dir).read_bytes())
    for font in sorted(asset(STYLES[0], None).parents[1].glob("fonts/*.woff2")):
        digest.update(f"{font.name} {font.stat().st_mtime_ns}".encode())
    return digest.hexdigest()
