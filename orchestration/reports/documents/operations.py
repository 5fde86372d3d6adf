"""The operations report: jobs, API, health, and the data behind all figures.

Belongs here: its sections and their order. Does not belong here: queries (data/), looks, and how new and
clean the data are (freshness.py).

Percentiles of days cannot be put together: a week shows its days and the slowest of them; a free range is
counted anew from its requests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from orchestration.errors import MetricpressError
from orchestration.reports.data import common as rows
from orchestration.reports.data import operations as query
from orchestration.reports.document import (
    Block,
    Brand,
    Cards,
    Chart,
    Charts,
    Column,
    Document,
    Figure,
    Format,
    Number,
    Row,
    Section,
    Series,
    Table,
)
from orchestration.reports.documents import common, prose, sources
from orchestration.reports.documents.freshness import LATE_AFTER_HOURS, Freshness
from orchestration.reports.documents.metric_shelf import MetricShelf, comparison, day_source, fill_shelf
from orchestration.reports.documents.trend_words import trend_sentence
from orchestration.reports.formatting import Formatter
from orchestration.reports.messages import N_
from orchestration.reports.periods import Period
from orchestration.reports.request import ReportRequest

JOBS = ("total_jobs", "jobs_succeeded", "jobs_failed", "job_success_rate", "avg_job_seconds")
API = ("api_requests", "api_error_rate", "api_p50_ms", "api_p95_ms")
HEALTH = ("uptime_rate", "avg_cpu_load")
METRICS = (*JOBS, *API, *HEALTH)
CARDS = ("total_jobs", "job_success_rate", "api_requests", "api_error_rate", "api_p95_ms", "uptime_rate")
HEADLINES = ("job_success_rate", "uptime_rate", "api_error_rate")
TRENDS = ("total_jobs", "job_success_rate", "avg_job_seconds", "api_requests", "api_error_rate",
          "uptime_rate", "avg_cpu_load")  # fmt: skip
#: Days of latency on a chart, where the period is shorter.
LATENCY_DAYS = 28
#: A range of more days is told as a whole.
MOST_DAYS = 62


@dataclass(frozen=True)
class Desk:
    """What the sections are made of."""

    made: MetricShelf
    days: Mapping[date, query.Day]

    @property
    def text(self) -> Formatter:
        """Forms of the report's locale."""
        return self.made.shelf.text

    @property
    def period(self) -> Period:
        """The period of the report."""
        return self.made.shelf.period

    def within(self, period: Period) -> list[query.Day]:
        """Days of a period that the mart holds."""
        return [day for when, day in self.days.items() if period.start <= when <= period.end]

    def figures(self) -> list[Figure]:
        """All figures of the report in their order."""
        found = self.made.figures(*JOBS, *API)
        if not self.made.has("api_p95_ms"):
            found.append(self.slowest_day())
        return [*found, *self.made.figures(*HEALTH)]

    def slowest_day(self) -> Figure:
        """The highest 95th percentile of a day: the week itself has none."""

        def most(period: Period) -> Number | None:
            values = [day.api_p95_ms for day in self.within(period) if day.api_p95_ms is not None]
            return max(values, default=None)

        text, period = self.text, self.period
        now, tenant = most(period), self.made.shelf.tenant.tenant_id
        before = period.before(text)
        return Figure(
            "api_p95_ms_slowest_day", text.t("API latency, slowest day"), now, "decimal", "milliseconds",
            direction="down",
            definition=text.t("The highest 95th percentile of a day in the period: 19 of 20 requests of "
                              "that day "
                              "were faster. Percentiles of days cannot be put together."),
            reason="" if now is not None else text.t("the data it needs is not recorded"),
            comparison=common.compare(now, most(period.previous), before, "decimal", "down"),
            source=sources.in_days("daily_metrics", "max(api_p95_ms)", period.start, period.end, tenant),
            history=tuple(most(span) for span in period.trend_periods),
        )  # fmt: skip


def build(conn: rows.Connection, request: ReportRequest, text: Formatter, brand: Brand) -> Document:
    """The operations report; without a job, request or health check a document that says so."""
    if request.branch_id is not None:
        raise MetricpressError(
            "the operations report has no figures by branch",
            remedy="leave the branch out, or use the report lead_performance",
        )
    tenant = rows.read_tenant(conn, request.tenant_id, None)
    period = Period(request.frequency, request.period_start, request.period_end)
    period.check(tenant.week_start)
    made = fill_shelf(conn, tenant, period, text, METRICS)
    first = min(period.trend[0], period.previous.start, period.end - timedelta(days=LATENCY_DAYS - 1))
    desk = Desk(made, query.read_days(conn, tenant.tenant_id, first, period.end))
    if all(day.is_silent for day in desk.within(period)):
        extent = query.read_extent(conn, tenant.tenant_id)
        return common.document(request, tenant, period, text, brand, empty=_empty(tenant, text, extent))
    fresh = Freshness(
        tenant, text, query.read_tables(conn, tenant.tenant_id), query.read_problems(conn, tenant.tenant_id),
        query.read_build(conn), request.parameters.get("late_after_hours", LATE_AFTER_HOURS),
    )  # fmt: skip
    return _filled(request, desk, fresh, brand)


def _filled(request: ReportRequest, desk: Desk, fresh: Freshness, brand: Brand) -> Document:
    made, text, period = desk.made, desk.text, desk.period
    figures = desk.figures()
    by_key = {figure.key: figure for figure in figures if figure.value is not None}
    cards = [figure for figure in figures if figure.key in CARDS or figure.key.endswith("slowest_day")]
    told = [by_key[key] for key in HEADLINES if key in by_key][:2]
    further = [figure for figure in cards if figure.value is not None and figure not in told][:2]
    lines = made.trend_lines(*TRENDS)
    front: list[Block] = [Cards(tuple(cards))]
    front += prose.moves([figure for figure in figures if figure not in told], text)
    wanted = request.parameters.get("sections")
    parts = (
        _jobs(desk),
        _api(desk),
        _health(desk),
        _day_by_day(desk),
        fresh.section(),
        fresh.problem_section(),
    )
    shown = [part for part in parts if part is not None and (wanted is None or part.key in wanted)]
    standfirst = (
        prose.sentence([prose.moved(figure, text) for figure in further], text),
        prose.tally(figures, period, text),
        trend_sentence(lines, made.spans, text) if lines else "",
        fresh.late_words(),
    )
    notes = ["Distinct counts and percentiles are counted anew over the whole period; charts show its days."]
    return common.document(
        request, made.shelf.tenant, period, text, brand,
        headline=prose.sentence([prose.moved(figure, text) for figure in told], text),
        standfirst=" ".join(part for part in standfirst if part),
        front=tuple(front),
        sections=(*shown, comparison(figures, lines, made)),
        definitions=prose.definitions(figures),
        notes=(text.t(notes[0]),) if period.frequency == "range" else (),
    )  # fmt: skip


def _jobs(desk: Desk) -> Section:
    text, title = desk.text, desk.text.t("Jobs")
    if not desk.made.shelf.value("total_jobs"):
        return Section("jobs", title, text.t("No job started {period}.", period=desk.period.this(text)), ())
    lead = desk.made.told("total_jobs", "job_success_rate", "avg_job_seconds")
    return Section("jobs", title, lead, tuple(desk.made.charts("total_jobs", "job_success_rate")))


def _api(desk: Desk) -> Section:
    text, title = desk.text, desk.text.t("API")
    if not desk.made.shelf.value("api_requests"):
        none = text.t("No request reached the API {period}.", period=desk.period.this(text))
        return Section("api", title, none, ())
    blocks = desk.made.charts("api_requests", "api_error_rate")
    if (chart := _latency(desk)) is not None:
        blocks.append(Charts((chart,)))
    return Section(
        "api", title, desk.made.told("api_requests", "api_error_rate", "api_p95_ms"), tuple(blocks)
    )


def _latency(desk: Desk) -> Chart | None:
    """The 95th percentile and the median of each day; None with fewer than two days of requests."""
    text, period = desk.text, desk.period
    first = min(period.start, period.end - timedelta(days=LATENCY_DAYS - 1))
    span = [first + timedelta(days=index) for index in range((period.end - first).days + 1)]
    days = [desk.days.get(day) for day in span]
    high = [None if day is None else day.api_p95_ms for day in days]
    middle = [None if day is None else day.api_p50_ms for day in days]
    known = [value for value in high if value is not None]
    if len(known) < 2:
        return None
    sample = Figure("api_p95_ms.last_day", text.t("95th percentile"), high[-1], "decimal", "milliseconds",
                    source=day_source("daily_metrics", "api_p95_ms", period.end.isoformat(),
                                      desk.made.shelf.tenant.tenant_id))  # fmt: skip
    count = text.n("{count} day", "{count} days", len(days))
    alt = text.t(
        "Latency by day over {span}: the 95th percentile lies between {low} and {high}.",
        span=count, low=text.like(sample, min(known)), high=text.like(sample, max(known)),
    )  # fmt: skip
    series = (Series(sample.label, tuple(high)), Series(text.t("Median"), tuple(middle)))
    return Chart("api_latency", text.t("Latency by day"), "line", tuple(span), series, sample, alt, sample,
                 note=text.t("{span}; broken line: median", span=count), wide=True)  # fmt: skip


def _health(desk: Desk) -> Section:
    text, title = desk.text, desk.text.t("Health")
    if not any(day.health_checks for day in desk.within(desk.period)):
        none = text.t("No health check was made {period}.", period=desk.period.this(text))
        return Section("health", title, none, ())
    return Section("health", title, desk.made.told(*HEALTH), tuple(desk.made.charts(*HEALTH)))


#: Columns of a day, with the format and unit of their numbers.
_DAY_COLUMNS: tuple[tuple[str, str, Format, str], ...] = (
    ("total_jobs", N_("Jobs"), "integer", "count"),
    ("job_success_rate", N_("Success"), "percent", "rate"),
    ("api_requests", N_("Requests"), "integer", "count"),
    ("api_error_rate", N_("Errors"), "percent", "rate"),
    ("api_p50_ms", N_("Median"), "decimal", "milliseconds"),
    ("api_p95_ms", N_("95th percentile"), "decimal", "milliseconds"),
    ("uptime_rate", N_("Uptime"), "percent", "rate"),
    ("avg_cpu_load", N_("CPU load"), "decimal", "ratio"),
)


def _day_by_day(desk: Desk) -> Section | None:
    text, days = desk.text, desk.within(desk.period)
    if not 1 < len(days) <= MOST_DAYS:
        return None
    columns = (Column(text.t("Day"), "left"), *(Column(text.t(label)) for _, label, _, _ in _DAY_COLUMNS))
    table = Table("days", text.t("Day by day"), columns, tuple(_day(day, desk) for day in days))
    lead = text.t("Percentiles are exact for each day.")
    return Section("days", text.t("Day by day"), lead, (table,))


def _day(day: query.Day, desk: Desk) -> Row:
    text, when = desk.text, day.metric_date.isoformat()
    reason = text.t("nothing was recorded that day")

    def cell(column: str, label: str, kind: Format, unit: str) -> Figure:
        value = getattr(day, column)
        place = day_source("daily_metrics", column, when, desk.made.shelf.tenant.tenant_id)
        return Figure(f"day.{when}.{column}", text.t(label), value, kind, unit,
                      reason="" if value is not None else reason, source=place)  # fmt: skip

    weekday = text.weekday(day.metric_date.isoweekday())
    name = text.t("{weekday}, {day}", weekday=weekday, day=text.short_date(day.metric_date, "daily"))
    return Row(name, tuple(cell(*column) for column in _DAY_COLUMNS))


def _empty(tenant: rows.Tenant, text: Formatter, extent: tuple[date, date] | None) -> str:
    if extent is None:
        return text.t("{name} has no recorded jobs, API requests or health checks yet. A report will "
                      "follow once "
                      "the first have arrived.", name=tenant.name)  # fmt: skip
    return text.t("No job, API request or health check is recorded in this period. Those of {name} lie from "
                  "{first} to {last}.", name=tenant.name, first=text.day(extent[0]),
                  last=text.day(extent[1]))  # fmt: skip
