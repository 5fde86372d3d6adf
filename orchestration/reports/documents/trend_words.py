"""Trend words in a report: a table of figures with their trend, and a sentence of those that move.

Belongs here: how a trend reads. Does not belong here: the rule itself (reports/trends.py), which figures a
report shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from orchestration.reports.document import Column, Figure, Number, Row, Source, Table
from orchestration.reports.documents.prose import phrase
from orchestration.reports.formatting import DASH, Formatter
from orchestration.reports.messages import N_
from orchestration.reports.periods import Period
from orchestration.reports.trends import LEAST_KNOWN, Trend, Word, trend_of

_WORDS: dict[Word, str] = {"rising": N_("rising"), "falling": N_("falling"), "steady": N_("steady"),
                           "changeable": N_("changeable")}  # fmt: skip
_RULE = N_(
    "Rising and falling: over the whole time a direction that chance hardly gives, and a change of at least "
    "5% (shares: 1 point, near 0% and 100% a fifth of one). Steady: hardly any movement. Changeable: neither."
)


@dataclass(frozen=True)
class TrendLine:
    """A figure in its form, and its values over the spans of trends.trend_spans, oldest first."""

    figure: Figure
    values: tuple[Number | None, ...]

    @property
    def trend(self) -> Trend:
        """By the rule of all reports."""
        return trend_of(self.values, self.figure.format)


def span_words(spans: Sequence[Period], text: Formatter) -> str:
    """How long trends look back: `8 weeks`."""
    if spans[-1].frequency == "monthly":
        return text.n("{count} month", "{count} months", len(spans))
    return text.n("{count} week", "{count} weeks", len(spans))


def trend_table(lines: Sequence[TrendLine], spans: Sequence[Period], text: Formatter) -> Table | None:
    """Median, latest value and trend of each figure; None where no trend is known."""
    if not spans or all(line.trend.word == "unknown" for line in lines):
        return None
    unknown = any(line.trend.word == "unknown" for line in lines)
    notes = [text.t(_RULE)]
    if unknown:
        notes.append(text.t("— Fewer than {count} values are known.", count=LEAST_KNOWN))
    columns = (
        Column(text.t("Trend over {span}", span=span_words(spans, text)), "left"), Column(text.t("Median")),
        Column(text.t("Last month") if spans[-1].frequency == "monthly" else text.t("Last week")),
        Column(text.t("Direction"), "left"),
    )  # fmt: skip
    return Table(
        "trends",
        text.t("Trends"),
        columns,
        tuple(_row(line, text) for line in lines),
        " ".join(notes),
    )


def trend_sentence(lines: Sequence[TrendLine], spans: Sequence[Period], text: Formatter) -> str:
    """The figures that rise or fall, in a sentence; empty when none does."""
    told = [
        text.t("{name} {trend}", name=phrase(line.figure.label, text), trend=text.t(_WORDS[word]))
        for line in lines
        if (word := line.trend.word) in ("rising", "falling")
    ]
    if not told:
        return ""
    return text.t("Over {span}: {trends}.", span=span_words(spans, text), trends=text.listed(told))


def _row(line: TrendLine, text: Formatter) -> Row:
    trend, figure = line.trend, line.figure
    base = replace(figure, comparison=None, target=None, definition="", reason="", history=())
    source = figure.source
    middle = Source(source.mart, f"median of {source.column}", source.key) if source else None
    cells = (
        replace(base, key=f"trend.{figure.key}.median", value=trend.middle, source=middle),
        replace(base, key=f"trend.{figure.key}.latest", value=line.values[-1], source=source),
        text.t(_WORDS[trend.word]) if trend.word != "unknown" else DASH,
    )
    return Row(figure.label, cells)
