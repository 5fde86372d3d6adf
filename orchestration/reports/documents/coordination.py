"""The coordination report: how vendors work together for clients.

Belongs here: its figures, sections and their order. Does not belong here: queries (data/) and looks.

Clients and vendors are distinct counts: those of a week or a month come from the time series or a column of
the mart that was counted over it, and are never added up over days. Vendors are counted by day only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from orchestration.errors import MetricpressError
from orchestration.reports.data import common as rows
from orchestration.reports.data import coordination as query
from orchestration.reports.document import (
    Block,
    Brand,
    Cards,
    Chart,
    Charts,
    Column,
    Document,
    Figure,
    Number,
    Row,
    Section,
    Series,
    Source,
    Table,
)
from orchestration.reports.documents import common, prose, sources
from orchestration.reports.documents.metric_shelf import MetricShelf, comparison, day_source, fill_shelf
from orchestration.reports.documents.trend_words import trend_sentence
from orchestration.reports.formatting import Formatter
from orchestration.reports.messages import N_
from orchestration.reports.periods import Period
from orchestration.reports.request import ReportRequest

MART = "coordination_metrics"
METRICS = (
    "clients_coordinated", "vendors_collaborating", "active_vendor_pairs", "avg_coordination_hours",
    "vendor_satisfaction",
)  # fmt: skip
#: Hours run to the last activity known so far: those of recent days still grow, so a change is not judged.
STILL_GROWING = ("avg_coordination_hours",)
TRENDS = ("clients_coordinated", "active_vendor_pairs", "vendor_satisfaction")
_ALL_TYPES = "(select sum(value::numeric) from jsonb_each_text(by_collaboration_type))"
_TYPE_WORDS = {"timeline_sync": N_("Timeline agreed"), "message_thread": N_("Messages"),
               "document_share": N_("Shared document"), "(none)": N_("Not named")}  # fmt: skip


@dataclass(frozen=True)
class Desk:
    """What the sections are made of."""

    made: MetricShelf
    days: Mapping[date, query.Day]

    @property
    def text(self) -> Formatter:
        """Forms of the report's locale."""
        return self.made.shelf.text

    @property
    def period(self) -> Period:
        """The period of the report."""
        return self.made.shelf.period

    @property
    def tenant_id(self) -> str:
        """The tenant."""
        return self.made.shelf.tenant.tenant_id

    def within(self, period: Period) -> list[query.Day]:
        """Days of a period that the mart holds."""
        return [day for when, day in self.days.items() if period.start <= when <= period.end]

    def from_days(self, key: str, label: str, definition: str, column: str) -> Figure:
        """A figure of this report alone: `sum(column)` or `max(column)` over the days of the period."""
        function, name = (sum if column.startswith("sum") else max), column.rstrip(")").split("(")[1]

        def value(period: Period) -> Number | None:
            values = [getattr(day, name) for day in self.within(period)]
            return function(values) if values else None

        text, period, before = self.text, self.period, self.period.previous
        return Figure(
            key, text.t(label), value(period), direction="up", definition=text.t(definition),
            comparison=common.compare(value(period), value(before), period.before(text), "integer", "up"),
            source=sources.in_days(MART, column, period.start, period.end, self.tenant_id),
            history=tuple(value(span) for span in _trend_periods(period)),
        )  # fmt: skip

    @property
    def new_collaborations(self) -> Figure:
        """Pairs that began to work for a client, by day."""
        return self.from_days(
            "new_collaborations", N_("New collaborations"),
            N_("Pairs of vendors that began to work for a client, counted by day: a pair that begins on two "
               "days counts on both."), "sum(new_collaborations)",
        )  # fmt: skip

    @property
    def vendors(self) -> list[Figure]:
        """Vendors of a day or, counted anew, of a range; else of the busiest day."""
        if self.made.has("vendors_collaborating"):
            return [self.made.figure("vendors_collaborating")]
        return [self.from_days(
            "vendors_on_busiest_day", N_("Vendors on the busiest day"),
            N_("Most vendors with a collaboration created on one day of the period; each counts once a day."),
            "max(vendors_collaborating)",
        )]  # fmt: skip

    def month_to_date(self) -> Figure | None:
        """Clients from the first of the month to the last day known, against the same day a month before."""
        known = self.within(self.period)
        if self.period.frequency == "range" or not known:
            return None
        day, text = known[-1], self.text
        then = self.days.get(_month_before(day.metric_date))
        now = day.clients_coordinated_month_to_date
        before = None if then is None else then.clients_coordinated_month_to_date
        return Figure(
            "clients_coordinated_month_to_date", text.t("Clients coordinated this month so far"), now,
            direction="up",
            definition=text.t("Clients, each counted once, with a collaboration created from the first of "
                              "the "
                              "month to the last day of the report."),
            comparison=common.compare(now, before, text.t("the same day a month before"), "integer", "up"),
            source=day_source(MART, "clients_coordinated_month_to_date", day.metric_date.isoformat(),
                              self.tenant_id),
        )  # fmt: skip


def build(conn: rows.Connection, request: ReportRequest, text: Formatter, brand: Brand) -> Document:
    """The coordination report; in a period without any joint work a document that says so."""
    if request.branch_id is not None:
        raise MetricpressError(
            "the coordination report has no figures by branch",
            remedy="leave the branch out, or use the report lead_performance",
        )
    tenant = rows.read_tenant(conn, request.tenant_id, None)
    period = Period(request.frequency, request.period_start, request.period_end)
    period.check(tenant.week_start)
    made = fill_shelf(conn, tenant, period, text, METRICS, neutral=STILL_GROWING)
    first = min(span.start for span in (period.previous, *_trend_periods(period)))
    since = _month_before(period.start).replace(day=1)
    days = query.read_days(conn, tenant.tenant_id, min(first, since), period.end)
    desk = Desk(made, days)
    if all(day.is_silent for day in desk.within(period)):
        extent = query.read_extent(conn, tenant.tenant_id)
        return common.document(request, tenant, period, text, brand, empty=_empty(tenant, text, extent))
    return _filled(request, desk, brand, request.parameters.get("sections"))


def _filled(request: ReportRequest, desk: Desk, brand: Brand, wanted: Sequence[str] | None) -> Document:
    made, text = desk.made, desk.text
    clients = made.figures("clients_coordinated")
    figures = [*clients, desk.new_collaborations, *desk.vendors, *made.figures(*METRICS[2:])]
    known = [figure for figure in figures if figure.value is not None]
    lines = made.trend_lines(*TRENDS)
    month = desk.month_to_date()
    front: list[Block] = [Cards(tuple(figures)), *prose.moves(known[2:], text)]
    if known and (chart := made.shelf.trend("clients_coordinated", wide=True)):
        front.append(Charts((chart,)))
    parts = (_clients(desk, month), _vendors(desk), _types(desk), _quality(desk))
    shown = [part for part in parts if part is not None and (wanted is None or part.key in wanted)]
    told = (
        prose.sentence([prose.moved(figure, text) for figure in known[2:4]], text),
        prose.tally(figures, desk.period, text),
        trend_sentence(lines, made.spans, text) if lines else "",
    )
    return common.document(
        request, made.shelf.tenant, desk.period, text, brand,
        headline=prose.sentence([prose.moved(figure, text) for figure in known[:2]], text),
        standfirst=" ".join(part for part in told if part),
        front=tuple(front),
        sections=(*shown, comparison(figures, lines, made)),
        definitions=prose.definitions([*figures, *([month] if month else [])]),
        notes=_notes(desk),
    )  # fmt: skip


def _clients(desk: Desk, month: Figure | None) -> Section:
    text, lead = desk.text, desk.made.told("clients_coordinated")
    if month is None:
        return Section("clients", text.t("Clients"), lead, tuple(desk.made.charts("clients_coordinated")))
    blocks: list[Block] = [Charts((_month_chart(desk, month),))]
    if desk.period.frequency != "monthly":
        blocks.append(_month_table(desk, month))
        lead = f"{lead} {prose.sentence([prose.moved(month, text)], text)}".strip()
    return Section("clients", text.t("Clients"), lead, tuple(blocks))


def _month_table(desk: Desk, month: Figure) -> Table:
    """The month so far beside the one before up to the same day."""
    text, last = desk.text, desk.within(desk.period)[-1].metric_date

    def begun(key: str, end: date) -> Figure:
        days = [day for when, day in desk.days.items() if end.replace(day=1) <= when <= end]
        place = sources.in_days(MART, "sum(new_collaborations)", end.replace(day=1), end, desk.tenant_id)
        return Figure(key, key, sum(day.new_collaborations for day in days) if days else None,
                      reason="" if days else unknown, source=place)  # fmt: skip

    then = _month_before(last)
    unknown = text.t("{period} lies before the first record", period=text.day(then))
    clients = Figure(
        f"{month.key}.month_before", month.label, month.comparison.value if month.comparison else None,
        reason=unknown, source=day_source(MART, month.key, then.isoformat(), desk.tenant_id),
    )  # fmt: skip
    key = "new_collaborations_month_to_date"
    table_rows = (
        Row(text.t("Clients coordinated"), (replace(month, comparison=None), clients)),
        Row(text.t("New collaborations"), (begun(key, last), begun(f"{key}.month_before", then))),
    )
    columns = (Column(text.t("Month to date"), "left"), Column(text.t("To {day}", day=text.day(last))),
               Column(text.t("To {day}", day=text.day(then))))  # fmt: skip
    return Table("month_to_date", text.t("Month to date"), columns, table_rows)


def _month_chart(desk: Desk, month: Figure) -> Chart:
    """How the month filled up to the last day known, beside the month before."""
    text, last = desk.text, desk.within(desk.period)[-1].metric_date
    span = [last.replace(day=1) + timedelta(days=index) for index in range(last.day)]
    before = (last.replace(day=1) - timedelta(days=1)).replace(day=1)

    def so_far(days: Sequence[date]) -> tuple[Number | None, ...]:
        found = (desk.days.get(day) for day in days)
        return tuple(None if day is None else day.clients_coordinated_month_to_date for day in found)

    earlier = [
        day for index in range(len(span)) if (day := before + timedelta(days=index)).month == before.month
    ]
    then = (*so_far(earlier), *[None] * (len(span) - len(earlier)))
    series = (Series(text.t("This month"), so_far(span)), Series(text.t("The month before"), then))
    reached = text.like(month, month.comparison.value if month.comparison else None)
    alt = text.t("Clients coordinated since the first of the month: {now}; the month before by the same "
                 "day: {then}.",
                 now=text.figure(month), then=reached)  # fmt: skip
    return Chart("month_to_date", month.label, "line", tuple(span), series, month, alt, month,
                 note=text.t("broken line: the month before"), wide=True)  # fmt: skip


def _vendors(desk: Desk) -> Section:
    made = desk.made
    blocks = made.charts("active_vendor_pairs")
    if (chart := _vendors_by_day(desk)) is not None:
        blocks.append(Charts((chart,)))
    vendors = [figure for figure in desk.vendors if figure.value is not None]
    told = prose.sentence([prose.moved(figure, desk.text) for figure in vendors], desk.text)
    lead = " ".join(part for part in (made.told("active_vendor_pairs"), told) if part)
    return Section("vendors", desk.text.t("Vendors"), lead, tuple(blocks))


def _vendors_by_day(desk: Desk) -> Chart | None:
    """Vendors on each day of the period; None for a single day."""
    text, days = desk.text, desk.within(desk.period)
    if len(days) < 2:
        return None
    values = tuple(Decimal(day.vendors_collaborating) for day in days)
    sample = Figure("vendors_collaborating", text.t("Vendors by day"), None)
    most = max(days, key=lambda day: day.vendors_collaborating)
    alt = text.t("Vendors by day: most on {day}, {value}.", day=text.day(most.metric_date),
                 value=text.like(sample, most.vendors_collaborating))  # fmt: skip
    monthly = desk.period.frequency == "monthly"
    names = tuple(
        str(day.metric_date.day) if monthly else text.short_date(day.metric_date, "daily") for day in days
    )
    series = (Series(text.t("Vendors"), values),)
    return Chart("vendors_by_day", sample.label, "columns", names, series, sample, alt,
                 note=text.t("each vendor counts once a day"), wide=True)  # fmt: skip


def _types(desk: Desk) -> Section | None:
    text, period = desk.text, desk.period
    now, before = (_by_type(desk.within(span)) for span in (period, period.previous))
    knows_before = bool(desk.within(period.previous))
    whole = sum(now.values())
    if not whole:
        return None

    def place(column: str, span: Period) -> Source:
        return sources.in_days(MART, column, span.start, span.end, desk.tenant_id)

    rows_ = []
    for kind in sorted({*now, *before}, key=lambda kind: (-now.get(kind, 0), -before.get(kind, 0), kind)):
        key, label = f"type.{kind}", text.t(_TYPE_WORDS[kind]) if kind in _TYPE_WORDS else kind
        part, count = _column_of(kind), now.get(kind, 0)
        then = Figure(f"{key}.previous", label, before.get(kind, 0), source=place(part, period.previous))
        if not knows_before:
            reason = text.t("{period} lies before the first record", period=_capital(period.before(text)))
            then = replace(then, value=None, reason=reason)
        share = f"{part} / nullif(sum({_ALL_TYPES}), 0)"
        rows_.append(Row(label, (
            Figure(key, label, count, source=place(part, period)),
            Figure(f"{key}.share", label, Decimal(count) / whole, "percent", "rate",
                   source=place(share, period)),
            then,
        )))  # fmt: skip
    columns = (Column(text.t("Type of collaboration"), "left"), Column(_capital(period.this(text))),
               Column(text.t("Share")), Column(_capital(period.before(text))))  # fmt: skip
    note = text.t("New collaborations by day; one of two types counts in both.")
    table = Table("types", text.t("Collaborations by type"), columns, tuple(rows_), note)
    lead = prose.sentence([prose.moved(desk.new_collaborations, text)], text)
    return Section("types", text.t("Types of collaboration"), lead, (table,))


def _column_of(kind: str) -> str:
    escaped = kind.replace("'", "''")
    return f"sum((by_collaboration_type ->> '{escaped}')::numeric)"


def _by_type(days: Sequence[query.Day]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for day in days:
        for kind, count in day.by_collaboration_type.items():
            counts[kind] = counts.get(kind, 0) + int(count)
    return counts


def _quality(desk: Desk) -> Section | None:
    metrics = ("avg_coordination_hours", "vendor_satisfaction")
    if not desk.made.figures(*metrics):
        return None
    lead = desk.made.told(*metrics)
    title = desk.text.t("Time and satisfaction")
    return Section("quality", title, lead, tuple(desk.made.charts(*metrics)))


def _notes(desk: Desk) -> tuple[str, ...]:
    text = desk.text
    counted = (
        text.t("Clients and vendors are counted anew over the whole period; charts show its days.")
        if desk.period.frequency == "range"
        else text.t(
            "Clients count once in the period, vendors once a day, pairs as they stand on the last day."
        )
    )
    hours = text.t(
        "Hours of coordination run to the last activity known so far. Those of recent days may still "
        "grow, so a "
        "change is not judged."
    )
    return counted, hours


def _trend_periods(period: Period) -> tuple[Period, ...]:
    """Periods of a trend, months with their own length; of a range its days."""
    if period.frequency == "range":
        return period.trend_periods
    found = [period]
    while len(found) < len(period.trend):
        found.append(found[-1].previous)
    return tuple(reversed(found))


def _month_before(day: date) -> date:
    """The same day of the month before, or its last."""
    end = day.replace(day=1) - timedelta(days=1)
    return end.replace(day=min(day.day, end.day))


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _empty(tenant: rows.Tenant, text: Formatter, extent: tuple[date, date] | None) -> str:
    if extent is None:
        return text.t("{name} has no recorded collaborations yet. A report will follow once the first "
                      "have arrived.",
                      name=tenant.name)  # fmt: skip
    return text.t("Nobody worked together in this period. The collaborations of {name} lie from {first} "
                  "to {last}.",
                  name=tenant.name, first=text.day(extent[0]), last=text.day(extent[1]))  # fmt: skip
