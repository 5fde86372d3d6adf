"""What an own template is, what it may be made of, and how rendering it can fail.

Belongs here: the dataclass, the limits, the names templates may use, the error. Does not belong here: rows
(store.py), lint (lint.py) and rendering (process.py, child.py). Imported by the child, so nothing heavy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from orchestration.errors import EXIT_CHECK_FAILED, MetricpressError

#: Bytes of the source of a template; of its finished page; of one embedded image; of its translations.
LARGEST_SOURCE = 256 * 1024
LARGEST_PAGE = 10_000_000
LARGEST_IMAGE = 1_000_000
LARGEST_SCHEMA = LARGEST_TRANSLATIONS = 256 * 1024
#: Bytes of a finished file; pixels of an embedded picture.
LARGEST_FILE = 50_000_000
MOST_PIXELS = 20_000_000

#: What a template is called in messages about its lines.
SOURCE_NAME = "template"
#: Names every template sees; `super`, `self`, `caller` and `loop` come from Jinja.
VARIABLES = ("document", "parameters", "css")
FUNCTIONS = ("t", "n", "range")
#: Those that only look and shape: nothing random, nothing unescaped, nothing that formats by a pattern.
FILTERS = frozenset(
    {
        "abs", "batch", "capitalize", "center", "count", "d", "default", "dictsort", "e", "escape", "first",
        "float", "groupby", "indent", "int", "items", "join", "last", "length", "list", "lower", "map", "max",
        "min", "reject", "rejectattr", "replace", "reverse", "round", "select", "selectattr", "slice", "sort",
        "string", "striptags", "sum", "title", "trim", "truncate", "unique", "upper", "wordcount", "wordwrap",
    }
)  # fmt: skip
TESTS = frozenset(
    {
        "boolean", "defined", "divisibleby", "eq", "equalto", "even", "false", "float", "ge", "gt", "in",
        "integer", "iterable", "le", "lower", "lt", "mapping", "ne", "none", "number", "odd", "sameas",
        "sequence", "string", "true", "undefined", "upper", "==", "!=", ">", ">=", "<", "<=", "greaterthan",
        "lessthan",
    }
)  # fmt: skip
#: Data of the document that an own template's files do not come from.
MADE_FROM_TEMPLATE = ("html", "pdf")

#: How a rendering fails, and what its author can do.
REMEDIES = {
    "time": "Make it shorter, or raise METRICPRESS_TEMPLATE_SECONDS.",
    "memory": "Make it smaller, or raise METRICPRESS_TEMPLATE_MEMORY_MB.",
    "output": "Print less: further rows belong into XLSX, CSV or JSON.",
    "address": "Templates fetch nothing: embed pictures as data: URIs of PNG, JPEG or SVG.",
    "forbidden": "docs/interfaces.md, What a template sees, tells what templates may do.",
    "undefined": "docs/interfaces.md, What a template sees, lists every name.",
    "syntax": "Correct it; metricpress templates lint names every fault.",
    "depth": "Nest less.",
    "fault": "metricpress templates preview shows it; correct the template.",
}


@dataclass(frozen=True)
class Limits:
    """What one rendering may take: wall-clock seconds, and megabytes beyond what the libraries have."""

    seconds: int = 30
    megabytes: int = 500


class TemplateFailure(MetricpressError):
    """An own template that cannot be rendered; `kind` is one of REMEDIES, `line` its line where known."""

    def __init__(self, kind: str, message: str, line: int | None = None) -> None:
        super().__init__(message, remedy=REMEDIES[kind], exit_code=EXIT_CHECK_FAILED)
        self.kind = kind
        self.line = line


@dataclass(frozen=True)
class OwnTemplate:
    """One template as it stands, or as it stood in an earlier version.

    tenant_id None: of the installation, offered to all. `translations`: language to text to translation, a
    list where the text has plural forms. `version` 0: not stored.
    """

    name: str
    report_type: str
    template_content: str
    tenant_id: str | None = None
    description: str | None = None
    parameters_schema: Mapping[str, Any] = field(default_factory=dict)
    translations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    output_formats: tuple[str, ...] = ("pdf", "html")
    is_public: bool = False
    message: str | None = None
    template_id: UUID | None = None
    version: int = 0
    updated_at: datetime | None = None
    created_by: str | None = None

    @property
    def stamp(self) -> str:
        """The exact content it stands for, as the ledger records it: id and version."""
        return f"{self.template_id}@{self.version}"
