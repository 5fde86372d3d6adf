"""Parts every document is built from: figures with their comparison, trend charts, definitions, notes.

Belongs here: rules that hold in all reports (when a figure is unchanged, why it is NULL, what is better).
Does not belong here: the choice of figures of one report.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from orchestration.reports.data.common import Metric, Point, TargetRow, Tenant
from orchestration.reports.document import (
    Block,
    Brand,
    Chart,
    Comparison,
    Definition,
    Direction,
    Document,
    Figure,
    Format,
    Judgement,
    Movement,
    Number,
    Remarks,
    Section,
    Series,
    Source,
    Target,
)
from orchestration.reports.formatting import Formatter
from orchestration.reports.messages import N_
from orchestration.reports.periods import Period
from orchestration.reports.request import ReportRequest

#: Why a figure is NULL that is not a quotient of two sums.
_NO_DATA = N_("the data it needs is not recorded")
_NO_AMOUNT = N_("an amount or an exchange rate it needs is missing")
_NOBODY_PAID = N_("no customer paid at the start")
_REASONS = {
    **dict.fromkeys(
        ("nrr", "grr", "gross_mrr_churn_rate", "net_mrr_churn_rate", "revenue_churn_rate",
         "customer_churn_rate", "mrr_growth_rate"),
        _NOBODY_PAID,
    ),
    "arpa": N_("no customer paid at the end"),
    "ltv": N_("no customer left, so a lifetime has no end"),
    "cac": N_("no spend is recorded, or no new customer paid"),
    "ltv_to_cac": N_("lifetime value or acquisition cost is not known"),
    "payback_months": N_("acquisition cost or revenue per account is not known"),
    "quick_ratio": N_("no MRR was lost"),
    "runway_months": N_("no cash balance and burn are recorded"),
}  # fmt: skip
#: A change that prints as 0.0 is no change; half of the last printed digit.
_LEAST_RATE = Decimal("0.0005")
#: A percentage of fewer than these says less than the two counts.
_SMALL_COUNT = 20
#: Shares this close to 0 or 1 print with two decimals.
_FINE = Decimal("0.01")


def compare(value: Number | None, before: Number | None, label: str, kind: Format,
            direction: Direction) -> Comparison:  # fmt: skip
    """This period against the one before, named by `label`. Shares change in points, the rest by its size."""
    if value is None or before is None:
        return Comparison(label, before, None, None, "unknown", "neutral")
    change = Decimal(value) - Decimal(before)
    rate = None if kind == "percent" or before == 0 else change / abs(Decimal(before))
    size = abs(rate if rate is not None else change)
    fine = kind == "percent" and min(abs(Decimal(value)), abs(1 - Decimal(value))) < _FINE
    least = _LEAST_RATE / 10 if fine else _LEAST_RATE
    movement: Movement = "unchanged" if size < least else "up" if change > 0 else "down"
    return Comparison(label, before, change, rate, movement, _judge(movement, direction))


def _judge(movement: Movement, direction: Direction) -> Judgement:
    if direction == "neutral" or movement not in ("up", "down"):
        return "neutral"
    return "better" if movement == direction else "worse"


@dataclass(frozen=True)
class Shelf:
    """The rows of one report, out of which figures and charts of catalogue metrics are made."""

    tenant: Tenant
    period: Period
    text: Formatter
    catalogue: Mapping[str, Metric]
    series: Mapping[str, Mapping[date, Point]]
    targets: Mapping[str, TargetRow]
    #: Of a range: its days for charts, and why a figure has no value.
    days: Mapping[str, Mapping[date, Point]] | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)

    def point(self, metric: str, start: date | None = None) -> Point | None:
        """The metric's row of a period, this one by default."""
        return self.series.get(metric, {}).get(start or self.period.start)

    def value(self, metric: str, start: date | None = None) -> Number | None:
        """The metric's value of a period; None for NULL and for no row."""
        return _value_of(self.point(metric, start))

    def blank(self, metric: str) -> Figure:
        """A figure of the metric's form without a value."""
        row = self.catalogue[metric]
        currency = self.tenant.currency if row.format == "money" else None
        return Figure(metric, self.text.t(row.title), None, row.format, row.unit, currency, row.direction,
                      definition_text(row, self.text))  # fmt: skip

    def figure(self, metric: str) -> Figure:
        """The metric in this period with its comparison, target, and the reason when it is NULL."""
        blank = self.blank(metric)
        value = self.value(metric)
        before = self.value(metric, self.period.previous.start)
        row = self.targets.get(metric)
        return Figure(
            key=blank.key,
            label=blank.label,
            value=value,
            format=blank.format,
            unit=blank.unit,
            currency=blank.currency,
            direction=blank.direction,
            definition=blank.definition,
            reason="" if value is not None else self._reason(metric),
            comparison=compare(value, before, self.period.before(self.text), blank.format, blank.direction),
            target=None if row is None else Target(row.target, row.benchmark, row.status),
            source=self.source(metric),
        )

    def source(self, metric: str) -> Source | None:
        """Where the metric of this period stands; None over a free range, which is counted from rows."""
        if self.period.frequency == "range":
            return None
        key = (("tenant_id", self.tenant.tenant_id), ("metric", metric), ("grain", self.period.grain),
               ("period_start", self.period.start.isoformat()), ("dimension", "all"))  # fmt: skip
        return Source("marts.metric_timeseries", "value", key)

    def trend(self, metric: str, wide: bool = False) -> Chart | None:
        """The metric's line up to this period; None when fewer than two points have a value."""
        points = (self.series if self.days is None else self.days).get(metric, {})
        values = tuple(_value_of(points.get(start)) for start in self.period.trend)
        known = [value for value in values if value is not None]
        if len(known) < 2:
            return None
        return line_chart(self.figure(metric), self.period, values, self.text, wide)

    def _reason(self, metric: str) -> str:
        text, this = self.text, self.period.this(self.text)
        if metric in self.reasons:
            return text.t(self.reasons[metric])
        point, row = self.point(metric), self.catalogue[metric]
        if point is None:
            return text.t("no figure is recorded for {period}", period=this)
        if not point.is_complete:
            return text.t("{period} had not ended when the data was taken", period=this)
        if point.denominator is not None and point.denominator == 0:
            base = phrase(row.denominator or text.t("the base"), text)
            return text.t("there is nothing to divide by ({base}: 0)", base=base)
        return text.t(_REASONS.get(metric, _NO_AMOUNT if row.format == "money" else _NO_DATA))


def line_chart(
    figure: Figure, period: Period, values: tuple[Number | None, ...], text: Formatter, wide: bool
) -> Chart:
    """A figure's values over the trend of a period; at the end the figure itself, of a range its last day."""
    known = [value for value in values if value is not None]
    span, end = period.trend_span(text), figure
    if period.frequency == "range":
        end = replace(figure, key=f"{figure.key}.last_day", value=values[-1], comparison=None, target=None)
    low, high = text.like(figure, min(known), True), text.like(figure, max(known), True)
    alt = text.t("{name} over {span}: between {low} and {high}, at the end {end}.",
                 name=figure.label, span=span, low=low, high=high, end=text.figure(end))  # fmt: skip
    return Chart(figure.key, figure.label, "line", period.trend, (Series(figure.label, values),), figure, alt,
                 end, note=span, wide=wide)  # fmt: skip


def _value_of(point: Point | None) -> Number | None:
    if point is None or (isinstance(point.value, Decimal) and not point.value.is_finite()):
        return None
    return point.value


def phrase(title: str, text: Formatter) -> str:
    """A title inside a sentence: in English its first letter small unless it begins an abbreviation."""
    words = title.replace("_", " ").strip()
    if text.language != "en" or len(words) < 2 or not words[1].islower():
        return words
    return words[0].lower() + words[1:]


def definition_text(metric: Metric, text: Formatter) -> str:
    """What the catalogue says about a metric, with its formula unless that only repeats the metric's name."""
    description, formula = metric.description.strip().rstrip("."), metric.formula.strip().rstrip(".")
    telling = formula and formula not in description and metric.metric not in formula.split()
    said = text.t(metric.description.strip()).rstrip(".")
    return (
        text.t("{description}. Formula: {formula}.", description=said, formula=formula)
        if telling
        else f"{said}."
    )


def definitions(figures: Iterable[Figure]) -> tuple[Definition, ...]:
    """One definition for each shown figure that has one, by title."""
    texts = {figure.label: figure.definition for figure in figures if figure.definition}
    return tuple(Definition(title, texts[title]) for title in sorted(texts, key=str.casefold))


#: Clauses about a figure: how it moved, by its change or from its value before.
_MOVED = {
    ("up", True): N_("{name} rose {change} to {value}"),
    ("down", True): N_("{name} fell {change} to {value}"),
    ("up", False): N_("{name} rose from {before} to {value}"),
    ("down", False): N_("{name} fell from {before} to {value}"),
}


def moved(figure: Figure, text: Formatter, compact: bool = True) -> str:
    """A figure as a clause: `monthly recurring revenue rose 4.2% to $1.24M`."""
    name, value = phrase(figure.label, text), text.figure(figure, compact)
    movement = figure.comparison.movement if figure.comparison else "unknown"
    change = text.change(figure)
    if movement == "unchanged":
        return _joined(text.t("{name} held at {value}", name=name, value=value), value)
    if movement in ("up", "down"):
        before = figure.comparison.value if figure.comparison else None
        small = figure.format == "integer" and before is not None and abs(Decimal(before)) < _SMALL_COUNT
        by_change = not (figure.value == 0 or not change or small)
        earlier = text.like(figure, before, compact)
        clause = text.t(_MOVED[movement, by_change], name=name, change=change, before=earlier, value=value)
        return _joined(clause, value)
    return _joined(text.t("{name} stood at {value}", name=name, value=value), value)


def _joined(clause: str, value: str) -> str:
    """No line ends between the last word and the value."""
    return clause.replace(f" {value}", f"\u00a0{value}")


def sentence(clauses: Sequence[str], text: Formatter) -> str:
    """Clauses joined into one sentence that begins with a capital letter."""
    joined = text.listed(clauses)
    return joined[:1].upper() + joined[1:] + "." if joined else ""


def ranked_moves(figures: Iterable[Figure], judgement: Judgement, limit: int) -> list[Figure]:
    """The largest moves of one judgement, shares by their points and the rest by their rate."""

    def size(figure: Figure) -> Decimal:
        comparison = figure.comparison
        if comparison is None or comparison.change is None:
            return Decimal(0)
        return abs(
            comparison.change_rate if comparison.change_rate is not None else Decimal(comparison.change)
        )

    chosen = [f for f in figures if f.comparison and f.comparison.judgement == judgement]
    return sorted(chosen, key=size, reverse=True)[:limit]


def moves(figures: Sequence[Figure], text: Formatter) -> tuple[Remarks, ...]:
    """What went well and what needs attention: the largest moves; none when nothing can be compared."""
    if not any(figure.comparison and figure.comparison.change is not None for figure in figures):
        return ()

    def remarks(judgement: Judgement, title: str, none: str) -> Remarks:
        lines = [sentence([moved(figure, text)], text) for figure in ranked_moves(figures, judgement, 3)]
        return Remarks(title, tuple(lines) or (none,), judgement)

    return (
        remarks("better", text.t("What went well"), text.t("No further figure moved the right way.")),
        remarks("worse", text.t("What needs attention"), text.t("No further figure moved the wrong way.")),
    )


def tally(figures: Iterable[Figure], period: Period, text: Formatter) -> str:
    """How many figures went which way: the second line of a report."""
    judged = [
        figure.comparison.judgement
        for figure in figures
        if figure.comparison and figure.direction != "neutral" and figure.comparison.change is not None
    ]
    better, worse, same = judged.count("better"), judged.count("worse"), judged.count("neutral")
    kinds = (
        (better, text.n("{count} figure is better", "{count} figures are better", better)),
        (worse, text.n("{count} is worse", "{count} are worse", worse)),
        (same, text.n("{count} is unchanged", "{count} are unchanged", same)),
    )
    said = [words for count, words in kinds if count]
    if not said:
        return ""
    if not better:
        # The first clause names what is counted.
        said[0] = (
            text.n("{count} figure is worse", "{count} figures are worse", worse) if worse
            else text.n("{count} figure is unchanged", "{count} figures are unchanged", same)
        )  # fmt: skip
    return text.t("Against {before}, {tally}.", before=period.before(text), tally=text.listed(said))


def small_print(tenant: Tenant, period: Period, text: Formatter, empty: bool) -> tuple[str, ...]:
    """Notes that stand under every report."""
    before = period.previous
    ended = period.end <= tenant.complete_date
    week = text.weekday(1 if tenant.week_start == "monday" else 7)
    notes = (
        text.t(
            "Data as of {moment} ({timezone}). Days, weeks and months are those of {timezone}; weeks begin "
            "on {weekday}.", moment=text.moment(tenant.as_of), timezone=tenant.timezone, weekday=week,
        ),
        "" if ended else text.t(
            "{day} had not ended when the data was taken: figures are partial.", day=text.day(period.end),
        ),
        text.t(
            "Changes compare with {before}, {period}. Rates change in percentage points. Unchanged: the "
            "change is too small for the digits shown.", before=period.before(text),
            period=text.period(before.start, before.end, period.frequency),
        ),
        text.t(
            "Money is in {currency}. Amounts on cards are rounded; tables give them to the minor unit.",
            currency=tenant.currency,
        ),
    )  # fmt: skip
    return tuple(note for note in notes[: 1 if empty else None] if note)


#: Settings that change figures: what a report says when one differs from its default.
_SETTINGS = (
    ("gross_margin", Decimal(1), N_("lifetime value and payback use a gross margin of {value}")),
    ("past_due_days", None, N_("a subscription past due counts as churned after {value} days")),
    ("churn_on", "end", N_("churn counts at the {value} to cancel")),
    ("mau_window_days", 30, N_("monthly active users look back {value} days")),
    (
        "activation_events",
        ["file_upload", "worklog_creation", "report_generation"],
        N_("a user is activated by the first of: {value}"),
    ),
)


def settings_print(settings: Mapping[str, Any], text: Formatter) -> tuple[str, ...]:
    """One line naming the tenant's settings that change a figure; none when all are at their defaults."""
    said = [
        text.t(words, value=", ".join(value) if isinstance(value, list) else value)
        for name, standard, words in _SETTINGS
        if settings and (value := settings[name]) != standard
    ]
    return (text.t("Settings of this tenant: {settings}.", settings="; ".join(said)),) if said else ()


def document(
    request: ReportRequest,
    tenant: Tenant,
    period: Period,
    text: Formatter,
    brand: Brand,
    *,
    headline: str = "",
    standfirst: str = "",
    front: tuple[Block, ...] = (),
    sections: tuple[Section, ...] = (),
    definitions: tuple[Definition, ...] = (),
    notes: tuple[str, ...] = (),
    empty: str = "",
    warnings: tuple[str, ...] = (),
) -> Document:
    """A document of one tenant and period; the title is the report's and is set by the service."""
    return Document(
        report=request.report,
        title=request.report,
        frequency=period.frequency,
        tenant=tenant.name,
        branch=tenant.branch,
        period_start=period.start,
        period_end=period.end,
        period_words=text.period(period.start, period.end, period.frequency),
        as_of=tenant.as_of,
        timezone=tenant.timezone,
        headline=headline or _no_headline(period, text, empty),
        standfirst=standfirst,
        brand=brand,
        locale=request.locale,
        front=front,
        sections=sections,
        definitions=definitions,
        notes=small_print(tenant, period, text, bool(empty)) + notes,
        empty=empty,
        warnings=warnings,
    )  # fmt: skip


def _no_headline(period: Period, text: Formatter, empty: str) -> str:
    if empty:
        return text.t("No data for this period.")
    return text.t("The figures of {period}.", period=period.this(text))
