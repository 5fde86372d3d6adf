"""Expressions of a template against what there is: names, attributes, filters, tests, calls, figures, texts.

Belongs here: what an expression is made of. Does not belong here: statements and their scopes (names.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from jinja2 import nodes

from orchestration.reports.own.positions import Finding, Source, constant, offset_of
from orchestration.reports.own.shape import (
    ANY,
    LOOP,
    TEXT,
    Any_,
    Figures,
    Function,
    Obj,
    Seq,
    Shape,
    Text,
    merged,
)
from orchestration.reports.own.template import FILTERS, TESTS

Scope = dict[str, Shape]
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
#: Filters that give an item of the list, the list itself, or lists of its items.
_ITEM = ("first", "last", "min", "max")
_SAME = ("list", "sort", "reverse", "unique", "select", "reject", "selectattr", "rejectattr")
_PARTS = ("batch", "slice")
#: Filters whose argument names an attribute of the items: by this keyword, or at this place.
_ATTRIBUTE = {"selectattr": 0, "rejectattr": 0, "groupby": 0, "map": None, "sort": None, "unique": None,
              "join": None, "sum": 0, "min": None, "max": None}  # fmt: skip


#: A template with more is not looked at further.
MOST_FINDINGS = 200
_LONGEST_NAME = 60
_NEAR_AMONG = 500


class Enough(Exception):
    """There are more findings than anybody reads."""


@dataclass(frozen=True)
class SaidText:
    """A text of the template that readers see; `plural` where it has forms."""

    offset: int
    text: str
    plural: str | None
    values: frozenset[str]


@dataclass
class Expressions:
    """What a walk over the expressions of a template finds. `figure_keys` None: not known, not checked."""

    source: Source
    shared: Mapping[str, nodes.Template]
    figure_keys: frozenset[str] | None = None
    findings: list[Finding] = field(default_factory=list)
    texts: list[SaidText] = field(default_factory=list)
    keys: dict[str, None] = field(default_factory=dict)

    def shape(self, node: nodes.Node | None, scope: Scope) -> Shape:  # noqa: PLR0911, PLR0912
        """The shape of an expression; what is wrong in it is told."""
        match node:
            case None:
                return ANY
            case nodes.Name():
                return self._name(node, scope)
            case nodes.Const():
                return Text((node.value,)) if isinstance(node.value, str) else TEXT
            case nodes.Getattr():
                return self._attribute(node, self.shape(node.node, scope), node.attr)
            case nodes.Getitem():
                return self._item(node, scope)
            case nodes.Call():
                return self._call(node, scope)
            case nodes.Filter():
                return self.filtered(node, scope)
            case nodes.Test():
                return self._tested(node, scope)
            case nodes.List() | nodes.Tuple():
                item: Shape = ANY
                for one in node.items:
                    item = merged(item, self.shape(one, scope))
                return Seq(item)
            case nodes.Dict():
                return self._literal(node, scope)
            case nodes.CondExpr():
                self.shape(node.test, scope)
                return merged(self.shape(node.expr1, scope), self.shape(node.expr2, scope))
            case nodes.And() | nodes.Or():
                return merged(self.shape(node.left, scope), self.shape(node.right, scope))
            case nodes.Add():
                return merged(self.shape(node.left, scope), self.shape(node.right, scope))
            case _:
                for child in node.iter_child_nodes():
                    self.shape(child, scope)
                return TEXT

    def _name(self, node: nodes.Name, scope: Scope) -> Shape:
        if node.name in scope:
            return scope[node.name]
        self.tell(node, "variable", f"unknown variable {node.name!r}{near(node.name, scope)}")
        scope[node.name] = ANY  # told once
        return ANY

    def _attribute(self, node: nodes.Node, owner: Shape, name: str) -> Shape:
        if name.startswith("_"):
            self.tell(node, "forbidden", f"{name!r}: names that begin with an underscore are out of reach")
            return ANY
        whose = path(getattr(node, "node", None))
        match owner:
            case Obj():
                if name in owner.fields:
                    return owner.fields[name]
                rule = "parameter" if whose == "parameters" else "variable"
                what = "the parameters schema has" if rule == "parameter" else f"{whose} has"
                self.tell(node, rule, f"{what} no {name!r}{near(name, owner.fields)}")
            case Figures():
                return self._figure(node, owner, name)
            case Seq() | Text():
                kind = "a list" if isinstance(owner, Seq) else "a text"
                self.tell(node, "variable", f"{whose} is {kind} and has no {name!r}: filters shape it")
            case Function():
                self.tell(node, "forbidden", f"{whose} is called, it has no {name!r}")
            case Any_():
                pass
        return ANY

    def _item(self, node: nodes.Getitem, scope: Scope) -> Shape:
        owner, name = self.shape(node.node, scope), constant(node.arg)
        if name is not None:
            return self._attribute(node, owner, name)
        if isinstance(node.arg, nodes.Slice):
            for child in node.arg.iter_child_nodes():
                self.shape(child, scope)
            return owner
        key = self.shape(node.arg, scope)
        match owner:
            case Seq():
                return owner.item
            case Figures():
                choices = key.choices if isinstance(key, Text) else ()
                for choice in choices:
                    self._figure(node, owner, choice)
                if not choices:
                    self.tell(
                        node,
                        "metric",
                        "a figure is named by a text in quotes, or by a loop over a list of such",
                    )
                return owner.item
            case Text():
                return TEXT
            case _:
                return ANY

    def _figure(self, node: nodes.Node, owner: Figures, key: str) -> Shape:
        self.keys[key] = None
        known = self.figure_keys
        if known is not None and key not in known:
            self.tell(node, "metric", f"unknown metric {key!r}{near(key, known)}")
        return owner.item

    def _call(self, node: nodes.Call, scope: Scope) -> Shape:
        called = self.shape(node.node, scope)
        for argument in (*node.args, *(one.value for one in node.kwargs), node.dyn_args, node.dyn_kwargs):
            self.shape(argument, scope)
        if not isinstance(called, Function | Any_) and called is not LOOP:
            self.tell(
                node,
                "forbidden",
                f"{path(node.node)} cannot be called: templates call t, n, range and macros",
            )
        elif isinstance(called, Any_) and isinstance(node.node, nodes.Getattr | nodes.Getitem):
            self.tell(node, "forbidden", f"{path(node.node)} cannot be called: data has nothing to call")
        if isinstance(called, Function) and called.name in ("t", "n"):
            self._text(node, called.name)
        return Seq(TEXT) if isinstance(called, Function) and called.name == "range" else (
            TEXT if isinstance(called, Function) else ANY)  # fmt: skip

    def _text(self, node: nodes.Call, function: str) -> None:
        wanted = 1 if function == "t" else 2
        texts = [constant(argument) for argument in node.args[:wanted]]
        if len(texts) < wanted or None in texts:
            which = "a text" if wanted == 1 else "two texts"
            self.tell(
                node, "translation", f"{function}() takes {which} in quotes, so that it can be translated"
            )
            return
        given = {one.key for one in node.kwargs} | ({"count"} if function == "n" else set())
        plural = texts[1] if wanted == 2 else None
        said = SaidText(offset_of(node.args[0]), texts[0] or "", plural, frozenset(given))
        self.texts.append(said)
        lacking = [name for text in texts for name in placeholders(text or "") if name not in given]
        if lacking and node.dyn_kwargs is None:
            self.tell(node.args[0], "translation", f"the text has no value for {{{lacking[0]}}}")

    def filtered(self, node: nodes.Filter | None, scope: Scope) -> Shape:  # noqa: PLR0911
        """The shape that a filter gives; None stands for no filter."""
        if node is None:
            return TEXT
        given = self.shape(node.node, scope) if node.node is not None else TEXT
        arguments = [self.shape(argument, scope) for argument in node.args]
        for keyword in node.kwargs:
            self.shape(keyword.value, scope)
        if node.name not in FILTERS:
            self.tell(node, "filter", f"unknown filter {node.name!r}{near(node.name, FILTERS)}")
            return ANY
        self._names_in_arguments(node)
        attribute = self._named_attribute(node, given)
        item = given.item if isinstance(given, Seq) else ANY
        match node.name:
            case name if name in _ITEM:
                return item
            case name if name in _SAME:
                return given if isinstance(given, Seq) else Seq(ANY)
            case name if name in _PARTS:
                return Seq(Seq(item))
            case "map":
                return Seq(attribute if attribute is not None else ANY)
            case "groupby":
                return Seq(Obj({"grouper": TEXT, "list": Seq(item)}))
            case "items" | "dictsort":
                return Seq(ANY)
            case "default" | "d":
                return merged(given, arguments[0]) if arguments else given
            case _:
                return TEXT

    def _names_in_arguments(self, node: nodes.Filter) -> None:
        """`map("upper")` and `select("none")` name filters and tests."""
        place = {"map": 0, "select": 0, "reject": 0, "selectattr": 1, "rejectattr": 1}.get(node.name)
        if place is None or len(node.args) <= place:
            return
        name = constant(node.args[place])
        known, what = (FILTERS, "filter") if node.name == "map" else (TESTS, "test")
        if name is None:
            self.tell(node, what, f"the {what} is named by a text in quotes")
        elif name not in known:
            self.tell(node.args[place], what, f"unknown {what} {name!r}{near(name, known)}")

    def _named_attribute(self, node: nodes.Filter, given: Shape) -> Shape | None:
        """The shape of the attribute that a filter is told to look at."""
        place = _ATTRIBUTE.get(node.name)
        argument = next((one.value for one in node.kwargs if one.key == "attribute"), None)
        if argument is None and place is not None and len(node.args) > place:
            argument = node.args[place]
        if argument is None:
            return None
        names = constant(argument)
        if names is None:
            if not isinstance(argument, nodes.Const):
                self.tell(argument, "variable", "an attribute is named by a text in quotes")
            return ANY
        shape: Shape = ANY
        for name in names.split(","):
            shape = given.item if isinstance(given, Seq) else ANY
            for part in name.strip().split("."):
                shape = self._attribute(argument, shape, part)
        return shape

    def _tested(self, node: nodes.Test, scope: Scope) -> Shape:
        self.shape(node.node, scope)
        for argument in node.args:
            self.shape(argument, scope)
        if node.name not in TESTS:
            self.tell(node, "test", f"unknown test {node.name!r}{near(node.name, TESTS)}")
        return TEXT

    def _literal(self, node: nodes.Dict, scope: Scope) -> Shape:
        fields: dict[str, Shape] = {}
        for pair in node.items:
            self.shape(pair.key, scope)
            value = self.shape(pair.value, scope)
            # Not kept: shapes that hold shapes of this template could grow with every line.
            fields[constant(pair.key) or ""] = value if isinstance(value, Text) else ANY
        return Obj(fields) if "" not in fields else ANY

    def tell(self, node: nodes.Node, rule: str, message: str) -> None:
        """Note a finding at a node; Enough when there are too many."""
        if len(self.findings) >= MOST_FINDINGS:
            raise Enough
        self.findings.append(self.source.finding(_spot(node), rule, message))


def placeholders(text: str) -> list[str]:
    """Names in braces that a text has values for."""
    return _PLACEHOLDER.findall(text)


def path(node: Any) -> str:
    """An expression as its author wrote it, as far as it is names."""
    match node:
        case nodes.Name():
            return str(node.name)
        case nodes.Getattr():
            return f"{path(node.node)}.{node.attr}"
        case nodes.Getitem():
            name = constant(node.arg)
            return f"{path(node.node)}[{name!r}]" if name is not None else f"{path(node.node)}[...]"
        case nodes.Call():
            return f"{path(node.node)}(...)"
        case _:
            return "it"


def _spot(node: nodes.Node) -> int:
    """Where a reader looks for what is wrong: the name of an attribute, not what it is an attribute of."""
    match node:
        case nodes.Getattr():
            return offset_of(node) + 1  # after the dot
        case nodes.Getitem(arg=nodes.Const() as key):
            return offset_of(key)
        case _:
            return offset_of(node)


def near(name: str, known: Iterable[str]) -> str:
    """A hint at the known name that is most like another, or nothing."""
    if len(name) > _LONGEST_NAME:
        return ""
    close = get_close_matches(name, [one for one in known if len(one) <= _LONGEST_NAME][:_NEAR_AMONG], n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
