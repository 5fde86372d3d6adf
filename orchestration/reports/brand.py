"""A tenant's colours, logo and footer, made safe to print.

Belongs here: reading reporting.tenant_settings.brand, and contrast (WCAG relative luminance). Does not belong
here: style sheets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.reports.document import Brand
from orchestration.reports.messages import N_
from orchestration.warehouse.logo import BadLogo, check_logo

_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_LONGEST_FOOTER = 200
_TEXT_CONTRAST = 4.5
BAD_COLOURS = {
    "primary": N_("The brand colour primary is not of the form #rrggbb; the standard one is used."),
    "accent": N_("The brand colour accent is not of the form #rrggbb; the standard one is used."),
}
BAD_LOGO = N_("The brand logo is no image that can be printed; the name is used instead.")


@dataclass(frozen=True)
class Palette:
    """Colours that can be read: `primary` and `accent` hold as text on white, `on_primary` on primary."""

    primary: str
    accent: str
    on_primary: str
    tint: str


def read_brand(settings: Mapping[str, Any]) -> tuple[Brand, tuple[str, ...]]:
    """The brand and what of it could not be used, as texts to translate.

    Keys: colours {primary, accent}, logo, footer. The logo is a data: URI of a PNG, JPEG or
    SVG: reports read no files.
    """
    standard, problems = Brand(), []
    colours = settings.get("colours") or {}
    chosen = {}
    for name, fallback in (("primary", standard.primary), ("accent", standard.accent)):
        value = colours.get(name, fallback)
        if not isinstance(value, str) or not _HEX.fullmatch(value):
            problems.append(BAD_COLOURS[name])
            value = fallback
        chosen[name] = value.lower()
    logo = settings.get("logo")
    if logo is not None:
        try:
            check_logo(str(logo))
        except BadLogo:
            problems.append(BAD_LOGO)
            logo = None
    footer = str(settings.get("footer") or "")[:_LONGEST_FOOTER]
    return Brand(chosen["primary"], chosen["accent"], logo, footer), tuple(problems)


def palette(brand: Brand) -> Palette:
    """Colours of the brand, darkened until text in them can be read on white."""
    primary = _readable(brand.primary)
    on_primary = "#ffffff" if contrast(primary, "#ffffff") >= _TEXT_CONTRAST else "#111111"
    return Palette(primary, _readable(brand.accent), on_primary, mix(primary, "#ffffff", 0.88))


def colour_advice(colour: str) -> str:
    """What becomes of a brand colour on white paper, in a sentence; nothing where it is printed as it is."""
    printed = _readable(colour)
    if printed == colour:
        return ""
    return (
        f"{colour} has a contrast of {contrast(colour, '#ffffff'):.1f} to white, and text needs "
        f"{_TEXT_CONTRAST} (WCAG AA): reports print it darkened, as {printed}."
    )


def contrast(first: str, second: str) -> float:
    """Contrast ratio of two #rrggbb colours, 1 to 21."""
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _readable(colour: str) -> str:
    while contrast(colour, "#ffffff") < _TEXT_CONTRAST:
        colour = mix(colour, "#000000", 0.1)
    return colour


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _luminance(colour: str) -> float:
    linear = [c / 3294.6 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in _channels(colour)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def mix(colour: str, other: str, share: float) -> str:
    """A colour with a share (0 to 1) of another in it."""
    mixed = (round(a + (b - a) * share) for a, b in zip(_channels(colour), _channels(other), strict=True))
    return "#" + "".join(f"{channel:02x}" for channel in mixed)
