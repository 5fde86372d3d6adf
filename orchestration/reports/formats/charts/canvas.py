"""The paper of a chart: shapes and words of one picture, at print size, and how wide words are.

Belongs here: SVG elements, colours that every chart shares, fitting words into their room. Does not belong
here: the geometry of a kind of chart.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Literal

from markupsafe import Markup

Anchor = Literal["start", "middle", "end"]

INK, QUIET, RULE = "#1d2125", "#5c646c", "#d9dcdf"
#: Fill of what is the whole of something whose part stands before it; it needs an outline to be seen.
PALE = "#e6e9ec"
RISE, FALL = "#2f6b4f", "#8a3324"
FONT = "Public Sans, Public Sans Extended, DejaVu Sans, sans-serif"
#: Widths of a chart across the page and of one of two side by side, in points (A4 less the margins).
WIDE, NARROW = 482.0, 231.0
SIZE = 6.8
#: Height of a letter over its base line and of a descender below it, in shares of the font size.
ASCENT, DESCENT = 0.78, 0.22
#: Advance widths in the heavier of the two weights, in em; digits as in tables.
_WIDTHS = {
    0.27: " !':;`i|\u00a0¡¦´·¸¹ìíîı‘’‚", 0.31: ".,", 0.36: "()I[]jl{}¨ÌÍÎÏï•", 0.44: "*-/J\\frtª\u00ad¯²³º",
    0.52: '"^svz§«°»“”„', 0.58: "+<=>?L_acekoxy¤¬®±¶¿×àáâãäåçèéêëðòóôõö÷ýÿ–−", 0.61: "#FTbdhnpqu~µßñøùúûüþ",
    0.65: "EPYgÈÉÊËÝ", 0.68: "BZÞ", 0.72: "0123456789$£¥€¢ACDKRSUVXÀÁÂÃÄÅÇÙÚÛÜĂ", 0.77: "&GHNOQÐÑÒÓÔÕÖØ",
    0.9: "@mw©¼½…", 0.97: "%MW¾æœ", 1.14: "ÆŒ—",
}  # fmt: skip
_WIDTH_OF = {character: width for width, characters in _WIDTHS.items() for character in characters}
_OTHER, _FULL = 0.94, 1.05


def text_width(words: str, size: float = SIZE) -> float:
    """Points that words take, never less than they do: unknown letters count as wide ones."""
    return size * sum(_advance(character) for character in words)


def _advance(character: str) -> float:
    known = _WIDTH_OF.get(character)
    if known is not None:
        return known
    if unicodedata.combining(character):
        return 0.0
    return _FULL if unicodedata.east_asian_width(character) in "WF" else _OTHER


def cut(words: str, room: float, size: float = SIZE) -> str:
    """Words, shortened by an ellipsis to what fits in `room` points; nothing where not even that fits."""
    if text_width(words, size) <= room:
        return words
    room -= text_width("…", size)
    kept, taken = 0, 0.0
    for character in words:
        taken += size * _advance(character)
        if taken > room:
            break
        kept += 1
    return words[:kept].rstrip() + "…" if room >= 0 else ""


def shrink(words: Iterable[str], room: float, size: float, least: float) -> float:
    """The largest font size from `least` to `size` at which all of the words fit in `room`, or `least`."""
    widest = max((text_width(word, 1.0) for word in words), default=0.0)
    return size if widest * size <= room else max(least, room / widest)


@dataclass
class Canvas:
    """Collects shapes of one picture and closes it; lengths are points from the top left."""

    width: float
    height: float
    shapes: list[str] = field(default_factory=list)

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 0.5) -> None:
        """A straight line."""
        self.shapes.append(
            f'<line x1="{x1:.2f}" y1="{y1:.2f}" x2="{x2:.2f}" y2="{y2:.2f}" stroke="{colour}" '
            f'stroke-width="{width:g}"/>'
        )

    def polyline(
        self, points: Sequence[tuple[float, float]], colour: str, width: float, dashes: str = ""
    ) -> None:
        """A line through points."""
        path = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
        dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
        self.shapes.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}" '
            f'stroke-linejoin="round" stroke-linecap="round"{dashed}/>'
        )

    def rect(self, x: float, y: float, width: float, height: float, colour: str, outline: str = "") -> None:
        """A filled rectangle, never thinner than can be printed; an outline lies within it."""
        width, height = max(width, 0.4), max(height, 0.4)
        if outline:
            inset = min(0.25, width / 2, height / 2)
            x, y, width, height = x + inset, y + inset, width - 2 * inset, height - 2 * inset
        edge = f' stroke="{outline}" stroke-width="0.5"' if outline else ""
        self.shapes.append(
            f'<rect x="{x:.2f}" y="{y:.2f}" width="{width:.2f}" height="{height:.2f}" fill="{colour}"{edge}/>'
        )

    def hatched(self, x: float, y: float, width: float, height: float, colour: str) -> None:
        """A white rectangle with an outline and slanted lines: what goes down or lies below zero."""
        self.rect(x, y, width, height, "#ffffff", colour)
        lines, gap = [], 3.2
        offset = gap
        while offset < width + height:
            left, right = max(0.0, offset - height), min(width, offset)
            lines.append(f"M{x + left:.2f},{y + offset - left:.2f}L{x + right:.2f},{y + offset - right:.2f}")
            offset += gap
        self.shapes.append(f'<path d="{"".join(lines)}" stroke="{colour}" stroke-width="0.5" fill="none"/>')

    def dot(self, x: float, y: float, radius: float, colour: str) -> None:
        """A filled circle."""
        self.shapes.append(f'<circle cx="{x:.2f}" cy="{y:.2f}" r="{radius:g}" fill="{colour}"/>')

    def text(
        self, x: float, y: float, words: str, *, anchor: Anchor = "start", size: float = SIZE,
        colour: str = QUIET, bold: bool = False,
    ) -> None:  # fmt: skip
        """Words on a base line; empty ones leave nothing."""
        if not words:
            return
        placed = "" if anchor == "start" else f' text-anchor="{anchor}"'
        weight = ' font-weight="600"' if bold else ""
        self.shapes.append(
            f'<text x="{x:.2f}" y="{y:.2f}" font-size="{size:.4g}" fill="{colour}"{placed}{weight}>'
            f"{escape(words)}</text>"
        )

    def close(self, alt: str) -> Markup:
        """The finished element; `alt` is what it says to who cannot see it."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width:g} {self.height:g}" '
            f'width="{self.width:g}pt" height="{self.height:g}pt" role="img" aria-label="{escape(alt)}" '
            f'font-family="{FONT}">'
        )
        return Markup(head + f"<title>{escape(alt)}</title>" + "".join(self.shapes) + "</svg>")
