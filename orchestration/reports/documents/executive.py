"""The executive report: one letter about the whole business.

Belongs here: its sections, the figures in them and their order. A section is shown when the tenant has data
in it. Does not belong here: queries (data/) and looks (formats/, report_templates/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from orchestration.errors import MetricpressError
from orchestration.reports.data import common as rows
from orchestration.reports.data import executive as query
from orchestration.reports.data.ranges import read_range
from orchestration.reports.document import (
    Block,
    Brand,
    Charts,
    Document,
    FigureTable,
    Number,
    Section,
)
from orchestration.reports.documents import common, mrr_bridge, prose
from orchestration.reports.documents.common import Shelf
from orchestration.reports.documents.executive_front import Front, write_front
from orchestration.reports.documents.executive_parts import FURTHER, LEADING, PARTS, Part
from orchestration.reports.formatting import Formatter
from orchestration.reports.insights import Opening, open_letter
from orchestration.reports.insights.opening import RANKS, Candidate
from orchestration.reports.messages import N_
from orchestration.reports.periods import Period
from orchestration.reports.request import ReportRequest

MOST_CARDS = 6

#: A section and those of its metrics that the tenant has.
Shown = tuple[Part, tuple[str, ...]]


def build(conn: rows.Connection, request: ReportRequest, text: Formatter, brand: Brand) -> Document:
    """The executive report of one tenant and period; without any figure a document that says so."""
    if request.branch_id is not None:
        raise MetricpressError(
            "the executive report has no figures by branch",
            remedy="leave the branch out, or use the report lead_performance",
        )
    tenant = rows.read_tenant(conn, request.tenant_id, None)
    period = Period(request.frequency, request.period_start, request.period_end)
    period.check(tenant.week_start)
    offered = (*PARTS, *_asked_for(request.parameters))
    metrics = list(dict.fromkeys(metric for part in offered for metric in part.metrics))
    shelf, untold = _shelf(conn, tenant, period, text, metrics)
    present = query.read_present(conn, tenant.tenant_id, period.end, metrics)
    movements = query.read_movements(conn, tenant.tenant_id, period)
    _require_known(shelf, request.parameters)
    parts = _parts_with_data(shelf, present, request.parameters, offered)
    if not parts:
        extent = query.read_extent(conn, tenant.tenant_id, period.grain)
        return common.document(request, tenant, period, text, brand, empty=_empty(shelf, extent))
    document = _filled(request, shelf, brand, parts, movements, _opening(conn, shelf, parts))
    return replace(document, notes=(*document.notes, *_range_notes(period, untold, text)))


def _shelf(
    conn: rows.Connection, tenant: rows.Tenant, period: Period, text: Formatter, metrics: Sequence[str]
) -> tuple[Shelf, tuple[str, ...]]:
    """The figures of the period, and the titles of metrics that it cannot have."""
    catalogue = rows.read_catalogue(conn, metrics)
    series = rows.read_series(conn, tenant.tenant_id, period, metrics)
    if period.frequency != "range":
        targets = rows.read_targets(conn, tenant.tenant_id, period)
        return Shelf(tenant, period, text, catalogue, series, targets), ()
    found = read_range(conn, tenant.tenant_id, period, metrics)
    shelf = Shelf(tenant, period, text, catalogue, found.series, {}, days=series, reasons=found.reasons)
    return shelf, found.untold


def _range_notes(period: Period, untold: Sequence[str], text: Formatter) -> tuple[str, ...]:
    if period.frequency != "range":
        return ()
    notes = [
        text.t(
            "Distinct counts and percentiles are counted anew over the whole period; charts show its days."
        )
    ]
    if untold:
        names = text.listed([prose.phrase(text.t(title), text) for title in untold])
        notes.append(text.t("Left out, as of whole calendar months only: {names}.", names=names))
    return tuple(notes)


def _asked_for(parameters: Mapping[str, Any]) -> list[Part]:
    """The section of the parameter `metrics`, without those that another section shows."""
    wanted = parameters.get("sections")
    told = {metric for part in PARTS if wanted is None or part.key in wanted for metric in part.metrics}
    metrics = tuple(metric for metric in parameters.get("metrics", ()) if metric not in told)
    return [Part(FURTHER, N_("Further figures"), metrics, metrics, metrics)] if metrics else []


def _require_known(shelf: Shelf, parameters: Mapping[str, Any]) -> None:
    for metric in parameters.get("metrics", ()):
        if metric not in shelf.catalogue:
            raise MetricpressError(f"there is no metric {metric!r}", remedy="docs/metrics.md lists them")


def _parts_with_data(
    shelf: Shelf, present: frozenset[str], parameters: Mapping[str, Any], offered: Sequence[Part]
) -> list[Shown]:
    """Sections wanted, each with the metrics the tenant has; none when the period recorded nothing."""
    wanted = parameters.get("sections")
    parts = []
    for part in (_led_by(part, LEADING.get(shelf.period.frequency, "mau")) for part in offered):
        found = {metric for metric in part.metrics if _shown(metric, shelf, present)}
        # The figure a section is about is shown with its reason even when it was never known.
        if found and part.cards[0] in shelf.catalogue and part.cards[0] in shelf.series:
            found.add(part.cards[0])
        metrics = tuple(metric for metric in part.metrics if metric in found)
        if metrics and (wanted is None or part.key in (*wanted, FURTHER)):
            parts.append((part, metrics))
    silent = all(_silent(shelf, metrics) for _, metrics in parts)
    return [] if silent else parts


def _shown(metric: str, shelf: Shelf, present: frozenset[str]) -> bool:
    """True for a metric the catalogue knows, the tenant has, and the grain of the report keeps."""
    twin = metric == "dau" and shelf.period.frequency == "weekly" and "wau" in shelf.series
    return metric in present and metric in shelf.catalogue and metric in shelf.series and not twin


def _led_by(part: Part, metric: str) -> Part:
    """A section with one of its metrics first; others are left as they are."""
    if metric not in part.metrics:
        return part

    def lead(metrics: tuple[str, ...]) -> tuple[str, ...]:
        return (metric, *(name for name in metrics if name != metric))

    return replace(part, cards=lead(part.cards), charts=lead(part.charts))


def _silent(shelf: Shelf, metrics: tuple[str, ...]) -> bool:
    return not any(shelf.value(metric) for metric in metrics)


def _filled(
    request: ReportRequest,
    shelf: Shelf,
    brand: Brand,
    parts: list[Shown],
    movements: Mapping[str, Number],
    opening: Opening | None,
) -> Document:
    text = shelf.text
    speaking = [pair for pair in parts if not _silent(shelf, pair[1])]
    figures = [shelf.figure(metric) for _, metrics in speaking for metric in metrics]
    cards = _highlights(shelf, parts)
    has_mrr = any("mrr" in metrics for _, metrics in speaking)
    behind = mrr_bridge.behind(shelf, movements) if has_mrr else None
    front = write_front(shelf, cards, figures, opening, behind)
    sections = [_section(shelf, part, metrics, movements, front) for part, metrics in speaking]
    if quiet := [prose.phrase(text.t(part.title), text) for part, _ in parts if (part, _) not in speaking]:
        told = text.t("Nothing was recorded for {sections}.", sections=text.listed(quiet))
        sections.append(Section("silent", text.t("Without entries"), told, ()))
    return common.document(
        request,
        shelf.tenant,
        shelf.period,
        text,
        brand,
        headline=front.headline,
        standfirst=front.standfirst,
        front=front.blocks,
        sections=tuple(sections),
        definitions=prose.definitions(figures),
        warnings=mrr_bridge.warnings(shelf, movements),
    )


def _opening(conn: rows.Connection, shelf: Shelf, parts: list[Shown]) -> Opening | None:
    """The opening sentences; None over a range, of which there is no history to tell the usual."""
    if shelf.period.frequency == "range":
        return None
    candidates = [
        Candidate(
            shelf.blank(metric), shelf.catalogue[metric], part.weight * RANKS[min(rank, len(RANKS) - 1)]
        )
        for part, metrics in parts
        if not _silent(shelf, metrics)
        for rank, metric in enumerate(metric for metric in part.cards if metric in metrics)
    ]
    period = shelf.period
    return open_letter(
        conn, shelf.tenant.tenant_id, period.grain, period.start, candidates, shelf.targets, shelf.text
    )


def _highlights(shelf: Shelf, parts: list[Shown]) -> list[str]:
    """Metrics for the cards: the first of each section, then the second, until the cards are full."""
    depth = max(len(part.cards) for part, _ in parts)
    speaking = [(part, metrics) for part, metrics in parts if not _silent(shelf, metrics)]
    order = [
        part.cards[rank]
        for rank in range(depth)
        for part, metrics in speaking
        if rank < len(part.cards)
        and part.cards[rank] in metrics
        and shelf.value(part.cards[rank]) is not None
    ]
    chosen = order[:MOST_CARDS]
    reading = [metric for part, _ in parts for metric in part.cards]
    return sorted(chosen, key=reading.index)


def _section(
    shelf: Shelf, part: Part, metrics: tuple[str, ...], movements: Mapping[str, Number], front: Front
) -> Section:  # fmt: skip
    """A section says and draws first what the front page has not."""
    text, title = shelf.text, shelf.text.t(part.title)
    figures = tuple(shelf.figure(metric) for metric in metrics)
    by_key = {figure.key: figure for figure in figures if figure.value is not None}
    told = [by_key[metric] for metric in part.cards if metric in by_key and metric not in front.told][:2]
    drawn = [
        metric
        for metric in part.charts
        if metric in metrics and metric != front.drawn and shelf.trend(metric)
    ][:2]
    charts = tuple(chart for m in drawn if (chart := shelf.trend(m, wide=len(drawn) == 1)))
    blocks: list[Block] = []
    if part.key == "revenue" and (bridge := mrr_bridge.bridge(shelf, movements)):
        blocks.append(Charts((bridge,)))
    if charts:
        blocks.append(Charts(charts))
    table = text.t("{section} in full", section=title)
    blocks.append(FigureTable(part.key, table, figures, shelf.period.before(text)))
    lead = prose.sentence([prose.moved(figure, text) for figure in told], text)
    return Section(part.key, title, lead, tuple(blocks))


#: Where a tenant has figures, by grain: its first and last period, or its only one.
_EXTENTS = {
    "day": (N_("Its figures lie from {first} to {last}."), N_("Its only figures are those of {first}.")),
    "week": (
        N_("Its figures lie from the week of {first} to that of {last}."),
        N_("Its only figures are those of the week of {first}."),
    ),
    "month": (
        N_("Its figures lie from the month of {first} to that of {last}."),
        N_("Its only figures are those of the month of {first}."),
    ),
}


def _empty(shelf: Shelf, extent: tuple[date, date] | None) -> str:
    name, text = shelf.tenant.name, shelf.text
    if extent is None:
        return text.t(
            "{name} has no recorded figures yet. A report will follow once its first data has arrived.",
            name=name,
        )
    first, last = (text.day(day) for day in extent)
    several, only = _EXTENTS[shelf.period.grain]
    where = text.t(only if first == last else several, first=first, last=last)
    return " ".join((text.t("Nothing is recorded for {name} in this period.", name=name), where))
