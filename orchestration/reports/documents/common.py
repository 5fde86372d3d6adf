"""Parts every document is built from: figures with their comparison, trend charts, the document itself.

Belongs here: rules that hold in all reports (when a figure is unchanged, why it is NULL, what is better).
Does not belong here: the choice of figures of one report, and the sentences about them (prose.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

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
    Section,
    Series,
    Source,
    Target,
)
from orchestration.reports.documents.prose import definition_text, phrase, small_print
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
    "ltv": N_("customer churn is 0, so a lifetime has no end"),
    "cac": N_("no spend is recorded, or no new customer paid"),
    "ltv_to_cac": N_("lifetime value or acquisition cost is not known"),
    "payback_months": N_("acquisition cost or revenue per account is not known"),
    "quick_ratio": N_("no MRR was lost"),
    "runway_months": N_("no cash balance and burn are recorded"),
}  # fmt: skip
#: A change that prints as 0.0 is no change; half of the last printed digit.
_LEAST_RATE = Decimal("0.0005")
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


#: A line through fewer points than these tells nothing.
_LEAST_HISTORY = 3


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
    #: Figures made already: one stands on a card, in a table and in a sentence.
    _made: dict[str, Figure] = field(default_factory=dict, compare=False, repr=False)

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
        if metric not in self._made:
            self._made[metric] = self._figure(metric)
        return self._made[metric]

    def _figure(self, metric: str) -> Figure:
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
            history=self.history(metric),
        )

    def history(self, metric: str) -> tuple[Number | None, ...]:
        """Values over the trend up to this one; none of few, nor over a range, whose trend is its days."""
        if self.period.frequency == "range":
            return ()
        values = tuple(self.value(metric, start) for start in self.period.trend)
        known = [value for value in values if value is not None]
        return values if len(known) >= _LEAST_HISTORY and len(set(known)) > 1 else ()

    def source(self, metric: str, start: date | None = None) -> Source | None:
        """Where the metric of a period stands, this one by default; None over a range, which is counted."""
        if self.period.frequency == "range":
            return None
        key = (("tenant_id", self.tenant.tenant_id), ("metric", metric), ("grain", self.period.grain),
               ("period_start", (start or self.period.start).isoformat()), ("dimension", "all"))  # fmt: skip
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
            base = phrase(text.t(row.denominator) if row.denominator else text.t("the base"), text)
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
    made = Document(
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
        empty=empty,
        warnings=warnings,
    )  # fmt: skip
    has_money = any(figure.format == "money" for figure in made.figures())
    return replace(made, notes=small_print(tenant, period, text, bool(empty), has_money) + notes)


def _no_headline(period: Period, text: Formatter, empty: str) -> str:
    if empty:
        return text.t("No data for this period.")
    return text.t("The figures of {period}.", period=period.this(text))
