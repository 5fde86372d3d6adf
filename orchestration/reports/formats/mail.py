"""The body of a mail: the front page for mail clients.

Belongs here: the choice of what a mail body holds; its markup is report_templates/mail.html.j2. Does not
belong here: addresses, subjects, sending, and how the logo becomes a part of the message.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestration.reports.document import Brand, Document
from orchestration.reports.formats.view import cards_of, page_view
from orchestration.reports.formatting import parse_locale
from orchestration.reports.templates import environment


def body(document: Document, template_dir: Path | None) -> str:
    """A complete HTML document of under 100 KB: headline, cards, what moved, where the data stands."""
    view = page_view(replace(document, sections=(), definitions=()))
    return (
        environment(template_dir, parse_locale(document.locale).language)
        .get_template("mail.html.j2")
        .render(
            document=view,
            logo=_logo(document.brand),
            cards=cards_of(view),
            arrows={"up": "▲", "down": "▼", "unchanged": "■"},
            colours={"better": "#2f6b4f", "worse": "#8a3324", "neutral": "#5c646c"},
        )
    )


def _logo(brand: Brand) -> str | None:
    """The logo where mail programs can show it: none shows SVG, and the tenant's name stands below anyway."""
    return None if brand.logo is None or brand.logo.startswith("data:image/svg") else brand.logo
