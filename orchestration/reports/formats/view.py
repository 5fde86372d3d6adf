"""What templates see: the document as plain data, every number already a text in its locale.

Belongs here: the step from a Document to dicts, lists and strings (charts drawn, figures written, rows beyond
the printed limit cut). Does not belong here: markup (report_templates/) and figures for machines (xlsx, csv,
json read the Document itself).

Templates, the tenants' own included, get nothing else: no object of this project reaches them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from orchestration.reports.brand import Palette, palette
from orchestration.reports.document import (
    Block,
    Cards,
    Chart,
    Charts,
    Document,
    Figure,
    FigureTable,
    Insights,
    Remarks,
    Row,
    Section,
    Table,
)
from orchestration.reports.formats import charts
from orchestration.reports.formats.fitting import (
    LONGEST_CELL,
    MARK_WORDS,
    SPARK_WORDS,
    card_size,
    column_shares,
    headline_size,
    table_density,
)
from orchestration.reports.formatting import Formatter
from orchestration.reports.messages import N_
from orchestration.reports.periods import THIS

View = dict[str, Any]

#: Further rows are not printed, WeasyPrint takes a minute for thousands; a note says where they are.
PRINTED_ROWS = 200
#: Tables up to this length are kept on one page.
SHORT_ROWS = 16
STATUS_WORDS = {"success": N_("on target"), "warning": N_("near target"), "error": N_("off target")}
FREQUENCY_WORDS = {"daily": N_("Daily"), "weekly": N_("Weekly"), "monthly": N_("Monthly"),
                   "range": N_("Range of days")}  # fmt: skip
ABBREVIATED = N_("Large numbers are abbreviated here; the formats XLSX, CSV and JSON have them in full.")
_MOVEMENTS = {"up": N_("up {change}"), "down": N_("down {change}")}
_MOVEMENTS_BARE = {"up": N_("up"), "down": N_("down"), "unchanged": N_("unchanged")}
_VERDICTS = {"better": N_("better"), "worse": N_("worse"), "neutral": ""}


def page_view(document: Document, *, screen: bool = False) -> View:
    """The whole document for a page template; keys as in docs/interfaces.md, "What a template sees".

    `screen`: wide charts are drawn a second time for the width of a phone.
    """
    text, colours = Formatter.of(document.locale), palette(document.brand)
    pen = _Pen(text, document.frequency, colours, screen)
    return {
        "report": document.report,
        "locale": document.locale,
        "language": text.locale.language,
        "title": document.title,
        "frequency": document.frequency,
        "frequency_words": text.t(FREQUENCY_WORDS[document.frequency]),
        "this_period": _capital(text.t(THIS[document.frequency])),
        "tenant": document.tenant,
        "branch": document.branch or "",
        "period": document.period_words,
        "period_start": document.period_start.isoformat(),
        "period_end": document.period_end.isoformat(),
        "as_of": document.as_of.isoformat(),
        "as_of_words": text.moment(document.as_of),
        "timezone": document.timezone,
        "headline": document.headline,
        "headline_size": headline_size(document.headline),
        "standfirst": document.standfirst,
        "empty": document.empty,
        "logo": document.brand.logo or "",
        "footer": document.brand.footer,
        "palette": {"primary": colours.primary, "accent": colours.accent, "on_primary": colours.on_primary,
                    "tint": colours.tint},
        "front": [pen.block(block) for block in document.front_below_headline()],
        "sections": [pen.section(section) for section in document.sections],
        "definitions": [{"title": entry.title, "text": entry.text} for entry in document.definitions],
        "notes": list(document.notes),
        "warnings": list(document.warnings),
    }  # fmt: skip


class _Pen:
    """Writes the parts of one document."""

    def __init__(self, text: Formatter, frequency: str, colours: Palette, screen: bool) -> None:
        self.text = text
        self.frequency = frequency
        self.colours = colours
        self.screen = screen

    def section(self, section: Section) -> View:
        return {
            "key": section.key,
            "title": section.title,
            "lead": section.lead,
            "blocks": [self.block(block) for block in section.blocks],
        }

    def block(self, block: Block) -> View:
        match block:
            case Cards():
                return {"kind": block.kind, "figures": [self.figure(figure) for figure in block.figures]}
            case Charts():
                return {"kind": block.kind, "charts": [self.chart(chart) for chart in block.charts]}
            case FigureTable():
                return self.figure_table(block)
            case Table():
                return self.table(block)
            case Remarks():
                return {
                    "kind": block.kind,
                    "title": block.title,
                    "tone": block.tone,
                    "lines": list(block.lines),
                }
            case Insights():
                sentences = [{"rule": insight.rule, "text": insight.text} for insight in block.insights]
                return {"kind": block.kind, "sentences": sentences}

    def figure(self, figure: Figure) -> View:
        comparison, target, text = figure.comparison, figure.target, self.text
        status = target.status if target and target.status else ""
        before = comparison.value if comparison else None
        aim = target.value if target else None
        short, has_spark = text.figure(figure, True), has_line(figure)
        return {
            "key": figure.key,
            "label": figure.label,
            "text": text.figure(figure),
            "short": short,
            "size": card_size(short, has_spark),
            "is_missing": figure.value is None,
            "reason": figure.reason if figure.value is None else "",
            "movement": comparison.movement if comparison else "unknown",
            "change": change_words(figure, text),
            "judgement": comparison.judgement if comparison else "neutral",
            "verdict": text.t(_VERDICTS[comparison.judgement]) if comparison else "",
            "before": text.like(figure, before) if comparison else "",
            "before_short": text.like(figure, before, True) if before is not None else "",
            "target": text.like(figure, aim, True) if aim is not None else "",
            "status": status,
            "status_words": text.t(STATUS_WORDS[status]) if status else "",
            "spark": charts.sparkline(figure, text, self.colours) if has_spark else "",
        }

    def chart(self, chart: Chart) -> View:
        drawing = charts.draw(chart, self.text, self.frequency, self.colours)
        return {"key": chart.key, "title": chart.title, "note": chart.note, "alt": chart.alt,
                "is_wide": chart.wide, "svg": drawing, "svg_small": self.small(chart)}  # fmt: skip

    def small(self, chart: Chart) -> str:
        """The chart at the width of a phone, where the page is for a screen and the chart is wider."""
        if not self.screen or not charts.has_small(chart):
            return ""
        return charts.draw(chart, self.text, self.frequency, self.colours, small=True)

    def figure_table(self, block: FigureTable) -> View:
        figures = [self.figure(figure) for figure in block.figures]
        has_targets = any(figure.target for figure in block.figures)
        has_sparks = any(has_line(figure) for figure in block.figures)
        columns = self.figure_words(block, figures, has_sparks, has_targets)
        density = table_density(columns, wraps=False)
        reasons = self.reasons(block.figures)
        if density is None:
            figures = [{**f, "text": f["short"], "before": f["before_short"]} for f in figures]
            columns = self.figure_words(block, figures, has_sparks, has_targets)
            density = table_density(columns, wraps=False, small=True)
            reasons = [*reasons, self.text.t(ABBREVIATED)]
        return {
            "kind": block.kind,
            "key": block.key,
            "title": block.title,
            "comparison_label": _capital(block.comparison_label),
            "is_short": len(block.figures) <= SHORT_ROWS,
            "density": density,
            "has_targets": has_targets,
            "has_sparks": has_sparks,
            "figures": figures,
            "reasons": reasons,
            "widths": column_shares([figure["label"] for figure in figures], columns, density, wraps=False),
        }

    def figure_words(
        self, block: FigureTable, figures: Sequence[View], has_sparks: bool, has_targets: bool
    ) -> list[list[str]]:
        """The heads and cells of the columns after the names, as the template prints them."""
        t = self.text.t
        heads = {"text": t(THIS[self.frequency]), "before": block.comparison_label, "change": t("Change")}
        heads |= {"target": t("Target"), "status_words": t("Standing")} if has_targets else {}
        columns = [[head, *(figure[name] for figure in figures)] for name, head in heads.items()]
        marked = [f"{MARK_WORDS}{figure['change']} {figure['verdict']}" for figure in figures]
        columns[2][1:] = marked
        if has_targets:
            columns[4][1:] = [MARK_WORDS + words for words in columns[4][1:]]
        return [[t("Trend"), SPARK_WORDS], *columns] if has_sparks else columns

    def table(self, block: Table) -> View:
        printed, rest = block.rows[:PRINTED_ROWS], block.rows[PRINTED_ROWS:]
        totals = tuple(row for row in rest if row.total)
        notes = [block.note] if block.note else []
        if rest:
            notes.append(self.text.n(
                "{count} further row is left out here; it is in the formats XLSX, CSV and JSON.",
                "{count} further rows are left out here; they are in the formats XLSX, CSV and JSON.",
                len(rest) - len(totals),
            ))  # fmt: skip
        rows = [self.row(row, block) for row in (*printed, *totals)]
        density = table_density(self.words(rows, block))
        if density is None and any(isinstance(cell, Figure) for row in printed for cell in row.cells):
            rows = [self.row(row, block, compact=True) for row in (*printed, *totals)]
            notes.append(self.text.t(ABBREVIATED))
        if density is None:
            density = table_density(self.words(rows, block), small=True)
        widths = column_shares([row["label"] for row in rows], self.words(rows, block), density)
        return {
            "kind": block.kind,
            "key": block.key,
            "title": block.title,
            "columns": [{"label": column.label, "align": column.align} for column in block.columns],
            "is_short": len(block.rows) <= SHORT_ROWS,
            "density": density,
            "rows": rows,
            "notes": [*notes, *self.cell_reasons(block)],
            "widths": widths,
        }

    def words(self, rows: Sequence[View], block: Table) -> list[list[str]]:
        """The heads and cells of the columns after the names."""
        return [
            [column.label, *(row["cells"][index]["text"] for row in rows)]
            for index, column in enumerate(block.columns[1:])
        ]

    def row(self, row: Row, block: Table, *, compact: bool = False) -> View:
        texts = [cell if isinstance(cell, str) else self.text.figure(cell, compact) for cell in row.cells]
        cells = [
            {"text": words, "align": column.align, "is_long": len(words) > LONGEST_CELL}
            for words, column in zip(texts, block.columns[1:], strict=True)
        ]
        return {"label": row.label, "is_total": row.total, "cells": cells}

    def cell_reasons(self, block: Table) -> list[str]:
        """Why cells of a printed table are dashes, each reason once; the note of the table comes first."""
        figures = (
            cell for row in block.rows[:PRINTED_ROWS] for cell in row.cells if isinstance(cell, Figure)
        )
        reasons = dict.fromkeys(f.reason for f in figures if f.value is None and f.reason)
        return [f"— {_capital(reason)}." for reason in reasons if _capital(reason) not in block.note]

    def reasons(self, figures: Sequence[Figure]) -> list[str]:
        """Why figures are dashes, in small print: those with the same reason together."""
        missing = sorted(
            (f for f in figures if f.value is None and f.reason), key=lambda figure: figure.reason
        )
        lines = [
            f"— {self._names(list(group))}: {reason}."
            for reason, group in groupby(missing, key=lambda figure: figure.reason)
        ]
        alone = [figure for figure in figures if figure.comparison and figure.comparison.value is None]
        if alone and alone[0].comparison:
            label = _capital(alone[0].comparison.label)
            every, names = len(alone) == len(figures), self._names(alone)
            lines.append(
                self.text.t("— {period} has no figure for any of these.", period=label) if every
                else self.text.t("— {period} has no figure for {names}.", period=label, names=names)
            )  # fmt: skip
        return lines

    def _names(self, figures: Sequence[Figure]) -> str:
        return ", ".join(dict.fromkeys(figure.label for figure in figures))


def has_line(figure: Figure) -> bool:
    """Whether there is a past to draw beside a figure: two values that are known."""
    return sum(value is not None for value in figure.history) > 1


def change_words(figure: Figure, text: Formatter) -> str:
    """`up 4.2%`, `unchanged`, `no comparison`; nothing for a figure without a value."""
    comparison = figure.comparison
    if comparison is None or comparison.movement == "unknown":
        return text.t("no comparison") if figure.value is not None else ""
    change = text.change(figure)
    if comparison.movement == "unchanged" or not change:
        return text.t(_MOVEMENTS_BARE[comparison.movement])
    return text.t(_MOVEMENTS[comparison.movement], change=change)


def figure_view(document: Document, figure: Figure) -> View:
    """One figure of a document, as every block shows it."""
    pen = _Pen(Formatter.of(document.locale), document.frequency, palette(document.brand), screen=False)
    return pen.figure(figure)


def cards_of(view: Mapping[str, Any]) -> list[View]:
    """The figures on the cards of the front page."""
    return [figure for block in view["front"] if block["kind"] == "cards" for figure in block["figures"]]


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
