"""The macros of dbt_project/macros/metrics, called without dbt, in milliseconds instead of seconds.

`Macros()` reads them as dbt does; `Macros(entries=...)` puts other entries in place of the committed list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml
from jinja2 import Environment

PROJECT = Path(__file__).resolve().parents[2] / "dbt_project"
FOLDER = PROJECT / "macros" / "metrics"
MACRO = re.compile(r"{%-? macro (\w+)\(.*?{%-? endmacro -?%}", re.DOTALL)


class WrongMetric(Exception):
    """What dbt reports as a compilation error."""


class _Returned(Exception):
    """A macro hands back a value instead of text."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Macros:
    """`Macros().metric_definitions()`: what the macro of that name returns."""

    def __init__(self, entries: Sequence[Any] | None = None) -> None:
        self._environment = Environment(extensions=["jinja2.ext.do"], autoescape=False)
        self._environment.globals |= {
            "return": self._return,
            "fromyaml": yaml.safe_load,
            "modules": SimpleNamespace(re=re),
            "exceptions": SimpleNamespace(raise_compiler_error=self._refuse),
        }
        for path in sorted(FOLDER.glob("*.sql")):
            for found in MACRO.finditer(path.read_text()):
                self._environment.globals[found[1]] = self._callable(found[1], found[0])
        if entries is not None:
            text = yaml.safe_dump(list(entries))
            self._environment.globals["metric_definitions_yaml"] = lambda: text

    def __getattr__(self, name: str) -> Any:
        return self._environment.globals[name]

    def _callable(self, name: str, text: str) -> Callable[..., Any]:
        # Under another name, as in dbt: a macro that calls itself does so by way of `call`, too.
        text = text.replace(f"macro {name}(", f"macro the_{name}(", 1)

        @cache
        def macro() -> Any:  # compiled late: it sees the macros that are read after it
            return getattr(self._environment.from_string(text).module, f"the_{name}")

        def call(*arguments: Any, **named: Any) -> Any:
            try:
                return macro()(*arguments, **named)
            except _Returned as returned:
                return returned.value

        return call

    @staticmethod
    def _return(value: Any) -> None:
        raise _Returned(value)

    @staticmethod
    def _refuse(message: str) -> None:
        raise WrongMetric(message)


@cache
def documented_columns() -> Mapping[str, frozenset[str]]:
    """Columns of each model, after the YAML beside it."""
    found: dict[str, frozenset[str]] = {}
    for path in (PROJECT / "models").rglob("*.yml"):
        for model in (yaml.safe_load(path.read_text()) or {}).get("models", []):
            found[model["name"]] = frozenset(column["name"] for column in model.get("columns", []))
    return found
