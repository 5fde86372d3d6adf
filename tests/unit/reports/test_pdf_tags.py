"""Tags of PDFs from templates that nobody here wrote: mended where they are known, otherwise left alone."""

from __future__ import annotations

import io
from pathlib import Path

import pikepdf

from orchestration.reports import templates
from orchestration.reports.formats import pdf
from tests.integration.figures.structure import attribute, tree
from tests.unit.reports.machine_document import DOCUMENT

PAGE = """<html lang="en"><title>x</title><body><h1>One</h1>
<p>See <a href="https://example.org">there</a> and <a href="#end">below</a>.</p>
<ul><div><p>odd</p></div><li>one<ul><li>in it</li></ul></li></ul>
<dl><dt>loose</dt><dd>term</dd></dl><dl><div><dt>term</dt><dd>one</dd><dd>two</dd></div></dl>
<table><tr><td colspan="2">wide</td></tr><tr><th>a</th><td>b</td></tr></table>
<svg width="9" height="9"><rect width="9" height="9"/></svg>
<figure><svg width="9" height="9"><title>Told</title><rect width="9" height="9"/></svg></figure>
<ol><li id="end">first</li></ol></body></html>"""


def test_any_page_can_be_tagged(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "template.html.j2").write_text(PAGE)
    (folder / "report.yml").write_text("{title: Mine, document: executive, frequencies: [weekly]}")
    (folder / "parameters.schema.json").write_text("{}")
    data = pdf.render(DOCUMENT, templates.report_type("mine", tmp_path), tmp_path)
    with pikepdf.open(io.BytesIO(data)) as file:
        elements = list(tree(file).walk())
        spans = [attribute(one, "ColSpan") for one in elements if one.kind == "TD"]
        items = [[child.kind for child in one.children] for one in elements if one.kind == "LI"]
        figures = [str(one.node.Alt) for one in elements if one.kind == "Figure"]
    assert spans == [2, None]
    assert ["Lbl", "LBody", "LBody"] in items
    assert figures == ["Told"]
