"""The usage report: what became of the reports themselves.

Belongs here: its sections and tables. Does not belong here: queries (data/), how a figure comes about
(usage_book.py), looks.

It tells of deliveries, not of the tenant's business: it stands at the moment the ledger was read, which is
later than the tenant's data, and the same period asked for later may tell more (interfaces.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from orchestration.errors import MetricpressError
from orchestration.reports.data import common as rows
from orchestration.reports.data import usage as query
from orchestration.reports.document import (
    Block,
    Brand,
    Cards,
    Charts,
    Column,
    Document,
    Figure,
    FigureTable,
    Row,
    Section,
    Table,
)
from orchestration.reports.documents import common, prose, sources
from orchestration.reports.documents.usage_book import MEASURES, Book
from orchestration.reports.formatting import Formatter
from orchestration.reports.messages import N_
from orchestration.reports.periods import Period
from orchestration.reports.request import ReportRequest
from orchestration.reports.templates import available, report_type

CARDS = (
    "deliveries", "arrival_rate", "deliveries_failed", "deliveries_unknown", "seconds_to_deliver",
    "render_seconds",
)  # fmt: skip
TIMES = (
    "render_seconds", "longest_render_seconds", "send_seconds", "longest_send_seconds", "seconds_to_deliver",
    "longest_seconds_to_deliver", "late_sent", "notices_sent", "attempts", "bytes_sent",
)  # fmt: skip
STATUSES = {
    "sent": N_("Arrived"), "failed": N_("Failed for good"), "unknown": N_("Not known whether it arrived"),
    "held": N_("Held for a person"), "skipped": N_("Left out on purpose"), "waiting": N_("Still to come"),
}  # fmt: skip
CHANNELS = {"email": N_("Mail"), "slack": N_("Slack"), "webhook": N_("Webhook"), "file": N_("Folder")}
#: Days with trouble that are listed; the rest is counted.
MOST_TROUBLE = 30


def build(conn: rows.Connection, request: ReportRequest, text: Formatter, brand: Brand) -> Document:
    """The usage report of one tenant and period; without a report due a document that says so."""
    if request.branch_id is not None:
        raise MetricpressError(
            "the usage report has no figures by branch", remedy="leave the branch out: reports go to tenants"
        )
    tenant = _as_of_the_ledger(conn, rows.read_tenant(conn, request.tenant_id, None))
    period = Period(request.frequency, request.period_start, request.period_end)
    period.check(tenant.week_start)
    first = min(period.trend[0], period.previous.start)
    book = Book(tenant, period, text, query.read_days(conn, tenant.tenant_id, first, period.end))
    if not book.value("reports", period):
        empty = _empty(conn, tenant, text)
        return common.document(request, tenant, period, text, brand, empty=empty, notes=_notes(text))
    return _filled(request, book, brand)


def _empty(conn: rows.Connection, tenant: rows.Tenant, text: Formatter) -> str:
    extent = query.read_extent(conn, tenant.tenant_id)
    if extent is None:
        return text.t("No report of {name} was due yet.", name=tenant.name)
    first, last = (text.day(day) for day in extent)
    return text.t(
        "No report of {name} was due in this period. Reports were due from {first} to {last}.",
        name=tenant.name, first=first, last=last,
    )  # fmt: skip


def _as_of_the_ledger(conn: rows.Connection, tenant: rows.Tenant) -> rows.Tenant:
    """The tenant at the moment of the last build: what this report tells is as old as that."""
    built_at = query.read_built_at(conn)
    if built_at is None:
        return tenant
    local = built_at.astimezone(ZoneInfo(tenant.timezone))
    return replace(tenant, as_of=local, complete_date=local.date() - timedelta(days=1))


def _notes(text: Formatter) -> tuple[str, ...]:
    return (
        text.t(
            "The figures are those of the delivery ledger at the moment given, which may be later than the "
            "business data: what was still to come then may have arrived since, and the same report made "
            "later tells it."
        ),
        text.t("A delivery belongs to the day on which its report was due."),
    )


def _filled(request: ReportRequest, book: Book, brand: Brand) -> Document:
    text = book.text
    figures = [book.figure(measure.key) for measure in MEASURES]
    cards = tuple(book.figure(key) for key in CARDS)
    front: list[Block] = [Cards(cards)]
    front += prose.moves([figure for figure in figures if figure.key != "arrival_rate"], text)
    if chart := book.trend("deliveries", wide=True):
        front.append(Charts((chart,)))
    titles = _titles(book, request.template_dir)
    sections = (
        _statuses(book), _reports(book, titles), _channels(book), _times(book), _trouble(book, titles),
    )  # fmt: skip
    return common.document(
        request, book.tenant, book.period, text, brand,
        headline=_headline(book),
        standfirst=prose.tally(figures, book.period, text),
        front=tuple(front),
        sections=tuple(section for section in sections if section is not None),
        definitions=prose.definitions(figures),
        notes=_notes(text),
    )  # fmt: skip


def _headline(book: Book) -> str:
    text, deliveries = book.text, int(book.sum("deliveries", book.period))
    if not deliveries:
        return text.t("Reports were due, and none had a recipient.")
    sent = text.figure(book.figure("deliveries_sent"))
    return text.n("{sent} of {count} delivery arrived.", "{sent} of {count} deliveries arrived.", deliveries,
                  sent=sent)  # fmt: skip


def _count(book: Book, key: str, column: str, report: str | None = None) -> Figure:
    value = book.sum(column, book.period, report)
    return Figure(key, "", value, source=book.source(sources.total(column), report))


def _share(book: Book, key: str, part: str, whole: str) -> Figure:
    base = book.sum(whole, book.period)
    value = book.sum(part, book.period) / base if base else None
    reason = "" if base else book.text.t("there was no delivery")
    return Figure(key, "", value, "percent", "rate", reason=reason,
                  source=book.source(sources.quotient(part, whole)))  # fmt: skip


def _statuses(book: Book) -> Section:
    text, period = book.text, book.period
    previous = replace(book, period=period.previous)
    rows_ = [
        Row(text.t(words), (
            _count(book, f"status.{status}", f"deliveries_{status}"),
            _share(book, f"status.{status}.share", f"deliveries_{status}", "deliveries"),
            _count(previous, f"status.{status}.previous", f"deliveries_{status}"),
        ))
        for status, words in STATUSES.items()
    ]  # fmt: skip
    rows_.append(Row(text.t("All deliveries"), (
        _count(book, "status.all", "deliveries"),
        _share(book, "status.all.share", "deliveries", "deliveries"),
        _count(previous, "status.all.previous", "deliveries"),
    ), total=True))  # fmt: skip
    columns = (Column(text.t("Status"), "left"), Column(_capital(period.this(text))),
               Column(text.t("Share of all")), Column(_capital(period.before(text))))  # fmt: skip
    charts = tuple(chart for key in ("arrival_rate", "seconds_to_deliver") if (chart := book.trend(key)))
    blocks: list[Block] = [Charts(charts)] if charts else []
    blocks.append(Table("status", text.t("Deliveries by status"), columns, tuple(rows_)))
    return Section("status", text.t("What became of the deliveries"), "", tuple(blocks))


def _titles(book: Book, template_dir: Path | None) -> dict[str, str]:
    """Titles of the reports that were due, by name; one that is no longer there goes by its name."""
    known, due = available(template_dir), sorted({day.report for day in book.now})
    return {
        name: book.text.t(report_type(name, template_dir).title) if name in known else name for name in due
    }


def _reports(book: Book, titles: Mapping[str, str]) -> Section:
    text = book.text
    keys = ("reports", "deliveries", "deliveries_sent", "deliveries_failed", "deliveries_unknown",
            "render_seconds", "bytes_sent")  # fmt: skip
    rows_ = [Row(title, tuple(book.figure(key, name) for key in keys)) for name, title in titles.items()]
    whole = tuple(replace(book.figure(key), key=f"all.{key}", comparison=None, history=()) for key in keys)
    rows_.append(Row(text.t("All reports"), whole, total=True))
    columns = (Column(text.t("Report"), "left"), Column(text.t("Due")), Column(text.t("Deliveries")),
               Column(text.t("Arrived")), Column(text.t("Failed")), Column(text.t("Unknown")),
               Column(text.t("Rendered in")), Column(text.t("Data sent")))  # fmt: skip
    table = Table("reports", text.t("Deliveries by report"), columns, tuple(rows_))
    return Section("reports", text.t("By report"), "", (table,))


def _channels(book: Book) -> Section | None:
    text = book.text
    used = [name for name in CHANNELS if book.sum(f"deliveries_{name}", book.period)]
    if not used:
        return None
    rows_ = tuple(
        Row(text.t(CHANNELS[name]), (
            _count(book, f"channel.{name}", f"deliveries_{name}"),
            _count(book, f"channel.{name}.sent", f"{name}_sent"),
            _share(book, f"channel.{name}.share", f"{name}_sent", f"deliveries_{name}"),
        ))
        for name in used
    )  # fmt: skip
    columns = (Column(text.t("Channel"), "left"), Column(text.t("Deliveries")), Column(text.t("Arrived")),
               Column(text.t("Share that arrived")))  # fmt: skip
    table = Table("channels", text.t("Deliveries by channel"), columns, rows_)
    return Section("channels", text.t("By channel"), "", (table,))


def _times(book: Book) -> Section:
    text, figures = book.text, tuple(book.figure(key) for key in TIMES)
    table = FigureTable("times", text.t("Time and size"), figures, book.period.before(text))
    return Section("times", text.t("How long it took"), "", (table,))


def _trouble(book: Book, titles: Mapping[str, str]) -> Section | None:
    """Days and reports with deliveries that failed, are unknown or held; None where there are none."""
    text, kinds = book.text, ("failed", "unknown", "held")
    found = [day for day in book.now if any(day.values[f"deliveries_{kind}"] for kind in kinds)]
    if not found:
        return None
    rows_ = []
    for day in found[:MOST_TROUBLE]:
        of_day = replace(book, period=Period("daily", day.day, day.day), days=(day,))
        cells = (_count(of_day, f"trouble.{day.day}.{day.report}.{kind}", f"deliveries_{kind}", day.report)
                 for kind in kinds)  # fmt: skip
        rows_.append(Row(f"{text.day(day.day)}, {titles[day.report]}", tuple(cells)))
    columns = (Column(text.t("Day and report"), "left"), Column(text.t("Failed")), Column(text.t("Unknown")),
               Column(text.t("Held")))  # fmt: skip
    rest = len(found) - len(rows_)
    note = (
        text.n("{count} further day is left out.", "{count} further days are left out.", rest) if rest else ""
    )
    table = Table("trouble", text.t("Days with trouble"), columns, tuple(rows_), note)
    command = "metricpress deliveries list"
    lead = text.t("Whoever runs the reports sees each with its cause: {command}", command=command)
    return Section("trouble", text.t("What failed or is unknown"), lead, (table,))


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]
