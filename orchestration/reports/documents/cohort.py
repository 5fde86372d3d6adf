"""The cohort report: how many of those who came in a month (or week) are still there.

Belongs here: its sections, the figures in them, and the words of its opening. Does not belong here: queries
(data/), which cells are complete and what is averaged (cohort_grid.py), and looks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from orchestration.errors import MetricpressError
from orchestration.reports.data import cohort as query
from orchestration.reports.data import common as rows
from orchestration.reports.document import (
    Block,
    Brand,
    Cards,
    Chart,
    Charts,
    Column,
    Definition,
    Document,
    Figure,
    Format,
    Number,
    Row,
    Section,
    Series,
    Source,
    Table,
)
from orchestration.reports.documents import cohort_words as words
from orchestration.reports.documents import common
from orchestration.reports.documents.cohort_grid import LEAST_SIZE, Average, Grid, add_periods, period_of
from orchestration.reports.formatting import Formatter
from orchestration.reports.messages import N_
from orchestration.reports.periods import Period
from orchestration.reports.request import ReportRequest

COHORTS, PERIODS = 12, 12
MART = "marts.cohort_retention"
#: Buckets that cards and the table by cohort show.
MILESTONES = {"month": (1, 3, 6, 12), "week": (1, 4, 8, 12)}
COHORT_BY = {"user": "first_activity", "customer": "first_payment", "revenue": "first_payment"}
MODE = {"month": "calendar", "week": "rolling"}


@dataclass(frozen=True)
class Leaf:
    """Everything one report says: the cells as of its last day and as of the month before's."""

    tenant: rows.Tenant
    period: Period
    text: Formatter
    grid: Grid
    before: Grid

    @property
    def subject(self) -> Literal["user", "customer", "revenue"]:
        """Of whom retention is told."""
        return self.grid.choice.subject

    def after(self, index: int) -> str:
        """How long after the first period, in words: `After 3 months`."""
        if self.grid.choice.period == "week":
            return self.text.n("After {count} week", "After {count} weeks", index)
        return self.text.n("After {count} month", "After {count} months", index)

    def name(self, cohort: date) -> str:
        """A cohort as it is named in tables: its month, or the first day of its week."""
        if self.grid.choice.period == "month":
            return self.text.short_date(cohort, "monthly")
        return self.text.day(cohort)

    def source(self, column: str, *where: tuple[str, str]) -> Source:
        """Where a number stands."""
        return Source(MART, column, (("tenant_id", self.tenant.tenant_id), *self.grid.choice.key, *where))

    def rate(self, cohort: date, index: int) -> Figure:
        """Retention of a cohort in a bucket."""
        value = self.grid.rate(cohort, index)
        there = (cohort, index) in self.grid.cells
        missing = (
            self.text.t(words.NO_RATE) if there else self.text.t("not everybody had completed the period")
        )
        where = (("cohort_start", cohort.isoformat()), ("period_index", str(index)))
        return Figure(f"cohort.{cohort}.{index}", "", value, "percent", "rate", direction="up",
                      reason="" if value is not None else missing,
                      source=self.source("retention_rate", *where))  # fmt: skip

    def size(self, cohort: date) -> Figure:
        """How many a cohort has."""
        where = (("cohort_start", cohort.isoformat()), ("period_index", "0"))
        return Figure(f"cohort.{cohort}.size", "", self.grid.sizes[cohort],
                      source=self.source("cohort_size", *where))  # fmt: skip

    def average(self, index: int) -> Figure:
        """The weighted average of a bucket against that of the month before."""
        value, earlier = self.grid.average(index).rate, self.before.average(index).rate
        sums = (
            "sum(retained_mrr) / sum(eligible_starting_mrr)"
            if self.subject == "revenue"
            else "sum(retained) / sum(cohort_size)"
        )
        history = tuple(self.grid.average(at).rate for at in range(index + 1))
        label = self.period.before(self.text)
        return Figure(f"average.{index}", self.after(index), value, "percent", "rate", direction="up",
                      reason="" if value is not None else self.text.t("no cohort has come that far"),
                      comparison=common.compare(value, earlier, label, "percent", "up"),
                      source=self.source(f"{sums} of complete cells", ("period_index", str(index))),
                      history=history if index > 1 else ())  # fmt: skip


def choice_of(parameters: Mapping[str, Any]) -> query.Choice:
    """What the parameters ask for; what they leave out is customers by first payment, over months."""
    subject = parameters.get("subject", "customer")
    period = parameters.get("period", "month")
    mode = parameters.get("mode", MODE[period])
    return query.Choice(subject, parameters.get("cohort_by", COHORT_BY[subject]), period, mode)


def build(conn: rows.Connection, request: ReportRequest, text: Formatter, brand: Brand) -> Document:
    """The cohort report of one tenant and month; without cohorts a document that says so."""
    if request.branch_id is not None:
        raise MetricpressError(
            "the cohort report has no figures by branch",
            remedy="leave the branch out of the request",
        )
    tenant = rows.read_tenant(conn, request.tenant_id, None)
    period = Period(request.frequency, request.period_start, request.period_end)
    period.check(tenant.week_start)
    choice = choice_of(request.parameters)
    count = request.parameters.get("cohorts", COHORTS)

    def first(day: date) -> date:
        return add_periods(period_of(day, choice.period, tenant.week_start), choice.period, 1 - count)

    earliest, most = first(period.previous.end), request.parameters.get("periods", PERIODS)
    cells = query.read_cells(conn, tenant.tenant_id, choice, earliest, period.end, most)
    grids = [Grid.of(choice, cells, first(day), day) for day in (period.end, period.previous.end)]
    leaf = Leaf(tenant, period, text, *grids)
    if not leaf.grid.cells:
        empty = _empty(conn, tenant, choice, text)
        return common.document(request, tenant, period, text, brand, empty=empty)
    return _filled(request, leaf, brand)


def _filled(request: ReportRequest, leaf: Leaf, brand: Brand) -> Document:
    text, choice = leaf.text, leaf.grid.choice
    definitions = (
        Definition(text.t("Cohorts"), text.t(words.BY[choice.cohort_by])),
        Definition(text.t("Retention"), text.t(words.ACTIVE[leaf.subject])),
        Definition(text.t("Periods"), text.t(words.COUNTED[choice.period, choice.mode])),
        Definition(text.t("Averages"), text.t(words.WEIGHTED)),
    )
    return common.document(
        request, leaf.tenant, leaf.period, text, brand,
        headline=_headline(leaf),
        standfirst=_standfirst(leaf),
        front=(Cards(_cards(leaf)), Charts((_heatmap(leaf),))),
        sections=(_average(leaf), _cohorts(leaf)),
        definitions=definitions,
    )  # fmt: skip


def _reference(leaf: Leaf) -> int | None:
    """The bucket the opening speaks of; None while all are too young.

    The second milestone, else the first, where enough people have come that far; else the first there is.
    """
    first, second, *_ = MILESTONES[leaf.grid.choice.period]
    known = [
        leaf.grid.average(index) for index in (second, first) if leaf.grid.average(index).rate is not None
    ]
    large = [average for average in known if average.members >= LEAST_SIZE]
    return (large or known[::-1])[0].index if known else None


def _headline(leaf: Leaf) -> str:
    index = _reference(leaf)
    if index is None:
        return leaf.text.t(words.TOO_YOUNG)
    rate = leaf.text.figure(leaf.average(index))
    return leaf.text.t(words.HEADLINE[leaf.subject], after=leaf.after(index), rate=rate)


def _standfirst(leaf: Leaf) -> str:
    """How many stand behind the headline, what it was a month ago, best and weakest cohort."""
    text, index = leaf.text, _reference(leaf)
    if index is None:
        return ""
    average, figure = leaf.grid.average(index), leaf.average(index)
    people = text.like(Figure("", "", None), average.members)
    said = [_known(leaf, average, people)]
    if figure.comparison and figure.comparison.value is not None:
        before = text.like(figure, figure.comparison.value)
        said.append(text.t("A month earlier the share was {before}.", before=before))
    ranked = leaf.grid.ranked(index)
    if len(ranked) < 2:
        said.append(text.t(words.TOO_SMALL, least=LEAST_SIZE))
    elif ranked[0].retention_rate == ranked[-1].retention_rate:
        rate = text.like(figure, ranked[0].retention_rate)
        said.append(text.t(words.EQUAL, least=LEAST_SIZE, rate=rate))
    else:
        best, worst = ranked[0], ranked[-1]
        said.append(text.t(
            words.BEST, best=leaf.name(best.cohort_start), best_rate=text.like(figure, best.retention_rate),
            worst=leaf.name(worst.cohort_start), worst_rate=text.like(figure, worst.retention_rate),
            least=LEAST_SIZE,
        ))  # fmt: skip
    return " ".join(said)


def _known(leaf: Leaf, average: Average, people: str) -> str:
    text, count = leaf.text, average.cohorts
    if leaf.subject == "user":
        return text.n("Known from {count} cohort with {people} users.",
                      "Known from {count} cohorts with {people} users.", count, people=people)  # fmt: skip
    return text.n("Known from {count} cohort with {people} customers.",
                  "Known from {count} cohorts with {people} customers.", count, people=people)  # fmt: skip


def _cards(leaf: Leaf) -> tuple[Figure, ...]:
    text, grid, before = leaf.text, leaf.grid, leaf.before
    label = leaf.period.before(text)

    def counted(key: str, name: str, value: int, earlier: int, column: str) -> Figure:
        comparison = common.compare(value, earlier or None, label, "integer", "neutral")
        return Figure(key, text.t(name), value, comparison=comparison, source=leaf.source(column))

    counts = (
        counted("cohorts", N_("Cohorts"), len(grid.sizes), len(before.sizes), "count of cohort_start"),
        counted("members", words.MEMBERS[leaf.subject], sum(grid.sizes.values()), sum(before.sizes.values()),
                "sum(cohort_size) where period_index = 0"),
    )  # fmt: skip
    reached = [at for at in MILESTONES[grid.choice.period] if grid.average(at).rate is not None]
    return (*(leaf.average(index) for index in reached), *counts)


def _heatmap(leaf: Leaf) -> Chart:
    """A row for each cohort, a cell for each bucket it has completed."""
    text, grid = leaf.text, leaf.grid
    indexes = range(grid.last_index + 1)
    series = tuple(
        Series(leaf.name(cohort), tuple(grid.rate(cohort, index) for index in indexes), leaf.size(cohort))
        for cohort in grid.cohorts
    )
    labels = tuple(
        leaf.rate(cohort, index) for cohort in grid.cohorts for index in indexes
        if grid.rate(cohort, index) is not None
    )  # fmt: skip
    curve = ", ".join(text.figure(leaf.average(index)) for index in indexes)
    title = text.t(words.TITLES[leaf.subject])
    unit = N_("weeks since the first") if grid.choice.period == "week" else N_("months since the first")
    note = [text.t(unit)]
    if grid.left_out:
        day = text.day(leaf.period.end)
        note.append(text.n(
            "{count} cell is left out: not everybody had completed the period by {day}.",
            "{count} cells are left out: not everybody had completed the period by {day}.",
            grid.left_out, day=day,
        ))  # fmt: skip
    alt = text.t("{title}: a row for each of {cohorts} cohorts. Average by period: {curve}.", title=title,
                 cohorts=len(series), curve=curve)  # fmt: skip
    sample = Figure("retention", title, None, "percent", "rate", direction="up")
    names = tuple(str(index) for index in indexes)
    return Chart("heatmap", title, "heatmap", names, series, sample, alt, labels=labels, note="; ".join(note),
                 wide=True)  # fmt: skip


def _average(leaf: Leaf) -> Section:
    """The weighted average of each bucket, as a curve and as a table."""
    text, grid = leaf.text, leaf.grid
    indexes = [index for index in range(grid.last_index + 1) if grid.average(index).rate is not None]
    blocks: list[Block] = []
    title = text.t("Average over all cohorts, weighted by their size")
    if curve := _curve(leaf, title, [at for at in indexes if grid.average(at).members >= LEAST_SIZE]):
        blocks.append(Charts((curve,)))
    names = (N_("Period"), N_("Cohorts"), words.BASE[leaf.subject], words.KEPT[leaf.subject], N_("Average"),
             N_("A month earlier"))  # fmt: skip
    columns = tuple(
        Column(text.t(name), "left" if place == 0 else "right") for place, name in enumerate(names)
    )
    table = Table("averages", title, columns, tuple(_average_row(leaf, index) for index in indexes))
    return Section("average", text.t("The average curve"), text.t(words.WEIGHTED), (*blocks, table))


def _curve(leaf: Leaf, title: str, indexes: Sequence[int]) -> Chart | None:
    """The average as a line over the buckets given; None for fewer than two."""
    if len(indexes) < 2:
        return None
    text, figures = leaf.text, [leaf.average(index) for index in indexes]
    low, high = (text.like(figures[0], edge(f.value or 0 for f in figures)) for edge in (min, max))
    alt = text.t("{name}: between {low} and {high}, at the end {end}.", name=title, low=low, high=high,
                 end=text.figure(figures[-1]))  # fmt: skip
    note = text.t(words.DRAWN, least=LEAST_SIZE)
    return Chart("average", title, "line", tuple(str(index) for index in indexes),
                 (Series(title, tuple(figure.value for figure in figures)),), figures[0], alt, figures[-1],
                 note=note, wide=True)  # fmt: skip


def _average_row(leaf: Leaf, index: int) -> Row:
    average, figure = leaf.grid.average(index), leaf.average(index)
    money = leaf.subject == "revenue"
    form: Format = "money" if money else "integer"
    currency = leaf.tenant.currency if money else None
    at = ("period_index", str(index))

    def sum_of(key: str, value: Number, column: str) -> Figure:
        return Figure(f"average.{index}.{key}", "", value, form, "currency" if money else "count", currency,
                      source=leaf.source(f"sum({column}) of complete cells", at))  # fmt: skip

    base = sum_of("base", average.base, "eligible_starting_mrr" if money else "cohort_size")
    kept = sum_of("kept", average.kept, "retained_mrr" if money else "retained")
    cohorts = Figure(f"average.{index}.cohorts", "", average.cohorts,
                     source=leaf.source("count of complete cells", at))  # fmt: skip
    earlier = Figure(f"average.{index}.previous", "", figure.comparison.value if figure.comparison else None,
                     "percent", "rate", reason=leaf.text.t("no cohort had come that far a month earlier"),
                     source=leaf.source("the same a month earlier", at))  # fmt: skip
    name = leaf.text.t("In the first period") if index == 0 else leaf.after(index)
    return Row(name, (cohorts, base, kept, figure, earlier))


def _cohorts(leaf: Leaf) -> Section:
    """Each cohort with its size and the milestones, the average last."""
    text, grid = leaf.text, leaf.grid
    reached = [at for at in MILESTONES[grid.choice.period] if grid.average(at).rate is not None]
    columns = (
        Column(text.t("Cohort"), "left"), Column(text.t(words.MEMBERS[leaf.subject])),
        *(Column(leaf.after(index)) for index in reached),
    )  # fmt: skip
    body = tuple(
        Row(leaf.name(cohort), (leaf.size(cohort), *(leaf.rate(cohort, index) for index in reached)))
        for cohort in grid.cohorts
    )
    members = Figure("members", "", sum(grid.sizes.values()),
                     source=leaf.source("sum(cohort_size) where period_index = 0"))  # fmt: skip
    total = Row(text.t("All cohorts"), (members, *(leaf.average(index) for index in reached)), total=True)
    title = text.t("Cohorts and their sizes")
    return Section("cohorts", title, text.t(words.BY[grid.choice.cohort_by]),
                   (Table("cohorts", title, columns, (*body, total)),))  # fmt: skip


def _empty(conn: rows.Connection, tenant: rows.Tenant, choice: query.Choice, text: Formatter) -> str:
    if (extent := query.read_extent(conn, tenant.tenant_id, choice)) is not None:
        first, last = (text.day(day) for day in extent)
        return text.t(words.ELSEWHERE, name=tenant.name, first=first, last=last)
    kinds = [f"{subject}, {by}" for subject, by in query.read_kinds(conn, tenant.tenant_id)]
    if not kinds:
        return text.t(words.NEVER, name=tenant.name)
    return text.t(words.OTHERS, name=tenant.name, kinds="; ".join(kinds))
