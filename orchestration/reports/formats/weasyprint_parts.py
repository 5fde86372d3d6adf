"""What is taken from inside WeasyPrint, because it is measured as large: docs/decisions.md has the figures.

Belongs here: everything that relies on more than WeasyPrint's documented interface, for the one version it
was written against (a test fails for another). Does not belong here: what a report looks like.
"""

from __future__ import annotations

from functools import lru_cache
from math import inf
from typing import Any
from xml.etree import ElementTree

from weasyprint import CSS, HTML, cssselect2, svg
from weasyprint.css.properties import INITIAL_VALUES
from weasyprint.draw.text import draw_emojis, draw_first_line
from weasyprint.html import UA
from weasyprint.matrix import Matrix
from weasyprint.svg.bounding_box import extend_bounding_box
from weasyprint.svg.text import Style, TextBox
from weasyprint.svg.text import text as draw_letters
from weasyprint.text.line_break import split_first_line

#: The version all of this was read in.
KNOWN_VERSION = "70.0"
DOCTYPE = "<!DOCTYPE html>"
SVG_TEXT = "{http://www.w3.org/2000/svg}text"
#: Under another name an anchor is ours to apply: WeasyPrint makes an object of the PDF for each such text.
ANCHOR = "anchor"
#: What a text may have and be drawn in one go; with anything else WeasyPrint draws it, letter by letter.
PLAIN = frozenset((
    "x", "y", "font-size", "font-weight", "font-family", "font-style", "fill", ANCHOR, "class", "role",
    "aria-label", "aria-hidden", "viewBox", "width", "height", "stroke", "stroke-width",
))  # fmt: skip
#: Rules of WeasyPrint's own sheet that are tried on every element, or make styles of footnotes for each.
TRIED_ON_ALL = ("::footnote", "::note", "[dir", ":is(", ":link")


class ShippedPage(HTML):  # type: ignore[misc]
    """A page of a shipped template: well-formed, so that the XML parser reads it; no footnotes, no `dir`."""

    def __init__(self, markup: str, base_url: str, url_fetcher: Any) -> None:
        """Raises ElementTree.ParseError for a page that is HTML but not XML."""
        root = ElementTree.fromstring(markup.strip().removeprefix(DOCTYPE))
        for text in root.iter(SVG_TEXT):
            if anchor := text.attrib.pop("text-anchor", None):
                text.set(ANCHOR, anchor)
        self.base_url = base_url
        self.url_fetcher = url_fetcher
        self.media_type = "print"
        self.wrapper_element = cssselect2.ElementWrapper.from_html_root(root, content_language=None)
        self.etree_element = self.wrapper_element.etree_element

    def _ua_stylesheets(self, forms: bool = False) -> list[CSS]:
        return [_lean_sheet()]


@lru_cache(maxsize=1)
def _lean_sheet() -> CSS:
    """WeasyPrint's sheet of what browsers do, without rules that are tried on each element and match none."""
    lines = (line for line in UA.splitlines() if not line.lstrip().startswith(TRIED_ON_ALL))
    return CSS(string="\n".join(lines).replace("\n::marker", "\nli::marker"))


def draw_text(picture: Any, node: Any, font_size: float) -> None:
    """Draw a text of a picture in one go, shifted by its anchor; WeasyPrint shapes each letter by itself."""
    attributes = node.attrib
    if not node.text or not attributes.keys() <= PLAIN:
        draw_letters(picture, node, font_size)
        return
    style = _text_style(
        picture.font_config, attributes.get("font-family", "sans-serif"),
        attributes.get("font-style", "normal"), int(attributes.get("font-weight", 400)), font_size,
    )  # fmt: skip
    layout, _, _, width, height, baseline = split_first_line(node.text, style, picture.context, inf, 0)
    x, y = float(attributes.get("x", 0)), float(attributes.get("y", 0))
    x -= {"middle": width / 2, "end": width}.get(attributes.get(ANCHOR, "start"), 0)
    corners = ((x, y - baseline), (x + width, y - baseline + height))
    node.text_bounding_box = extend_bounding_box(node.text_bounding_box, corners)
    picture.stream.push_state()
    fill, stroke = picture.set_graphical_state(node, font_size)
    picture.stream.begin_text()
    layout.reactivate(style)
    picture.fill_stroke(fill, stroke, text=True)
    box = TextBox(layout, style)
    box.baseline = baseline
    emojis = draw_first_line(picture.stream, box, "none", "none", Matrix(d=-1, e=x, f=y))
    picture.stream.end_text()
    picture.stream.pop_state()
    draw_emojis(picture.stream, style, x, y, emojis)


@lru_cache(maxsize=256)
def _text_style(fonts: Any, family: str, slant: str, weight: int, size: float) -> Style:
    style = Style(INITIAL_VALUES)
    style.font_config = fonts
    style["font_family"] = [name.strip(" \"'") for name in family.split(",")]
    style["font_style"], style["font_weight"], style["font_size"] = slant, weight, size
    return style


def install() -> None:
    """Let pictures draw their texts with `draw_text`, in this process."""
    for tag, draw in svg.TAGS.items():
        if draw is draw_letters:
            svg.TAGS[tag] = draw_text
    svg.text = draw_text  # what it compares with, to tell texts from shapes
