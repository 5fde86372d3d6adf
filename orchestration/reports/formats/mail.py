"""The body of a mail: the front page for mail clients.

Belongs here: the choice of what a mail body holds; its markup is report_templates/mail.html.j2. Does not
belong here: addresses, subjects, sending, and how the logo becomes a part of the message.
"""

from __future__ import annotations

from pathlib import Path

from orchestration.reports.brand import palette
from orchestration.reports.document import Brand, Cards, Document, Remarks
from orchestration.reports.formats.html import STATUS_WORDS
from orchestration.reports.formatting import Formatter
from orchestration.reports.templates import environment


def body(document: Document, template_dir: Path | None) -> str:
    """A complete HTML document of under 100 KB: headline, cards, what moved, where the data stands."""
    text = Formatter.of(document.locale)
    return (
        environment(template_dir)
        .get_template("mail.html.j2")
        .render(
            document=document,
            text=text,
            palette=palette(document.brand),
            logo=_logo(document.brand),
            cards=[
                figure for block in document.front if isinstance(block, Cards) for figure in block.figures
            ],
            remarks=[block for block in document.front if isinstance(block, Remarks)],
            status_words=STATUS_WORDS,
            arrows={"up": "▲", "down": "▼", "unchanged": "■"},
            colours={"better": "#2f6b4f", "worse": "#8a3324", "neutral": "#5c646c"},
        )
    )


def _logo(brand: Brand) -> str | None:
    """The logo where mail programs can show it: none shows SVG, and the tenant's name stands below anyway."""
    return None if brand.logo is None or brand.logo.startswith("data:image/svg") else brand.logo
