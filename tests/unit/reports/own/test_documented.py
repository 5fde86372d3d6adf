"""docs/interfaces.md, What a template sees: its example is a template, and it names what there is."""

from __future__ import annotations

import re
from pathlib import Path

from orchestration.reports import templates
from orchestration.reports.formats.view import page_view
from orchestration.reports.own.lint import Against, known_names, lint
from orchestration.reports.own.sample import sample_document
from orchestration.reports.own.shape import Figures, Obj, Seq, Shape
from orchestration.reports.own.template import OwnTemplate

REPORT = templates.report_type("executive", None)
TEXT = (Path(__file__).parents[4] / "docs" / "interfaces.md").read_text()
SECTION = TEXT.split("### What a template sees\n")[1].split("\n## ")[0]
#: What the shared page alone needs.
INTERNAL = {
    "headline_size",
    "svg_small",
    "is_short",
    "is_long",
    "has_targets",
    "has_sparks",
    "density",
    "widths",
    "size",
}


def names_in(shape: Shape) -> set[str]:
    """Every name that stands somewhere in a shape."""
    match shape:
        case Obj(fields):
            return set(fields).union(*(names_in(part) for part in fields.values()))
        case Seq(item) | Figures(item):
            return names_in(item)
        case _:
            return set()


def test_the_example_is_a_template() -> None:
    (example,) = re.findall(r"```jinja\n(.*?)```", SECTION, re.DOTALL)
    german = {"de": {"For the board": "Für den Vorstand"}}
    template = OwnTemplate("example", "executive", example, translations=german)
    assert lint(template, Against(REPORT, ("en", "de"), frozenset({"mrr", "nrr"}))) == []


def test_every_name_is_documented() -> None:
    there = names_in(known_names(OwnTemplate("x", "executive", ""), REPORT)["document"])
    told = set(re.findall(r"`([a-z_]+)(?:\[[^`]*)?`", SECTION))
    assert there - told - INTERNAL == set()


def test_the_sample_has_every_kind_of_block() -> None:
    """What the lint knows of blocks it knows from there."""
    view = page_view(sample_document("executive", "Sample"))
    blocks = [*view["front"], *(block for section in view["sections"] for block in section["blocks"])]
    kinds = {"cards", "charts", "figure_table", "table", "remarks", "insights"}
    assert {block["kind"] for block in blocks} == kinds
