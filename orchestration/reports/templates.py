"""Report templates: where they lie, what they may do, which parameters they take.

Belongs here: the sandboxed Jinja environment, report.yml, the parameters schema, and the assets (fonts,
styles) of the shipped templates and of a folder beside them. Does not belong here: what a template prints.

A report is a folder with template.html.j2, report.yml (title, document, frequencies, ranges) and
parameters.schema.json. A folder given by METRICPRESS_TEMPLATE_DIR comes first, so it can add reports and
replace single files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jsonschema import Draft202012Validator

from orchestration.errors import MetricpressError
from orchestration.reports.messages import fill, read_messages

SHIPPED = Path(__file__).resolve().parents[2] / "report_templates"


@dataclass(frozen=True)
class ReportType:
    """A report's folder: its name, the document it is made of, and when it may be asked for."""

    name: str
    title: str
    document: str
    frequencies: tuple[str, ...]
    schema: Mapping[str, Any]
    ranges: bool = False  # whether it may be asked for over any range of days

    @property
    def template(self) -> str:
        """Name of the page template in the environment."""
        return f"{self.name}/template.html.j2"


def folders(template_dir: Path | None) -> tuple[Path, ...]:
    """Folders that are searched for templates and assets, the user's first."""
    if template_dir is None:
        return (SHIPPED,)
    if not template_dir.is_dir():
        raise MetricpressError(
            f"the template folder {template_dir} does not exist", remedy="correct METRICPRESS_TEMPLATE_DIR"
        )
    return (template_dir, SHIPPED)


@lru_cache(maxsize=16)
def environment(template_dir: Path | None, language: str) -> ImmutableSandboxedEnvironment:
    """Templates see what they are handed, and `t` and `n` for texts of their own in the language.

    No files, no attributes with underscores, no undefined names.
    """
    made = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader([str(folder) for folder in folders(template_dir)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    messages = read_messages(language)

    def t(message: str, **values: object) -> str:
        return fill(messages.get(message), values)

    def n(singular: str, plural: str, count: int, **values: object) -> str:
        return fill(messages.get_plural(singular, plural, count), {"count": count, **values})

    made.globals |= {"t": t, "n": n}
    return made


def asset(name: str, template_dir: Path | None) -> Path:
    """The file of an asset such as `fonts/x.woff2`; one outside the template folders is refused."""
    for folder in folders(template_dir):
        root = folder.resolve()
        path = (root / name).resolve()
        if path.is_relative_to(root) and path.is_file():
            return path
    raise MetricpressError(
        f"there is no asset {name!r} in the template folders",
        remedy="put it below METRICPRESS_TEMPLATE_DIR; templates read nothing else",
    )


def available(template_dir: Path | None = None) -> tuple[str, ...]:
    """Names of all reports that can be asked for."""
    found = {path.parent.name for folder in folders(template_dir) for path in folder.glob("*/report.yml")}
    return tuple(sorted(found))


def report_type(name: str, template_dir: Path | None) -> ReportType:
    """The report of that name; an unknown one is a MetricpressError that lists the known."""
    known = available(template_dir)
    if name not in known:
        raise MetricpressError(f"there is no report {name!r}", remedy=f"known reports: {', '.join(known)}")
    about = yaml.safe_load(asset(f"{name}/report.yml", template_dir).read_text("utf-8"))
    schema = json.loads(asset(f"{name}/parameters.schema.json", template_dir).read_text("utf-8"))
    return ReportType(name, about["title"], about["document"], tuple(about["frequencies"]), schema,
                      about.get("ranges", False))  # fmt: skip


def check_frequency(report: ReportType, frequency: str) -> None:
    """Refuse a kind of period that the report is not made for."""
    if frequency == "range" and not report.ranges:
        raise MetricpressError(
            f"report {report.name} is not made for a range of days",
            remedy=f"ask for a whole period, {' or '.join(report.frequencies)}; or, where its document can, "
            "set `ranges: true` in its report.yml",
        )
    if frequency not in (*report.frequencies, "range"):
        raise MetricpressError(
            f"report {report.name} is not made {frequency}",
            remedy=f"its frequencies: {', '.join(report.frequencies)}",
        )


def check_parameters(report: ReportType, parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that break the report's schema, naming the JSON path of the first that does."""
    errors = sorted(Draft202012Validator(report.schema).iter_errors(dict(parameters)), key=str)
    if errors:
        raise MetricpressError(
            f"report {report.name}: parameters {errors[0].json_path}: {errors[0].message}",
            remedy=f"see report_templates/{report.name}/parameters.schema.json",
        )
