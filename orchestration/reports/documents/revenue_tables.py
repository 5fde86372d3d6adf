"""The waterfall and the tables of the revenue report.

Belongs here: steps of MRR, plans, customers whose MRR moved, and the months, each with where it stands in a
mart. Does not belong here: the order of sections (revenue.py) and queries (data/).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from babel.numbers import get_currency_precision

from orchestration.reports.data.revenue import PLAN_COLUMNS, Mover, Plan
from orchestration.reports.document import Chart, Column, Figure, Row, Series, Source, Table
from orchestration.reports.formatting import Formatter
from orchestration.reports.messages import N_

if TYPE_CHECKING:
    from orchestration.reports.documents.revenue import Book


@dataclass(frozen=True)
class Step:
    """A kind of movement: its column in the marts, its name on the waterfall, in a sentence, and its sign."""

    kind: str
    column: str
    label: str
    words: str
    sign: int


GAINS = (
    Step("new", "new_mrr", N_("New"), N_("new customers"), 1),
    Step("reactivation", "reactivation_mrr", N_("Returned"), N_("returning customers"), 1),
    Step("expansion", "expansion_mrr", N_("Expansion"), N_("expansion"), 1),
    Step("resumed", "resumed_mrr", N_("Resumed"), N_("resumed subscriptions"), 1),
)
LOSSES = (
    Step("contraction", "contraction_mrr", N_("Contraction"), N_("contraction"), -1),
    Step("churn", "churned_mrr", N_("Churn"), N_("churn"), -1),
    Step("paused", "paused_mrr", N_("Paused"), N_("pauses"), -1),
)
CURRENCY = Step("fx_impact", "fx_impact_mrr", N_("Currency"), N_("exchange rates"), 1)
STEPS = (*GAINS, *LOSSES, CURRENCY)
WON = " + ".join(step.column for step in GAINS)
LOST = " + ".join(step.column for step in LOSSES)
REST = "(rest)"
TWO_PLANS = N_(
    "Customers pay for a plan at the end of the month; one who pays for two counts in both, and once among "
    "all."
)
WON_AND_LOST = N_(
    "Won: new, returned, expansion and resumed. Lost: contraction, churn and paused. NRR and GRR: net and "
    "gross revenue retention."
)
LEDGER = "marts.mrr_movements"


def gap(book: Book) -> Decimal | None:
    """What the movements leave unexplained between the two ends, 0 below half a minor unit of the currency.

    None while an amount is missing.
    """
    values = [book.value(name) for name in ("starting_mrr", "mrr", *(step.column for step in STEPS))]
    if any(value is None for value in values):
        return None
    moved = sum((step.sign * book.amount(step.column) for step in STEPS), Decimal(0))
    left = book.amount("mrr") - book.amount("starting_mrr") - moved
    digits = get_currency_precision(book.shelf.tenant.currency)
    return left if abs(left) >= Decimal(5).scaleb(-digits - 1) else Decimal(0)


def waterfall(book: Book) -> Chart | None:
    """MRR from the end of the month before to the end of this one, each step that is not 0.

    A gap is a step of its own, so the picture always adds up. None without a step or with a missing amount.
    """
    text, left = book.text, gap(book)
    if left is None:
        return None
    steps = [
        book.money(f"waterfall.{step.kind}", text.t(step.label), step.sign * book.amount(step.column),
                   book.source(step.column if step.sign > 0 else f"- {step.column}"))
        for step in STEPS if book.amount(step.column)
    ]  # fmt: skip
    if left:
        moves = " - ".join(("mrr", "starting_mrr", f"({WON})", "fx_impact_mrr")) + f" + ({LOST})"
        steps.append(book.money("waterfall.gap", text.t("Unexplained"), left, book.source(moves)))
    if not steps:
        return None
    start = book.money("waterfall.start", text.t("Start"), book.value("starting_mrr"),
                       book.source("starting_mrr"))  # fmt: skip
    end = book.money("waterfall.end", text.t("End"), book.value("mrr"), book.source("mrr"))
    labels = (start, *steps, end)
    told = ", ".join(f"{figure.label} {text.figure(figure, True)}" for figure in labels)
    name = text.t("MRR from the start of the month to its end")
    return Chart("waterfall", name, "bridge", tuple(figure.label for figure in labels),
                 (Series("MRR", tuple(figure.value for figure in labels)),), book.shelf.blank("mrr"),
                 f"{name}: {told}.", labels=labels, wide=True)  # fmt: skip


def movers(book: Book, found: Sequence[Mover]) -> Table:
    """Customers whose MRR moved most, all others in one row, and the sum: the change of the month."""
    text, key = book.text, _where(book, "movement_date", f"{book.period.start}..{book.period.end}")

    def row(mover: Mover) -> Row:
        name = mover.customer_id or REST
        where = (*key, ("customer_id", mover.customer_id or f"not in the {len(found) - 1} above"))
        told = (
            ("before", mover.mrr_before, "first mrr_before"), ("after", mover.mrr_after, "last mrr_after"),
            ("change", mover.change, "sum of amount, signed"),
        )  # fmt: skip
        cells = (
            book.money(f"mover.{name}.{part}", "", value, Source(LEDGER, column, where))
            for part, value, column in told
        )
        label = mover.customer_id or text.n("{count} further customer", "{count} further customers",
                                            mover.customers)  # fmt: skip
        return Row(label, (_kinds(mover.movements, text), *cells))

    change = _add(mover.change for mover in found)
    total = book.money("mover.all.change", "", change, Source(LEDGER, "sum of amount, signed", key))
    columns = (
        Column(text.t("Customers by the size of their change"), "left"), Column(text.t("What moved"), "left"),
        Column(text.t("MRR before")), Column(text.t("MRR after")), Column(text.t("Change")),
    )  # fmt: skip
    rows = (*(row(mover) for mover in found), Row(text.t("All customers"), ("", "", "", total), total=True))
    return Table("movers", text.t("Largest movements by customer"), columns, rows)


def _kinds(movements: Sequence[str], text: Formatter) -> str:
    names = {step.kind: step.label for step in STEPS}
    if not movements:
        return ""
    kind = text.t(names[movements[0]])
    if len(movements) == 1:
        return kind
    return text.t("{kind} and {count} more", kind=kind, count=len(movements) - 1)


def _where(book: Book, column: str, value: str) -> tuple[tuple[str, str], ...]:
    return (("tenant_id", book.shelf.tenant.tenant_id), (column, value))


def _add(values: Iterable[Decimal | None]) -> Decimal | None:
    """The sum; None when one is missing."""
    total = Decimal(0)
    for value in values:
        if value is None:
            return None
        total += value
    return total


def plan_name(plan: str, text: Formatter) -> str:
    """A plan as it is shown; subscriptions without one are told apart."""
    return text.t("no plan") if plan == "(none)" else plan


def with_rest(plans: Sequence[Plan], most: int) -> list[Plan]:
    """At most `most` plans, those with the most MRR; all others added up as one more."""
    if len(plans) <= most:
        return list(plans)
    rest = plans[most:]
    amounts = {name: _add(plan.amounts[name] for plan in rest) for name in PLAN_COLUMNS}
    return [*plans[:most], Plan(REST, amounts, sum(plan.paying_customers for plan in rest),
                                sum(plan.active_subscriptions for plan in rest))]  # fmt: skip


def _plan_source(book: Book, plan: Plan | None, column: str) -> Source:
    key = _where(book, "month", book.period.start.isoformat())
    name = "all" if plan is None else plan.name
    return Source("marts.revenue_by_plan", column, (*key, ("plan", name)))


def _share(book: Book, plan: Plan) -> Figure:
    total, mrr = book.value("mrr"), plan.amounts["mrr"]
    share = None if mrr is None or not total else mrr / Decimal(total)
    reason = "" if share is not None else book.text.t("there is no MRR to divide by, or an amount is missing")
    return Figure(f"plan.{plan.name}.share", "", share, "percent", "rate", reason=reason,
                  source=_plan_source(book, plan, "mrr / mrr of all plans"))  # fmt: skip


def plan_shares(book: Book, shown: Sequence[Plan]) -> Chart | None:
    """A bar for each plan's share of MRR; None when a share is missing or no plan has MRR."""
    text = book.text
    shares = tuple(_share(book, plan) for plan in shown)
    if not shares or any(share.value is None for share in shares):
        return None
    names = tuple(_label(book, plan) for plan in shown)
    told = ", ".join(f"{name} {text.figure(share)}" for name, share in zip(names, shares, strict=True))
    title = text.t("Share of MRR by plan")
    values = (Series(title, tuple(share.value for share in shares)),)
    return Chart("plan_shares", title, "bars", names, values, shares[0], f"{title}: {told}.", labels=shares,
                 wide=True)  # fmt: skip


def _label(book: Book, plan: Plan) -> str:
    return book.text.t("All other plans") if plan.name == REST else plan_name(plan.name, book.text)


def plans(book: Book, shown: Sequence[Plan], every: Sequence[Plan]) -> list[Table]:
    """What plans bring, what they won and what they lost; columns that are 0 everywhere are left out."""
    tables = [_standing(book, shown, every)]
    won = [(step.column, step.label) for step in GAINS] + [("transferred_in_mrr", N_("From other plans"))]
    lost = [(step.column, step.label) for step in LOSSES] + [
        ("transferred_out_mrr", N_("To other plans")), (CURRENCY.column, CURRENCY.label)
    ]  # fmt: skip
    kinds = (("plans_won", N_("What plans won"), won), ("plans_lost", N_("What plans lost"), lost))
    for key, title, columns in kinds:
        moved = [pair for pair in columns if any(plan.amounts[pair[0]] != 0 for plan in every)]
        if moved:
            tables.append(_by_plan(book, key, title, moved, shown, every))
    return tables


def _cell(book: Book, plan: Plan, column: str) -> Figure:
    value, source = plan.amounts[column], _plan_source(book, plan, column)
    return book.money(f"plan.{plan.name}.{column}", "", value, source)


def _sum(book: Book, every: Sequence[Plan], column: str) -> Figure:
    value = _add(plan.amounts[column] for plan in every)
    return book.money(f"plan.all.{column}", "", value, _plan_source(book, None, f"sum of {column}"))


def _by_plan(
    book: Book, key: str, title: str, moved: Sequence[tuple[str, str]], shown: Sequence[Plan],
    every: Sequence[Plan],
) -> Table:  # fmt: skip
    text = book.text
    columns = (Column(text.t(title), "left"), *(Column(text.t(label)) for _, label in moved))
    rows = [
        Row(_label(book, plan), tuple(_cell(book, plan, column) for column, _ in moved)) for plan in shown
    ]
    total = Row(text.t("All plans"), tuple(_sum(book, every, column) for column, _ in moved), total=True)
    return Table(key, text.t(title), columns, (*rows, *((total,) if len(every) > 1 else ())))


def _standing(book: Book, shown: Sequence[Plan], every: Sequence[Plan]) -> Table:
    """MRR at the start and at the end, growth, customers and subscriptions of each plan."""
    text = book.text

    def count(plan: Plan, column: str, value: int) -> Figure:
        return Figure(f"plan.{plan.name}.{column}", "", value, source=_plan_source(book, plan, column))

    def row(plan: Plan) -> Row:
        return Row(_label(book, plan), (
            _cell(book, plan, "starting_mrr"), _cell(book, plan, "mrr"), _growth(book, plan),
            _share(book, plan),
            count(plan, "paying_customers", plan.paying_customers),
        ))  # fmt: skip

    columns = (
        Column(text.t("Plan"), "left"), Column(text.t("MRR at the start")), Column(text.t("MRR at the end")),
        Column(text.t("Growth")), Column(text.t("Share")), Column(text.t("Customers")),
    )  # fmt: skip
    whole = Row(text.t("All plans"), (
        _sum(book, every, "starting_mrr"), _sum(book, every, "mrr"), book.figure("mrr_growth_rate"), "",
        book.figure("paying_customers"),
    ), total=True)  # fmt: skip
    note = text.t(TWO_PLANS)
    return Table("plans", text.t("Plans"), columns, (*(row(plan) for plan in shown), whole), note)


def _growth(book: Book, plan: Plan) -> Figure:
    start, end = plan.amounts["starting_mrr"], plan.amounts["mrr"]
    rate = None if start is None or end is None or start <= 0 else (end - start) / start
    reason = "" if rate is not None else book.text.t("the plan had no MRR at the start of the month")
    return Figure(f"plan.{plan.name}.growth", "", rate, "percent", "rate", reason=reason,
                  source=_plan_source(book, plan, "(mrr - starting_mrr) / starting_mrr"))  # fmt: skip


def months(book: Book, known: Sequence[date]) -> Table:
    """The months up to this one, the newest last: MRR, won, lost, retention."""
    text = book.text

    def amount(month: date, name: str, column: str, steps: Sequence[Step] = ()) -> Figure:
        parts = [book.months[month][step.column] for step in steps] or [book.months[month][column]]
        return book.money(f"month.{month}.{name}", "", _add(parts), book.source(column, month))

    def other(month: date, column: str) -> Figure:
        blank, value = book.shelf.blank(column), book.value(column, month)
        return Figure(f"month.{month}.{column}", blank.label, value, blank.format, blank.unit,
                      reason="" if value is not None else _why(book, month),
                      source=book.source(column, month))  # fmt: skip

    make: tuple[Callable[[date], Figure], ...] = (
        lambda month: amount(month, "mrr", "mrr"),
        lambda month: amount(month, "won", WON, GAINS),
        lambda month: amount(month, "lost", LOST, LOSSES),
        lambda month: other(month, "nrr"),
        lambda month: other(month, "grr"),
    )
    columns = (
        Column(text.t("Month"), "left"), Column("MRR"), Column(text.t("Won")), Column(text.t("Lost")),
        Column(text.t("NRR")), Column(text.t("GRR")),
    )  # fmt: skip
    rows = tuple(
        Row(text.short_date(month, "monthly"), tuple(cell(month) for cell in make)) for month in known
    )
    note = text.t(WON_AND_LOST)
    return Table("months", text.t("Months"), columns, rows, note)


def _why(book: Book, month: date) -> str:
    row, text = book.months[month], book.text
    if not row["is_complete"]:
        name = text.short_date(month, "monthly")
        return text.t("{period} had not ended when the data was taken", period=name)
    if row["starting_mrr"] is None or row["mrr"] is None:
        return text.t("an amount or an exchange rate it needs is missing")
    return text.t("no customer paid at the start")
