"""Pages read back: the text of each cell and card, with the readers a user has, beside what was meant.

`page_differences` names each place where a page says something else than its document. HTML is read with
Python's own parser, a PDF through its tags with poppler's pdfinfo.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

from orchestration.reports.document import (
    Cards,
    Chart,
    Charts,
    Document,
    Figure,
    FigureTable,
    Insights,
    Table,
)
from orchestration.reports.formats.view import PRINTED_ROWS, change_words
from orchestration.reports.formatting import Formatter
from orchestration.reports.periods import THIS

VOID = {"meta", "br", "img", "link", "hr", "input"}
#: Attributes that hold an address, and elements that fetch or run something.
ADDRESSES = {"src", "href", "srcset", "xlink:href", "action"}
FETCHING = {"script", "link", "iframe", "object", "base"}
DRAWINGS = ("svg", "figure")
PARAGRAPHS = {"p", "h1", "h2", "h3", "li", "dt", "dd", "figcaption"}


@dataclass
class Node:
    """An element with its text; `tag` in small letters."""

    tag: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    children: list[Node | str] = field(default_factory=list)

    def find(self, *tags: str) -> Iterator[Node]:
        for child in self.children:
            if isinstance(child, Node):
                if child.tag in tags:
                    yield child
                yield from child.find(*tags)

    def text(self) -> str:
        """What is written in it, without what is written in pictures."""
        below = (child for child in self.children if isinstance(child, str) or child.tag not in DRAWINGS)
        return "".join(child if isinstance(child, str) else child.text() for child in below)

    def chunks(self) -> Iterator[str]:
        """Texts of paragraphs, headings, list items, in the order of reading; not of tables and drawings."""
        for child in self.children:
            if isinstance(child, Node) and child.tag in (
                "p",
                "h1",
                "h2",
                "h3",
                "li",
                "dt",
                "dd",
                "figcaption",
            ):
                yield squash(child.text())
            elif isinstance(child, Node) and child.tag not in ("table", *DRAWINGS):
                yield from child.chunks()


class Tree(HTMLParser):
    """The tree of an HTML page."""

    def __init__(self) -> None:
        super().__init__()
        self.open = [Node("page")]

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        node = Node(tag, dict(attrs))
        self.open[-1].children.append(node)
        if tag not in VOID:
            self.open.append(node)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.open[-1].children.append(Node(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def html_page(markup: str) -> Node:
    tree = Tree()
    tree.feed(markup)
    assert len(tree.open) == 1, f"<{tree.open[-1].tag}> is not closed"
    return tree.open[0]


def pdf_page(pdf: bytes) -> Node:
    """The tags of a PDF with the text below each, as poppler reads them."""
    run = subprocess.run(["pdfinfo", "-struct-text", "-"], input=pdf, capture_output=True, check=True)
    root = Node("page")
    levels, pending = [(-1, root)], ""
    for line in run.stdout.decode().splitlines():
        words, depth = line.strip(), len(line) - len(line.lstrip())
        if pending or words.startswith('"'):
            pending += (" " if pending else "") + words
            if len(pending) > 1 and pending.endswith('"'):
                levels[-1][1].children.append(pending[1:-1])
                pending = ""
        elif words and not words.startswith("/"):
            while levels[-1][0] >= depth:
                levels.pop()
            node = Node(re.match(r"\w+", words).group().lower())  # type: ignore[union-attr]
            levels[-1][1].children.append(node)
            levels.append((depth, node))
    return root


def squash(words: str) -> str:
    """Words without white space and hyphens, which a page breaks as it likes."""
    return re.sub(r"[\s\u00ad\u200b\u2010-]", "", words)


def alike(shown: str, meant: str) -> bool:
    """Whether a page shows the text; a long name may be cut."""
    shown, meant = squash(shown), squash(meant)
    return shown == meant or (shown.endswith("…") and len(shown) > 30 and meant.startswith(shown[:-1]))


Grid = list[list[str]]


def page_differences(page: Node, document: Document) -> list[str]:
    text = Formatter.of(document.locale)
    grids = [
        [[cell.text() for cell in row.find("th", "td")] for row in table.find("tr")]
        for table in page.find("table")
    ]
    chunks = list(page.chunks())
    drawings = [
        [squash(words.text()) for words in drawing.find("text")] or [squash(drawing.text())]
        for drawing in page.find(*DRAWINGS)
    ]
    found: list[str] = []
    for block in document.front:
        if isinstance(block, Cards):
            found += _cards(block, chunks, text)
        if isinstance(block, Insights):
            found += [f"insight {i.text}" for i in block.insights if not _told(i.text, chunks)]
    for block in document.blocks():
        if isinstance(block, FigureTable):
            found += _figure_table(block, grids, document, text)
        elif isinstance(block, Table):
            found += _table(block, grids, text)
        elif isinstance(block, Charts):
            for chart in block.charts:
                found += _chart(chart, drawings, text)
    if grids:
        found.append(f"{len(grids)} tables nobody meant, the first: {grids[0][0]}")
    return found


def _told(words: str, chunks: Sequence[str]) -> bool:
    """Whether a paragraph says it, behind its number where it stands in a list."""
    return any(chunk.endswith(squash(words)) for chunk in chunks)


def _cards(block: Cards, chunks: Sequence[str], text: Formatter) -> Iterator[str]:
    for figure in block.figures:
        value = squash(text.figure(figure, True))
        after = (chunks[i + 1] for i, chunk in enumerate(chunks[:-1]) if chunk == squash(figure.label))
        if not any(chunk == value for chunk in after):
            yield f"card {figure.label}: {value}"


def _take(grids: list[Grid], first: str, rows: int) -> Grid:
    """The next table, and its further parts where pages cut it, under its repeated head."""
    if not grids or not alike(grids[0][0][0], first):
        return []
    grid = grids.pop(0)
    while len(grid) - 1 < rows and grids and grids[0][0] == grid[0]:
        grid = grid + grids.pop(0)[1:]
    return grid


def _figure_table(
    block: FigureTable, grids: list[Grid], document: Document, text: Formatter
) -> Iterator[str]:
    grid = _take(grids, block.title, len(block.figures))
    if len(grid) != len(block.figures) + 1:
        yield f"table {block.title}: {max(len(grid) - 1, 0)} rows of {len(block.figures)}"
        return
    heads = [squash(words).casefold() for words in grid[0]]

    def column(name: str) -> int:
        return heads.index(squash(name).casefold())

    now, before = column(text.t(THIS[document.frequency])), column(block.comparison_label)
    change = column(text.t("Change"))
    for figure, row in zip(block.figures, grid[1:], strict=True):
        comparison, target = figure.comparison, figure.target
        meant = [(0, figure.label), (now, text.figure(figure))]
        if comparison is not None:
            meant.append((before, text.like(figure, comparison.value)))
        if target is not None and target.value is not None:
            meant.append((column(text.t("Target")), text.like(figure, target.value, True)))
        for place, words in meant:
            if not alike(row[place], words):
                yield f"table {block.title}, {figure.label}: {row[place]!r} and not {words!r}"
        if not squash(row[change]).startswith(squash(change_words(figure, text))):
            yield f"table {block.title}, {figure.label}: changed by {row[change]!r}"


def _table(block: Table, grids: list[Grid], text: Formatter) -> Iterator[str]:
    printed = [
        *block.rows[:PRINTED_ROWS], *(row for row in block.rows[PRINTED_ROWS:] if row.total)
    ]  # fmt: skip
    grid = _take(grids, block.columns[0].label, len(printed))
    if len(grid) != len(printed) + 1:
        yield f"table {block.title}: {max(len(grid) - 1, 0)} rows of {len(printed)}"
        return
    meant = [[column.label for column in block.columns]]
    meant += [
        [row.label, *(text.figure(cell) if isinstance(cell, Figure) else cell for cell in row.cells)]
        for row in printed
    ]
    for shown_row, meant_row in zip(grid, meant, strict=True):
        for shown, words in zip(shown_row, meant_row, strict=True):
            if not alike(shown, words):
                yield f"table {block.title}, {meant_row[0]}: {shown!r} and not {words!r}"


def _chart(chart: Chart, drawings: Sequence[Sequence[str]], text: Formatter) -> Iterator[str]:
    """The figures written into a picture stand in one and the same picture."""
    heads = [series.head for series in chart.series if series.head]
    ends = (chart.end,) if chart.end and chart.end.value is not None else ()
    ways = [
        {squash(text.figure(figure, compact)) for compact in (False, True)}
        for figure in (*ends, *chart.labels, *heads)
    ]
    if chart.kind == "heatmap":
        ways += [
            {squash(text.like(chart.sample, value))}
            for series in chart.series for value in series.values if value is not None
        ]  # fmt: skip
    tries = ([way for way in ways if not _written(way, drawing)] for drawing in drawings)
    best = min(tries, key=len, default=ways)
    for way in best:
        yield f"chart {chart.title}: {sorted(way)}"


def _written(way: set[str], drawing: Sequence[str]) -> bool:
    if len(drawing) > 1:
        return any(words.lstrip("+").startswith(one) or words == one for one in way for words in drawing)
    return any(one in words for one in way for words in drawing)


def html_problems(markup: str, language: str) -> list[str]:
    """What keeps a page from standing alone, and from being read by who cannot see it."""
    page = html_page(markup)
    nodes = list(page.find(*{tag.casefold() for tag in re.findall(r"<(\w+)", markup)}))
    outside = [
        f"<{node.tag} {name}={value[:60]!r}>"
        for node in nodes
        for name, value in ((name, value or "") for name, value in node.attributes.items())
        if name in ADDRESSES and not value.startswith(("data:", "#"))
    ]
    outside += [
        f"<{node.tag}>" for node in nodes if node.tag in ("script", "link", "iframe", "object", "base")
    ]
    outside += [
        found for found in re.findall(r"url\(\s*[\"']?([^)]{0,60})|(@import[^;]{0,60})", markup)
        if not found[0].startswith(("data:", "#"))
    ]  # fmt: skip
    wrong = [f"needs {one}" for one in outside]
    (root,) = (node for node in nodes if node.tag == "html")
    if root.attributes.get("lang") != language:
        wrong.append(f"lang is {root.attributes.get('lang')}")
    for tag in ("main", "header", "h1"):
        count = sum(node.tag == tag for node in nodes)
        if count != 1:
            wrong.append(f"{count} <{tag}>")
    levels = [int(node.tag[1]) for node in nodes if re.fullmatch("h[1-6]", node.tag)]
    if levels[:1] != [1] or any(after > before + 1 for before, after in pairwise(levels)):
        wrong.append(f"headings {levels}")
    wrong += [
        f"<th> {n.text()!r} without scope" for n in nodes if n.tag == "th" and not n.attributes.get("scope")
    ]
    wrong += ["<img> without alt" for n in nodes if n.tag == "img" and n.attributes.get("alt") is None]
    return wrong + [
        "a picture without a text"
        for node in nodes
        if node.tag == "svg" and not _hidden(node) and not any(t.text().strip() for t in node.find("title"))
    ]


def _hidden(node: Node) -> bool:
    return node.attributes.get("aria-hidden") == "true"
