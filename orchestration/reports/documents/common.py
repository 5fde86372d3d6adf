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
    Target,
)
from orchestration.reports.formatting import Formatter
from orchestration.reports.periods import Period
from orchestration.reports.request import ReportRequest

#: Why a figure is NULL that is not a quotient of two sums.
_NO_DATA = "the data it needs is not recorded"
_NO_AMOUNT = "an amount or an exchange rate it needs is missing"
_NOBODY_PAID = "no customer paid at the start"
_REASONS = {
    **dict.fromkeys(
        ("nrr", "grr", "gross_mrr_churn_rate", "net_mrr_churn_rate", "revenue_churn_rate",
         "customer_churn_rate", "mrr_growth_rate"),
        _NOBODY_PAID,
    ),
    "arpa": "no customer paid at the end",
    "ltv": "no customer left, so a lifetime has no end",
    "cac": "no spend is recorded, or no new customer paid",
    "ltv_to_cac": "lifetime value or acquisition cost is not known",
    "payback_months": "acquisition cost or revenue per account is not known",
    "quick_ratio": "no MRR was lost",
    "runway_months": "no cash balance and burn are recorded",
}  # fmt: skip
#: A change that prints as 0.0 is no change; half of the last printed digit.
_LEAST_RATE = Decimal("0.0005")
#: A percentage of fewer than these says less than the two counts.
_SMALL_COUNT = 20
#: Shares this close to 0 or 1 print with two decimals.
_FINE = Decimal("0.01")


def compare(value: Number | None, before: Number | None, period: Period, kind: Format,
            direction: Direction) -> Comparison:  # fmt: skip
    """This period against the one before. Shares change in points, everything else by its own size."""
    if value is None or before is None:
        return Comparison(period.before, before, None, None, "unknown", "neutral")
    change = Decimal(value) - Decimal(before)
    rate = None if kind == "percent" or before == 0 else change / abs(Decimal(before))
    size = abs(rate if rate is not None else change)
    fine = kind == "percent" and min(abs(Decimal(value)), abs(1 - Decimal(value))) < _FINE
    least = _LEAST_RATE / 10 if fine else _LEAST_RATE
    movement: Movement = "unchanged" if size < least else "up" if change > 0 else "down"
    return Comparison(period.before, before, change, rate, movement, _judge(movement, direction))


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
        return Figure(metric, row.title, None, row.format, row.unit, currency, row.direction,
                      definition_text(row))  # fmt: skip

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
            comparison=compare(value, before, self.period, blank.format, blank.direction),
            target=None if row is None else Target(row.target, row.benchmark, row.status),
        )

    def trend(self, metric: str, wide: bool = False) -> Chart | None:
        """The metric's line up to this period; None when fewer than two points have a value."""
        points = (self.series if self.days is None else self.days).get(metric, {})
        values = tuple(_value_of(points.get(start)) for start in self.period.trend)
        known = [value for value in values if value is not None]
        if len(known) < 2:
            return None
        return line_chart(self.figure(metric), self.period, values, self.text, wide)

    def _reason(self, metric: str) -> str:
        if metric in self.reasons:
            return self.reasons[metric]
        point, row = self.point(metric), self.catalogue[metric]
        if point is None:
            return f"no figure is recorded for {self.period.this}"
        if not point.is_complete:
            return f"{self.period.this} had not ended when the data was taken"
        if point.denominator is not None and point.denominator == 0:
            return f"there is nothing to divide by ({phrase(row.denominator or 'the base')}: 0)"
        return _REASONS.get(metric, _NO_AMOUNT if row.format == "money" else _NO_DATA)


def line_chart(
    figure: Figure, period: Period, values: tuple[Number | None, ...], text: Formatter, wide: bool
) -> Chart:
    """A figure's values over the trend of a period; at the end the figure itself, of a range its last day."""
    known = [value for value in values if value is not None]
    span, end = period.trend_span, figure
    if period.frequency == "range":
        end = replace(figure, key=f"{figure.key}.last_day", value=values[-1], comparison=None, target=None)
    low, high = text.like(figure, min(known), True), text.like(figure, max(known), True)
    alt = f"{figure.label} over {span}: between {low} and {high}, at the end {text.figure(end)}."
    return Chart(figure.key, figure.label, "line", period.trend, (Series(figure.label, values),), figure, alt,
                 end, note=span, wide=wide)  # fmt: skip


def _value_of(point: Point | None) -> Number | None:
    if point is None or (isinstance(point.value, Decimal) and not point.value.is_finite()):
        return None
    return point.value


def phrase(title: str) -> str:
    """A title inside a sentence: its first letter small unless it begins an abbreviation."""
    words = title.replace("_", " ").strip()
    return words if len(words) < 2 or not words[1].islower() else words[0].lower() + words[1:]


def definition_text(metric: Metric) -> str:
    """What the catalogue says about a metric, with its formula unless that only repeats the metric's name."""
    text = metric.description.strip().rstrip(".")
    formula = metric.formula.strip().rstrip(".")
    telling = formula and formula not in text and metric.metric not in formula.split()
    return f"{text}. Formula: {formula}." if telling else f"{text}."


def definitions(figures: Iterable[Figure]) -> tuple[Definition, ...]:
    """One definition for each shown figure that has one, by title."""
    texts = {figure.label: figure.definition for figure in figures if figure.definition}
    return tuple(Definition(title, texts[title]) for title in sorted(texts, key=str.casefold))


def moved(figure: Figure, text: Formatter, compact: bool = True) -> str:
    """A figure as a clause: `monthly recurring revenue rose 4.2% to $1.24M`."""
    name, value = phrase(figure.label), text.figure(figure, compact)
    movement = figure.comparison.movement if figure.comparison else "unknown"
    change = text.change(figure)
    if movement == "unchanged":
        return f"{name} held at\u00a0{value}"
    if movement in ("up", "down"):
        verb = "rose" if movement == "up" else "fell"
        before = figure.comparison.value if figure.comparison else None
        small = figure.format == "integer" and before is not None and abs(Decimal(before)) < _SMALL_COUNT
        if figure.value == 0 or not change or small:
            return f"{name} {verb} from {text.like(figure, before, compact)} to\u00a0{value}"
        return f"{name} {verb} {change} to\u00a0{value}"
    return f"{name} stood at\u00a0{value}"


def sentence(clauses: list[str]) -> str:
    """Clauses joined into one sentence that begins with a capital letter."""
    joined = listed(clauses)
    return joined[:1].upper() + joined[1:] + "." if joined else ""


def listed(items: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, (", ".join(items[:-1]), *items[-1:])))


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

    def remarks(judgement: Judgement, title: str, way: str) -> Remarks:
        lines = [sentence([moved(figure, text)]) for figure in ranked_moves(figures, judgement, 3)]
        return Remarks(title, tuple(lines) or (f"No further figure moved {way}.",), judgement)

    return (
        remarks("better", "What went well", "the right way"),
        remarks("worse", "What needs attention", "the wrong way"),
    )


def tally(figures: Iterable[Figure], period: Period) -> str:
    """How many figures went which way: the second line of a report."""
    judged = [
        figure.comparison.judgement
        for figure in figures
        if figure.comparison and figure.direction != "neutral" and figure.comparison.change is not None
    ]
    kinds: tuple[tuple[Judgement, str], ...] = (
        ("better", "better"),
        ("worse", "worse"),
        ("neutral", "unchanged"),
    )
    said = [f"{judged.count(kind)} {word}" for kind, word in kinds if kind in judged]
    if not said:
        return ""
    said[0] = said[0].replace(" ", " figure is " if said[0].startswith("1 ") else " figures are ", 1)
    return f"Against {period.before}, {sentence(said)}"


def small_print(tenant: Tenant, period: Period, text: Formatter, empty: bool) -> tuple[str, ...]:
    """Notes that stand under every report."""
    before = period.previous
    ended = period.end <= tenant.complete_date
    notes = (
        f"Data as of {text.moment(tenant.as_of)} ({tenant.timezone}). Days, weeks and months are those of "
        f"{tenant.timezone}; weeks begin on {tenant.week_start.capitalize()}.",
        ""
        if ended
        else f"{text.day(period.end)} had not ended when the data was taken: figures are partial.",
        f"Changes compare with {period.before}, {text.period(before.start, before.end, period.frequency)}. "
        "Rates change in percentage points. Unchanged: the change is too small for the digits shown.",
        f"Money is in {tenant.currency}. Amounts on cards are rounded; tables give them to the minor unit.",
    )
    return tuple(note for note in notes[: 1 if empty else None] if note)


#: Settings that change figures: what a report says when one differs from its default.
_SETTINGS = (
    ("gross_margin", Decimal(1), "lifetime value and payback use a gross margin of {}"),
    ("past_due_days", None, "a subscription past due counts as churned after {} days"),
    ("churn_on", "end", "churn counts at the {} to cancel"),
    ("mau_window_days", 30, "monthly active users look back {} days"),
    (
        "activation_events",
        ["file_upload", "worklog_creation", "report_generation"],
        "a user is activated by the first of: {}",
    ),
)


def settings_print(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """One line naming the tenant's settings that change a figure; none when all are at their defaults."""
    said = [
        words.format(", ".join(value) if isinstance(value, list) else value)
        for name, standard, words in _SETTINGS
        if settings and (value := settings[name]) != standard
    ]
    return (f"Settings of this tenant: {'; '.join(said)}.",) if said else ()


def document(
    request: ReportRequest,
    tenant: Tenant,
    period: Period,
    text: Formatter,
    brand: Brand,
    *,
    headline: str = "No data for this period.",
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
        headline=headline or f"The figures of {period.this}.",
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
