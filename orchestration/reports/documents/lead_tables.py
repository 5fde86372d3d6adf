"""Tables of the lead performance report.

Belongs here: rows of sums to tables with their rates. Does not belong here: the order of sections, charts.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from orchestration.reports.data.lead_performance import Hour, Medians, Outcome, Source, Staff
from orchestration.reports.document import Column, Figure, Number, Row, Table
from orchestration.reports.document import Source as Place
from orchestration.reports.documents import sources as places
from orchestration.reports.documents.lead_book import Book
from orchestration.reports.documents.lead_words import (
    STATUSES,
    outcome_word,
    person,
    source_word,
    status_word,
)
from orchestration.reports.formatting import Formatter
from orchestration.reports.messages import N_
from orchestration.reports.periods import Period

_TOO_EARLY = N_("{period} lies before the first record")
_NO_BASE = N_("there is nothing to divide by")


def capital(words: str) -> str:
    """With a capital letter first, the rest as it is."""
    return words[:1].upper() + words[1:]


def _count(key: str, value: Decimal, place: Place | None) -> Figure:
    return Figure(key, key.rsplit(".", 1)[-1], value, source=place)


def _share(key: str, part: Decimal, whole: Decimal, text: Formatter, place: Place | None) -> Figure:
    return Figure(key, key.rsplit(".", 1)[-1], part / whole if whole else None, "percent", "rate",
                  reason="" if whole else text.t(_NO_BASE), source=place)  # fmt: skip


def _average(key: str, total: Decimal, count: Decimal, text: Formatter, place: Place | None) -> Figure:
    return Figure(key, key.rsplit(".", 1)[-1], total / count if count else None, "duration", "seconds",
                  reason="" if count else text.t(_NO_BASE), source=place)  # fmt: skip


def _before(key: str, value: Decimal, book: Book, place: Place) -> Figure:
    """A count of the period before; a dash when nothing was recorded yet."""
    if book.knows_before:
        return _count(key, value, place)
    before = capital(book.period.before(book.text))
    return Figure(key, "", None, reason=book.text.t(_TOO_EARLY, period=before), source=place)


def _columns(first: str, book: Book) -> tuple[Column, ...]:
    text, period = book.text, book.period
    return (Column(first, "left"), Column(capital(period.this(text))), Column(text.t("Share")),
            Column(capital(period.before(text))))  # fmt: skip


def statuses(book: Book) -> Table:
    """Leads created in the period by their status at the time of the data."""
    text, period, mart = book.text, book.period, "lead_performance_daily"

    def counts(of: Period) -> list[Decimal]:
        return [book.sum(f"status_{status}", of.start, of.end) for status in STATUSES]

    def place(column: str, of: Period) -> Place:
        return book.source(mart, column, of)

    rows = []
    now, before = counts(period), counts(period.previous)
    whole, earlier = sum(now, Decimal(0)), sum(before, Decimal(0))
    for status, count, then in zip(STATUSES, now, before, strict=True):
        key, column = f"status.{status}", f"status_{status}"
        share = places.quotient(column, "new_leads")
        rows.append(Row(status_word(status, text), (
            _count(key, count, place(places.total(column), period)),
            _share(f"{key}.share", count, whole, text, place(share, period)),
            _before(f"{key}.previous", then, book, place(places.total(column), period.previous)),
        )))  # fmt: skip
    every = places.total("new_leads")
    rows.append(Row(text.t("All leads"), (
        _count("status.all", whole, place(every, period)),
        _share("status.all.share", whole, whole, text,
               place(places.quotient("new_leads", "new_leads"), period)),
        _before("status.all.previous", earlier, book, place(every, period.previous)),
    ), total=True))  # fmt: skip
    columns = _columns(text.t("Status of the leads created"), book)
    return Table("status", text.t("Leads by status"), columns, tuple(rows))


def outcomes(found: Sequence[Outcome], book: Book) -> Table:
    """Completed calls by outcome."""
    text, period, column = book.text, book.period, places.total("calls_completed")
    whole = sum((row.completed for row in found), Decimal(0))

    def place(of: Period, outcome: str) -> Place:
        return book.source("call_outcomes_daily", column, of, outcome=outcome)

    rows = []
    for row in found:
        key, part = f"outcome.{row.outcome}", places.part_of("calls_completed", "outcome", row.outcome)
        share = book.source("call_outcomes_daily", part, period)
        before = place(period.previous, row.outcome)
        rows.append(Row(outcome_word(row.outcome, text), (
            _count(key, row.completed, place(period, row.outcome)),
            _share(f"{key}.share", row.completed, whole, text, share),
            _before(f"{key}.previous", row.completed_before, book, before),
        )))  # fmt: skip
    columns = _columns(text.t("Outcome of completed calls"), book)
    return Table("outcomes", text.t("Calls by outcome"), columns, tuple(rows))


def hours(found: Sequence[Hour], book: Book) -> Table:
    """Calls by hour of the day, hours without a call left out."""
    text = book.text

    def row(hour: Hour) -> Row:
        def place(column: str) -> Place:
            mart = "call_performance_hourly"
            return book.source(mart, column, book.period, hour_of_day=hour.hour_of_day)

        key, done = f"hour.{hour.hour_of_day:02d}", hour.calls_completed
        success = places.quotient("calls_completed", "total_calls")
        interest = places.quotient("interested", "calls_completed")
        return Row(text.hour_span(hour.hour_of_day), (
            _count(f"{key}.total_calls", hour.total_calls, place(places.total("total_calls"))),
            _count(f"{key}.calls_completed", done, place(places.total("calls_completed"))),
            _share(f"{key}.call_success_rate", done, hour.total_calls, text, place(success)),
            _count(f"{key}.interested", hour.interested, place(places.total("interested"))),
            _share(f"{key}.interest_rate", hour.interested, done, text, place(interest)),
        ))  # fmt: skip

    names = (
        text.t("Calls"),
        text.t("Completed"),
        text.t("Success"),
        text.t("Interested"),
        text.t("Interest"),
    )
    columns = (Column(text.t("Hour"), "left"), *(Column(name) for name in names))
    return Table("hours", text.t("Calls by hour"), columns, tuple(row(hour) for hour in found))


def sources(found: Sequence[Source], book: Book, most: int = 12) -> Table:
    """Leads of the week by source; beyond `most` the rest is one row."""
    text, names = book.text, ("leads", "contacted", "qualified", "converted")
    shown, rest = list(found[:most]), found[most:]

    def row(key: str, label: str, counts: dict[str, Decimal], of: Place | None) -> Row:
        def place(column: str) -> Place | None:
            return Place(of.mart, column, of.key) if of else None

        cells = [_count(f"{key}.{name}", counts[name], place(places.total(name))) for name in names]
        rate = place(places.quotient("converted", "leads"))
        share = _share(f"{key}.conversion_rate", counts["converted"], counts["leads"], text, rate)
        return Row(label, (*cells, share))

    rows = [
        row(f"source.{one.source}", source_word(one.source, text),
            {name: getattr(one, name) for name in names}, _week_of(one.source, book))
        for one in shown
    ]  # fmt: skip
    if rest:
        added = {name: sum((getattr(one, name) for one in rest), Decimal(0)) for name in names}
        label = text.n("{count} further source", "{count} further sources", len(rest))
        rows.append(row("source.further", label, added, None))
    columns = (Column(text.t("Source"), "left"), Column(text.t("Leads")), Column(text.t("Contacted")),
               Column(text.t("Qualified")), Column(text.t("Converted")),
               Column(text.t("Conversion")))  # fmt: skip
    return Table("sources", text.t("Funnel by source"), columns, tuple(rows))


def _week_of(source: str, book: Book) -> Place:
    key = [("tenant_id", book.scope.tenant_id)]
    if book.scope.branch_id is not None:
        key.append(("branch_id", book.scope.branch_id))
    key += [("cohort_week", book.period.start.isoformat()), ("source", source)]
    return Place("marts.lead_funnel", "", tuple(key))


def medians(found: Medians, book: Book) -> Table:
    """Half of the leads took at most this long."""
    text = book.text
    key = (("tenant_id", book.scope.tenant_id), ("branch_id", book.scope.branch_id or "all"),
           ("source", "all"), ("cohort_week", book.period.start.isoformat()))  # fmt: skip
    reason = text.t("no lead of the period has both moments on record")

    def row(label: str, name: str, value: Number | None) -> Row:
        figure = Figure(
            name, label, value, "duration", "hours", reason="" if value is not None else reason,
            source=Place("marts.lead_funnel_totals", name, key),
        )  # fmt: skip
        return Row(label, (figure,))

    rows = (
        row(
            text.t("From creation to first contact"), "median_hours_to_contact", found.median_hours_to_contact
        ),
        row(text.t("From creation to conversion"), "median_hours_to_convert", found.median_hours_to_convert),
    )
    columns = (Column(text.t("Median time"), "left"), Column(text.t("Time")))
    return Table("medians", text.t("Median time"), columns, rows)


def staff(found: Sequence[Staff], most: int, book: Book) -> Table:
    """Everybody's calls and leads beside each other; beyond `most` people the rest is one row."""
    text, mart = book.text, "staff_performance_daily"
    shown, rest = found[:most], found[most:]

    def place(**more: str) -> Place:
        return book.source(mart, "", book.period, **more)

    rows = [
        _person(one, person(one.name, one.staff_id, text), f"staff.{one.staff_id}", text,
                place(staff_id=one.staff_id))
        for one in shown
    ]  # fmt: skip
    if rest:
        label = text.n("{count} further person", "{count} further people", len(rest))
        rows.append(_person(_add(rest), label, "staff.further", text, None))
    rows.append(_person(_add(found), text.t("Everybody"), "staff.all", text, place(), total=True))
    names = (text.t("Calls"), text.t("Success"), text.t("Interested"), text.t("Interest"),
             text.t("Average call"), text.t("Leads"), text.t("Converted"), text.t("Conversion"))  # fmt: skip
    columns = (Column(text.t("Staff member"), "left"), *(Column(name) for name in names))
    note = text.t("Leads are those created in the period and assigned to the person.")
    return Table("staff", text.t("Staff"), columns, tuple(rows), note)


def _add(found: Sequence[Staff]) -> Staff:
    names = ("calls", "completed", "interested", "talk_seconds", "timed_calls", "leads_assigned",
             "leads_converted")  # fmt: skip
    return Staff("all", None, *(sum((getattr(row, name) for row in found), Decimal(0)) for name in names))


def _person(row: Staff, name: str, key: str, text: Formatter, of: Place | None, total: bool = False) -> Row:
    def place(column: str) -> Place | None:
        return Place(of.mart, column, of.key) if of else None

    def count(label: str, value: Decimal) -> Figure:
        return _count(f"{key}.{label}", value, place(places.total(label)))

    def share(label: str, part: str, whole: str) -> Figure:
        values = getattr(row, part), getattr(row, whole)
        return _share(f"{key}.{label}", *values, text, place(places.quotient(part, whole)))

    talk = place(places.quotient("talk_seconds", "timed_calls"))
    cells = (
        count("calls", row.calls),
        share("call_success_rate", "completed", "calls"),
        count("interested", row.interested),
        share("interest_rate", "interested", "completed"),
        _average(f"{key}.avg_talk_seconds", row.talk_seconds, row.timed_calls, text, talk),
        count("leads_assigned", row.leads_assigned),
        count("leads_converted", row.leads_converted),
        share("conversion_rate", "leads_converted", "leads_assigned"),
    )
    return Row(name, cells, total)
