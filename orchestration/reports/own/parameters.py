"""Parameters of own templates: the schema's own check, the check of values, and what a template gets.

Belongs here: the subset of JSON Schema. It has no patterns (a slow one would stop the delivery of everybody)
and no references. Does not belong here: parameters of the shipped reports (templates.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator, SchemaError

from orchestration.errors import MetricpressError
from orchestration.reports.own.template import OwnTemplate
from orchestration.reports.templates import ReportType, check_parameters

KEYWORDS = frozenset(
    {"$schema", "title", "description", "examples", "default", "type", "enum", "const", "properties",
     "required",
     "additionalProperties", "items", "minItems", "maxItems", "uniqueItems", "minimum", "maximum",
     "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"}
)  # fmt: skip
_SAMPLES: Mapping[str, Any] = {"string": "sample", "integer": 1, "number": 1, "boolean": True, "array": [],
                               "object": {}, "null": None}  # fmt: skip


def faults_of(schema: Any, taken: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """JSON path and message of what is wrong in a parameters schema; `taken`: the report's own parameters."""
    if schema == {}:
        return
    if not isinstance(schema, Mapping):
        yield "$", "the schema is no object"
        return
    try:
        Draft202012Validator.check_schema(dict(schema))
    except SchemaError as error:
        yield error.json_path, error.message
        return
    yield from _unknown_keywords(schema, "$")
    if schema.get("type") != "object":
        yield "$.type", 'parameters are an object: "type": "object"'
    for name, part in (schema.get("properties") or {}).items():
        if not name.isidentifier() or name.startswith("_"):
            yield f"$.properties.{name}", "a parameter is named by letters, digits and underscores"
        if name in taken:
            yield f"$.properties.{name}", "the report has a parameter of that name"
        if "default" in part:
            for broken in Draft202012Validator(part).iter_errors(part["default"]):
                yield f"$.properties.{name}.default", broken.message


def _unknown_keywords(schema: Any, path: str) -> Iterator[tuple[str, str]]:
    if not isinstance(schema, Mapping):
        return
    for word, value in schema.items():
        if word not in KEYWORDS:
            yield (
                f"{path}.{word}",
                f"the keyword {word!r} is not allowed; there are {', '.join(sorted(KEYWORDS))}",
            )
        elif word == "properties":
            for name, part in value.items():
                yield from _unknown_keywords(part, f"{path}.properties.{name}")
        elif word in ("items", "additionalProperties"):
            yield from _unknown_keywords(value, f"{path}.{word}")


def own_names(template: OwnTemplate) -> tuple[str, ...]:
    """Parameters that the template adds to those of its report."""
    return tuple(template.parameters_schema.get("properties") or ())


def check_use(template: OwnTemplate, report: ReportType, formats: Iterable[str]) -> None:
    """Refuse a template that is meant for another report, and formats it is not offered in."""
    if template.report_type != report.name:
        raise MetricpressError(
            f"template {template.name} is made for report {template.report_type}, not {report.name}",
            remedy=f"Give --report {template.report_type}, or another template.",
        )
    for name in formats:
        if name not in template.output_formats:
            raise MetricpressError(
                f"template {template.name} is not offered as {name}",
                remedy=f"Its formats: {', '.join(template.output_formats)}.",
            )


def check_all(template: OwnTemplate, report: ReportType, parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that break the report's schema or the template's, naming the JSON path."""
    own = {name: value for name, value in parameters.items() if name in own_names(template)}
    check_parameters(report, for_document(template, parameters))
    if not template.parameters_schema:
        return
    found = sorted(Draft202012Validator(dict(template.parameters_schema)).iter_errors(own), key=str)
    if found:
        raise MetricpressError(
            f"template {template.name}: parameters {found[0].json_path}: {found[0].message}",
            remedy=f"see: metricpress templates show {template.name!r}",
        )


def for_document(template: OwnTemplate, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that the report's document knows."""
    return {name: value for name, value in parameters.items() if name not in own_names(template)}


def seen(template: OwnTemplate, report: ReportType, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """`parameters` as the template sees it: every one there is, not given its default, else none."""
    schemas = (report.schema, template.parameters_schema)
    known = {name: part for schema in schemas for name, part in (schema.get("properties") or {}).items()}
    return {name: parameters.get(name, part.get("default")) for name, part in known.items()}


def samples(template: OwnTemplate) -> dict[str, Any]:
    """A value for each parameter the template requires, and each default."""
    properties = template.parameters_schema.get("properties") or {}
    required = template.parameters_schema.get("required") or ()
    return {name: _sample(part) for name, part in properties.items() if name in required or "default" in part}


def _sample(schema: Mapping[str, Any]) -> Any:
    for keyword in ("default", "const"):
        if keyword in schema:
            return schema[keyword]
    for keyword in ("examples", "enum"):
        if schema.get(keyword):
            return schema[keyword][0]
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind in ("integer", "number") and "minimum" in schema:
        return schema["minimum"]
    return _SAMPLES.get(kind)
