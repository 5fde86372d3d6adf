"""Pictures and tables for the UI are well-formed."""

from __future__ import annotations

import base64
from xml.etree import ElementTree

from orchestration.defs.metadata import bar_plot, markdown_table, picture

SVG = "{http://www.w3.org/2000/svg}"


def test_a_plot_has_one_bar_a_point_in_proportion() -> None:
    plot = ElementTree.fromstring(bar_plot([("2026-11-01", 10.0), ("2026-11-02", 5.0), ("2026-11-03", 0.0)]))
    bars = [rect for rect in plot.findall(f"{SVG}rect") if rect.find(f"{SVG}title") is not None]
    heights = [float(bar.get("height", "")) for bar in bars]
    assert heights[0] == 2 * heights[1] > 0
    assert heights[2] == 0
    assert [text.text for text in plot.findall(f"{SVG}text")] == ["max 10", "2026-11-01", "2026-11-03"]


def test_a_plot_of_nothing_and_of_zeros_is_still_a_picture() -> None:
    for points in ([], [("2026-11-01", 0.0)]):
        assert ElementTree.fromstring(bar_plot(points)).tag == f"{SVG}svg"


def test_a_picture_carries_its_bytes() -> None:
    text = picture(b"\x89PNG", "png", "first page").value
    assert text is not None
    head, _, data = text.partition("base64,")
    assert head == "![first page](data:image/png;"
    assert base64.b64decode(data.rstrip(")")) == b"\x89PNG"


def test_a_bar_in_a_cell_does_not_break_the_table() -> None:
    lines = (markdown_table([{"tenant": "a|b", "rows": 1}]).value or "").splitlines()
    assert lines == ["| tenant | rows |", "| --- | --- |", "| a\\|b | 1 |"]
