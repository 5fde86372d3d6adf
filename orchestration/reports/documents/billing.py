"""The billing report: what was invoiced, what came in and what is owed, in each currency by itself.

Belongs here: its sections, the figures in them and the words of its opening. Does not belong here: queries
(data/) and looks. Currencies are never added together: an exchange rate would be made up for money nobody
exchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from babel.numbers import list_currencies

from orchestration.errors import MetricpressError
from orchestration.reports.data import billing as query
from orchestration.reports.data import common as rows
from orchestration.reports.document import (
    Block,
    Brand,
    Cards,
    Chart,
    Charts,
    Column,
    Direction,
    Document,
    Figure,
    FigureTable,
    Format,
    Number,
    Row,
    Section,
    Series,
    Source,
    Table,
)
from orchestration.reports.documents import common, prose
from orchestration.reports.formatting import Formatter
from orchestration.reports.messages import N_
from orchestration.reports.periods import Period
from orchestration.reports.request import ReportRequest

MART = "marts.billing_monthly"
#: Currencies with a section of their own; all others stand in the table that puts them side by side.
SECTIONS = 6


@dataclass(frozen=True)
class Measure:
    """A figure of one currency: a column, or columns with their signs over another column.

    `parts`: column and sign; `base`: what their sum is divided by.
    """

    key: str
    label: str
    definition: str
    parts: tuple[tuple[str, int], ...]
    direction: Direction
    base: str = ""
    reason: str = ""

    @property
    def column(self) -> str:
        """The expression over the mart's columns."""
        terms = "".join(f"{' - ' if sign < 0 else ' + '}{name}" for name, sign in self.parts)[3:]
        return f"({terms}) / {self.base}" if self.base and len(self.parts) > 1 else (
            f"{terms} / {self.base}" if self.base else terms
        )  # fmt: skip


MEASURES = (
    Measure("invoiced", N_("Invoices"), N_("Invoiced in the month, tax included; no drafts, none void."),
            (("invoiced", 1),), "up"),
    Measure("tax", N_("Tax in invoices"), N_("Tax within the invoices."), (("tax", 1),), "neutral"),
    Measure("net_invoiced", N_("Invoices without tax"), N_("Invoices less tax."),
            (("invoiced", 1), ("tax", -1)), "up"),
    Measure("collected", N_("Payments"), N_("Payments that succeeded in the month, before refunds."),
            (("collected", 1),), "up"),
    Measure("refunded", N_("Refunds"),
            N_("Given back of the month's payments, whenever: it stands in the month of the payment."),
            (("refunded", 1),), "down"),
    Measure("net_collected", N_("Payments less refunds"), N_("Payments less what was given back of them."),
            (("collected", 1), ("refunded", -1)), "up"),
    Measure("collected_share", N_("Share collected"),
            N_("Payments / invoices of the month; those of earlier invoices can take it above 100%."),
            (("collected", 1),), "up", "invoiced", N_("nothing was invoiced")),
    Measure("uncollectible", N_("Uncollectible amount"),
            N_("Unpaid part of the month's invoices that is given up."),
            (("uncollectible", 1),), "down"),
    Measure("outstanding", N_("Outstanding amount"), N_("Issued and unpaid at the end of the month."),
            (("outstanding", 1),), "down"),
    Measure("old_share", N_("Share owed for more than 30 days"),
            N_("Of what is outstanding, issued more than 30 days before the end of the month."),
            (("outstanding", 1), ("outstanding_0_to_30_days", -1)), "down", "outstanding",
            N_("nothing is outstanding")),
)  # fmt: skip
BY_KEY = {measure.key: measure for measure in MEASURES}
CARDS = ("invoiced", "collected", "collected_share", "refunded", "outstanding", "old_share")
AGES = (
    ("outstanding_0_to_30_days", N_("up to 30 days")), ("outstanding_31_to_60_days", N_("31 to 60 days")),
    ("outstanding_61_to_90_days", N_("61 to 90 days")), ("outstanding_over_90_days", N_("more than 90 days")),
)  # fmt: skip
NEVER = N_("{name} has no recorded invoices or payments yet. A report will follow once the first has come.")
ELSEWHERE = N_("Nothing was billed or owed in this month. Bills of {name} lie between {first} and {last}.")
NEVER_ADDED = N_("Each currency stands by itself, as invoiced and paid: nothing is converted or added up.")


@dataclass(frozen=True)
class Ledger:
    """The months of one currency, and the figures made of them."""

    tenant: rows.Tenant
    period: Period
    text: Formatter
    currency: str
    months: Mapping[date, Mapping[str, Any]]

    @property
    def form(self) -> tuple[Format, str | None]:
        """How its amounts print: as money, or as numbers where the currency is not told."""
        known = self.currency in list_currencies()
        return ("money", self.currency) if known else ("decimal", None)

    @property
    def name(self) -> str:
        """The currency as it is named: its code."""
        return self.text.t("Currency not told") if self.currency == "(none)" else self.currency

    def column(self, column: str, month: date | None = None) -> Decimal | None:
        """An amount of a month, this one by default; None for a month without a row."""
        row = self.months.get(month or self.period.start)
        return None if row is None else row[column]

    def value(self, measure: Measure, month: date | None = None) -> Number | None:
        """A measure of a month; None without a row and where there is nothing to divide by."""
        parts = [(self.column(name, month), sign) for name, sign in measure.parts]
        total = Decimal(0)
        for part, sign in parts:
            if part is None:
                return None
            total += sign * part
        if not measure.base:
            return total
        base = self.column(measure.base, month)
        return total / base if base else None

    def source(self, column: str, month: date | None = None) -> Source:
        """Where a number stands."""
        key = (("tenant_id", self.tenant.tenant_id), ("month", (month or self.period.start).isoformat()),
               ("currency", self.currency))  # fmt: skip
        return Source(MART, column, key)

    def blank(self, measure: Measure) -> Figure:
        """A figure of the measure's form without a value."""
        form, currency = ("percent", None) if measure.base else self.form
        unit = "rate" if measure.base else "currency"
        key = f"{self.currency}.{measure.key}"
        return Figure(key, self.text.t(measure.label), None, form, unit, currency, measure.direction,
                      self.text.t(measure.definition))  # fmt: skip

    def figure(self, key: str) -> Figure:
        """A measure of this month against the month before, with the months up to it."""
        measure = BY_KEY[key]
        blank, value = self.blank(measure), self.value(measure)
        before = self.value(measure, self.period.previous.start)
        reason = measure.reason or N_("no invoice or payment in this currency by then")
        label = self.period.before(self.text)
        return replace(
            blank,
            value=value,
            reason="" if value is not None else self.text.t(reason),
            comparison=common.compare(value, before, label, blank.format, measure.direction),
            source=self.source(measure.column),
            history=tuple(self.value(measure, month) for month in self.period.trend),
        )

    def amount(self, key: str, value: Number | None, source: Source) -> Figure:
        """An amount that is not one of the measures of this month."""
        form, currency = self.form
        reason = "" if value is not None else self.text.t("no invoice or payment in this currency by then")
        return Figure(
            f"{self.currency}.{key}", "", value, form, "currency", currency, reason=reason, source=source
        )

    def trend(self, key: str) -> Chart | None:
        """A measure over 13 months; None with fewer than two values or when all are 0."""
        figure = self.figure(key)
        known = [value for value in figure.history if value is not None]
        if len(known) < 2 or not any(known):
            return None
        return common.line_chart(figure, self.period, figure.history, self.text, wide=False)

    @property
    def speaks(self) -> bool:
        """Whether anything happened in this month or is owed at its end."""
        return any(self.column(name) for name in query.COLUMNS)


def build(conn: rows.Connection, request: ReportRequest, text: Formatter, brand: Brand) -> Document:
    """The billing report of one tenant and month; without a bill or a debt a document that says so."""
    if request.branch_id is not None:
        raise MetricpressError(
            "the billing report has no figures by branch", remedy="leave the branch out of the request"
        )
    tenant = rows.read_tenant(conn, request.tenant_id, None)
    period = Period(request.frequency, request.period_start, request.period_end)
    period.check(tenant.week_start)
    found = query.read_months(conn, tenant.tenant_id, period.trend[0], period.start)
    wanted = request.parameters.get("currencies")
    ledgers = [
        Ledger(tenant, period, text, currency, months)
        for currency, months in found.items()
        if wanted is None or currency in wanted
    ]
    if not any(ledger.speaks for ledger in ledgers):
        extent = query.read_extent(conn, tenant.tenant_id)
        return common.document(request, tenant, period, text, brand, empty=_empty(tenant, text, extent))
    return _filled(request, sorted(ledgers, key=_rank), brand)


def _rank(ledger: Ledger) -> tuple[bool, bool, int, str]:
    """The tenant's currency first, then those of this month, then those with the most months."""
    own = ledger.currency == ledger.tenant.currency
    return (not own, not ledger.speaks, -len(ledger.months), ledger.currency)


def _filled(request: ReportRequest, ledgers: list[Ledger], brand: Brand) -> Document:
    speaking = [ledger for ledger in ledgers if ledger.speaks]
    main, text = speaking[0], speaking[0].text
    cards = tuple(main.figure(key) for key in CARDS)
    if len(speaking) > 1:
        cards = tuple(replace(card, label=f"{card.label}, {main.name}") for card in cards)
    figures = [main.figure(measure.key) for measure in MEASURES]
    complete = main.months[main.period.start]["is_complete"]
    front: list[Block] = [Cards(cards)]
    sections = [_section(ledger) for ledger in speaking[:SECTIONS]]
    notes = [text.t(NEVER_ADDED)]
    if len(speaking) > 1:
        sections.insert(0, _side_by_side(speaking, text))
    if len(speaking) > SECTIONS:
        rest = text.listed([ledger.name for ledger in speaking[SECTIONS:]])
        notes.append(text.t("Without a section of their own: {currencies}.", currencies=rest))
    return common.document(
        request, main.tenant, main.period, text, brand,
        headline=_headline(main),
        standfirst=" ".join(part for part in (_incomplete(main), _standfirst(main, speaking)) if part),
        front=(*front, *_age_chart(main), *(prose.moves(figures[2:], text) if complete else ())),
        sections=tuple(sections),
        definitions=prose.definitions(figures),
        notes=tuple(notes),
    )  # fmt: skip


def _incomplete(ledger: Ledger) -> str:
    if ledger.months[ledger.period.start]["is_complete"]:
        return ""
    day = ledger.text.day(ledger.tenant.as_of.date())
    return ledger.text.t("The month had not ended: its bills are those up to {day}.", day=day)


def _headline(ledger: Ledger) -> str:
    figures = [ledger.figure(key) for key in ("invoiced", "collected")]
    return prose.sentence([prose.moved(figure, ledger.text) for figure in figures], ledger.text)


def _standfirst(ledger: Ledger, speaking: list[Ledger]) -> str:
    """In which other currencies there are bills, what is owed in this one and how much of it for long."""
    text, said = ledger.text, []
    owed, old = ledger.figure("outstanding"), ledger.figure("old_share")
    if len(speaking) > 1:
        others = text.listed([other.name for other in speaking[1:]])
        said.append(text.t("These are the figures in {currency}; further bills are in {others}.",
                           currency=ledger.name, others=others))  # fmt: skip
    if not owed.value:
        said.append(text.t("Nothing was outstanding at the end of the month."))
    elif not old.value:
        said.append(text.t("Outstanding at the end of the month: {amount}, none of it for more than 30 days.",
                           amount=text.figure(owed, True)))  # fmt: skip
    else:
        said.append(text.t(
            "Outstanding at the end of the month: {amount}, {share} of it for more than 30 days.",
            amount=text.figure(owed, True), share=text.figure(old),
        ))  # fmt: skip
    return " ".join(said)


def _section(ledger: Ledger) -> Section:
    text = ledger.text
    title = text.t("Bills in {currency}", currency=ledger.name)
    charts = [chart for key in ("invoiced", "collected", "outstanding", "collected_share")
              if (chart := ledger.trend(key))]  # fmt: skip
    blocks: list[Block] = [Charts(tuple(charts[at : at + 2])) for at in range(0, len(charts), 2)]
    figures = tuple(replace(ledger.figure(measure.key), history=()) for measure in MEASURES)
    blocks.append(FigureTable(f"{ledger.currency}.figures", title, figures, ledger.period.before(text)))
    if ledger.column("outstanding"):
        blocks.append(_ages(ledger))
    blocks.append(_months(ledger))
    return Section(f"currency-{ledger.currency.strip('()')}", title, _headline(ledger), tuple(blocks))


def _age_chart(ledger: Ledger) -> tuple[Charts, ...]:
    """What is owed by age as bars; nothing when nothing is owed."""
    text = ledger.text
    if not ledger.column("outstanding"):
        return ()
    labels = tuple(
        replace(ledger.amount(column, ledger.column(column), ledger.source(column)), label=text.t(name))
        for column, name in AGES
    )
    title = text.t("Outstanding by age, in {currency}", currency=ledger.name)
    told = ", ".join(f"{figure.label} {text.figure(figure, True)}" for figure in labels)
    chart = Chart(f"{ledger.currency}.ages", title, "bars", tuple(figure.label for figure in labels),
                  (Series(title, tuple(figure.value for figure in labels)),), labels[0], f"{title}: {told}.",
                  labels=labels, note=text.t("days since the invoice was issued"), wide=True)  # fmt: skip
    return (Charts((chart,)),)


def _ages(ledger: Ledger) -> Table:
    """What is owed by age: this month, its share, and the month before."""
    text, before = ledger.text, ledger.period.previous.start
    owed = ledger.column("outstanding")

    def row(column: str, name: str, total: bool = False) -> Row:
        now, then = ledger.column(column), ledger.column(column, before)
        share = None if now is None or not owed else now / owed
        reason = "" if share is not None else text.t("nothing is outstanding")
        return Row(name, (
            ledger.amount(column, now, ledger.source(column)),
            Figure(f"{ledger.currency}.{column}.share", "", share, "percent", "rate", reason=reason,
                   source=ledger.source(f"{column} / outstanding")),
            ledger.amount(f"{column}.before", then, ledger.source(column, before)),
        ), total)  # fmt: skip

    label = ledger.period.before(text)
    columns = (
        Column(text.t("Outstanding by age"), "left"), Column(text.t("End of this month")),
        Column(text.t("Share")), Column(label[:1].upper() + label[1:]),
    )  # fmt: skip
    body = tuple(row(column, text.t(name)) for column, name in AGES)
    return Table(f"{ledger.currency}.ages", text.t("Outstanding by age, in {currency}", currency=ledger.name),
                 columns, (*body, row("outstanding", text.t("All"), total=True)))  # fmt: skip


def _months(ledger: Ledger) -> Table:
    """The months up to this one, the newest last."""
    text = ledger.text
    shown = ("invoiced", "collected", "refunded", "outstanding")
    share = BY_KEY["collected_share"]

    def row(month: date) -> Row:
        amounts = tuple(
            ledger.amount(f"{month}.{key}", ledger.column(key, month), ledger.source(key, month))
            for key in shown
        )
        value = ledger.value(share, month)
        reason = "" if value is not None else text.t(share.reason)
        rate = Figure(f"{ledger.currency}.{month}.{share.key}", "", value, "percent", "rate", reason=reason,
                      source=ledger.source(share.column, month))  # fmt: skip
        return Row(text.short_date(month, "monthly"), (*amounts, rate))

    known = [month for month in ledger.period.trend if month in ledger.months]
    columns = (
        Column(text.t("Month"), "left"), *(Column(text.t(BY_KEY[key].label)) for key in shown),
        Column(text.t(share.label)),
    )  # fmt: skip
    title = text.t("Months in {currency}", currency=ledger.name)
    return Table(f"{ledger.currency}.months", title, columns, tuple(row(month) for month in known))


def _side_by_side(speaking: list[Ledger], text: Formatter) -> Section:
    """All currencies of the month below each other; no sum, since there is none."""
    shown = ("invoiced", "collected", "collected_share", "refunded", "outstanding")
    columns = (Column(text.t("Currency"), "left"), *(Column(text.t(BY_KEY[key].label)) for key in shown))
    body = tuple(Row(ledger.name, tuple(ledger.figure(key) for key in shown)) for ledger in speaking)
    title = text.t("Currencies side by side")
    return Section("currencies", title, text.t(NEVER_ADDED), (Table("currencies", title, columns, body),))


def _empty(tenant: rows.Tenant, text: Formatter, extent: tuple[date, date] | None) -> str:
    if extent is None:
        return text.t(NEVER, name=tenant.name)
    first, last = (text.period(month, month.replace(day=2), "monthly") for month in extent)
    return text.t(ELSEWHERE, name=tenant.name, first=first, last=last)
