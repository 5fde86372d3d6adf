"""The neutral report: what is said, not how it looks.

Belongs here: frozen dataclasses for figures, cards, charts, tables and notes, and the walk over every figure
a document shows. Does not belong here: SQL, HTML, PDF, mail, or the text form of a number (formatting.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import ClassVar, Literal

Number = int | Decimal
Format = Literal["integer", "decimal", "percent", "money", "duration", "months"]
Movement = Literal["up", "down", "unchanged", "unknown"]
Judgement = Literal["better", "worse", "neutral"]
Direction = Literal["up", "down", "neutral"]
Status = Literal["success", "warning", "error"]


@dataclass(frozen=True)
class Comparison:
    """A figure against the period before; `change_rate` is None where the base is 0 or for a share."""

    label: str
    value: Number | None
    change: Number | None
    change_rate: Decimal | None
    movement: Movement
    judgement: Judgement


@dataclass(frozen=True)
class Target:
    """What was aimed at and how it stands; any part may be unset."""

    value: Number | None
    benchmark: Number | None
    status: Status | None


@dataclass(frozen=True)
class Source:
    """Where a number stands: a column of a mart (or SQL over its rows), and the key of its row or rows.

    `select {column} from {mart} where {key}` finds it.
    """

    mart: str
    column: str
    key: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Figure:
    """One number of the report. `value` None prints as a dash and `reason` says why.

    Rates are fractions, money is in `currency`, durations are in `unit` (seconds, hours, milliseconds).
    `history`: values up to this one, oldest first, for a sparkline beside it.
    """

    key: str
    label: str
    value: Number | None
    format: Format = "integer"
    unit: str = "count"
    currency: str | None = None
    direction: Direction = "neutral"
    definition: str = ""
    reason: str = ""
    comparison: Comparison | None = None
    target: Target | None = None
    source: Source | None = None
    history: tuple[Number | None, ...] = ()


@dataclass(frozen=True)
class Series:
    """One line, one set of bars or one row of a heatmap; `values` go with the chart's `x`, None is a gap.

    `head`: of a row of a heatmap, the figure that stands before its cells, such as the size of a cohort.
    """

    label: str
    values: tuple[Number | None, ...]
    head: Figure | None = None


@dataclass(frozen=True)
class Chart:
    """A picture of numbers with one unit.

    kind: `line` and `columns` over `x` (dates or labels), `bars` (horizontal, one for each of `x`), `bridge`
    (first and last value stand on the axis, the steps between float), `funnel` (horizontal bars of falling
    counts), `heatmap` (a row of cells for each series, the shade by value). `end` is the figure written at
    the end of a line; `labels` are the figures written beside marks; `alt` says in a sentence what a reader
    who cannot see it would miss.
    """

    key: str
    title: str
    kind: Literal["line", "columns", "bars", "bridge", "funnel", "heatmap"]
    x: tuple[date | str, ...]
    series: tuple[Series, ...]
    sample: Figure
    alt: str
    end: Figure | None = None
    labels: tuple[Figure, ...] = ()
    note: str = ""
    wide: bool = False


@dataclass(frozen=True)
class Column:
    """A table column."""

    label: str
    align: Literal["left", "right"] = "right"


@dataclass(frozen=True)
class Row:
    """A table row: its name and one cell for each further column."""

    label: str
    cells: tuple[Figure | str, ...]
    total: bool = False


@dataclass(frozen=True)
class Table:
    """A table whose first column names the rows."""

    kind: ClassVar[str] = "table"
    key: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    note: str = ""


@dataclass(frozen=True)
class FigureTable:
    """Figures one below the other: exact value, the period before, change, target."""

    kind: ClassVar[str] = "figure_table"
    key: str
    title: str
    figures: tuple[Figure, ...]
    comparison_label: str


@dataclass(frozen=True)
class Cards:
    """The few figures a reader takes home."""

    kind: ClassVar[str] = "cards"
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Charts:
    """Charts that stand side by side where they fit."""

    kind: ClassVar[str] = "charts"
    charts: tuple[Chart, ...]


@dataclass(frozen=True)
class Remarks:
    """Short sentences under a heading; `tone` tells praise from warning without relying on colour."""

    kind: ClassVar[str] = "remarks"
    title: str
    lines: tuple[str, ...]
    tone: Judgement = "neutral"


@dataclass(frozen=True)
class Insight:
    """One sentence that says what happened; every number in it is a figure with its source.

    `rule` is the documented rule that made it.
    """

    rule: str
    text: str
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Insights:
    """Sentences a report opens with, the most important first."""

    kind: ClassVar[str] = "insights"
    insights: tuple[Insight, ...]


Block = Cards | Charts | Table | FigureTable | Remarks | Insights


@dataclass(frozen=True)
class Section:
    """A heading, one sentence, and what stands below it."""

    key: str
    title: str
    lead: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Definition:
    """How a shown figure is defined."""

    title: str
    text: str


@dataclass(frozen=True)
class Brand:
    """The tenant's looks as asked for; the format layer checks contrast."""

    primary: str = "#1b3a5c"
    accent: str = "#a4582c"
    logo: str | None = None
    footer: str = ""


@dataclass(frozen=True)
class Document:
    """One report about one tenant (or one of its branches) and one period."""

    report: str
    title: str
    frequency: str
    tenant: str
    branch: str | None
    period_start: date
    period_end: date
    period_words: str
    as_of: datetime
    timezone: str
    headline: str
    standfirst: str
    brand: Brand
    locale: str
    front: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = ()
    definitions: tuple[Definition, ...] = ()
    notes: tuple[str, ...] = ()
    empty: str = ""
    warnings: tuple[str, ...] = field(default=())

    def blocks(self) -> Iterator[Block]:
        """All blocks in the order of reading."""
        yield from self.front
        for section in self.sections:
            yield from section.blocks

    def front_below_headline(self) -> Iterator[Block]:
        """The front page without the sentence that is its headline already."""
        for block in self.front:
            if not isinstance(block, Insights):
                yield block
            elif rest := tuple(insight for insight in block.insights if insight.text != self.headline):
                yield Insights(rest)

    def figures(self) -> Iterator[Figure]:
        """Every figure that is printed, in the order of reading; one may come twice."""
        for block in self.blocks():
            yield from _figures_of(block)


def _figures_of(block: Block) -> Iterator[Figure]:
    match block:
        case Cards(figures=figures) | FigureTable(figures=figures):
            yield from figures
        case Charts(charts=charts):
            for chart in charts:
                yield from (chart.end,) if chart.end else ()
                yield from chart.labels
                yield from (series.head for series in chart.series if series.head)
        case Table(rows=rows):
            for row in rows:
                yield from (cell for cell in row.cells if isinstance(cell, Figure))
        case Insights(insights=insights):
            for insight in insights:
                yield from insight.figures
        case Remarks():
            return


def figure_values(document: Document) -> dict[str, Number | None]:
    """Key to number of every figure shown; `key.previous` is the period before where it is shown."""
    values: dict[str, Number | None] = {}
    for figure in document.figures():
        values[figure.key] = figure.value
        if figure.comparison is not None:
            values[f"{figure.key}.previous"] = figure.comparison.value
        if figure.target is not None and figure.target.value is not None:
            values[f"{figure.key}.target"] = figure.target.value
    return values
