"""The lead performance report: leads and calls of a tenant or one branch.

Belongs here: its figures as quotients of summed counts, its sections and their order. Does not belong here:
queries (data/) and looks. Tables are made in lead_tables.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from orchestration.reports.data import common as rows
from orchestration.reports.data import lead_performance as query
from orchestration.reports.document import (
    Block,
    Brand,
    Cards,
    Chart,
    Charts,
    Direction,
    Document,
    Figure,
    FigureTable,
    Format,
    Number,
    Section,
    Series,
)
from orchestration.reports.documents import common, lead_tables
from orchestration.reports.formatting import Formatter
from orchestration.reports.periods import Period
from orchestration.reports.request import ReportRequest

STAFF_ROWS = 20


@dataclass(frozen=True)
class Measure:
    """A figure of this report: a sum of counts, or a quotient of two.

    `metric` names the row of the catalogue that holds its title, definition and direction; where there is
    none, those given here serve.
    """

    key: str
    label: str
    numerator: str
    denominator: str | None = None
    format: Format = "integer"
    unit: str = "count"
    direction: Direction = "up"
    definition: str = ""
    metric: str = ""


MEASURES = (
    Measure("new_leads", "New leads", "new_leads", metric="new_leads",
            definition="Leads created in the period"),
    Measure("converted_leads", "New leads converted so far", "converted_leads",
            definition="Of the leads created in the period, those converted by the time of the data"),
    Measure("conversion_rate", "Lead conversion rate", "converted_leads", "new_leads", "percent", "rate",
            definition="Converted leads / new leads, both of the leads created in the period",
            metric="lead_conversion_rate"),
    Measure("converted_on_day", "Conversions closed", "converted_on_day",
            definition="Leads first converted in the period, whenever they were created",
            metric="leads_converted"),
    Measure("lost_on_day", "Leads lost", "lost_on_day", direction="down",
            definition="Leads first lost in the period, whenever they were created", metric="leads_lost"),
    Measure("calls_per_lead", "Calls per lead", "lead_calls", "new_leads", "decimal", "ratio", "neutral",
            "Calls, on any day, with the leads created in the period / those leads"),
    Measure("total_calls", "Calls", "total_calls", direction="neutral",
            definition="Calls that began in the period", metric="total_calls"),
    Measure("calls_completed", "Completed calls", "calls_completed",
            definition="Of the calls, those completed", metric="calls_completed"),
    Measure("call_success_rate", "Call success rate", "calls_completed", "total_calls", "percent", "rate",
            definition="Completed calls / all calls", metric="call_success_rate"),
    Measure("calls_interested", "Interested", "calls_interested",
            definition="Completed calls with the outcome interested"),
    Measure("interest_rate", "Interest rate", "calls_interested", "calls_completed", "percent", "rate",
            definition="Completed calls with the outcome interested / completed calls",
            metric="call_interest_rate"),
    Measure("avg_call_seconds", "Average call", "call_seconds", "timed_calls", "duration", "seconds",
            "neutral", "Seconds talked / completed calls with a duration", "avg_call_seconds"),
)  # fmt: skip
CARDS = (
    "new_leads", "conversion_rate", "converted_on_day", "total_calls", "call_success_rate", "interest_rate",
)  # fmt: skip
COUNT_NAMES = {"new_leads": "new leads", "total_calls": "calls", "calls_completed": "completed calls",
               "timed_calls": "calls with a duration"}  # fmt: skip


@dataclass(frozen=True)
class Book:
    """Counts by day, and the figures made of them."""

    tenant: rows.Tenant
    period: Period
    text: Formatter
    days: Mapping[date, query.Counts]
    first_day: date
    catalogue: Mapping[str, rows.Metric]

    @property
    def knows_before(self) -> bool:
        """Whether anything was recorded by the end of the period before."""
        return self.first_day <= self.period.previous.end

    def sum(self, count: str, first: date, last: date) -> Decimal:
        """A count added up over the days of a period."""
        span = (first + timedelta(days=index) for index in range((last - first).days + 1))
        return sum((Decimal(self.days[day].get(count) or 0) for day in span if day in self.days), Decimal(0))

    def value(self, measure: Measure, period: Period) -> Number | None:
        """The measure over a period; None when there is nothing to divide by, and before the first row.

        A day without a row after the first had no lead and no call: its counts are 0.
        """
        if period.end < self.first_day:
            return None
        total = self.sum(measure.numerator, period.start, period.end)
        if measure.denominator is None:
            return total
        base = self.sum(measure.denominator, period.start, period.end)
        return total / base if base else None

    def figure(self, key: str) -> Figure:
        """A measure of this period against the one before."""
        measure = next(measure for measure in MEASURES if measure.key == key)
        value = self.value(measure, self.period)
        before = self.value(measure, self.period.previous)
        base = COUNT_NAMES.get(measure.denominator or "", "the base")
        reason = "" if value is not None else f"there is nothing to divide by ({base}: 0)"
        row = self.catalogue.get(measure.metric)
        direction = row.direction if row else measure.direction
        return Figure(
            key,
            row.title if row else measure.label,
            value,
            measure.format,
            measure.unit,
            direction=direction,
            definition=common.definition_text(row, self.text) if row else f"{measure.definition}.",
            reason=reason,
            comparison=common.compare(
                value, before, self.period.before(self.text), measure.format, direction
            ),
        )

    def trend(self, key: str, wide: bool = False) -> Chart | None:
        """The measure over the days or weeks up to this period."""
        measure = next(measure for measure in MEASURES if measure.key == key)
        values = tuple(self.value(measure, period) for period in self.period.trend_periods)
        if sum(value is not None for value in values) < 2:
            return None
        return common.line_chart(self.figure(key), self.period, values, self.text, wide)


def build(conn: rows.Connection, request: ReportRequest, text: Formatter, brand: Brand) -> Document:
    """The lead performance report; without a lead or a call in the period a document that says so."""
    tenant = rows.read_tenant(conn, request.tenant_id, request.branch_id)
    period = Period(request.frequency, request.period_start, request.period_end)
    period.check(tenant.week_start)
    scope = query.Scope(tenant.tenant_id, request.branch_id)
    first = min(period.trend[0], period.previous.start)
    days = query.read_days(conn, scope, first, period.end)
    for day, talk in query.read_talk(conn, scope, first, period.end).items():
        days.setdefault(day, {}).update(talk)
    extent = query.read_extent(conn, scope)
    catalogue = rows.read_catalogue(conn, [measure.metric for measure in MEASURES if measure.metric])
    book = Book(tenant, period, text, days, extent[0] if extent else date.max, catalogue)
    if not (
        book.sum("new_leads", period.start, period.end) or book.sum("total_calls", period.start, period.end)
    ):
        return common.document(request, tenant, period, text, brand,
                               empty=_empty(tenant, text, extent))  # fmt: skip
    sections = [
        _leads(book),
        _funnel(conn, book, scope),
        _calls(conn, book, scope),
        _hours(book, query.read_hours(conn, scope, period)),
        _staff(book, query.read_staff(conn, scope, period), request.parameters.get("staff_rows", STAFF_ROWS)),
        _in_full(book),
    ]
    return _filled(request, book, brand, [section for section in sections if section is not None])


def _filled(request: ReportRequest, book: Book, brand: Brand, sections: Sequence[Section]) -> Document:
    figures = [book.figure(measure.key) for measure in MEASURES]
    cards = [book.figure(key) for key in CARDS]
    known = [figure for figure in cards if figure.value is not None]
    told = [f for f in known if f.key in ("new_leads", "call_success_rate", "total_calls")][:2]
    front: list[Block] = [Cards(tuple(cards)), *common.moves(figures, book.text)]
    trends = (book.trend(key, wide=True) for key in ("new_leads", "total_calls"))
    if chart := next((chart for chart in trends if chart is not None), None):
        front.append(Charts((chart,)))
    further = [figure for figure in known if figure not in told][:2]
    standfirst = common.sentence([common.moved(figure, book.text) for figure in further], book.text)
    notes = (
        "Conversions follow the leads created in a period as far as they came by the time of the data: "
        f"leads of {book.period.before(book.text)} have had longer to convert.",
        "Days and hours are those of each branch's timezone.",
    )
    return common.document(
        request, book.tenant, book.period, book.text, brand,
        headline=common.sentence([common.moved(figure, book.text) for figure in told], book.text),
        standfirst=f"{standfirst} {common.tally(figures, book.period, book.text)}".strip(),
        front=tuple(front),
        sections=tuple(sections),
        definitions=common.definitions(figures),
        notes=notes,
    )  # fmt: skip


def _leads(book: Book) -> Section | None:
    period = book.period
    total = book.sum("new_leads", period.start, period.end)
    if not total:
        return Section("leads", "Leads", f"No lead was created {period.this(book.text)}.", ())
    charts = [chart for key in ("new_leads", "conversion_rate") if (chart := book.trend(key))]
    blocks: list[Block] = [Charts(tuple(charts))] if charts else []
    blocks.append(lead_tables.statuses(book.sum, period, book.knows_before, book.text))
    lead = _told(book, ("new_leads", "conversion_rate"))
    return Section("leads", "Leads", lead, tuple(blocks))


def _funnel(conn: rows.Connection, book: Book, scope: query.Scope) -> Section | None:
    period = book.period
    steps = ("new_leads", "contacted_leads", "qualified_leads", "converted_leads")
    counts = [book.sum(step, period.start, period.end) for step in steps]
    if not counts[0]:
        return None
    names = ("New", "Contacted", "Qualified", "Converted")
    labels = [Figure(f"funnel.{steps[0]}", names[0], counts[0])]
    for index in range(1, len(steps)):
        base = counts[index - 1]
        share = counts[index] / base if base else None
        labels.append(Figure(f"funnel.{steps[index]}", names[index], counts[index]))
        labels.append(
            Figure(f"funnel.{steps[index]}.step_rate", f"of {names[index - 1].lower()}", share, "percent")
        )
    told = ", ".join(f"{name.lower()} {count:f}" for name, count in zip(names, counts, strict=True))
    chart = Chart("funnel", "How far the leads came", "funnel", names, (Series("Leads", tuple(counts)),),
                  labels[0], f"Leads by step: {told}.", labels=tuple(labels), wide=True)  # fmt: skip
    blocks: list[Block] = [Charts((chart,))]
    lead = f"Of the leads created {period.this(book.text)}, as far as they came by the time of the data."
    if period.frequency == "weekly":
        sources = query.read_sources(conn, scope, period.start)
        if sources:
            blocks.append(lead_tables.sources(sources))
        if (medians := query.read_medians(conn, scope, period.start)) is not None:
            blocks.append(lead_tables.medians(medians))
    return Section("funnel", "Funnel", lead, tuple(blocks))


def _calls(conn: rows.Connection, book: Book, scope: query.Scope) -> Section | None:
    period = book.period
    if not book.sum("total_calls", period.start, period.end):
        return Section("calls", "Calls", f"No call began {period.this(book.text)}.", ())
    charts = [chart for key in ("total_calls", "call_success_rate") if (chart := book.trend(key))]
    blocks: list[Block] = [Charts(tuple(charts))] if charts else []
    if outcomes := query.read_outcomes(conn, scope, period):
        blocks.append(lead_tables.outcomes(outcomes, period, book.knows_before, book.text))
    lead = _told(book, ("total_calls", "call_success_rate", "interest_rate"))
    return Section("calls", "Calls", lead, tuple(blocks))


def _told(book: Book, keys: Sequence[str]) -> str:
    figures = [book.figure(key) for key in keys]
    return common.sentence([common.moved(f, book.text) for f in figures if f.value is not None], book.text)


def _hours(book: Book, hours: Sequence[query.Hour]) -> Section | None:
    if not hours:
        return None
    by_hour = {hour.hour_of_day: hour for hour in hours}
    span = range(min(by_hour), max(by_hour) + 1)
    names = tuple(book.text.hour(hour) for hour in span)
    calls = tuple(by_hour[hour].total_calls if hour in by_hour else Decimal(0) for hour in span)
    done = tuple(by_hour[hour].calls_completed if hour in by_hour else Decimal(0) for hour in span)
    # An hour with a handful of calls is no advice: it must hold its even share of the calls.
    enough = sum(calls, Decimal(0)) / len(hours)
    best = max((hour for hour in hours if hour.total_calls >= enough),
               key=lambda hour: hour.calls_completed / hour.total_calls)  # fmt: skip
    rate = Figure("best_hour", "", best.calls_completed / best.total_calls, "percent")
    lead = (
        f"Among the busier hours the one from {book.text.hour(best.hour_of_day)}:00 completed most: "
        f"{book.text.figure(rate)} of {book.text.like(Figure('', '', None), best.total_calls)} calls."
    )
    series = (Series("All calls", calls), Series("Completed", done))
    chart = Chart("calls_by_hour", "Calls by hour of the day", "columns", names, series,
                  Figure("total_calls", "Calls", None), f"Calls by hour of the day. {lead}",
                  note="local time of the branch", wide=True)  # fmt: skip
    return Section("hours", "Hours of the day", lead, (Charts((chart,)), lead_tables.hours(hours, book.text)))


def _staff(book: Book, staff: Sequence[query.Staff], most: int) -> Section | None:
    if not staff:
        return None
    named = [person for person in staff if person.staff_id != "(none)"]
    people = "person" if len(named) == 1 else "people"
    lead = f"{len(named)} {people} with a call or a lead {book.period.this(book.text)}."
    return Section("staff", "Staff", lead, (lead_tables.staff(staff, most),))


def _in_full(book: Book) -> Section:
    figures = tuple(book.figure(measure.key) for measure in MEASURES)
    table = FigureTable("comparison", "Figure", figures, book.period.before(book.text))
    return Section("comparison", f"Compared with {book.period.before(book.text)}", "", (table,))


def _empty(tenant: rows.Tenant, text: Formatter, extent: tuple[date, date] | None) -> str:
    name = tenant.branch or tenant.name
    if extent is None:
        return f"{name} has no recorded leads or calls yet. A report will follow once the first have arrived."
    first, last = (text.day(day) for day in extent)
    return (
        f"No lead was created and no call began in this period. Those of {name} lie from {first} to {last}."
    )
