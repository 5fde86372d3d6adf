"""The revenue report: one month of recurring revenue, for a board.

Belongs here: its sections, the figures in them and their order, and the words of its opening. Does not belong
here: queries (data/), looks, and the report's tables and waterfall (revenue_tables.py).

By month only: retention, churn, lifetime value and runway exist by month; what weeks and days have of revenue
stands in the executive report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from orchestration.errors import MetricpressError
from orchestration.reports.data import common as rows
from orchestration.reports.data import revenue as query
from orchestration.reports.document import (
    Block,
    Brand,
    Cards,
    Chart,
    Charts,
    Document,
    Figure,
    FigureTable,
    Insights,
    Number,
    Section,
    Source,
)
from orchestration.reports.documents import common, prose, revenue_tables
from orchestration.reports.documents import revenue_words as words
from orchestration.reports.documents.common import Shelf
from orchestration.reports.formatting import Formatter
from orchestration.reports.insights import open_letter
from orchestration.reports.insights.opening import RANKS, Candidate
from orchestration.reports.messages import N_
from orchestration.reports.periods import Period
from orchestration.reports.request import ReportRequest

MOVERS, PLAN_ROWS = 10, 12
MART = "marts.revenue_metrics"
CARDS = (
    "mrr", "nrr", "grr", "customer_churn_rate", "arpa", "quick_ratio", "paying_customers", "runway_months",
)  # fmt: skip
MOST_CARDS = 6
#: What sentences of the opening may be about, by rank; and how many sentences there is room for.
NEWS = (
    ("mrr", "nrr", "customer_churn_rate", "runway_months"),
    ("grr", "total_customers", "arpa", "quick_ratio", "outstanding_invoice_amount", "failed_payments"),
    ("new_mrr", "expansion_mrr", "contraction_mrr", "churned_mrr", "reactivation_mrr", "cac", "ltv"),
)
MOST_SENTENCES = 3


@dataclass(frozen=True)
class Part:
    """A section: the figures of its table in order, those drawn as a trend, those its lead speaks of."""

    key: str
    title: str
    metrics: tuple[str, ...]
    charts: tuple[str, ...]
    told: tuple[str, ...]


RETENTION = Part(
    "retention", N_("Retention and churn"),
    ("nrr", "grr", "gross_mrr_churn_rate", "net_mrr_churn_rate", "revenue_churn_rate", "customer_churn_rate",
     "mrr_growth_rate", "quick_ratio", "quick_ratio_strict"),
    ("nrr", "customer_churn_rate"), ("nrr", "grr"),
)  # fmt: skip
CUSTOMERS = Part(
    "customers", N_("Customers and what they are worth"),
    ("paying_customers", "new_customers", "reactivated_customers", "churned_customers", "arpa", "ltv",
     "marketing_spend", "cac", "ltv_to_cac", "payback_months"),
    ("paying_customers", "arpa"), ("paying_customers", "arpa"),
)  # fmt: skip
COLLECTION = Part(
    "collection", N_("Payments and what is owed"),
    ("failed_payments", "recovered_payments", "past_due_subscriptions", "subscriptions_in_dunning",
     "outstanding_invoices", "outstanding_invoice_amount"),
    ("failed_payments", "outstanding_invoice_amount"), ("failed_payments", "outstanding_invoice_amount"),
)  # fmt: skip
CASH = Part(
    "cash", N_("Cash and runway"), ("cash_balance", "monthly_burn", "runway_months"),
    ("cash_balance", "runway_months"), ("cash_balance", "runway_months"),
)  # fmt: skip
LEDGER = (
    "mrr", "arr", "starting_mrr", "new_mrr", "reactivation_mrr", "expansion_mrr", "resumed_mrr",
    "contraction_mrr", "churned_mrr", "paused_mrr", "fx_impact_mrr", "trial_mrr", "committed_mrr",
    "active_subscriptions",
)  # fmt: skip
#: Figures that are 0 in most businesses: shown in the table when one of the two months has them.
RARE = frozenset({"reactivation_mrr", "resumed_mrr", "paused_mrr", "fx_impact_mrr", "trial_mrr"})
#: Figures that move with another one: they are no news of their own.
ECHOES = frozenset({"arr", "starting_mrr", "committed_mrr", "mrr_growth_rate", "quick_ratio_strict"})


@dataclass(frozen=True)
class Book:
    """The months of one tenant, and the figures made of them."""

    shelf: Shelf
    months: Mapping[date, Mapping[str, Any]]

    @property
    def text(self) -> Formatter:
        """The words of the report's language."""
        return self.shelf.text

    @property
    def period(self) -> Period:
        """The month."""
        return self.shelf.period

    def value(self, column: str, month: date | None = None) -> Number | None:
        """A column of a month, this one by default; None for NULL and for a month without a row."""
        return self.shelf.value(column, month)

    def amount(self, column: str) -> Decimal:
        """A column of this month as an amount, 0 for NULL."""
        return Decimal(self.value(column) or 0)

    def source(self, column: str, month: date | None = None) -> Source:
        """Where a column of a month stands."""
        key = (
            ("tenant_id", self.shelf.tenant.tenant_id),
            ("month", (month or self.period.start).isoformat()),
        )
        return Source(MART, column, key)

    def figure(self, column: str) -> Figure:
        """A column of this month against the month before, with the months up to it."""
        history = tuple(self.value(column, month) for month in self.period.trend)
        return replace(self.shelf.figure(column), source=self.source(column), history=history)

    def money(self, key: str, label: str, value: Number | None, source: Source) -> Figure:
        """An amount that is no column of its own, such as a step of the waterfall."""
        reason = "" if value is not None else self.text.t("an amount or an exchange rate it needs is missing")
        return Figure(key, label, value, "money", "currency", self.shelf.tenant.currency, reason=reason,
                      source=source)  # fmt: skip

    def trend(self, column: str, wide: bool = False) -> Chart | None:
        """The column over 13 months; None when fewer than two have a value or all are 0."""
        if not any(self.value(column, month) for month in self.period.trend):
            return None
        chart = self.shelf.trend(column, wide)
        if chart is None or chart.end is None:
            return chart
        return replace(chart, end=replace(chart.end, source=self.source(column)))


def build(conn: rows.Connection, request: ReportRequest, text: Formatter, brand: Brand) -> Document:
    """The revenue report of one tenant and month; without any revenue a document that says so."""
    if request.branch_id is not None:
        raise MetricpressError(
            "the revenue report has no figures by branch",
            remedy="leave the branch out, or use the report lead_performance",
        )
    tenant = rows.read_tenant(conn, request.tenant_id, None)
    period = Period(request.frequency, request.period_start, request.period_end)
    period.check(tenant.week_start)
    book = _book(conn, tenant, period, text)
    if not _speaks(book.months.get(period.start, {})):
        extent = query.read_extent(conn, tenant.tenant_id)
        return common.document(request, tenant, period, text, brand, empty=_empty(tenant, text, extent))
    plans = query.read_plans(conn, tenant.tenant_id, period.start)
    movers = query.read_movers(conn, tenant.tenant_id, period, request.parameters.get("movers", MOVERS))
    sections = (
        _movements(book, movers),
        _part(book, RETENTION),
        _plans(book, plans, request.parameters.get("plan_rows", PLAN_ROWS)),
        _part(book, CUSTOMERS),
        _part(book, COLLECTION),
        _part(book, CASH),
        _months(book),
    )
    told = tuple(section for section in sections if section is not None)
    return _filled(request, book, brand, told, _sentences(conn, book))


def _book(conn: rows.Connection, tenant: rows.Tenant, period: Period, text: Formatter) -> Book:
    months = query.read_months(conn, tenant.tenant_id, period.trend[0], period.start)
    series = {
        column: {
            month: rows.Point(column, month, row[column], None, row["is_complete"])
            for month, row in months.items()
        }
        for column in query.COLUMNS
    }
    catalogue = words.OWN | rows.read_catalogue(
        conn, [name for name in query.COLUMNS if name not in words.OWN]
    )
    targets = rows.read_targets(conn, tenant.tenant_id, period)
    burn = months.get(period.start, {}).get("monthly_burn")
    reasons = words.NOTHING_TOLD | (
        {"runway_months": words.NO_BURN} if burn is not None and burn <= 0 else {}
    )
    return Book(Shelf(tenant, period, text, catalogue, series, targets, reasons=reasons), months)


def _speaks(row: Mapping[str, Any]) -> bool:
    """Whether a month has a figure other than 0, or one that lacks an exchange rate only."""
    if not row:
        return False
    return row["mrr"] is None or any(value for name, value in row.items() if name != "is_complete")


def _sentences(conn: rows.Connection, book: Book) -> Insights | None:
    """What the rules of docs/insights.md find in the month; nothing while it runs, nor on a quiet one."""
    if not book.months[book.period.start]["is_complete"]:
        return None
    shelf = book.shelf
    names = [name for rank in NEWS for name in rank]
    catalogue = {**shelf.catalogue} | rows.read_catalogue(
        conn, [n for n in names if n not in shelf.catalogue]
    )
    known = replace(shelf, catalogue=catalogue)
    candidates = [
        Candidate(known.blank(name), catalogue[name], weight)
        for rank, weight in zip(NEWS, RANKS, strict=True)
        for name in rank
        if name in catalogue
    ]
    opening = open_letter(
        conn, shelf.tenant.tenant_id, "month", book.period.start, candidates, shelf.targets, book.text
    )
    return Insights(opening.insights[:MOST_SENTENCES]) if opening.insights else None


def _filled(
    request: ReportRequest, book: Book, brand: Brand, sections: tuple[Section, ...], news: Insights | None
) -> Document:
    text = book.text
    tables = [block for section in sections for block in section.blocks if isinstance(block, FigureTable)]
    figures = [figure for table in tables for figure in table.figures]
    cards = tuple(book.figure(name) for name in CARDS if _speaking(book, name))[:MOST_CARDS]
    told = [figure for figure in cards if figure.value is not None][:2]
    complete = book.months[book.period.start]["is_complete"]
    leading = {*ECHOES, *(figure.key for figure in told)}
    others = [figure for figure in figures if figure.key not in leading]
    # What a part of a month won or lost is no progress on a whole one.
    tally = (prose.tally(others, book.period, text),) if complete else ()
    front: list[Block] = [*((news,) if news else ()), Cards(cards)]
    if waterfall := revenue_tables.waterfall(book):
        front.append(Charts((waterfall,)))
    if news is None and complete:
        front += prose.moves([figure for figure in others if _weighs(book, figure)], text)
    return common.document(
        request, book.shelf.tenant, book.period, text, brand,
        headline=_headline(told, text),
        standfirst=" ".join((*_opening(book), *tally)).strip(),
        front=tuple(front),
        sections=sections,
        definitions=prose.definitions(figures),
        notes=(text.t("Amounts are computed unrounded; rounded, a sum may differ in its last digit."),),
        warnings=_warnings(book),
    )  # fmt: skip


def _headline(told: Sequence[Figure], text: Formatter) -> str:
    """How the two leading figures moved, by names short enough for large type."""
    named = [
        replace(figure, label=text.t(words.SHORT[figure.key])) if figure.key in words.SHORT else figure
        for figure in told
    ]
    return prose.sentence([prose.moved(figure, text) for figure in named], text)


def _tabled(book: Book, columns: Sequence[str]) -> tuple[Figure, ...]:
    """Figures of a table, without the months: in German there is no room for them beside the change."""
    return tuple(replace(book.figure(column), history=()) for column in columns)


def _weighs(book: Book, figure: Figure) -> bool:
    """Whether a move is worth a remark: no step from 0, no movement below a hundredth of MRR."""
    if figure.comparison is None or not figure.comparison.value:
        return False
    if figure.key not in LEDGER or figure.format != "money":
        return True
    size = max(abs(Decimal(figure.value or 0)), abs(Decimal(figure.comparison.value)))
    return size * 100 >= max(book.amount("mrr"), book.amount("starting_mrr"))


def _warnings(book: Book) -> tuple[str, ...]:
    gap = revenue_tables.gap(book)
    if not gap:
        return ()
    amount = book.text.money(gap, book.shelf.tenant.currency)
    return (book.text.t(words.UNEXPLAINED, amount=amount),)


def _speaking(book: Book, column: str) -> bool:
    """Whether a column ever had a value other than 0 in the months up to this one."""
    return column == "mrr" or any(book.value(column, month) for month in book.period.trend)


def _opening(book: Book) -> tuple[str, ...]:
    """What the month was: what was won and lost, and what most of it was; that it has not ended."""
    text, currency = book.text, book.shelf.tenant.currency
    said = []
    if not book.months[book.period.start]["is_complete"]:
        day = text.day(book.shelf.tenant.as_of.date())
        said.append(text.t("The month had not ended: its movements are those up to {day}.", day=day))
    for kinds, one, several in (
        (revenue_tables.GAINS, N_("Won: {amount}, all of it from {kind}."),
         N_("Won: {amount}, most of it from {kind} ({part}).")),
        (revenue_tables.LOSSES, N_("Lost: {amount}, all of it through {kind}."),
         N_("Lost: {amount}, most of it through {kind} ({part}).")),
    ):  # fmt: skip
        parts = [(book.amount(step.column), text.t(step.words)) for step in kinds]
        part, kind = max(parts)
        total = sum((amount for amount, _ in parts), Decimal(0))
        if total > 0:
            words = one if part == total else several
            said.append(text.t(words, amount=text.money(total, currency, True), kind=kind,
                               part=text.money(part, currency, True)))  # fmt: skip
    return tuple(said)


def _lead(book: Book, columns: Sequence[str]) -> str:
    told = [figure for name in columns if (figure := book.figure(name)).value is not None]
    return prose.sentence([prose.moved(figure, book.text) for figure in told], book.text)


def _part(book: Book, part: Part) -> Section | None:
    """A section of charts and a table; none when none of its figures ever had a value other than 0."""
    if not any(_speaking(book, name) for name in part.metrics):
        return None
    shown = tuple(name for name in part.metrics if _speaking(book, name) or book.value(name) is None)
    title = book.text.t(part.title)
    charts = [chart for name in part.charts if (chart := book.trend(name))]
    if len(charts) == 1:
        charts = [replace(charts[0], wide=True)]
    figures = _tabled(book, shown)
    table = FigureTable(part.key, title, figures, book.period.before(book.text))
    blocks: tuple[Block, ...] = (*((Charts(tuple(charts)),) if charts else ()), table)
    return Section(part.key, title, _lead(book, part.told), blocks)


def _movements(book: Book, movers: Sequence[query.Mover]) -> Section:
    text = book.text
    before = book.period.previous.start
    shown = [name for name in LEDGER if name not in RARE or book.value(name) or book.value(name, before)]
    blocks: list[Block] = []
    if chart := book.trend("mrr", wide=True):
        blocks.append(Charts((chart,)))
    figures = _tabled(book, shown)
    blocks.append(FigureTable("movements", text.t("Movements of MRR"), figures, book.period.before(text)))
    if movers:
        blocks.append(revenue_tables.movers(book, movers))
    people = sum(mover.customers for mover in movers)
    lead = text.n("{count} customer's MRR moved in the month.", "{count} customers' MRR moved in the month.",
                  people) if people else text.t("No customer's MRR moved in the month.")  # fmt: skip
    return Section("movements", text.t("Recurring revenue and its movements"), lead, tuple(blocks))


def _plans(book: Book, plans: Sequence[query.Plan], most: int) -> Section | None:
    if not plans:
        return None
    shown = revenue_tables.with_rest(plans, most)
    blocks: list[Block] = []
    if len(plans) > 1 and (chart := revenue_tables.plan_shares(book, shown)):
        blocks.append(Charts((chart,)))
    blocks += revenue_tables.plans(book, shown, plans)
    return Section("plans", book.text.t("Plans"), _plan_lead(book, plans), tuple(blocks))


def _plan_lead(book: Book, plans: Sequence[query.Plan]) -> str:
    """Which plan brings most of the MRR; nothing where amounts are missing or there is one plan."""
    text, total = book.text, book.value("mrr")
    known = [(amount, plan.name) for plan in plans if (amount := plan.amounts["mrr"]) is not None]
    if not total or len(known) < max(len(plans), 2):
        return ""
    amount, name = max(known)
    share = text.like(Figure("", "", None, "percent"), amount / Decimal(total))
    plan = revenue_tables.plan_name(name, text)
    return text.t("Plan with the most MRR: {plan}, {share} of all.", plan=plan, share=share)


def _months(book: Book) -> Section | None:
    known = [month for month in book.period.trend if month in book.months]
    if len(known) < 2:
        return None
    text = book.text
    title = text.n("{count} month in figures", "{count} months in figures", len(known))
    return Section("months", title, "", (revenue_tables.months(book, known),))


def _empty(tenant: rows.Tenant, text: Formatter, extent: tuple[date, date] | None) -> str:
    if extent is None:
        return text.t(words.NEVER, name=tenant.name)
    first, last = (text.period(month, month.replace(day=2), "monthly") for month in extent)
    return text.t(words.ELSEWHERE, name=tenant.name, first=first, last=last)
