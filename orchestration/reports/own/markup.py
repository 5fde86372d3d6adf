"""What the markup of an own template may hold: nothing that runs, nothing that is fetched.

Belongs here: the rules, applied to the source (lint) and again to the finished page (child), where no trick
of the template language hides a tag any more. Does not belong here: Jinja.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from urllib.parse import unquote_to_bytes

from orchestration.reports.own.template import LARGEST_IMAGE, MOST_PIXELS, TemplateFailure

TAGS = frozenset(
    {"script", "iframe", "frame", "frameset", "object", "embed", "applet", "link", "base", "form", "input",
     "button", "textarea", "select", "audio", "video", "source", "track", "portal", "noscript", "template",
     "foreignobject", "animate", "set", "animatetransform", "animatemotion", "handler", "listener"}
)  # fmt: skip
#: Attributes that name what is fetched or opened.
ADDRESSES = frozenset(
    {"src", "href", "xlink:href", "data", "background", "poster", "action", "formaction", "srcset", "cite",
     "longdesc", "manifest", "ping", "profile", "archive", "codebase", "classid", "usemap", "lowsrc",
     "dynsrc"} )  # fmt: skip
_IMAGE = re.compile(r"data:image/(png|jpeg|gif|webp|svg\+xml)(;charset=[\w-]+)?(;base64)?,", re.IGNORECASE)
_TAG = re.compile(r"<\s*(?:/\s*)?([a-zA-Z][\w:-]*)")
_HANDLER = re.compile(r"<[^<>]{0,2000}?[\s\"'/](on[a-z]{3,})\s*=", re.IGNORECASE)
_ADDRESS = re.compile(
    rf"[\s\"'/]({'|'.join(map(re.escape, sorted(ADDRESSES)))})\s*=\s*[\"']?\s*", re.IGNORECASE
)
_REFRESH = re.compile(r"http-equiv", re.IGNORECASE)
_URL = re.compile(r"url\s*\(\s*[\"']?\s*", re.IGNORECASE)
_AT_RULE = re.compile(r"@(import|font-face|namespace)\b", re.IGNORECASE)
_CSS_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})\s?|(.))", re.DOTALL)
_CSS_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_CLIP = 60
_NOTHING_FETCHED = "pages fetch nothing, pictures stand in them as data: URIs"


@dataclass(frozen=True)
class Fault:
    """One forbidden construct; `start` is its place in the text that was looked at."""

    start: int
    message: str


def faults_in_source(text: str) -> Iterator[Fault]:
    """Forbidden constructs in a piece of a template's own markup."""
    for match in _TAG.finditer(text):
        if match[1].lower() in TAGS:
            yield Fault(match.start(), f"<{match[1].lower()}> is not allowed")
    for match in _HANDLER.finditer(text):
        yield Fault(match.start(1), f"the attribute {match[1]} is not allowed: pages run no programs")
    for match in _REFRESH.finditer(text):
        yield Fault(match.start(), "the attribute http-equiv is not allowed")
    for match in _ADDRESS.finditer(text):
        refused = refused_address(text[match.end() : match.end() + _CLIP * 2], ends=" \t\r\n\"'>")
        if refused:
            yield Fault(match.end(), refused)
    yield from faults_in_css(text)


def faults_in_css(css: str) -> Iterator[Fault]:
    """Forbidden constructs of style sheets, wherever in the text they stand."""
    for match in _URL.finditer(css):
        refused = refused_address(css[match.end() : match.end() + _CLIP * 2], ends=" \t\r\n\"')")
        if refused:
            yield Fault(match.start(), refused)
    for match in _AT_RULE.finditer(css):
        reason = "the fonts are those of the shipped style sheet" if match[1].lower() == "font-face" else (
            "all styles stand in the page")  # fmt: skip
        yield Fault(match.start(), f"@{match[1].lower()} is not allowed: {reason}")


def refused_address(text: str, ends: str = "") -> str:
    """Why an address (what `text` begins with) is refused; nothing for a place in the page or an image in
    it.
    """
    head = text[: _CLIP * 2].strip()
    if not head or head[0] in f"#{ends}" or _IMAGE.match(head):
        return ""
    shown = re.split(f"[{re.escape(ends)}]", head, maxsplit=1)[0] if ends else head
    return f"the address {shown[:_CLIP]} is not allowed: {_NOTHING_FETCHED}"


def check_page(page: str, house_css: str = "") -> None:
    """Refuse a finished page that holds what templates may not; TemplateFailure says what.

    Read by the rules of browsers: a reader with rules of its own overlooks what stands after its mistake.
    `house_css` may stand in a <style>, where it is not looked at.
    """
    from weasyprint import HTML

    if not page:
        return
    for element in HTML(string=page).etree_element.iter():
        if not isinstance(element.tag, str):
            continue  # a comment
        tag = _local(element.tag)
        if tag in TAGS:
            raise TemplateFailure("forbidden", f"the page has a <{tag}>")
        for name, value in element.attrib.items():
            _check_attribute(name.lower(), value)
        if tag == "style":
            css = "".join(element.itertext())
            _check_css(css.replace(house_css, "") if house_css else css)


def _local(name: str) -> str:
    """A name of a tag or attribute without its namespace."""
    return name.lower().rpartition("}")[2].rpartition(":")[2]


def _check_attribute(qualified: str, value: str) -> None:
    name = _local(qualified)
    if name.startswith("on") or name == "http-equiv":
        raise TemplateFailure("forbidden", f"the page has the attribute {name}")
    if name in ADDRESSES:
        # Browsers and WeasyPrint take white space and control characters out of addresses.
        address = re.sub(r"[\x00-\x20]+", "", value)
        refused = refused_address(address)
        if refused:
            raise TemplateFailure("address", refused)
    elif not qualified.startswith("xmlns"):
        _check_css(value)


def _check_css(css: str) -> None:
    if "(" not in css and "@" not in css and "\\" not in css:
        return
    plain = _CSS_ESCAPE.sub(_unescaped, _CSS_COMMENT.sub("", css))
    for text in (css, plain, unescape(plain)):
        for fault in faults_in_css(text):
            raise TemplateFailure("address" if "address" in fault.message else "forbidden", fault.message)


def _unescaped(match: re.Match[str]) -> str:
    if match[1] is None:
        return str(match[2])
    code = int(match[1], 16)
    return chr(code) if 0 < code <= 0x10FFFF else "\ufffd"


def image_in(url: str) -> tuple[str, bytes]:
    """Media type and content of a data: URI of a picture, which is small and what it says; else refused."""
    head = _IMAGE.match(url)
    if head is None:
        raise TemplateFailure("address", refused_address(url) or f"the address {url[:_CLIP]} is not allowed")
    body, kind = url[head.end() :], head[1].lower()
    if len(body) > LARGEST_IMAGE * 4 // 3 + 4:
        raise TemplateFailure("output", f"a picture of {len(body):,} letters is larger than 1 MB")
    try:
        content = base64.b64decode(unquote_to_bytes(body)) if head[3] else unquote_to_bytes(body)
    except (binascii.Error, ValueError) as error:
        raise TemplateFailure("forbidden", f"a picture is no base64: {error}") from error
    if kind == "svg+xml":
        _check_svg(content)
    else:
        _check_pixels(content)
    return f"image/{kind}", content


def _check_svg(content: bytes) -> None:
    """No entities, no scripts, no addresses: only what stands in the picture itself."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise TemplateFailure("forbidden", "an SVG picture is not in UTF-8") from error
    if re.search(r"<!\s*(DOCTYPE|ENTITY)|<\?xml-stylesheet", text, re.IGNORECASE):
        raise TemplateFailure("forbidden", "an SVG picture may not declare entities or styles outside of it")
    if re.search(r"(xlink:)?href\s*=\s*[\"']?\s*data:", text, re.IGNORECASE):
        raise TemplateFailure("address", "an SVG picture may not hold further pictures")
    check_page(text)


def _check_pixels(content: bytes) -> None:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as picture:
            width, height = picture.size
            frames = getattr(picture, "n_frames", 1)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise TemplateFailure("forbidden", f"a picture cannot be read: {error}") from error
    if width * height * frames > MOST_PIXELS:
        raise TemplateFailure(
            "memory", f"a picture of {width:,} x {height:,} pixels is larger than {MOST_PIXELS:,}"
        )
