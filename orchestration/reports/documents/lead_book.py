"""The figures of the lead performance report: sums of counts and quotients of two.

Belongs here: which figures there are and how each comes about, over any period. Does not belong here: queries
(data/), sections (lead_performance.py) and tables (lead_tables.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

from orchestration.reports.data import common as rows
from orchestration.reports.data import lead_performance as query
from orchestration.reports.document import Chart, Direction, Figure, Format, Number, Source
from orchestration.reports.documents import common, prose, sources
from orchestration.reports.documents.trend_words import TrendLine
from orchestration.reports.formatting import Formatter
from orchestration.reports.messages import N_
from orchestration.reports.periods import Period


@dataclass(frozen=True)
class Measure:
    """A figure of this report: a sum of counts of a mart, or a quotient of two.

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
    mart: str = "lead_performance_daily"
    #: Leads of earlier periods have had longer, so a change is told and not judged.
    still_grows: bool = False

    @property
    def column(self) -> str:
        """What the figure is of the mart's columns."""
        if self.denominator is None:
            return sources.total(self.numerator)
        return sources.quotient(self.numerator, self.denominator)


MEASURES = (
    Measure("new_leads", N_("New leads"), "new_leads", metric="new_leads",
            definition=N_("Leads created in the period.")),
    Measure("converted_leads", N_("New leads converted so far"), "converted_leads",
            definition=N_("Of the leads created in the period, those converted by the time of the data."),
            still_grows=True),
    Measure("conversion_rate", N_("Lead conversion"), "converted_leads", "new_leads", "percent", "rate",
            definition=N_("Converted leads / new leads, both of the leads created in the period."),
            metric="lead_conversion_rate", still_grows=True),
    Measure("converted_on_day", N_("Leads converted"), "converted_on_day",
            definition=N_("Leads first converted in the period, whenever they were created."),
            metric="leads_converted"),
    Measure("lost_on_day", N_("Leads lost"), "lost_on_day", direction="down", metric="leads_lost",
            definition=N_("Leads first lost in the period, whenever they were created.")),
    Measure("calls_per_lead", N_("Calls per new lead"), "lead_calls", "new_leads", "decimal", "ratio",
            "neutral", N_("Calls, on any day, with the leads created in the period / those leads.")),
    Measure("total_calls", N_("Calls"), "total_calls", direction="neutral", metric="total_calls",
            definition=N_("Calls that began in the period.")),
    Measure("calls_completed", N_("Completed calls"), "calls_completed", metric="calls_completed",
            definition=N_("Of the calls, those completed.")),
    Measure("call_success_rate", N_("Call success"), "calls_completed", "total_calls", "percent", "rate",
            definition=N_("Completed calls / all calls."), metric="call_success_rate"),
    Measure("calls_interested", N_("Calls with interest"), "calls_interested",
            definition=N_("Completed calls with the outcome interested.")),
    Measure("interest_rate", N_("Call interest"), "calls_interested", "calls_completed", "percent", "rate",
            definition=N_("Completed calls with the outcome interested / completed calls."),
            metric="call_interest_rate"),
    Measure("avg_call_seconds", N_("Call length"), "call_seconds", "timed_calls", "duration", "seconds",
            "neutral", N_("Seconds talked / completed calls with a duration."), "avg_call_seconds",
            "call_performance_hourly"),
)  # fmt: skip
_BY_KEY = {measure.key: measure for measure in MEASURES}
_COUNT_NAMES = {"new_leads": N_("new leads"), "total_calls": N_("calls"),
                "calls_completed": N_("completed calls"),
                "timed_calls": N_("calls with a duration")}  # fmt: skip


@dataclass(frozen=True)
class Book:
    """Counts by day, and the figures made of them."""

    tenant: rows.Tenant
    scope: query.Scope
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

    def now(self, count: str) -> Decimal:
        """A count added up over this period."""
        return self.sum(count, self.period.start, self.period.end)

    def value(self, key: str, period: Period) -> Number | None:
        """A measure over a period; None when there is nothing to divide by, and before the first row.

        A day without a row after the first had no lead and no call: its counts are 0.
        """
        if period.end < self.first_day:
            return None
        measure = _BY_KEY[key]
        total = self.sum(measure.numerator, period.start, period.end)
        if measure.denominator is None:
            return total
        base = self.sum(measure.denominator, period.start, period.end)
        return total / base if base else None

    def figure(self, key: str) -> Figure:
        """A measure of this period against the one before, with its history up to this one."""
        measure, text = _BY_KEY[key], self.text
        value = self.value(key, self.period)
        base = text.t(_COUNT_NAMES.get(measure.denominator or "", measure.label))
        row = self.catalogue.get(measure.metric)
        direction = "neutral" if measure.still_grows else row.direction if row else measure.direction
        before = self.value(key, self.period.previous)
        return Figure(
            key,
            text.t(row.title if row else measure.label),
            value,
            measure.format,
            measure.unit,
            direction=direction,
            definition=prose.definition_text(row, text) if row else text.t(measure.definition),
            reason=""
            if value is not None
            else text.t("there is nothing to divide by ({base}: 0)", base=base),
            comparison=common.compare(value, before, self.period.before(text), measure.format, direction),
            source=self.source(measure.mart, measure.column, self.period),
            history=self.history(key),
        )

    def source(self, mart: str, column: str, period: Period, **more: str | int) -> Source:
        """Where a figure of a period stands; of a tenant, or of the branch the report is about."""
        return sources.in_days(
            mart, column, period.start, period.end, self.scope.tenant_id, self.scope.branch_id, **more
        )

    def history(self, key: str) -> tuple[Number | None, ...]:
        """The measure over the periods of a trend chart."""
        return tuple(self.value(key, period) for period in self.period.trend_periods)

    def trend(self, key: str, wide: bool = False) -> Chart | None:
        """The measure over the days or weeks up to this period."""
        values = self.history(key)
        if sum(value is not None for value in values) < 2:
            return None
        return common.line_chart(self.figure(key), self.period, values, self.text, wide)

    def trend_line(self, key: str, spans: tuple[Period, ...]) -> TrendLine:
        """The measure over the spans that trend words look at."""
        measure, figure = _BY_KEY[key], self.figure(key)
        form = replace(figure, source=self.source(measure.mart, measure.column, spans[-1]))
        return TrendLine(form, tuple(self.value(key, span) for span in spans))
