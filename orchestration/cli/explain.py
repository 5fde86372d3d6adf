"""metricpress explain: a figure down to the rows it was counted from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from orchestration.cli.build import day_from
from orchestration.cli.console import AsJson, print_json, print_table, remark
from orchestration.errors import MetricpressError
from orchestration.settings import Settings

if TYPE_CHECKING:
    from orchestration.figures.explain import Explanation, Grain, Part
    from orchestration.reports.formatting import Formatter

_GRAINS = ("day", "week", "month")


def explain(
    metric: Annotated[
        str, typer.Argument(metavar="METRIC", help="A metric of docs/metrics.md, such as mrr.")
    ],
    tenant: Annotated[str, typer.Option("--tenant", help="Whose figure.")],
    date: Annotated[str, typer.Option("--date", help="A day of the period, 2026-03-31.")],
    grain: Annotated[
        str | None, typer.Option("--grain", help="day, week or month; default: the shortest there is.")
    ] = None,
    rows: Annotated[bool, typer.Option("--rows", help="Also the raw rows, and the load of each.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=0, help="Rows of each part to show; 0: all.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show what a figure is made of: formula, numerator and denominator, days, dimensions, raw rows."""
    from orchestration.figures.explain import explain as explain_figure
    from orchestration.warehouse.connection import connect

    if grain is not None and grain not in _GRAINS:
        raise MetricpressError(f"There is no grain {grain!r}.", remedy=f"Give one of: {', '.join(_GRAINS)}.")
    with connect(Settings.from_env(), "pipeline") as connection:
        found = explain_figure(
            connection,
            metric,
            tenant,
            day_from(date),
            cast("Grain | None", grain),
            with_rows=rows,
            limit=limit or None,
        )
    if as_json:
        print_json(_as_dict(found, rows))
    else:
        _tell(found, rows)


def _tell(found: Explanation, with_rows: bool) -> None:
    from rich.console import Console

    from orchestration.cli.figure_text import part_text, value_text
    from orchestration.reports.formatting import Formatter

    text = Formatter.of("en")
    metric, clock = found.metric, found.clock
    period = f"{found.first}" if found.grain == "day" else f"{found.first} to {found.last}"
    console = Console(highlight=False, markup=False)
    console.print(f"{metric.title} ({metric.metric})", style="bold")
    ended = "" if found.has_ended else ", not ended yet"
    console.print(f"{clock.name} ({clock.tenant_id}), {found.grain} {period}{ended}\n")
    lines = [
        ("value", value_text(text, metric, clock, found.value)),
        ("formula", metric.formula),
        ("note", metric.edge_cases or ""),
    ]
    if found.denominator is not None:
        lines[1:1] = [
            ("numerator", f"{part_text(text, found.numerator)}  ({metric.numerator})"),
            ("denominator", f"{part_text(text, found.denominator)}  ({metric.denominator})"),
        ]
    for name, content in lines:
        if content:
            console.print(_hanging(name, content, console.width))
    if not found.is_confirmed:
        remark(
            f"\nThe rows now give {value_text(text, metric, clock, found.recounted)}: "
            "they have changed since the last build. Run: metricpress build"
        )
    _tell_points(found, text)
    _tell_parts(found, with_rows, text)


def _hanging(name: str, content: str, width: int) -> str:
    """A name and its text beside it, wrapped under itself."""
    import textwrap

    return textwrap.fill(content, width, initial_indent=f"{name:<13}", subsequent_indent=" " * 13)


def _tell_points(found: Explanation, text: Formatter) -> None:
    from orchestration.cli.figure_text import part_text, value_text

    for title, points in (("Days", found.days), ("By dimension", found.dimensions)):
        is_ratio = any(point.denominator is not None for point in points)
        columns = ["day"] if title == "Days" else ["dimension", "of"]
        columns += ["value", *(["numerator", "denominator"] if is_ratio else [])]
        table = [
            {
                "day": point.name,
                "dimension": point.dimension,
                "of": point.name,
                "value": value_text(text, found.metric, found.clock, point.value),
                "numerator": part_text(text, point.numerator),
                "denominator": part_text(text, point.denominator),
            }
            for point in points
        ]
        if table:
            print()
            print_table(table, columns, title=title)


def _tell_parts(found: Explanation, with_rows: bool, text: Formatter) -> None:
    from orchestration.cli.figure_text import counts_text, part_text
    from orchestration.figures.explain import load_text

    is_derived = len({part.metric for part in found.parts}) > 1
    counts = [
        {
            "metric": part.metric,
            "part": part.side,
            "column": part.column,
            "counted": part_text(text, part.value),
            "rows": part.row_count,
        }
        for part in found.parts
    ]
    is_ratio = any(part.side == "denominator" for part in found.parts)
    columns = [
        *(["metric"] if is_derived else []),
        *(["part"] if is_ratio else []),
        "column",
        "counted",
        *(["rows"] if with_rows else []),
    ]
    print()
    print_table(counts, columns, title="Counted from the rows")
    for part in found.parts if with_rows else ():
        table = [
            {
                "day": row.day,
                "key": row.key,
                "counts": counts_text(text, row.counts) if part.counts_amounts else row.counts,
                "load": load_text(found.loads.get((row.table, row.key))),
            }
            for row in part.rows
        ]
        shown_columns = ["day", "key", *(["counts"] if _has_counts(part) else []), "load"]
        print()
        title = f"Rows of {part.column}, in raw.{part.table}"
        print_table(table, shown_columns, title=title, empty=f"{part.column}: no rows")
        if part.row_count > len(part.rows):
            remark(f"and {part.row_count - len(part.rows):,} more: --limit 0 shows all")


def _has_counts(part: Part) -> bool:
    return any(row.counts is not None for row in part.rows)


def _as_dict(found: Explanation, with_rows: bool) -> dict[str, Any]:
    metric = found.metric
    result: dict[str, Any] = {
        "metric": metric.metric,
        "title": metric.title,
        "tenant_id": found.clock.tenant_id,
        "grain": found.grain,
        "period_start": found.first,
        "period_end": found.last,
        "is_complete": found.has_ended,
        "formula": metric.formula,
        "unit": metric.unit,
        "value": found.value,
        "numerator": found.numerator,
        "denominator": found.denominator,
        "recounted": found.recounted,
        "days": [vars(point) for point in found.days],
        "dimensions": [vars(point) for point in found.dimensions],
        "parts": [],
    }
    for part in found.parts:
        entry: dict[str, Any] = {
            "metric": part.metric, "side": part.side, "column": part.column, "table": part.table,
            "value": part.value,
        }  # fmt: skip
        if with_rows:
            entry["row_count"] = part.row_count
            entry["rows"] = [
                {**vars(row), "load": load and vars(load)}
                for row in part.rows
                for load in (found.loads.get((row.table, row.key)),)
            ]
        result["parts"].append(entry)
    return result
