"""The whole document as JSON for programs; docs/schemas/report.schema.json describes it.

Belongs here: the shape of the file and its version. Does not belong here: rounding, looks, pictures.

Numbers are JSON numbers with all their digits, as in the ledger. A reader that makes floats of them keeps 15
to 17 digits; one that asks for decimals (in Python `json.loads(text, parse_float=Decimal)`) keeps all.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Any

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
    Section,
    Table,
)
from orchestration.reports.formats.numbers import exact
from orchestration.reports.templates import ReportType

#: Grows in its first part when something is renamed or goes, in its second when something is added.
SCHEMA_VERSION = "1.0"

Object = dict[str, Any]


def render(document: Document, report: ReportType, template_dir: Path | None) -> bytes:
    """The file: UTF-8, indented, members in the order of reading."""
    return ("".join(_write(as_object(document), "\n")) + "\n").encode("utf-8")


def as_object(document: Document) -> Object:
    """The document as dicts, lists, texts and exact numbers."""
    return {
        "schema_version": SCHEMA_VERSION,
        "report": document.report,
        "title": document.title,
        "frequency": document.frequency,
        "tenant": document.tenant,
        "branch": document.branch,
        "period_start": document.period_start.isoformat(),
        "period_end": document.period_end.isoformat(),
        "period": document.period_words,
        "as_of": document.as_of.isoformat(),
        "timezone": document.timezone,
        "locale": document.locale,
        "headline": document.headline,
        "standfirst": document.standfirst,
        "empty": document.empty,
        "front": [_block(block) for block in document.front],
        "sections": [_section(section) for section in document.sections],
        "definitions": [asdict(definition) for definition in document.definitions],
        "notes": list(document.notes),
        "warnings": list(document.warnings),
    }


def _section(section: Section) -> Object:
    blocks = [_block(block) for block in section.blocks]
    return {"key": section.key, "title": section.title, "lead": section.lead, "blocks": blocks}


def _block(block: Block) -> Object:
    match block:
        case Cards():
            return {"kind": block.kind, "figures": _figures(block.figures)}
        case Charts():
            return {"kind": block.kind, "charts": [_chart(chart) for chart in block.charts]}
        case Table():
            return _table(block)
        case FigureTable():
            return {
                "kind": block.kind,
                "key": block.key,
                "title": block.title,
                "comparison_label": block.comparison_label,
                "figures": _figures(block.figures),
            }
        case Remarks():
            lines = list(block.lines)
            return {"kind": block.kind, "title": block.title, "tone": block.tone, "lines": lines}
        case Insights():
            insights = [
                {"rule": insight.rule, "text": insight.text, "figures": _figures(insight.figures)}
                for insight in block.insights
            ]
            return {"kind": block.kind, "insights": insights}


def _figures(figures: tuple[Figure, ...]) -> list[Object]:
    return [_figure(figure) for figure in figures]


def _figure(figure: Figure) -> Object:
    source = figure.source
    return {
        "key": figure.key,
        "label": figure.label,
        "value": figure.value,
        "format": figure.format,
        "unit": figure.unit,
        "currency": figure.currency,
        "direction": figure.direction,
        "reason": figure.reason,
        "comparison": asdict(figure.comparison) if figure.comparison else None,
        "target": asdict(figure.target) if figure.target else None,
        "source": None
        if source is None
        else {"mart": source.mart, "column": source.column, "key": dict(source.key)},
        "history": list(figure.history),
    }


def _table(table: Table) -> Object:
    rows = [
        {
            "label": row.label,
            "total": row.total,
            "cells": [_figure(cell) if isinstance(cell, Figure) else cell for cell in row.cells],
        }
        for row in table.rows
    ]
    columns = [column.label for column in table.columns]
    return {"kind": table.kind, "key": table.key, "title": table.title, "columns": columns, "rows": rows,
            "note": table.note}  # fmt: skip


def _chart(chart: Chart) -> Object:
    series = [
        {
            "label": series.label,
            "head": _figure(series.head) if series.head else None,
            "values": list(series.values),
        }
        for series in chart.series
    ]
    return {
        "key": chart.key,
        "title": chart.title,
        "kind": chart.kind,
        "format": chart.sample.format,
        "unit": chart.sample.unit,
        "currency": chart.sample.currency,
        "x": [str(x) for x in chart.x],
        "series": series,
        "end": _figure(chart.end) if chart.end else None,
        "labels": _figures(chart.labels),
        "alt": chart.alt,
        "note": chart.note,
    }


def _write(value: Any, newline: str) -> Iterator[str]:
    """Pieces of JSON text. The json module would make floats of decimals, so numbers are written here."""
    match value:
        case dict() | list() if value:
            inner = f"{newline} "
            members = (
                ((f"{json.dumps(name, ensure_ascii=False)}: ", member) for name, member in value.items())
                if isinstance(value, dict)
                else (("", member) for member in value)
            )
            begin, end = ("{", "}") if isinstance(value, dict) else ("[", "]")
            for index, (name, member) in enumerate(members):
                yield f"{',' if index else begin}{inner}{name}"
                yield from _write(member, inner)
            yield f"{newline}{end}"
        case bool():
            yield json.dumps(value)
        case int() | Decimal():
            yield exact(value)
        case _:
            yield json.dumps(value, ensure_ascii=False)
