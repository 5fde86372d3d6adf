"""Pictures and tables for the UI are well-formed."""

from __future__ import annotations

import base64
import re
from datetime import date
from xml.etree import ElementTree

from orchestration.defs.metadata import (
    PLOT_DAYS,
    TableFacts,
    bar_plot,
    markdown_table,
    picture,
    table_metadata,
)

SVG = "{http://www.w3.org/2000/svg}"


def heights(plot: bytes) -> list[int]:
    """Height of each bar, read from the outline."""
    path = ElementTree.fromstring(plot).find(f"{SVG}path")
    assert path is not None
    outline = path.get("d", "")
    base = int(outline.removeprefix("M0 ").partition("V")[0])
    return [base - int(top) for top in re.findall(r"V(\d+)h1", outline)]


def test_a_plot_has_one_bar_a_value_in_proportion() -> None:
    assert heights(bar_plot([10, 5, 0, 10])) == [48, 24, 0, 48]


def test_a_plot_of_nothing_and_of_zeros_is_still_a_picture() -> None:
    assert heights(bar_plot([])) == []
    assert heights(bar_plot([0, 0])) == [0, 0]


def test_a_plot_is_short_enough_to_be_shown_without_a_click() -> None:
    """The UI folds markdown of 1,000 characters and more away."""
    facts = TableFacts(10**7, True, "metric_date", [(date(2026, 9, 1), 10**6 - n) for n in range(PLOT_DAYS)])
    assert len(table_metadata(facts)["rows_by_metric_date"].value) < 1000


def test_a_picture_carries_its_bytes() -> None:
    text = picture(b"\x89PNG", "png", "first page").value
    assert text is not None
    head, _, data = text.partition("base64,")
    assert head == "![first page](data:image/png;"
    assert base64.b64decode(data.rstrip(")")) == b"\x89PNG"


def test_a_bar_in_a_cell_does_not_break_the_table() -> None:
    lines = (markdown_table([{"tenant": "a|b", "rows": 1}]).value or "").splitlines()
    assert lines == ["| tenant | rows |", "| --- | --- |", "| a\\|b | 1 |"]
