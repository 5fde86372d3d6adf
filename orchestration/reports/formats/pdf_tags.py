"""The tags of a PDF, set right before the file is written, where WeasyPrint leaves gaps in PDF/UA-1.

Belongs here: the structure tree as WeasyPrint builds it, and what is changed in it. Does not belong here: the
order and kind of elements, which come from the page (report_templates/).

WeasyPrint hands over the objects of the file it is about to write (its `finisher`): nothing is parsed again.
Mended are:

- running heads and feet, which stood as content beside the tree: artifacts, so that no reader is told them on
  each page;
- pictures without a text, such as the arrow before a change: decoration, so artifacts too;
- header cells: their scope, instead of identifiers that need an index which is not there;
- boxes of pictures: in points from the bottom of the page, where they were pixels from its top;
- groups of a definition list: items of it, the term their label.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

#: A dictionary of the PDF: a dict that also knows its number and its `reference`.
Element = Any
#: Points of a CSS pixel.
_PIXEL = 0.75


def mend(document: Any, pdf: Any) -> None:
    """Change the tags of `pdf`, a pydyf.PDF, in place; `document` is WeasyPrint's, and not needed."""
    tags = _Tags(pdf)
    for element in list(tags.elements()):
        match element["S"]:
            case "/Figure":
                tags.figure(element)
            case "/THead" | "/TBody" | "/TFoot":
                tags.scopes(element)
            case "/TD":
                tags.cell(element)
            case "/L":
                tags.items(element)
    tags.drop_strays()


class _Tags:
    """The structure tree of one file."""

    def __init__(self, pdf: Any) -> None:
        self.pdf = pdf
        self.root = self.at(pdf.catalog["StructTreeRoot"])

    def at(self, reference: bytes) -> Any:
        """The object of a reference such as `12 0 R`."""
        return self.pdf.objects[int(reference.split()[0])]

    def children(self, element: Element) -> Iterator[Element]:
        for kid in element.get("K", ()):
            if not isinstance(kid, int) and self.at(kid).get("Type") == "/StructElem":
                yield self.at(kid)

    def elements(self, below: Element | None = None) -> Iterator[Element]:
        """All elements below one, the root's by default, in the order of reading."""
        for child in self.children(self.root if below is None else below):
            yield child
            yield from self.elements(child)

    def figure(self, element: Element) -> None:
        if "Alt" not in element:
            self.at(element["P"])["K"].remove(element.reference)
            return
        height = float(self.at(element["Pg"])["MediaBox"][3])
        x1, y1, x2, y2 = (float(length) * _PIXEL for length in element["A"]["BBox"])
        element["A"]["BBox"][:] = (x1, height - y2, x2, height - y1)

    def scopes(self, group: Element) -> None:
        scope = "/Column" if group["S"] == "/THead" else "/Row"
        for row in self.children(group):
            for cell in self.children(row):
                if cell["S"] == "/TH":
                    cell.pop("ID", None)
                    cell["A"]["Scope"] = scope

    def cell(self, element: Element) -> None:
        """The scopes of the headers tell which are a cell's; only what it spans is left."""
        element["A"].pop("Headers", None)
        if set(element["A"]) == {"O"}:
            del element["A"]

    def items(self, element: Element) -> None:
        """A group of a term and what is said of it becomes an item, the term its label."""
        for group in self.children(element):
            items = list(self.children(group))
            if group["S"] != "/Div" or not items or any(item["S"] != "/LI" for item in items):
                continue
            group["S"] = "/LI"
            bodies = [body for item in items for body in self.children(item)]
            for body in bodies:
                body["P"] = group.reference
            if len(bodies) > 1:
                bodies[0]["S"] = "/Lbl"
            group["K"][:] = [body.reference for body in bodies]

    def drop_strays(self) -> None:
        """Content whose element is not in the tree becomes an artifact."""
        within = {element.number for element in self.elements()}
        numbers = self.at(self.root["ParentTree"])["Nums"]
        owners = dict(zip(numbers[::2], numbers[1::2], strict=True))
        for number, reference in enumerate(self.pdf.page_references):
            page = self.at(reference)
            stray = {
                mcid: self.at(owner) for mcid, owner in enumerate(owners[number])
                if self.at(owner).number not in within
            }  # fmt: skip
            _as_artifacts(self.at(page["Contents"]), stray)
            owners[number][:] = [
                b"null" if mcid in stray else owner for mcid, owner in enumerate(owners[number])
            ]  # fmt: skip


def _as_artifacts(stream: Any, stray: dict[int, Element]) -> None:
    """Rewrite `/Span <</MCID 3>> BDC` where 3 is a stray: a picture as layout, the rest as pagination."""
    written = stream.stream
    for index, operator in enumerate(written):
        if operator == b"BDC" and (mcid := written[index - 1].get("MCID")) in stray:
            kind = "/Layout" if stray[mcid]["S"] == "/Figure" else "/Pagination"
            written[index - 2] = "/Artifact"
            written[index - 1].clear()
            written[index - 1]["Type"] = kind
