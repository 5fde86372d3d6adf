"""What a PDF tells to who cannot see it, read from its structure tree: rules of PDF/UA-1 and of this project.

`problems(pdf, charts)` names each rule that a file breaks. There is no validator without Java archives that a
package index does not carry; these are the rules of ISO 14289-1 that a program can decide, as the Matterhorn
Protocol counts them, and that a page of headings, tables, lists and pictures can break.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pikepdf

#: What may stand directly in elements that prescribe it (ISO 32000-1, 14.8.4).
CHILDREN = {
    "Table": {"TR", "THead", "TBody", "TFoot", "Caption"},
    "THead": {"TR"},
    "TBody": {"TR"},
    "TFoot": {"TR"},
    "TR": {"TH", "TD"},
    "L": {"L", "LI", "Caption"},
    "LI": {"Lbl", "LBody"},
}
PARENTS = {
    "TR": {"Table", "THead", "TBody", "TFoot"},
    "TH": {"TR"},
    "TD": {"TR"},
    "THead": {"Table"},
    "TBody": {"Table"},
    "LI": {"L"},
    "LBody": {"LI"},
    "Lbl": {"LI"},
}
#: Operators that put something on the page.
PAINTING = {
    "f",
    "F",
    "f*",
    "B",
    "B*",
    "b",
    "b*",
    "S",
    "s",
    "Tj",
    "TJ",
    "'",
    '"',
    "Do",
    "sh",
    "EI",
    "INLINE IMAGE",
}


@dataclass
class Element:
    """A structure element: its type, attributes, what it holds, and the marked content below it."""

    kind: str
    node: Any
    parent: Element | None
    children: list[Element] = field(default_factory=list)
    content: list[tuple[int, int]] = field(default_factory=list)

    def walk(self) -> Iterator[Element]:
        yield self
        for child in self.children:
            yield from child.walk()

    def marked(self) -> Iterator[tuple[int, int]]:
        for element in self.walk():
            yield from element.content


def tree(pdf: pikepdf.Pdf) -> Element:
    """The structure tree; content is pairs of page and MCID."""
    pages = {page.obj.objgen: number for number, page in enumerate(pdf.pages)}
    root = Element("Root", pdf.Root.StructTreeRoot, None)

    def add(node: Any, parent: Element, page: int | None) -> None:
        if isinstance(node, int):
            assert page is not None
            parent.content.append((page, int(node)))
        elif isinstance(node, pikepdf.Array):
            for one in node:
                add(one, parent, page)
        elif node.get("/Type") == "/OBJR":
            return
        elif node.get("/Type") == "/MCR":
            parent.content.append((pages[node.Pg.objgen], int(node.MCID)))
        else:
            element = Element(str(node.S)[1:], node, parent)
            parent.children.append(element)
            here = pages[node.Pg.objgen] if "/Pg" in node else page
            if "/K" in node:
                add(node.K, element, here)

    add(root.node.K, root, None)
    return root


def attribute(element: Element, name: str) -> Any:
    given = element.node.get("/A")
    for one in given if isinstance(given, pikepdf.Array) else [given]:
        if one is not None and f"/{name}" in one:
            return one[f"/{name}"]
    return None


def problems(data: bytes, alts: list[str]) -> list[str]:
    """Rules that the file breaks; `alts`: the alternative texts that the page's pictures must have."""
    with pikepdf.open(io.BytesIO(data)) as pdf:
        root = tree(pdf)
        return [
            *document_problems(pdf), *tree_problems(root), *heading_problems(root), *table_problems(root),
            *figure_problems(root, alts, pdf), *content_problems(pdf, root), *font_problems(pdf),
        ]  # fmt: skip


def document_problems(pdf: pikepdf.Pdf) -> Iterator[str]:
    if not str(pdf.Root.get("/Lang", "")):
        yield "no language"
    if pdf.Root.get("/MarkInfo", {}).get("/Marked") is not True:
        yield "not marked as tagged"
    if pdf.Root.get("/ViewerPreferences", {}).get("/DisplayDocTitle") is not True:
        yield "the title is not displayed"
    with pdf.open_metadata() as metadata:
        if metadata.get("pdfuaid:part") != "1":
            yield "not declared as PDF/UA-1"
        if not metadata.get("dc:title"):
            yield "no dc:title"
    for number, page in enumerate(pdf.pages, start=1):
        if "/Annots" in page and page.get("/Tabs") != "/S":
            yield f"page {number}: tab order is not that of the structure"
        if page.get("/StructParents") is None:
            yield f"page {number}: no StructParents"


def tree_problems(root: Element) -> Iterator[str]:
    if [child.kind for child in root.children] != ["Document"]:
        yield f"the root holds {[child.kind for child in root.children]}"
    for element in root.walk():
        allowed = CHILDREN.get(element.kind)
        wrong = {child.kind for child in element.children} - allowed if allowed else set()
        if wrong:
            yield f"{element.kind} holds {sorted(wrong)}"
        if allowed and element.content:
            yield f"{element.kind} holds content itself"
        above = PARENTS.get(element.kind)
        if above and (element.parent is None or element.parent.kind not in above):
            yield f"{element.kind} stands in {element.parent and element.parent.kind}"
        if element.kind in ("P", "H1", "H2", "Caption", "TR", "L", "LI") and not any(
            True for _ in element.marked()
        ):
            yield f"an empty {element.kind}"


def heading_problems(root: Element) -> Iterator[str]:
    levels = [int(e.kind[1]) for e in root.walk() if e.kind in ("H1", "H2", "H3", "H4", "H5", "H6")]
    if levels[:1] != [1] or levels.count(1) != 1:
        yield f"headings begin {levels[:3]}, with {levels.count(1)} of level 1"
    if any(after > before + 1 for before, after in pairwise(levels)):
        yield f"headings leave out a level: {levels}"


def table_problems(root: Element) -> Iterator[str]:
    for table in (element for element in root.walk() if element.kind == "Table"):
        rows = [element for element in table.walk() if element.kind == "TR"]
        if len({len(row.children) for row in rows}) != 1:
            yield f"rows of {sorted({len(row.children) for row in rows})} cells"
        scopes = {
            (row.parent.kind if row.parent else "", str(attribute(cell, "Scope")))
            for row in rows for cell in row.children if cell.kind == "TH"
        }  # fmt: skip
        if scopes != {("THead", "/Column"), ("TBody", "/Row")}:
            yield f"scopes of headers: {sorted(scopes)}"


def figure_problems(root: Element, alts: list[str], pdf: pikepdf.Pdf) -> Iterator[str]:
    figures = [element for element in root.walk() if element.kind == "Figure"]
    given = [" ".join(str(figure.node.get("/Alt", "")).split()) for figure in figures]
    if "" in given:
        yield f"{given.count('')} figures without a text"
    for alt in alts:
        if " ".join(alt.split()) not in given:
            yield f"no figure says: {alt}"
    for figure in figures:
        box = attribute(figure, "BBox")
        page = pdf.pages[next(figure.marked())[0]].mediabox
        x1, y1, x2, y2 = (float(number) for number in box)
        if not (0 <= x1 < x2 <= float(page[2]) + 1 and 0 <= y1 < y2 <= float(page[3]) + 1):
            yield f"a figure lies off the page: {x1:.0f} {y1:.0f} {x2:.0f} {y2:.0f}"


def content_problems(pdf: pikepdf.Pdf, root: Element) -> Iterator[str]:
    """All that is painted is either in the tree, once, or an artifact; neither stands in the other."""
    in_tree = list(root.marked())
    if len(set(in_tree)) != len(in_tree):
        yield "content stands in the tree twice"
    on_pages: set[tuple[int, int]] = set()
    for number, page in enumerate(pdf.pages):
        marks: list[str | int] = []
        for instruction in pikepdf.parse_content_stream(page):
            operator = str(instruction.operator)
            if operator in ("BDC", "BMC"):
                mark = _mark(instruction.operands, page)
                if mark == "Artifact" and any(isinstance(one, int) for one in marks):
                    yield f"page {number + 1}: an artifact in tagged content"
                if isinstance(mark, int):
                    on_pages.add((number, mark))
                    if "Artifact" in marks:
                        yield f"page {number + 1}: tagged content in an artifact"
                marks.append(mark)
            elif operator == "EMC":
                marks.pop()
            elif operator in PAINTING and not any(
                mark == "Artifact" or isinstance(mark, int) for mark in marks
            ):
                yield f"page {number + 1}: {operator} is neither tagged nor an artifact"
    if lost := on_pages - set(in_tree):
        yield f"tagged content outside the tree: {len(lost)}"
    if lost := set(in_tree) - on_pages:
        yield f"in the tree and on no page: {len(lost)}"
    yield from parent_tree_problems(pdf, root)


def _mark(operands: Any, page: Any) -> str | int:
    if len(operands) > 1 and isinstance(operands[1], pikepdf.Dictionary) and "/MCID" in operands[1]:
        return int(operands[1].MCID)
    return str(operands[0])[1:]


def parent_tree_problems(pdf: pikepdf.Pdf, root: Element) -> Iterator[str]:
    """From the content back to its element, as a reader goes that is pointed at a place."""
    numbers = pikepdf.NumberTree(pdf.Root.StructTreeRoot.ParentTree)
    owners = {place: element.node.objgen for element in root.walk() for place in element.content}
    for number, page in enumerate(pdf.pages):
        entries = numbers[int(page.StructParents)]
        for mcid, entry in enumerate(entries):
            owner = owners.get((number, mcid))
            if owner is not None and entry.objgen != owner:
                yield f"page {number + 1}: the parent of content {mcid} is another element"


def font_problems(pdf: pikepdf.Pdf) -> Iterator[str]:
    for thing in (one for one in pdf.objects if isinstance(one, pikepdf.Dictionary)):
        kind = thing.get("/Type")
        if kind == "/FontDescriptor" and not {"/FontFile", "/FontFile2", "/FontFile3"} & set(thing.keys()):
            yield f"{thing.FontName} is not embedded"
        if kind == "/Font" and thing.Subtype == "/Type0" and "/ToUnicode" not in thing:
            yield f"{thing.BaseFont} has no ToUnicode"
