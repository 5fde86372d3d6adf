"""The lead performance report: leads and calls of a tenant or one branch.

Belongs here: its sections and their order. Does not belong here: queries (data/), looks, how a figure comes
about (lead_book.py), charts (lead_charts.py) and tables (lead_tables.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from orchestration.reports.data import common as rows
from orchestration.reports.data import lead_performance as query
from orchestration.reports.document import (
    Block,
    Brand,
    Cards,
    Charts,
    Document,
    Figure,
    FigureTable,
    Section,
)
from orchestration.reports.documents import common, lead_charts, lead_tables, prose
from orchestration.reports.documents.lead_book import MEASURES, Book
from orchestration.reports.documents.lead_words import NOT_NAMED
from orchestration.reports.documents.trend_words import TrendLine, trend_sentence, trend_table
from orchestration.reports.formatting import Formatter
from orchestration.reports.periods import Period
from orchestration.reports.request import ReportRequest
from orchestration.reports.trends import trend_spans

STAFF_ROWS = 20
CARDS = (
    "new_leads", "conversion_rate", "converted_on_day", "total_calls", "call_success_rate", "interest_rate",
)  # fmt: skip
HEADLINES = ("new_leads", "total_calls", "call_success_rate")
TRENDS = (
    "new_leads", "converted_on_day", "lost_on_day", "total_calls", "call_success_rate", "interest_rate",
    "avg_call_seconds",
)  # fmt: skip
#: A quarter of weeks says which hours of the week are good to call; one week has too few calls.
GRID_WEEKS = 13
#: A range shows its own hours of the week when it has at least four weeks.
LEAST_GRID_DAYS = 28


def build(conn: rows.Connection, request: ReportRequest, text: Formatter, brand: Brand) -> Document:
    """The lead performance report; without a lead or a call in the period a document that says so."""
    tenant = rows.read_tenant(conn, request.tenant_id, request.branch_id)
    period = Period(request.frequency, request.period_start, request.period_end)
    period.check(tenant.week_start)
    scope = query.Scope(tenant.tenant_id, request.branch_id)
    spans = trend_spans(period, tenant.week_start)
    first = min(period.trend[0], period.previous.start, *(span.start for span in spans))
    days = query.read_days(conn, scope, first, period.end)
    for day, talk in query.read_talk(conn, scope, first, period.end).items():
        days.setdefault(day, {}).update(talk)
    extent = query.read_extent(conn, scope)
    catalogue = rows.read_catalogue(conn, [measure.metric for measure in MEASURES if measure.metric])
    book = Book(tenant, scope, period, text, days, extent[0] if extent else date.max, catalogue)
    if not (book.now("new_leads") or book.now("total_calls")):
        return common.document(request, tenant, period, text, brand,
                               empty=_empty(tenant, text, extent))  # fmt: skip
    trends = [book.trend_line(key, spans) for key in TRENDS] if spans else []
    sections = [
        _leads(book),
        _funnel(conn, book),
        _calls(conn, book),
        _hours(conn, book),
        _staff(conn, book, request.parameters.get("staff_rows", STAFF_ROWS)),
        _in_full(book, trends, spans),
    ]
    told = trend_sentence(trends, spans, text) if trends else ""
    return _filled(request, book, brand, told, [section for section in sections if section is not None])


def _filled(
    request: ReportRequest, book: Book, brand: Brand, trends: str, sections: Sequence[Section]
) -> Document:
    figures = [book.figure(measure.key) for measure in MEASURES]
    cards = [book.figure(key) for key in CARDS]
    known = [figure for figure in cards if figure.value is not None]
    chart = book.trend("new_leads" if book.now("new_leads") else "total_calls", wide=True)
    told = [figure for figure in known if figure.key in HEADLINES][:2]
    further = [figure for figure in known if figure not in told][:2]
    front: list[Block] = [Cards(tuple(cards))]
    front += prose.moves([figure for figure in figures if figure not in told], book.text)
    if chart is not None:
        front.append(Charts((chart,)))
    standfirst = (_moved(further, book), prose.tally(figures, book.period, book.text), trends)
    return common.document(
        request, book.tenant, book.period, book.text, brand,
        headline=_moved(told, book),
        standfirst=" ".join(part for part in standfirst if part),
        front=tuple(front),
        sections=tuple(sections),
        definitions=prose.definitions(figures),
        notes=_notes(book),
    )  # fmt: skip


def _notes(book: Book) -> tuple[str, ...]:
    text = book.text
    return (
        text.t("Conversions follow the leads created in a period as far as they came by the time of the data."
               " Earlier leads have had longer to convert, so a change of these figures is not judged."),
        text.t("Days and hours are those of each branch's timezone."),
    )  # fmt: skip


def _moved(figures: Sequence[Figure], book: Book) -> str:
    clauses = [prose.moved(figure, book.text) for figure in figures if figure.value is not None]
    return prose.sentence(clauses, book.text)


def _told(book: Book, *keys: str) -> str:
    return _moved([book.figure(key) for key in keys], book)


def _charts(book: Book, *keys: str) -> list[Block]:
    charts = tuple(chart for key in keys if (chart := book.trend(key, wide=len(keys) == 1)))
    return [Charts(charts)] if charts else []


def _leads(book: Book) -> Section:
    text, title = book.text, book.text.t("Leads")
    if not book.now("new_leads"):
        return Section("leads", title, text.t("No lead was created {period}.", period=_this(book)), ())
    blocks = [*_charts(book, "new_leads", "conversion_rate"), lead_tables.statuses(book)]
    return Section("leads", title, _told(book, "new_leads", "conversion_rate"), tuple(blocks))


def _funnel(conn: rows.Connection, book: Book) -> Section | None:
    if not book.now("new_leads"):
        return None
    text, scope, week = book.text, book.scope, book.period.start
    blocks: list[Block] = [Charts((lead_charts.funnel(book),))]
    if book.period.frequency == "weekly":
        if sources := query.read_sources(conn, scope, week):
            blocks.append(lead_tables.sources(sources, book))
        if (medians := query.read_medians(conn, scope, week)) is not None:
            blocks.append(lead_tables.medians(medians, book))
    lead = text.t("Of the leads created {period}, as far as they came by the time of the data.",
                  period=_this(book))  # fmt: skip
    return Section("funnel", text.t("Funnel"), lead, tuple(blocks))


def _calls(conn: rows.Connection, book: Book) -> Section:
    text, title = book.text, book.text.t("Calls")
    if not book.now("total_calls"):
        return Section("calls", title, text.t("No call began {period}.", period=_this(book)), ())
    blocks = _charts(book, "total_calls", "call_success_rate")
    if outcomes := query.read_outcomes(conn, book.scope, book.period):
        blocks.append(lead_tables.outcomes(outcomes, book))
    lead = _told(book, "total_calls", "call_success_rate", "interest_rate")
    return Section("calls", title, lead, tuple(blocks))


def _hours(conn: rows.Connection, book: Book) -> Section | None:
    hours = query.read_hours(conn, book.scope, book.period)
    if not hours:
        return None
    lead = lead_charts.best_hour(hours, book)
    blocks: list[Block] = [Charts((lead_charts.hours_of_the_day(hours, lead, book),))]
    if (span := _grid_days(book.period)) is not None:
        cells = query.read_grid(conn, book.scope, *span)
        if (grid := lead_charts.week_grid(cells, span, book)) is not None:
            blocks.append(Charts((grid,)))
    blocks.append(lead_tables.hours(hours, book))
    return Section("hours", book.text.t("Hours of the day"), lead, tuple(blocks))


def _grid_days(period: Period) -> tuple[date, date] | None:
    """The days whose hours of the week are shown; None for a short range."""
    if period.frequency != "range":
        return period.end - timedelta(days=GRID_WEEKS * 7 - 1), period.end
    return (period.start, period.end) if period.days >= LEAST_GRID_DAYS else None


def _staff(conn: rows.Connection, book: Book, most: int) -> Section | None:
    staff = query.read_staff(conn, book.scope, book.period)
    if not staff:
        return None
    text, named = book.text, [person for person in staff if person.staff_id != NOT_NAMED]
    lead = text.n(
        "{count} person with a call or a lead {period}.",
        "{count} people with a call or a lead {period}.",
        len(named),
        period=_this(book),
    )
    bars = lead_charts.calls_by_person(staff, book)
    blocks: list[Block] = [Charts((bars,))] if bars else []
    blocks.append(lead_tables.staff(staff, most, book))
    lead = f"{lead} {lead_charts.best_person(staff, book)}".strip()
    return Section("staff", text.t("Staff"), lead, tuple(blocks))


def _in_full(book: Book, trends: Sequence[TrendLine], spans: Sequence[Period]) -> Section:
    text, before = book.text, book.period.before(book.text)
    figures = tuple(book.figure(measure.key) for measure in MEASURES)
    blocks: list[Block] = [FigureTable("comparison", text.t("Figure"), figures, before)]
    if table := trend_table(trends, spans, text):
        blocks.append(table)
    return Section("comparison", text.t("Compared with {period}", period=before), "", tuple(blocks))


def _this(book: Book) -> str:
    return book.period.this(book.text)


def _empty(tenant: rows.Tenant, text: Formatter, extent: tuple[date, date] | None) -> str:
    name = tenant.branch or tenant.name
    if extent is None:
        return text.t("{name} has no recorded leads or calls yet. A report will follow once the first have "
                      "arrived.", name=name)  # fmt: skip
    return text.t("No lead was created and no call began in this period. Those of {name} lie from {first} to "
                  "{last}.", name=name, first=text.day(extent[0]), last=text.day(extent[1]))  # fmt: skip
