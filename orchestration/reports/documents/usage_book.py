"""The figures of the usage report: sums over days, quotients of two sums, and the longest of a period.

Belongs here: which figures there are and how each comes about. Does not belong here: queries (data/) and
sections (usage.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from orchestration.reports.data.common import Tenant
from orchestration.reports.data.usage import LONGEST, Day
from orchestration.reports.document import Chart, Direction, Figure, Format, Number, Source
from orchestration.reports.documents import common, sources
from orchestration.reports.formatting import Formatter
from orchestration.reports.messages import N_
from orchestration.reports.periods import Period

MART = "report_usage"
#: Deliveries that came to an end: they arrived, failed for good, or nobody knows.
ENDED = ("deliveries_sent", "deliveries_failed", "deliveries_unknown")


@dataclass(frozen=True)
class Measure:
    """A figure: the sum of a column, its quotient by others, or the longest of a column of LONGEST."""

    key: str
    label: str
    column: str
    per: tuple[str, ...] = ()
    format: Format = "integer"
    unit: str = "count"
    direction: Direction = "neutral"
    definition: str = ""
    reason: str = ""

    @property
    def expression(self) -> str:
        """What the figure is of the mart's columns."""
        if self.column in LONGEST:
            return f"max({self.column})"
        if self.per:
            return sources.quotient(self.column, " + ".join(self.per))
        return sources.total(self.column)


_NOTHING_ENDED = N_("no delivery came to an end")
_NOTHING_ARRIVED = N_("no delivery arrived")
_NOTHING_RENDERED = N_("no report was rendered")
MEASURES = (
    Measure("reports", N_("Reports due"), "reports",
            definition=N_("Reports that were due or asked for, skipped ones included.")),
    Measure("deliveries", N_("Deliveries"), "deliveries",
            definition=N_("One for each recipient, and one more each time a person sent it again.")),
    Measure("deliveries_sent", N_("Deliveries that arrived"), "deliveries_sent",
            definition=N_("Deliveries that the receiver took, notices included.")),
    Measure("arrival_rate", N_("Arrival rate"), "deliveries_sent", ENDED, "percent", "rate", "up",
            N_("Deliveries that arrived / deliveries that arrived, failed or are unknown."), _NOTHING_ENDED),
    Measure("deliveries_failed", N_("Deliveries that failed"), "deliveries_failed", direction="down",
            definition=N_("Deliveries that failed for good.")),
    Measure("deliveries_unknown", N_("Deliveries that are unknown"), "deliveries_unknown", direction="down",
            definition=N_("Deliveries of which nobody knows whether they arrived.")),
    Measure("late_sent", N_("Deliveries that arrived late"), "late_sent", direction="down",
            definition=N_("Deliveries of reports sent after the time allowed for them.")),
    Measure("notices_sent", N_("Notices in place of a report"), "notices_sent", direction="down",
            definition=N_("Deliveries that told, in place of a report, that its data were incomplete.")),
    Measure("attempts", N_("Attempts per delivery"), "attempts", ENDED, "decimal", "ratio", "down",
            N_("Attempts to send / deliveries that arrived, failed or are unknown."), _NOTHING_ENDED),
    Measure("render_seconds", N_("Time to render, average"), "render_seconds", ("renderings",), "duration",
            "seconds", "down", N_("Seconds of all renderings / renderings; recipients share one."),
            _NOTHING_RENDERED),
    Measure("longest_render_seconds", N_("Time to render, longest"), "longest_render_seconds", (),
            "duration", "seconds", "down", N_("Seconds of the longest rendering."), _NOTHING_RENDERED),
    Measure("send_seconds", N_("Time to send, average"), "send_seconds", ENDED, "duration", "seconds",
            "down", N_("Seconds of the last attempt of each delivery / deliveries that came to an end."),
            _NOTHING_ENDED),
    Measure("longest_send_seconds", N_("Time to send, longest"), "longest_send_seconds", (), "duration",
            "seconds", "down", N_("Seconds of the longest last attempt."), _NOTHING_ENDED),
    Measure("seconds_to_deliver", N_("From due to delivered, average"), "seconds_to_deliver",
            ("deliveries_sent",), "duration", "seconds", "down",
            N_("Time from the due moment to the receiver's answer, over the deliveries that arrived."),
            _NOTHING_ARRIVED),
    Measure("longest_seconds_to_deliver", N_("From due to delivered, longest"), "longest_seconds_to_deliver",
            (), "duration", "seconds", "down",
            N_("The longest time from the due moment to the receiver's answer."), _NOTHING_ARRIVED),
    Measure("bytes_sent", N_("Data sent"), "bytes_sent", unit="bytes",
            definition=N_("Bytes of the files of deliveries that arrived, the parts of the mail included.")),
)  # fmt: skip
_BY_KEY = {measure.key: measure for measure in MEASURES}


@dataclass(frozen=True)
class Book:
    """The rows of one report, and the figures made of them."""

    tenant: Tenant
    period: Period
    text: Formatter
    days: Sequence[Day]

    @property
    def now(self) -> list[Day]:
        """The rows of this period."""
        return [day for day in self.days if self.period.start <= day.day <= self.period.end]

    def value(self, key: str, period: Period, report: str | None = None) -> Number | None:
        """A measure over a period, of all reports or of one; None without anything to divide by."""
        measure = _BY_KEY[key]
        if measure.column in LONGEST:
            known = [value for value in self._of(measure.column, period, report) if value is not None]
            return max(known) if known else None
        total = self.sum(measure.column, period, report)
        if not measure.per:
            return total
        base = sum((self.sum(column, period, report) for column in measure.per), Decimal(0))
        return total / base if base else None

    def sum(self, column: str, period: Period, report: str | None = None) -> Decimal:
        """A column added up over the days of a period."""
        return sum((Decimal(value or 0) for value in self._of(column, period, report)), Decimal(0))

    def _of(self, column: str, period: Period, report: str | None) -> list[Number | None]:
        return [
            day.values[column]
            for day in self.days
            if period.start <= day.day <= period.end and report in (None, day.report)
        ]

    def figure(self, key: str, report: str | None = None) -> Figure:
        """A measure of this period against the one before, with its history up to this one."""
        measure, text = _BY_KEY[key], self.text
        value = self.value(key, self.period, report)
        comparison = common.compare(value, self.value(key, self.period.previous, report),
                                    self.period.before(text), measure.format, measure.direction)  # fmt: skip
        return Figure(
            key if report is None else f"{report}.{key}",
            text.t(measure.label),
            value,
            measure.format,
            measure.unit,
            direction=measure.direction,
            definition=text.t(measure.definition),
            reason="" if value is not None else text.t(measure.reason),
            comparison=comparison if report is None else None,
            source=self.source(measure.expression, report),
            history=self.history(key) if report is None else (),
        )

    def history(self, key: str) -> tuple[Number | None, ...]:
        """The measure over the periods of a trend chart."""
        return tuple(self.value(key, period) for period in self.period.trend_periods)

    def trend(self, key: str, wide: bool = False) -> Chart | None:
        """The measure's line up to this period; None when fewer than two points have a value."""
        values = self.history(key)
        if sum(value is not None for value in values) < 2:
            return None
        return common.line_chart(self.figure(key), self.period, values, self.text, wide)

    def source(self, expression: str, report: str | None = None) -> Source:
        """Where a figure of this period stands."""
        more = {} if report is None else {"template": report}
        first, last = self.period.start, self.period.end
        return sources.in_days(MART, expression, first, last, self.tenant.tenant_id, **more)
