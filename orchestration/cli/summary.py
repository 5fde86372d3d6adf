"""metricpress summary: every metric over any range of days, beside the range before."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.build import day_from
from orchestration.cli.console import AsJson, print_json, remark
from orchestration.errors import MetricpressError
from orchestration.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

    from orchestration.figures.summary import Line, Summary
    from orchestration.reports.formatting import Formatter


def summary(
    first: Annotated[str, typer.Option("--from", metavar="DAY", help="First local day, 2026-01-01.")],
    last: Annotated[str, typer.Option("--to", metavar="DAY", help="Last local day, inclusive.")],
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only this tenant; default: all.")] = None,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")] = False,
    xlsx: Annotated[Path | None, typer.Option("--xlsx", metavar="FILE", help="Write a workbook.")] = None,
) -> None:
    """Show every metric over a range of days, by its aggregation, beside the range before of that length.

    Distinct counts are counted anew over the whole range. What cannot be told for it shows - and the reason.
    """
    from orchestration.figures import export
    from orchestration.figures.summary import summarize
    from orchestration.warehouse.audit import record_action
    from orchestration.warehouse.connection import connect

    if sum((as_json, as_csv, xlsx is not None)) > 1:
        raise MetricpressError("Give one of --json, --csv and --xlsx.")
    settings = Settings.from_env()
    if as_csv or xlsx is not None:
        # Told before anything is written: figures that leave unrecorded cannot be called back.
        with connect(settings, "pipeline") as connection:
            days = {"from": first, "to": last, "file": str(xlsx) if xlsx else "csv"}
            record_action(connection, "export", "figures", "summary", tenant=tenant, details=days)
    with connect(settings, "pipeline") as connection:
        connection.execute("set transaction isolation level repeatable read, read only")
        found = summarize(connection, day_from(first), day_from(last), tenant)
        if as_json:
            print_json(list(export.records(found)))
        elif as_csv:
            export.write_csv(found, sys.stdout)
        elif xlsx is not None:
            remark(f"{export.write_xlsx(found, xlsx):,} rows in {xlsx}")
        else:
            _tell(found)


def _tell(summaries: Iterator[Summary]) -> None:
    from rich.console import Console

    from orchestration.reports.formatting import Formatter

    console, text = Console(highlight=False, markup=False), Formatter.of("en")
    for number, one in enumerate(summaries):
        if number:
            print()
        ended = "" if one.has_ended else ", not ended yet"
        console.print(f"{one.clock.name} ({one.clock.tenant_id})", style="bold")
        console.print(
            f"{one.first} to {one.last}{ended}, before: {one.previous_first} to {one.previous_last}"
        )
        if all(line.value is None and line.previous_value is None for line in one.lines):
            remark(f"The marts hold {one.clock.first_date} to {one.clock.as_of_date}: nothing to show.")
            continue
        _tell_lines(console, text, one)


def _tell_lines(console: Console, text: Formatter, one: Summary) -> None:
    from rich import box
    from rich.table import Table

    from orchestration.cli.figure_text import change_text, value_text
    from orchestration.figures.summary import NOT_ENDED, ONE_MONTH

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("", overflow="fold", width=30)
    for column, width in (("value", 16), ("before", 16), ("change", 13)):
        table.add_column(column, justify="right", overflow="fold", width=width)
    shown: list[Line] = []
    for domain in dict.fromkeys(line.metric.domain for line in one.lines):
        lines = [line for line in one.lines if line.metric.domain == domain]
        if not any(map(_says_something, lines)):
            continue
        table.add_section()
        table.add_row(domain.capitalize(), style="bold")
        for line in lines:
            if not _says_something(line) and line.reason not in (NOT_ENDED, ONE_MONTH):
                continue
            shown.append(line)
            table.add_row(
                line.metric.title,
                value_text(text, line.metric, one.clock, line.value),
                value_text(text, line.metric, one.clock, line.previous_value),
                change_text(text, line.metric, one.clock, line.value, line.previous_value),
            )
    console.print(table)
    reasons: dict[str, list[str]] = {}
    for line in shown:
        if line.reason:
            reasons.setdefault(line.reason, []).append(line.metric.title)
    for reason, titles in reasons.items():
        console.print(f"- {reason}: {', '.join(titles)}", soft_wrap=False)
    hidden = len(one.lines) - len(shown)
    if hidden:
        remark(f"{hidden} metrics without anything in both ranges are left out; --json and --csv have them.")


def _says_something(line: Line) -> bool:
    return bool(line.value) or bool(line.previous_value) or bool(line.numerator) or bool(line.denominator)
