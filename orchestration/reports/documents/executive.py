"""The executive report: one letter about the whole business.

Belongs here: its sections, the figures in them and their order. A section is shown when the tenant has data
in it. Does not belong here: queries (data/) and looks (formats/, report_templates/).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from orchestration.errors import MetricpressError
from orchestration.reports.data import common as rows
from orchestration.reports.data import executive as query
from orchestration.reports.data.ranges import read_range
from orchestration.reports.document import (
    Block,
    Brand,
    Cards,
    Chart,
    Charts,
    Document,
    Figure,
    FigureTable,
    Number,
    Section,
    Series,
)
from orchestration.reports.documents import common, prose
from orchestration.reports.documents.common import Shelf
from orchestration.reports.formatting import Formatter
from orchestration.reports.periods import Period
from orchestration.reports.request import ReportRequest

MOST_CARDS = 6
#: Movements are stored unrounded; half a minor unit is no gap.
LEAST_GAP = Decimal("0.005")


@dataclass(frozen=True)
class Part:
    """A section: metrics of its table in order, those worth a card, those drawn as a trend."""

    key: str
    title: str
    metrics: tuple[str, ...]
    cards: tuple[str, ...]
    charts: tuple[str, ...]


PARTS = (
    Part(
        "revenue",
        "Revenue",
        (
            "mrr", "arr", "mrr_growth_rate", "new_mrr", "expansion_mrr", "reactivation_mrr",
            "contraction_mrr", "churned_mrr", "nrr", "grr", "gross_mrr_churn_rate", "net_mrr_churn_rate",
            "arpa", "quick_ratio", "trial_mrr",
            "committed_mrr", "active_subscriptions", "past_due_subscriptions", "canceled_subscriptions",
            "failed_payments", "recovered_payments", "outstanding_invoices", "outstanding_invoice_amount",
            "runway_months",
        ),
        (
            "mrr", "nrr", "arpa", "active_subscriptions", "past_due_subscriptions",
            "outstanding_invoice_amount",
        ),
        ("mrr", "nrr", "arpa", "active_subscriptions"),
    ),
    Part(
        "customers",
        "Customers",
        (
            "total_customers", "new_customers", "reactivated_customers", "churned_customers",
            "customer_churn_rate", "ltv", "cac", "ltv_to_cac", "payback_months", "marketing_spend",
        ),
        ("total_customers", "customer_churn_rate", "new_customers", "ltv", "churned_customers"),
        ("total_customers", "customer_churn_rate"),
    ),
    Part(
        "engagement",
        "Engagement",
        (
            "dau", "wau", "mau", "stickiness", "total_sessions", "avg_session_seconds", "active_suppliers",
            "active_couples", "total_suppliers", "total_couples",
        ),
        ("mau", "total_sessions", "stickiness", "avg_session_seconds", "wau", "dau"),
        ("mau", "total_sessions", "stickiness", "avg_session_seconds"),
    ),
    Part(
        "activation",
        "Activation",
        (
            "signups", "activated_users", "activation_rate", "file_upload_rate", "worklog_creation_rate",
            "report_generation_rate",
        ),
        ("activation_rate", "signups", "activated_users"),
        ("signups", "activation_rate"),
    ),
    Part(
        "leads",
        "Leads",
        (
            "new_leads", "leads_contacted", "leads_qualified", "leads_converted", "leads_lost",
            "lead_conversion_rate",
        ),
        ("new_leads", "lead_conversion_rate", "leads_converted", "leads_qualified", "leads_contacted"),
        ("new_leads", "lead_conversion_rate"),
    ),
    Part(
        "calls",
        "Calls",
        (
            "total_calls", "calls_completed", "calls_missed", "calls_failed", "call_success_rate",
            "call_interest_rate", "avg_call_seconds",
        ),
        ("total_calls", "call_success_rate", "avg_call_seconds", "calls_completed", "calls_missed"),
        ("total_calls", "call_success_rate"),
    ),
    Part(
        "collaboration",
        "Collaboration",
        (
            "clients_coordinated", "vendors_collaborating", "active_vendor_pairs", "avg_coordination_hours",
            "vendor_satisfaction",
        ),
        ("clients_coordinated", "active_vendor_pairs", "vendor_satisfaction", "avg_coordination_hours"),
        ("clients_coordinated", "active_vendor_pairs"),
    ),
    Part(
        "jobs",
        "Jobs",
        ("total_jobs", "jobs_succeeded", "jobs_failed", "job_success_rate", "avg_job_seconds"),
        ("job_success_rate", "total_jobs", "avg_job_seconds"),
        ("total_jobs", "job_success_rate"),
    ),
    Part(
        "operations",
        "Operations",
        ("api_requests", "api_error_rate", "api_p50_ms", "api_p95_ms", "uptime_rate", "avg_cpu_load"),
        ("uptime_rate", "api_error_rate", "api_p95_ms", "api_requests"),
        ("api_p95_ms", "uptime_rate"),
    ),
)  # fmt: skip

#: Section of the metrics a subscription asks for by name.
FURTHER = "further"

#: Figures that move with another one: they are no news of their own.
ECHOES = frozenset({"arr", "committed_mrr", "mrr_growth_rate"})

#: Which of the metrics of engagement leads it; `mau` where none is named here.
LEADING = {"daily": "dau", "weekly": "wau"}

#: Steps of the MRR bridge in order, each with its sign.
BRIDGE = (
    ("new", "New", 1), ("reactivation", "Reactivated", 1), ("expansion", "Expansion", 1),
    ("resumed", "Resumed", 1), ("contraction", "Contraction", -1), ("churn", "Churn", -1),
    ("paused", "Paused", -1), ("fx_impact", "Currency", 1),
)  # fmt: skip


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
    document = _filled(request, shelf, brand, parts, movements)
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
    notes = ["Distinct counts and percentiles are counted anew over the whole period; charts show its days."]
    if untold:
        left_out = text.listed([prose.phrase(title, text) for title in untold])
        notes.append(f"Left out, as of whole calendar months only: {left_out}.")
    return tuple(notes)


def _asked_for(parameters: Mapping[str, Any]) -> list[Part]:
    """The section of the parameter `metrics`, without those that another section shows."""
    wanted = parameters.get("sections")
    told = {metric for part in PARTS if wanted is None or part.key in wanted for metric in part.metrics}
    metrics = tuple(metric for metric in parameters.get("metrics", ()) if metric not in told)
    return [Part(FURTHER, "Further figures", metrics, metrics, metrics)] if metrics else []


def _require_known(shelf: Shelf, parameters: Mapping[str, Any]) -> None:
    for metric in parameters.get("metrics", ()):
        if metric not in shelf.catalogue:
            raise MetricpressError(f"there is no metric {metric!r}", remedy="docs/metrics.md lists them")


def _parts_with_data(
    shelf: Shelf, present: frozenset[str], parameters: Mapping[str, Any], offered: Sequence[Part]
) -> list[tuple[Part, tuple[str, ...]]]:
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
    parts: list[tuple[Part, tuple[str, ...]]],
    movements: Mapping[str, Number],
) -> Document:
    figures = [shelf.figure(m) for _, metrics in parts if not _silent(shelf, metrics) for m in metrics]
    cards = _highlights(shelf, parts)
    told = [shelf.figure(metric) for metric in cards]
    known = [figure for figure in told if figure.value is not None]
    sections = [_section(shelf, *pair, movements) for pair in parts if not _silent(shelf, pair[1])]
    if quiet := [part.title.lower() for part, metrics in parts if _silent(shelf, metrics)]:
        words = f"{shelf.period.this(shelf.text)} nothing was recorded for {shelf.text.listed(quiet)}"
        sections.append(Section("silent", "Without entries", prose.sentence([words], shelf.text), ()))
    front: list[Block] = [Cards(tuple(told))]
    told_already = {*ECHOES, *(figure.key for figure in known[:2])}
    front += prose.moves([figure for figure in figures if figure.key not in told_already], shelf.text)
    trend = next((chart for metric in cards if (chart := shelf.trend(metric, wide=True))), None)
    if trend is not None:
        front.append(Charts((trend,)))
    headline = prose.sentence([prose.moved(figure, shelf.text) for figure in known[:2]], shelf.text)
    return common.document(
        request,
        shelf.tenant,
        shelf.period,
        shelf.text,
        brand,
        headline=headline,
        standfirst=_standfirst(shelf, known[2:4], figures),
        front=tuple(front),
        sections=tuple(sections),
        definitions=prose.definitions(figures),
        warnings=_warnings(shelf, movements),
    )


def _highlights(shelf: Shelf, parts: list[tuple[Part, tuple[str, ...]]]) -> list[str]:
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


def _standfirst(shelf: Shelf, further: list[Figure], figures: list[Figure]) -> str:
    clauses = prose.sentence([prose.moved(figure, shelf.text) for figure in further], shelf.text)
    return " ".join(part for part in (clauses, prose.tally(figures, shelf.period, shelf.text)) if part)


def _section(shelf: Shelf, part: Part, metrics: tuple[str, ...], movements: Mapping[str, Number]) -> Section:
    period = shelf.period
    figures = tuple(shelf.figure(metric) for metric in metrics)
    by_key = {figure.key: figure for figure in figures if figure.value is not None}
    told = [by_key[metric] for metric in part.cards if metric in by_key][:2]
    drawn = [metric for metric in part.charts if metric in metrics and shelf.trend(metric)][:2]
    charts = tuple(chart for m in drawn if (chart := shelf.trend(m, wide=len(drawn) == 1)))
    blocks: list[Block] = []
    if part.key == "revenue" and (bridge := _bridge(shelf, movements)):
        blocks.append(Charts((bridge,)))
    if charts:
        blocks.append(Charts(charts))
    blocks.append(FigureTable(part.key, f"{part.title} in full", figures, period.before(shelf.text)))
    lead = prose.sentence([prose.moved(figure, shelf.text) for figure in told], shelf.text)
    return Section(part.key, part.title, lead, tuple(blocks))


def _steps(movements: Mapping[str, Number]) -> list[tuple[str, Decimal]]:
    return [(label, sign * Decimal(movements[kind])) for kind, label, sign in BRIDGE if kind in movements]


def _bridge_gap(shelf: Shelf, movements: Mapping[str, Number]) -> Decimal | None:
    """What the movements leave unexplained between the two ends; None when there is no bridge to draw."""
    start, end = shelf.value("mrr", shelf.period.previous.start), shelf.value("mrr")
    if not movements or start is None or end is None:
        return None
    return Decimal(end) - Decimal(start) - sum(amount for _, amount in _steps(movements))


def _warnings(shelf: Shelf, movements: Mapping[str, Number]) -> tuple[str, ...]:
    gap = _bridge_gap(shelf, movements)
    if gap is None or abs(gap) < LEAST_GAP:
        return ()
    amount = shelf.text.money(gap, shelf.tenant.currency)
    return (f"The recorded movements leave {amount} of the change in MRR unexplained; they are not drawn.",)


def _bridge(shelf: Shelf, movements: Mapping[str, Number]) -> Chart | None:
    """MRR from the end of the period before to the end of this one; None when it does not add up."""
    gap = _bridge_gap(shelf, movements)
    if gap is None or abs(gap) >= LEAST_GAP:
        return None
    start, end = shelf.value("mrr", shelf.period.previous.start), shelf.value("mrr")
    assert start is not None and end is not None
    steps = _steps(movements)
    sample = replace(shelf.blank("mrr"), label="MRR")
    values: tuple[Number, ...] = (start, *(amount for _, amount in steps), end)
    names = ("Start", *(label for label, _ in steps), "End")
    labels = tuple(
        Figure(f"mrr_bridge.{name.lower()}", name, value, "money", "currency", shelf.tenant.currency)
        for name, value in zip(names, values, strict=True)
    )
    told = ", ".join(f"{figure.label.lower()} {shelf.text.figure(figure, True)}" for figure in labels)
    return Chart("mrr_bridge", f"{sample.label} from start to end", "bridge", names,
                 (Series(sample.label, values),), sample, f"{sample.label}: {told}.", labels=labels,
                 wide=True)  # fmt: skip


def _empty(shelf: Shelf, extent: tuple[Any, Any] | None) -> str:
    name = shelf.tenant.name
    if extent is None:
        return f"{name} has no recorded figures yet. A report will follow once its first data has arrived."
    first, last = (shelf.text.day(day) for day in extent)
    grain = shelf.period.grain
    where = (
        f"in the {grain} of {first}" if first == last else f"from the {grain} of {first} to that of {last}"
    )
    return f"Nothing is recorded for {name} in this period. Its figures lie {where}."
