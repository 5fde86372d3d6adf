"""The Jinja environment of own templates: they look at plain data, and call nothing but a few functions.

Belongs here: what may be looked up, called and computed. Does not belong here: the process around it
(child.py) and what is told before saving (lint.py). Python's own objects stay out of reach even where lint
missed something.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import FunctionLoader, StrictUndefined, nodes
from jinja2.environment import TemplateModule
from jinja2.exceptions import SecurityError
from jinja2.filters import _GroupTuple
from jinja2.runtime import BlockReference, Context, LoopContext, Macro, TemplateReference, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from orchestration.reports.own.template import FILTERS, SOURCE_NAME, TESTS

LONGEST_RANGE = 10_000
#: Jinja's own objects: only these have attributes that are not items.
_JINJA = (LoopContext, TemplateModule, TemplateReference, BlockReference)
_LOOP_METHODS = ("cycle", "changed")


class OwnEnvironment(ImmutableSandboxedEnvironment):
    """Renders one template; `sources` are the shared ones it may extend or import, by name."""

    intercepted_binops = frozenset({"*", "**", "+", "%"})

    def __init__(self, sources: Mapping[str, str], functions: Mapping[str, Callable[..., Any]]) -> None:
        super().__init__(
            loader=FunctionLoader(lambda name: (sources[name], name, None) if name in sources else None),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            cache_size=0,
        )
        self.globals = {**functions, "range": short_range}
        self.filters = {name: self.filters[name] for name in FILTERS}
        self.tests = {name: self.tests[name] for name in TESTS}
        self._callable = frozenset(map(id, self.globals.values()))

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        for node in tree.find_all((nodes.EvalContextModifier, nodes.ScopedEvalContextModifier)):
            raise SecurityError(f"escaping cannot be switched off (line {node.lineno})")
        return tree

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        """Ends the rendering: what is out of reach is not merely undefined."""
        raise SecurityError(f"{attribute!r} of a {type(obj).__name__} is out of reach")

    def is_safe_callable(self, obj: Any) -> bool:
        """The functions given, macros, blocks, and what `loop` offers."""
        if isinstance(obj, Macro | BlockReference | LoopContext):
            return True
        owner = getattr(obj, "__self__", None)
        return id(obj) in self._callable or (
            isinstance(owner, LoopContext) and getattr(obj, "__name__", "") in _LOOP_METHODS
        )

    def getattr(self, obj: Any, attribute: str) -> Any:
        """An item of a mapping, or an attribute of Jinja's own objects; nothing else has any."""
        if attribute.startswith("_"):
            return self.unsafe_undefined(obj, attribute)
        if isinstance(obj, Mapping):
            return obj[attribute] if attribute in obj else self.undefined(obj=obj, name=attribute)
        if isinstance(obj, _JINJA) or (isinstance(obj, _GroupTuple) and attribute in _GroupTuple._fields):
            return super().getattr(obj, attribute)
        if isinstance(obj, Undefined):
            return getattr(obj, attribute)  # raises, naming what is undefined
        return self.unsafe_undefined(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """An item of a mapping, a list or a text."""
        if isinstance(argument, str) and not isinstance(obj, Mapping):
            return self.getattr(obj, argument)
        if isinstance(argument, str) and argument.startswith("_"):
            return self.unsafe_undefined(obj, argument)
        if isinstance(obj, Mapping | list | tuple | str):
            try:
                return obj[argument]
            except (TypeError, LookupError):
                return self.undefined(obj=obj, name=argument)
        return super().getitem(obj, argument)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic on numbers; texts and lists are joined, not multiplied."""
        numbers = all(isinstance(value, int | float) for value in (left, right))
        if operator == "+" and type(left) is type(right) and isinstance(left, list | str):
            return left + right
        if not numbers or operator == "**" or max(abs(left), abs(right)) > 1e15:
            raise SecurityError(f"{operator} is for numbers that reports have")
        return super().call_binop(context, operator, left, right)


def short_range(*bounds: int) -> range:
    """A range of at most 10,000 numbers."""
    made = range(*bounds)
    if len(made) > LONGEST_RANGE:
        raise SecurityError(f"a range may have {LONGEST_RANGE:,} numbers, not {len(made):,}")
    return made


def line_of(error: BaseException) -> int | None:
    """The line of the own template on which an error arose, the innermost; None when it was elsewhere."""
    line = getattr(error, "lineno", None) if getattr(error, "name", None) in (None, SOURCE_NAME) else None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == SOURCE_NAME:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
