"""The first page of the executive report: headline, what happened, cards, one trend, missed targets.

Belongs here: what the front says, so that no two parts of it say the same. Does not belong here: the rules of
the sentences (reports/insights) and the sections (executive.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from orchestration.reports.document import Block, Cards, Charts, Figure, Insight, Insights, Remarks
from orchestration.reports.documents import prose
from orchestration.reports.documents.common import Shelf
from orchestration.reports.documents.executive_parts import ECHOES
from orchestration.reports.formatting import Formatter
from orchestration.reports.insights import Opening
from orchestration.reports.insights.case import LEAST_POINTS, LEAST_RATE
from orchestration.reports.insights.opening import MOST_SENTENCES

#: A first page with more sentences has no room for a chart.
MOST_WITH_CHART = 4


@dataclass(frozen=True)
class Front:
    """The first page. `told` are the metrics of the headline, `drawn` the one of the chart."""

    headline: str
    standfirst: str
    blocks: tuple[Block, ...]
    told: tuple[str, ...]
    drawn: str | None


def write_front(
    shelf: Shelf,
    cards: Sequence[str],
    figures: Sequence[Figure],
    opening: Opening | None,
    behind: Insight | None = None,
) -> Front:
    """The front of a report with these metrics on cards; without an opening it lists the largest moves.

    `behind`: what a move of MRR was made of; it follows the headline.
    """
    text = shelf.text
    on_cards = [shelf.figure(metric) for metric in cards]
    known = [figure for figure in on_cards if figure.value is not None]
    headline, told = _headline(known, opening, text)
    blocks: list[Block] = [Cards(tuple(on_cards))]
    if opening is None:
        said = {*ECHOES, *told}
        blocks += prose.moves([figure for figure in figures if figure.key not in said], text)
        more = prose.sentence([prose.moved(figure, text) for figure in known[2:4]], text)
    else:
        blocks += _off_target(figures, opening, text)
        insights = list(opening.insights)
        if behind is not None:
            insights.insert(1 if insights and insights[0].text == headline else 0, behind)
        is_quiet = opening.is_judged and not insights
        more = text.t("No leading figure left its usual range.") if is_quiet else ""
        if insights:
            blocks.insert(0, Insights(tuple(insights[:MOST_SENTENCES])))
    trend = None
    if _has_room(blocks):
        trend = next((chart for metric in (*told, *cards) if (chart := shelf.trend(metric, wide=True))), None)
    if trend is not None:
        blocks.append(Charts((trend,)))
    standfirst = f"{more} {prose.tally(figures, shelf.period, text)}".strip()
    return Front(headline, standfirst, tuple(blocks), told, trend.key if trend else None)


def _headline(
    known: list[Figure], opening: Opening | None, text: Formatter
) -> tuple[str, tuple[str, ...]]:  # fmt: skip
    """How the leading figures moved; where the first of them hardly did, the first of the sentences."""
    if opening is not None and opening.metric is not None and known:
        is_first = opening.metric == known[0].key or opening.rule == "target"
        if is_first or not _moved_far(known[0]):
            return opening.insights[0].text, (opening.metric,)
    leading = known[:2]
    said = prose.sentence([prose.moved(figure, text) for figure in leading], text)
    return said, tuple(figure.key for figure in leading)


def _has_room(blocks: Sequence[Block]) -> bool:
    """Whether the first page holds a chart beside its sentences; else the chart stands in its section."""
    return all(not isinstance(block, Insights) or len(block.insights) <= MOST_WITH_CHART for block in blocks)


def _moved_far(figure: Figure) -> bool:
    comparison = figure.comparison
    if comparison is None or comparison.change is None:
        return False
    if comparison.change_rate is None:
        return abs(Decimal(comparison.change)) >= LEAST_POINTS
    return abs(comparison.change_rate) >= LEAST_RATE


def _off_target(figures: Sequence[Figure], opening: Opening, text: Formatter) -> tuple[Remarks, ...]:
    """Targets that are missed and are no news: those that the sentences do not tell."""
    told = {
        figure.key for insight in opening.insights if insight.rule == "target" for figure in insight.figures
    }
    lines = [
        text.t("{name}: {value}, target {target}", name=figure.label, value=text.figure(figure, True),
               target=text.like(figure, figure.target.value, True))
        for figure in figures
        if figure.target and figure.target.status == "error" and figure.key not in told
    ]  # fmt: skip
    return (Remarks(text.t("Off target"), tuple(lines), "worse"),) if lines else ()
