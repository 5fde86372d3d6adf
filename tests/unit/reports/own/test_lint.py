"""Lint: each fault with its line and column, all at once, and nothing told of what is right."""

# ruff: noqa: E501  # each template stays on one line
from __future__ import annotations

from dataclasses import replace

import pytest

from orchestration.reports import templates
from orchestration.reports.own.lint import Against, lint
from orchestration.reports.own.positions import Finding
from orchestration.reports.own.template import LARGEST_SOURCE, OwnTemplate

REPORT = templates.report_type("executive", None)
AGAINST = Against(REPORT, ("en", "de"), frozenset({"mrr", "nrr"}))
SCHEMA = {
    "type": "object",
    "properties": {
        "limit": {"type": "integer", "default": 3},
        "who": {"type": "object", "properties": {"name": {}}},
    },
}
TEMPLATE = OwnTemplate("page", "executive", "", "acme", parameters_schema=SCHEMA)


def found(source: str, **more: object) -> list[Finding]:
    return lint(replace(TEMPLATE, template_content=source, **more), AGAINST)  # type: ignore[arg-type]


def told(source: str, **more: object) -> list[str]:
    return [f"{one.line}:{one.column} {one.rule}" for one in found(source, **more)]


@pytest.mark.parametrize(
    "source",
    [
        '{% extends "base.html.j2" %}',
        '{% extends "base.html.j2" %}{% block front %}{{ part.cards(document.front[0]) }}{{ super() }}{% endblock %}',
        '{% import "partials/macros.html.j2" as p %}{% for s in document.sections %}{{ p.render(s.blocks[0], "x") }}'
        "{% endfor %}",
        '{% from "partials/macros.html.j2" import arrow as a %}{{ a("up", "better") }}',
        "{% for s in document.sections if s.key != 'a' %}{{ loop.index }}{{ s.title | upper }}{% endfor %}",
        "{% for s in document.sections recursive %}{{ loop.first }}{% if 0 %}{{ loop(s) }}{% endif %}{% endfor %}",
        "{% set x = document.title %}{{ x | truncate(8) }}{% with y = 1 %}{{ y }}{% endwith %}",
        "{% macro m(a, b=1) %}{{ a.anything }}{{ caller() }}{% endmacro %}{% call m(1) %}x{% endcall %}",
        "{{ document.figures['mrr'].text }}{{ document.figures.nrr.label }}",
        "{% for key in ['mrr', 'nrr'] %}{{ document.figures[key].text }}{% endfor %}",
        "{{ (document.front | selectattr('kind', 'eq', 'cards') | first).figures[0].text }}",
        "{% for kind, blocks in document.front | groupby('kind') %}{{ kind }}{{ blocks[0].kind }}{% endfor %}",
        "{{ document.sections | map(attribute='title') | join(', ') }}{{ parameters.limit }}{{ parameters.who.name }}",
        "{{ parameters.sections | default([]) | length }}{{ {'a': 1}['a'] }}{{ range(3) | list }}",
        '{{ t("About this report") }}',
        '<img alt="" src="data:image/png;base64,AAAA"><a href="#top">x</a><p style="color: red">see http://x.example</p>',
        '<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg><style>@page { size: A5 }</style>',
        "{# <script> and {{ nothing }} in a comment #}{% raw %}{{ nothing }}{% endraw %}",
    ],
)  # fmt: skip
def test_what_is_right_is_left_alone(source: str) -> None:
    assert found(source) == []


@pytest.mark.parametrize(
    ("source", "places"),
    [
        ("a\n  {{ documnt.title }}", ["2:6 variable"]),
        ("{{ document.headlin }}\n{{ document.sections[0].titel }}", ["1:13 variable", "2:25 variable"]),
        ("{% for s in document.sections %}\n{{ s.nothing }}{% endfor %}{{ s }}", ["2:6 variable", "2:31 variable"]),
        ("{{ document.front[0].figures[0].txt }}", ["1:33 variable"]),
        ("{{ document.sections | map(attribute='titel') | join }}", ["1:38 variable"]),
        ("{{ document.figures['mmr'].text }}", ["1:21 metric"]),
        ("{% for key in ['mrr', 'arr'] %}{{ document.figures[key].text }}{% endfor %}", ["1:51 metric"]),
        ("{{ document.figures[document.title].text }}", ["1:20 metric"]),
        ("{{ parameters.limt }}", ["1:15 parameter"]),
        ("{{ parameters.who.nam }}", ["1:19 variable"]),
        ("{{ t('Nobody has translated this') }}", ["1:6 translation"]),
        ("{{ n('{count} cow', '{count} cows', 2) }}", ["1:6 translation"]),
        ("{{ t(document.title) }}", ["1:5 translation"]),
        ("{{ t('About {what}') }}", ["1:6 translation"] * 2),
        ("{{ 1 | nothing }}{% if 1 is nothing %}{% endif %}", ["1:8 filter", "1:26 test"]),
        ("{{ document | safe }}{{ document | attr('x') }}{{ [1] | map('safe') | list }}",
         ["1:15 filter", "1:36 filter", "1:61 filter"]),
        ("{{ document.title.upper() }}", ["1:19 variable", "1:24 forbidden"]),
        ("{{ document._x }}{{ ''['__class__'] }}", ["1:13 forbidden", "1:24 forbidden"]),
        ("{% autoescape false %}{% endautoescape %}", ["1:4 forbidden"]),
        ("{% include 'x' %}{% extends document.title %}", ["1:12 template", "1:38 template"]),
        ("{{ cycler }}{{ lipsum() }}{{ namespace() }}", ["1:4 variable", "1:16 variable", "1:30 variable"]),
        ("<p>\n<script>x</script>", ["2:1 markup", "2:10 markup"]),
        ("<img src='http://x'>\n<img src=//x>\n<a href = 'file:///x'>", ["1:11 markup", "2:10 markup", "3:12 markup"]),
        ("<style>@import 'x'; a { b: url(file:///x) }\n@font-face {}</style>",
         ["1:8 markup", "1:28 markup", "2:1 markup"]),
        ("<p onclick='x'>", ["1:4 markup"]),
        ("<iframe></iframe><link rel=x>", ["1:1 markup", "1:9 markup", "1:18 markup"]),
        ("{{ a ? b }}", ["1:6 syntax"]),
        ("x\n{% for %}", ["2:8 syntax"]),
        ("{% if 1 %}\n", ["1:9 syntax"]),
        ("{{" + "(" * 50_000, ["1:1 syntax"]),
        ("x" * (LARGEST_SOURCE + 1), ["1:1 size"]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place(source: str, places: list[str]) -> None:
    assert told(source) == places


def test_windows_line_ends_and_trimmed_space_move_no_column() -> None:
    assert told("a\r\n\r\n  {%- set x = 1 -%}  \r\n  {{- documnt }}") == ["4:7 variable"]


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "array"}, "$.type"),
        ({"type": "object", "properties": {"a": {"type": "nothing"}}}, "'nothing' is not valid"),
        ({"type": "object", "properties": {"a": {"type": "string", "pattern": "(a+)+$"}}}, "'pattern' is not allowed"),
        ({"type": "object", "properties": {"a": {"$ref": "http://x"}}}, "'$ref' is not allowed"),
        ({"type": "object", "properties": {"sections": {}}}, "the report has a parameter of that name"),
        ({"type": "object", "properties": {"a": {"type": "integer", "default": "x"}}}, "default"),
    ],
)  # fmt: skip
def test_a_parameters_schema_is_checked_too(schema: dict[str, object], words: str) -> None:
    (finding,) = found("{{ parameters.sections }}", parameters_schema=schema)
    assert (finding.part, finding.rule) == ("parameters", "parameter")
    assert words in finding.message


def test_translations_belong_to_texts_and_keep_their_placeholders() -> None:
    source = "{{ t('Hello {name}', name='x') }}{{ n('{count} cow', '{count} cows', 2) }}"
    german = {"Hello {name}": "Guten Tag {name}", "{count} cow": ["{count} Kuh", "{count} Kühe"]}
    assert found(source, translations={"de": german}) == []
    (wrong,) = found(source, translations={"de": german | {"Hello {name}": "Guten Tag {nam}"}})
    assert "{nam}" in wrong.message
    assert [one.rule for one in found(source, translations={"de": {}})] == ["translation"] * 2
    assert [one.part for one in found(source, translations={"xx_no": {}, "de": german})] == ["translations"]
