"""What dbt offers to templates beyond sqlfluff's own stand-ins; named in .sqlfluff.

Belongs here: pure functions of dbt's context that macros of dbt_project call. Does not belong here: anything
that needs a database or a parsed project.
"""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import yaml
from jinja2.runtime import Macro
from sqlfluff.core.templaters.builtins.dbt import MacroReturn

#: Templates are rendered as dbt parses them: nothing is known yet of other models.
execute = False

#: What macros take from Python's standard library.
modules = SimpleNamespace(re=re)


def _refuse(message: str) -> None:
    raise ValueError(message)


exceptions = SimpleNamespace(raise_compiler_error=_refuse)


def fromyaml(text: str, default: Any = None) -> Any:
    """Parse YAML as dbt's function of that name does."""
    return yaml.safe_load(text) if text else default


def _let_macros_return_to_each_other() -> None:
    """sqlfluff ends `return()` at the outermost macro; dbt ends it at the macro that calls it."""
    invoke = Macro._invoke

    def invoke_and_catch(self: Macro, *arguments: Any) -> Any:
        try:
            return invoke(self, *arguments)
        except MacroReturn as returned:
            return returned.value

    if invoke.__name__ != invoke_and_catch.__name__:
        Macro._invoke = invoke_and_catch  # type: ignore[method-assign,assignment]


_let_macros_return_to_each_other()
