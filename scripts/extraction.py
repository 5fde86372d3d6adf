"""Texts of reports as they stand in sources: every text that a language must have.

Belongs here: finding texts in Python modules and in templates with line and column, and what is wrong with
how one is written. Does not belong here: whether a language has them (messages.py, scripts/texts.py).

Python says `text.t("…", name=…)`, `text.n("…", "…", count)` and `N_("…")`; templates say `t("…", name=…)` and
`n("…", "…", count)`. Lines and columns count from 1.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from jinja2 import Environment
from jinja2.exceptions import TemplateSyntaxError

from orchestration.reports.messages import placeholders

#: Placeholders that a plural text gets without being told.
_GIVEN = frozenset({"count"})


class Text(NamedTuple):
    """One text where it is used; `plural` is empty for a text without forms.

    `problem` says what is wrong with how it is written, in words for the author; empty when nothing is.
    """

    message: str
    line: int
    column: int
    plural: str = ""
    problem: str = ""


class _Token(NamedTuple):
    kind: str
    value: str
    line: int
    column: int


def texts_of_python(source: str) -> list[Text]:
    """Every text of a Python module, in the order of lines. SyntaxError when it is no Python."""
    found = [
        text
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and (text := _of_call(node)) is not None
    ]
    return sorted(found, key=lambda text: (text.line, text.column))


def messages_of(source: str) -> list[Text]:
    """Every text of a Jinja template, in the order of lines; none of one that does not parse."""
    try:
        tokens = list(_tokens(source))
    except TemplateSyntaxError:
        return []
    return [_of_template(tokens, index) for index in range(len(tokens) - 2) if _begins(tokens, index)]


def _of_call(node: ast.Call) -> Text | None:
    """The text of a call of t, n or N_; None for another call and for a text that stands in a constant."""
    match node.func:
        case ast.Attribute(attr="t"):
            wanted, is_deferred = 1, False
        case ast.Attribute(attr="n"):
            wanted, is_deferred = 2, False
        case ast.Name(id="N_"):
            wanted, is_deferred = 1, True
        case _:
            return None
    place = (node.lineno, node.col_offset + 1)
    strings = [_literal(argument) for argument in node.args[:wanted]]
    if not strings or any(string is None for string in strings):
        composed = node.args and isinstance(node.args[0], (ast.JoinedStr, ast.BinOp))
        return Text("", *place, problem="a text is one literal, not composed of parts") if composed else None
    message, plural = strings[0] or "", strings[1] or "" if wanted == 2 else ""
    named = {keyword.arg for keyword in node.keywords}
    told = None if is_deferred or None in named else frozenset(str(keyword) for keyword in named)
    return Text(message, *place, plural, _problem(message, plural, told))


def _literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _problem(message: str, plural: str, told: frozenset[str] | None) -> str:
    """What the author has to correct: braces that are no placeholder, values missing or not used."""
    texts = [text for text in (message, plural) if text]
    wanted = frozenset[str]().union(*(placeholders(text) for text in texts))
    for text in texts:
        bare = text
        for name in wanted:
            bare = bare.replace(f"{{{name}}}", "")
        if "{" in bare or "}" in bare:
            return "placeholders are written {lower_case}"
    if told is None:
        return ""
    if missing := wanted - told - (_GIVEN if plural else frozenset()):
        return f"no value for {_listed(missing)}"
    if unused := told - wanted:
        return f"the text does not use {_listed(unused)}"
    return ""


def _listed(names: frozenset[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(names))


def _tokens(source: str) -> Iterator[_Token]:
    """The tokens of a template without blanks and comments, each with its place."""
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    position = 0
    for line, kind, value in Environment(autoescape=True).lex(source):
        position = source.index(value, position)
        column = position - (source.rfind("\n", 0, position) + 1) + 1
        position += len(value)
        if kind not in ("whitespace", "comment", "comment_begin", "comment_end", "data"):
            yield _Token(kind, value, line, column)


def _begins(tokens: Sequence[_Token], index: int) -> bool:
    """Whether a call of t or n begins here; not the filter, attribute or parameter of that name."""
    token, following = tokens[index], tokens[index + 1]
    before = tokens[index - 1].value if index else ""
    return token.kind == "name" and token.value in ("t", "n") and following.value == "(" \
        and before not in (".", "|", "macro")  # fmt: skip


def _of_template(tokens: Sequence[_Token], index: int) -> Text:
    place, wanted = (tokens[index].line, tokens[index].column), 1 if tokens[index].value == "t" else 2
    strings, position = list[str](), index + 2
    while len(strings) < wanted and tokens[position].kind == "string":
        parts = []
        while tokens[position].kind == "string":  # neighbouring literals are one, as in Python
            parts.append(ast.literal_eval(tokens[position].value.replace("\n", "\\n")))
            position += 1
        strings.append("".join(parts))
        if len(strings) < wanted and tokens[position].value == ",":
            position += 1
    if len(strings) < wanted or tokens[position].value not in (",", ")"):
        return Text("", *place, problem="a text is one literal, not composed of parts")
    plural = strings[1] if wanted == 2 else ""
    return Text(strings[0], *place, plural, _problem(strings[0], plural, _names(tokens, position)))


def _names(tokens: Sequence[_Token], position: int) -> frozenset[str] | None:
    """Names of the values handed to the call whose first arguments end here; None where they are unpacked."""
    depth, names = 1, set[str]()
    for token, following in zip(tokens[position:], tokens[position + 1 :], strict=False):
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(token.value, 0)
        if depth == 0:
            break
        if token.value == "**" and depth == 1:
            return None
        if depth == 1 and token.kind == "name" and following.value == "=":
            names.add(token.value)
    return frozenset(names)
