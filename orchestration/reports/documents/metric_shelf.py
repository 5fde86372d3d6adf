"""What reports of catalogue metrics share beyond a Shelf: filling it, histories, trend lines.

Belongs here: steps from the time series to figures that several reports take. Does not belong here: the
choice of metrics and sections of one report.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from orchestration.reports.data import common as rows
from orchestration.reports.data.ranges import read_range
from orchestration.reports.document import Block, Charts, Figure, FigureTable, Section, Source
from orchestration.reports.documents import prose
from orchestration.reports.documents.common import Shelf
from orchestration.reports.documents.trend_words import TrendLine, trend_table
from orchestration.reports.formatting import Formatter
from orchestration.reports.periods import Period
from orchestration.reports.trends import trend_spans


@dataclass(frozen=True)
class MetricShelf:
    """A shelf, and the series that trend words look at.

    `spans`: periods of trends, none for a range; `trends`: their rows, by week where the report is of a day.
    """

    shelf: Shelf
    spans: tuple[Period, ...]
    trends: Shelf

    def has(self, metric: str) -> bool:
        """Whether the metric exists at the grain of the report and in the catalogue."""
        return metric in self.shelf.catalogue and metric in self.shelf.series

    def figure(self, metric: str) -> Figure:
        """The metric of the period with its history up to it."""
        shelf, days = self.shelf, self.shelf.series if self.shelf.days is None else self.shelf.days
        points = (days.get(metric, {}).get(start) for start in shelf.period.trend)
        history = tuple(None if point is None else point.value for point in points)
        return replace(shelf.figure(metric), history=history)

    def figures(self, *metrics: str) -> list[Figure]:
        """Those of the metrics that exist here."""
        return [self.figure(metric) for metric in metrics if self.has(metric)]

    def charts(self, *metrics: str) -> list[Block]:
        """Trend lines beside each other, one alone across the page."""
        present = [metric for metric in metrics if self.has(metric)]
        drawn = [metric for metric in present if self.shelf.trend(metric)]
        charts = [self.shelf.trend(metric, wide=len(drawn) == 1) for metric in drawn]
        return [Charts(tuple(chart for chart in charts if chart))] if charts else []

    def told(self, *metrics: str) -> str:
        """How metrics moved, in one sentence; those without a value are left out."""
        known = [figure for figure in self.figures(*metrics) if figure.value is not None]
        return prose.sentence([prose.moved(figure, self.shelf.text) for figure in known], self.shelf.text)

    def trend_lines(self, *metrics: str) -> list[TrendLine]:
        """Metrics over the spans of trend words; none for a range."""
        return [self._trend_line(metric) for metric in metrics if self.spans and metric in self.trends.series]

    def _trend_line(self, metric: str) -> TrendLine:
        values = tuple(self.trends.value(metric, span.start) for span in self.spans)
        return TrendLine(replace(self.trends.blank(metric), source=self.trends.source(metric)), values)


def fill_shelf(
    conn: rows.Connection, tenant: rows.Tenant, period: Period, text: Formatter, metrics: Sequence[str],
    neutral: Collection[str] = (),
) -> MetricShelf:  # fmt: skip
    """Read what a report of these metrics needs; changes of `neutral` ones are told and not judged."""
    catalogue = {
        name: replace(row, direction="neutral") if name in neutral else row
        for name, row in rows.read_catalogue(conn, metrics).items()
    }
    series = rows.read_series(conn, tenant.tenant_id, period, metrics)
    spans = trend_spans(period, tenant.week_start)
    if period.frequency == "range":
        found = read_range(conn, tenant.tenant_id, period, metrics)
        shelf = Shelf(tenant, period, text, catalogue, found.series, {}, days=series, reasons=found.reasons)
        return MetricShelf(shelf, (), shelf)
    targets = rows.read_targets(conn, tenant.tenant_id, period)
    shelf = Shelf(tenant, period, text, catalogue, series, targets)
    if period.frequency != "daily":
        return MetricShelf(shelf, spans, shelf)
    weeks = rows.read_series(conn, tenant.tenant_id, spans[-1], metrics)
    return MetricShelf(shelf, spans, Shelf(tenant, spans[-1], text, catalogue, weeks, {}))


def comparison(figures: Sequence[Figure], lines: Sequence[TrendLine], made: MetricShelf) -> Section:
    """The last section of a report: every figure against the period before, and the trends."""
    text, before = made.shelf.text, made.shelf.period.before(made.shelf.text)
    blocks: list[Block] = [FigureTable("comparison", text.t("Figure"), tuple(figures), before)]
    if table := trend_table(lines, made.spans, text):
        blocks.append(table)
    return Section("comparison", text.t("Compared with {period}", period=before), "", tuple(blocks))


def day_source(mart: str, column: str, day: str, tenant_id: str) -> Source:
    """A column of the row of one day."""
    return Source(f"marts.{mart}", column, (("tenant_id", tenant_id), ("metric_date", day)))
