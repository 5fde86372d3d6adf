"""A document with every kind of block, for the lint's picture of what templates see and for the first
rendering.

Belongs here: the sample. Does not belong here: figures of anybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from orchestration.reports.document import (
    Block,
    Brand,
    Cards,
    Chart,
    Charts,
    Column,
    Comparison,
    Definition,
    Document,
    Figure,
    FigureTable,
    Insight,
    Insights,
    Remarks,
    Row,
    Section,
    Series,
    Table,
    Target,
)

_START = date(2026, 3, 2)
_LOGO = (
    "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIHdpZHRoPSI0MCIgaGVpZ2h0PSIx"
    "MCI+PHJlY3Qgd2lkdGg9IjQwIiBoZWlnaHQ9IjEwIi8+PC9zdmc+"
)


def sample_figure(key: str, value: int | None = 1234) -> Figure:
    """A figure with all that a figure can have; without a value the reason says why."""
    compared = Comparison("the week before", 1200, 34, Decimal("0.028"), "up", "better")
    return Figure(
        key,
        f"Sample of {key}",
        value,
        definition="What it counts.",
        reason="" if value is not None else "nothing was counted",
        comparison=compared,
        target=Target(1300, None, "warning"),
        history=(1000, 1100, 1200, 1234),
    )


def sample_document(report: str, title: str, locale: str = "en", keys: Iterable[str] = ()) -> Document:
    """A week of a made-up tenant; `keys` name further figures that stand on a card."""
    figures = (sample_figure("sample"), sample_figure("missing", None), *map(sample_figure, keys))
    return Document(
        report=report,
        title=title,
        frequency="weekly",
        tenant="Sample tenant",
        branch="Sample branch",
        period_start=_START,
        period_end=_START + timedelta(days=6),
        period_words="2 to 8 March 2026",
        as_of=datetime(2026, 3, 9, 6, tzinfo=UTC),
        timezone="UTC",
        headline="A sample of every part of a report",
        standfirst="No figure of it is anybody's.",
        brand=Brand(logo=_LOGO, footer="Sample footer"),
        locale=locale,
        front=(
            Insights((Insight("sample", "A sample rose by 2.8%.", figures[:1]),)),
            Cards(figures),
            *_blocks(),
        ),
        sections=(
            Section("sample", "Sample section", "What it is about.", (*_blocks(), _figure_table(figures))),
        ),
        definitions=(Definition("Sample", "What it counts."),),
        notes=("A note.",),
        warnings=("A warning.",),
    )


def warm_page() -> str:
    """A finished page that needs every font and most of what printing needs."""
    from orchestration.reports.formats.html import page
    from orchestration.reports.templates import report_type

    return page(sample_document("executive", "Sample"), report_type("executive", None), None)


def _figure_table(figures: tuple[Figure, ...]) -> FigureTable:
    return FigureTable("sample_figures", "Sample figures", figures, "the week before")


def _blocks() -> tuple[Block, ...]:
    days = tuple(_START + timedelta(days=number) for number in range(7))
    line = Chart(
        key="sample_line", title="Sample line", kind="line", x=days,
        series=(Series("Sample", (1, 2, 3, 5, 8, 13, 21)),), sample=sample_figure("sample"),
        alt="A sample rises.", end=sample_figure("sample", 21), note="A note.", wide=True,
    )  # fmt: skip
    columns = (Column("Name", "left"), Column("Number"))
    rows = (Row("One", (sample_figure("one", 1),)), Row("All", ("text",), total=True))
    table = Table("sample_table", "Sample table", columns, rows, "A note.")
    return Charts((line,)), table, Remarks("Sample remarks", ("A remark.",), "better")
