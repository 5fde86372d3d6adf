"""Texts are found where they stand, in Python and in templates, and wrong ones are told."""

from __future__ import annotations

import pytest

from scripts.extraction import messages_of, texts_of_python

PYTHON = """
LATER = N_("Later")
def f(text, label):
    text.t("One "
           "text, {name}.", name=text.t(label))
    return text.n("{count} lead", "{count} leads", 3), text.t(LATER), other("no text")
"""


def test_texts_of_a_module() -> None:
    found = [(text.message, text.plural, text.line, text.column) for text in texts_of_python(PYTHON)]
    assert found == [
        ("Later", "", 2, 9),
        ("One text, {name}.", "", 4, 5),
        ("{count} lead", "{count} leads", 6, 12),
    ]
    assert not [text for text in texts_of_python(PYTHON) if text.problem]


TEMPLATE = """{# t("of a comment") #}
<p>{{ t("First") }} t("of the page") {%- if x %}
   {{ t('It\\'s {value}', value=f(a, b=1)) }}{{ x.t("none") }}{% endif -%}

{{ n("{count} lead", "{count} leads", rows | length) }} {% set y = t("Last" ' one') %}</p>"""


def test_texts_of_a_template() -> None:
    found = [(text.message, text.plural, text.line, text.column) for text in messages_of(TEMPLATE)]
    assert found == [
        ("First", "", 2, 7),
        ("It's {value}", "", 3, 7),
        ("{count} lead", "{count} leads", 5, 4),
        ("Last one", "", 5, 68),
    ]
    assert not [text for text in messages_of(TEMPLATE) if text.problem]
    assert TEMPLATE.splitlines()[4][67:].startswith("t(")
    assert messages_of("{% if %}") == [], "what does not parse is told by the parser"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ('"{name} rose"', "no value for {name}"),
        ('"{name} rose", name=1, nmae=2', "does not use {nmae}"),
        ('"{Name} rose", Name=1', "{lower_case}"),
        ('"{} rose"', "{lower_case}"),
    ],
)
def test_wrong_placeholders_are_told(arguments: str, problem: str) -> None:
    (of_python,) = texts_of_python(f"text.t({arguments})")
    (of_template,) = messages_of(f"{{{{ t({arguments}) }}}}")
    assert problem in of_python.problem
    assert of_python.problem == of_template.problem


@pytest.mark.parametrize("call", ['text.t(f"{x} rose")', 'text.t("a" + b)'])
def test_a_composed_text_is_refused(call: str) -> None:
    assert "one literal" in texts_of_python(call)[0].problem


def test_a_variable_text_of_a_template_is_refused() -> None:
    assert "one literal" in messages_of("{{ t(x) }}")[0].problem


def test_values_that_are_unpacked_are_not_counted() -> None:
    assert not texts_of_python('text.t("{name} rose", **values)')[0].problem
    assert not messages_of('{{ t("{name} rose", **values) }}')[0].problem
