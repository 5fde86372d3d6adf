"""Templates parsed with the place of every part: Jinja's tree knows lines alone, findings name columns too.

Belongs here: the parser and the form of a finding. Does not belong here: what is right and wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.lexer import TokenStream

_AT = re.compile(r"^unexpected char .* at (\d+)$", re.DOTALL)


@dataclass(frozen=True, order=True)
class Finding:
    """What is wrong, and where; `part`: the template, its parameters schema or its translations."""

    line: int
    column: int
    rule: str
    message: str
    part: str = "template"

    def __str__(self) -> str:
        part = "" if self.part == "template" else f"{self.part}: "
        return f"{self.line}:{self.column}: {part}{self.message}"


class Misspelt(Exception):
    """A template that Jinja cannot parse; `offset` is where in the source."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


class Source:
    """The text of a template and the way from offsets to lines."""

    def __init__(self, text: str) -> None:
        self.text = re.sub(r"\r\n|\r", "\n", text)

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column, both from 1."""
        before = self.text[: max(0, offset)]
        return before.count("\n") + 1, len(before) - before.rfind("\n")

    def finding(self, offset: int, rule: str, message: str) -> Finding:
        """A finding at an offset."""
        return Finding(*self.place(offset), rule, message)


class _Placed(Environment):
    """An environment whose parser puts offsets where line numbers are."""

    def _tokenize(
        self, source: str, name: str | None, filename: str | None = None, state: str | None = None
    ) -> TokenStream:
        return TokenStream(self.lexer.wrap(self._tokens(source), name, filename), name, filename)

    def _tokens(self, source: str) -> Iterator[tuple[int, str, str]]:
        at = 0
        try:
            for _, token, value in self.lexer.tokeniter(source, None):
                # Only white space is left out of the stream, where a minus sign says so.
                found = source.find(value, at)
                at = max(at, found)
                yield at, token, value
                at += len(value)
        except TemplateSyntaxError as error:
            match = _AT.match(error.message or "")
            error.lineno = int(match[1]) if match else at
            raise


def parse(text: str) -> nodes.Template:
    """The tree, with offsets as line numbers. Raises Misspelt."""
    # Normalised as Source does, so that offsets agree.
    source = re.sub(r"\r\n|\r", "\n", text)
    environment = _Placed(autoescape=True)
    try:
        return environment._parse(source, None, None)
    except TemplateSyntaxError as error:
        message = re.sub(r" at \d+$", "", error.message or "it cannot be read")
        raise Misspelt(message, error.lineno) from error
    except RecursionError:
        raise Misspelt("it nests too deeply to be read", 0) from None
    except ValueError as error:  # a number of more digits than Python reads
        raise Misspelt(f"it cannot be read: {error}", 0) from error


def offset_of(node: nodes.Node) -> int:
    """Where a node of such a tree begins."""
    return int(node.lineno)


def constant(node: Any) -> str | None:
    """The text of a constant; None for everything else."""
    return node.value if isinstance(node, nodes.Const) and isinstance(node.value, str) else None
