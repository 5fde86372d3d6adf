"""The walk over a template: every name it uses against what there is.

Belongs here: statements and their scopes. Does not belong here: expressions (expressions.py), markup
(markup.py) and the list of all checks (lint.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from jinja2 import nodes

from orchestration.reports.own.expressions import Expressions, Scope, near, path
from orchestration.reports.own.positions import constant
from orchestration.reports.own.shape import ANY, LOOP, TEXT, Figures, Function, Obj, Seq, Shape, Text
from orchestration.reports.own.template import FUNCTIONS


class Walk(Expressions):
    """The walk over a whole template."""

    def all(self, tree: nodes.Template, known: Mapping[str, Shape]) -> None:
        """Walk the whole template; `known`: the names every template sees."""
        scope: Scope = dict(known) | {name: Function(name) for name in FUNCTIONS}
        for extends in tree.find_all(nodes.Extends):
            scope |= top_names(self.shared.get(constant(extends.template) or ""), self.shared)
        scope |= {"self": Obj({block.name: Function() for block in tree.find_all(nodes.Block)})}
        self.statements(tree.body, scope)

    # --- statements

    def statements(self, body: Iterable[nodes.Node], scope: Scope) -> None:
        """Statements one after the other; names they set are known to those that follow."""
        for node in body:
            self.statement(node, scope)

    def statement(self, node: nodes.Node, scope: Scope) -> None:  # noqa: PLR0912  # one case a statement of Jinja
        """One statement."""
        match node:
            case nodes.Output():
                for part in node.nodes:
                    if not isinstance(part, nodes.TemplateData):
                        self.shape(part, scope)
            case nodes.For():
                self._loop(node, scope)
            case nodes.If():
                self.shape(node.test, scope)
                for body in (node.body, *((one,) for one in node.elif_), node.else_):
                    self.statements(body, scope)
            case nodes.Assign():
                self._bind(node.target, self.shape(node.node, scope), scope)
            case nodes.AssignBlock():
                self.filtered(node.filter, scope)
                self.statements(node.body, dict(scope))
                self._bind(node.target, TEXT, scope)
            case nodes.With():
                inner = dict(scope)
                for target, value in zip(node.targets, node.values, strict=True):
                    self._bind(target, self.shape(value, scope), inner)
                self.statements(node.body, inner)
            case nodes.Block():
                self.statements(node.body, scope | {"super": Function()})
            case nodes.Macro():
                scope[node.name] = Function()
                self._macro(node.args, node.defaults, node.body, scope)
            case nodes.CallBlock():
                self.shape(node.call, scope)
                self._macro(node.args, node.defaults, node.body, scope)
            case nodes.FilterBlock():
                self.filtered(node.filter, scope)
                self.statements(node.body, dict(scope))
            case nodes.Extends() | nodes.Include():
                self._template(node, node.template)
            case nodes.Import():
                scope[node.target] = Obj(top_names(self._template(node, node.template), self.shared))
            case nodes.FromImport():
                self._from(node, scope)
            case nodes.ScopedEvalContextModifier() | nodes.EvalContextModifier():
                self.tell(node, "forbidden", "escaping cannot be switched off")
                self.statements(getattr(node, "body", ()), dict(scope))
            case nodes.Scope():
                self.statements(node.body, dict(scope))
            case _:
                for child in node.iter_child_nodes():
                    self.shape(child, scope)

    def _loop(self, node: nodes.For, scope: Scope) -> None:
        walked = self.shape(node.iter, scope)
        inner = dict(scope)
        if isinstance(walked, Text):
            self.tell(node.iter, "variable", f"{path(node.iter)} is no list")
        self._bind(node.target, walked.item if isinstance(walked, Seq) else ANY, inner)
        if isinstance(walked, Obj | Figures) and isinstance(node.target, nodes.Name):
            inner[node.target.name] = Text(tuple(walked.fields)) if isinstance(walked, Obj) else ANY
        inner["loop"] = LOOP
        if node.test is not None:
            self.shape(node.test, inner)
        self.statements(node.body, inner)
        self.statements(node.else_, dict(scope))

    def _macro(
        self,
        args: Sequence[nodes.Name],
        defaults: Sequence[nodes.Expr],
        body: Sequence[nodes.Node],
        scope: Scope,
    ) -> None:
        for default in defaults:
            self.shape(default, scope)
        inner = scope | {arg.name: ANY for arg in args}
        self.statements(body, inner | {"caller": Function(), "varargs": ANY, "kwargs": ANY})

    def _template(self, node: nodes.Node, name: nodes.Expr) -> nodes.Template | None:
        text = constant(name)
        if text is None:
            self.tell(name, "template", "another template is named by a text in quotes")
        elif text not in self.shared:
            self.tell(name, "template", f"there is no template {text!r}; there are {', '.join(self.shared)}")
        return self.shared.get(text or "")

    def _from(self, node: nodes.FromImport, scope: Scope) -> None:
        imported = self._template(node, node.template)
        there = top_names(imported, self.shared)
        for name in node.names:
            original, known_as = name if isinstance(name, tuple) else (name, name)
            if imported is not None and original not in there:
                self.tell(node, "variable", f"the template has no {original!r}{near(original, there)}")
            scope[known_as] = there.get(original, ANY)

    def _bind(self, target: nodes.Node, shape: Shape, scope: Scope) -> None:
        match target:
            case nodes.Name():
                scope[target.name] = shape
            case nodes.Tuple():
                group = isinstance(shape, Obj) and tuple(shape.fields) == ("grouper", "list")
                parts: Sequence[Shape] = (
                    tuple(shape.fields.values()) if isinstance(shape, Obj) and group else ()
                )
                for position, item in enumerate(target.items):
                    self._bind(item, parts[position] if position < len(parts) else ANY, scope)
            case _:
                self.tell(target, "forbidden", "only names are set")


def top_names(tree: nodes.Template | None, shared: Mapping[str, nodes.Template]) -> Scope:
    """Macros, imports and names set at the top of a shared template: what extending or importing it gives."""
    names: Scope = {}
    for node in tree.body if tree is not None else ():
        match node:
            case nodes.Macro():
                names[node.name] = Function()
            case nodes.Import():
                names[node.target] = Obj(top_names(shared.get(constant(node.template) or ""), shared))
            case nodes.Assign(target=nodes.Name(name=name)):
                names[name] = ANY
    return names
