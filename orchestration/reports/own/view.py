"""What an own template is handed: the page's plain data, figures by key, and the shared templates.

Belongs here: the last step from a document to the child. Does not belong here: the data itself
(formats/view.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from orchestration.reports.document import Document, Figure
from orchestration.reports.formats.view import figure_view, page_view
from orchestration.reports.formatting import Formatter
from orchestration.reports.messages import N_
from orchestration.reports.templates import asset, folders

NOT_SHOWN = N_("not part of this report")
BASE = "base.html.j2"
PARTIALS = "partials/*.html.j2"


def template_view(document: Document, keys: Iterable[str], *, screen: bool = False) -> dict[str, Any]:
    """`page_view` and `figures`: of the keys named, those that the document has not as dashes with the
    reason.
    """
    there: dict[str, Figure] = {}
    for figure in document.figures():
        there.setdefault(figure.key, figure)
    reason = Formatter.of(document.locale).t(NOT_SHOWN)
    figures = {
        key: figure_view(document, there.get(key) or Figure(key, key, None, reason=reason)) for key in keys
    }
    return {**page_view(document, screen=screen), "figures": figures}


def shared_sources(template_dir: Path | None) -> dict[str, str]:
    """The templates an own one may extend, include or import: name to source."""
    names = {
        BASE,
        *(f"partials/{path.name}" for folder in folders(template_dir) for path in folder.glob(PARTIALS)),
    }
    return {name: asset(name, template_dir).read_text("utf-8") for name in sorted(names)}
