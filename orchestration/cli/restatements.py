"""metricpress restatements: published figures that later data changed."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.build import day_from
from orchestration.cli.console import AsJson, print_json, print_table, remark
from orchestration.settings import Settings

if TYPE_CHECKING:
    from orchestration.figures.restatements import Found, Restatement


def restatements(
    since: Annotated[str, typer.Option("--since", metavar="DAY", help="Changed on that day (UTC) or later.")],
    tenant: Annotated[str | None, typer.Option("--tenant", help="Only this tenant; default: all.")] = None,
    as_json: AsJson = False,
) -> None:
    """List figures of reports and closed months that later data changed: old and new value, and the cause."""
    from orchestration.figures.restatements import read_restatements
    from orchestration.warehouse.connection import connect

    with connect(Settings.from_env(), "pipeline") as connection:
        found = read_restatements(connection, day_from(since), tenant)
    if as_json:
        print_json(
            [
                {**vars(one), "causes": [{**vars(cause), "text": str(cause)} for cause in one.causes]}
                for one in found.restatements
            ]
        )
    elif found.restatements:
        _tell(found)
    else:
        remark(f"No published figure has changed since {since}.")


def _tell(found: Found) -> None:
    from rich.console import Console

    from orchestration.cli.figure_text import part_text, value_text
    from orchestration.reports.formatting import Formatter

    console, text = Console(highlight=False, markup=False), Formatter.of("en")

    def shown(one: Restatement) -> tuple[str, str]:
        """Old and new value, with more digits where a short form would hide the difference."""
        metric, clock = found.metrics.get(one.metric), found.clocks.get(one.tenant_id)
        values = (one.old_value, one.new_value)
        if metric is None or clock is None:
            old, new = (part_text(text, value) for value in values)
        else:
            old, new = (value_text(text, metric, clock, value) for value in values)
        if old == new:
            old, new = ("-" if value is None else f"{value:.8g}" for value in values)
        return old, new

    def event(one: Restatement) -> tuple[datetime, str, str]:
        return one.restated_at, one.tenant_id, _cause(one)

    events = groupby(sorted(found.restatements, key=event), event)
    for number, ((at, tenant, cause), group) in enumerate(events):
        if number:
            print()
        console.print(f"{tenant}, {at:%Y-%m-%d %H:%M} UTC", style="bold")
        console.print(f"after {cause}")
        rows = [
            {
                "metric": one.metric,
                "period": f"{one.grain} {one.period_start:{'%Y-%m' if one.grain == 'month' else '%Y-%m-%d'}}",
                "published": shown(one)[0],
                "now": shown(one)[1],
                "where": "; ".join(one.published_in),
            }
            for one in group
        ]
        print_table(rows, ("metric", "period", "published", "now", "where"))


def _cause(one: Restatement) -> str:
    return "; ".join(dict.fromkeys(map(str, one.causes))) or "time went on: nothing was loaded"
