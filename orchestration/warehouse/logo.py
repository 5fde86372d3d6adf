"""Logos: of which kind and size an image is, read from its first bytes, and which are refused.

Belongs here: PNG, JPEG and SVG as data: URIs, without decoding pixels. Does not belong here: where a logo
stands on a page (report_templates/).
"""

from __future__ import annotations

import base64
import binascii
import mimetypes
import re
import struct
from functools import lru_cache
from pathlib import Path
from xml.etree import ElementTree

LARGEST_BYTES = 500_000
#: Pixels along a side: a small file can unfold to gigabytes.
LARGEST_SIDE = 4_000
#: Wider than this, or narrower, a logo is thinner than 2 mm where it is printed (at most 55 mm by 13 mm).
WIDEST, NARROWEST = 27.0, 1 / 6
TYPES = ("image/png", "image/jpeg", "image/svg+xml")
_URI = re.compile(r"data:(image/(?:png|jpeg|svg\+xml));base64,([A-Za-z0-9+/=\s]+)")
_LENGTH = re.compile(r"\s*([\d.]+)\s*(px|pt|mm|cm|in|em|)\s*")
_FETCHES = re.compile(
    r"""(?:href|src)\s*=\s*["'](?!\s*(?:#|data:))|url\(\s*["']?(?!\s*(?:#|data:))|@import""", re.I
)
_ACTS = re.compile(r"<\s*(?:\w+:)?(?:script|foreignObject)\b|\son\w+\s*=|<!DOCTYPE|<!ENTITY", re.I)


class BadLogo(ValueError):
    """An image that cannot be a logo; the message says why, as the end of a sentence."""


def read_logo(value: str) -> str:
    """A checked data: URI from a data: URI or from the path of an image. BadLogo says what is wrong."""
    if value.startswith("data:"):
        check_logo(value)
        return value
    path = Path(value).expanduser()
    kind = mimetypes.guess_type(path.name)[0]
    if kind not in TYPES:
        raise BadLogo("its name does not end in .png, .jpg or .svg")
    if not path.is_file():
        raise BadLogo("there is no such file")
    if path.stat().st_size > LARGEST_BYTES:
        raise BadLogo(f"the file has {path.stat().st_size:,} bytes, more than {LARGEST_BYTES:,}")
    uri = f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
    check_logo(uri)
    return uri


@lru_cache(maxsize=64)
def check_logo(uri: str) -> float:
    """Width by height of the image in a data: URI; BadLogo where it cannot be printed."""
    if len(uri) > LARGEST_BYTES * 3 // 2:
        raise BadLogo(f"it has more than {LARGEST_BYTES:,} bytes")
    match = _URI.fullmatch(uri)
    if match is None:
        raise BadLogo("it is no base64 data: URI of a PNG, JPEG or SVG")
    try:
        data = base64.b64decode(match.group(2), validate=False)
    except binascii.Error:
        raise BadLogo("it is no base64") from None
    width, height = {"image/png": _png, "image/jpeg": _jpeg, "image/svg+xml": _svg}[match.group(1)](data)
    if min(width, height) <= 0:
        raise BadLogo("it has no area")
    if match.group(1) != "image/svg+xml" and max(width, height) > LARGEST_SIDE:
        raise BadLogo(f"it has {width:,.0f} by {height:,.0f} pixels, more than {LARGEST_SIDE:,} on a side")
    ratio = width / height
    if not NARROWEST <= ratio <= WIDEST:
        raise BadLogo(f"it is {ratio:.3g} times as wide as high, and would be thinner than 2 mm on the page")
    return ratio


def _png(data: bytes) -> tuple[float, float]:
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR" or len(data) < 24:
        raise BadLogo("its content is no PNG")
    width, height = struct.unpack(">II", data[16:24])
    return float(width), float(height)


def _jpeg(data: bytes) -> tuple[float, float]:
    """Size from the frame header: segments are marker, length, content."""
    place = 2
    while data[:2] == b"\xff\xd8" and place + 9 <= len(data) and data[place] == 0xFF:
        marker = data[place + 1]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[place + 5 : place + 9])
            return float(width), float(height)
        place += 2 + struct.unpack(">H", data[place + 2 : place + 4])[0]
    raise BadLogo("its content is no JPEG")


def _svg(data: bytes) -> tuple[float, float]:
    try:
        source = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadLogo("its content is no SVG in UTF-8") from None
    if _ACTS.search(source):
        raise BadLogo("the SVG has a document type, a script or foreign content; export it as plain SVG")
    if _FETCHES.search(source):
        raise BadLogo("the SVG fetches something from outside; put it inside")
    try:
        root = ElementTree.fromstring(source)
    except ElementTree.ParseError:
        raise BadLogo("its content is no SVG") from None
    if root.tag.rpartition("}")[2] != "svg":
        raise BadLogo("its content is no SVG")
    box = re.split(r"[\s,]+", root.get("viewBox", "").strip())
    sides = [_LENGTH.fullmatch(root.get(name, "")) for name in ("width", "height")]
    if sides[0] and sides[1]:
        return float(sides[0].group(1)), float(sides[1].group(1))
    if len(box) == 4 and all(re.fullmatch(r"-?[\d.]+", part) for part in box):
        return float(box[2]), float(box[3])
    raise BadLogo("the SVG has neither width and height nor a viewBox")
