"""Tables of the lead performance report.

Belongs here: rows of sums to tables with their rates. Does not belong here: the order of sections.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal

from orchestration.reports.data.lead_performance import Hour, Medians, Outcome, Source, Staff
from orchestration.reports.document import Column, Figure, Row, Table
from orchestration.reports.formatting import Formatter
from orchestration.reports.periods import Period

STATUSES = ("new", "contacted", "qualified", "converted", "lost")
NOT_NAMED = {"(none)": "Not named"}
_TOO_EARLY = "lies before the first record"
_NO_BASE = "there is nothing to divide by"


def _count(key: str, value: Decimal) -> Figure:
    return Figure(key, key.rsplit(".", 1)[-1], value)


def _share(key: str, part: Decimal, whole: Decimal) -> Figure:
    return Figure(key, key.rsplit(".", 1)[-1], part / whole if whole else None, "percent", "rate",
                  reason="" if whole else _NO_BASE)  # fmt: skip


def _average(key: str, total: Decimal, count: Decimal) -> Figure:
    return Figure(key, key.rsplit(".", 1)[-1], total / count if count else None, "duration", "seconds",
                  reason="" if count else _NO_BASE)  # fmt: skip


def _title(value: str) -> str:
    words = NOT_NAMED.get(value, value.replace("_", " ").strip())
    return words[:1].upper() + words[1:]


def _before(key: str, value: Decimal, known: bool) -> Figure:
    """A count of the period before; a dash when nothing was recorded yet."""
    return _count(key, value) if known else Figure(key, "", None, reason=_TOO_EARLY)


def _early_note(period: Period, known: bool, text: Formatter) -> str:
    return "" if known else f"— {period.before(text).capitalize()} {_TOO_EARLY}."


def statuses(
    total: Callable[[str, date, date], Decimal], period: Period, known: bool, text: Formatter
) -> Table:
    """Leads created in the period by their status at the time of the data.

    `known`: whether the period before holds any record.
    """

    def counts(of: Period) -> list[Decimal]:
        return [total(f"status_{status}", of.start, of.end) for status in STATUSES]

    now, before = counts(period), counts(period.previous)
    rows = [
        Row(_title(status), (
            _count(f"status.{status}", count),
            _share(f"status.{status}.share", count, sum(now, Decimal(0))),
            _before(f"status.{status}.previous", then, known),
        ))
        for status, count, then in zip(STATUSES, now, before, strict=True)
    ]  # fmt: skip
    whole, earlier = sum(now, Decimal(0)), sum(before, Decimal(0))
    rows.append(Row("All leads", (_count("status.all", whole), _share("status.all.share", whole, whole),
                                  _before("status.all.previous", earlier, known)), total=True))  # fmt: skip
    columns = (Column("Status of the leads created", "left"), Column(period.this(text).capitalize()),
               Column("Share"), Column(period.before(text).capitalize()))  # fmt: skip
    return Table("status", "Leads by status", columns, tuple(rows), _early_note(period, known, text))


def outcomes(found: Sequence[Outcome], period: Period, known: bool, text: Formatter) -> Table:
    """Completed calls by outcome."""
    whole = sum((row.completed for row in found), Decimal(0))
    rows = tuple(
        Row(_title(row.outcome), (
            _count(f"outcome.{row.outcome}", row.completed),
            _share(f"outcome.{row.outcome}.share", row.completed, whole),
            _before(f"outcome.{row.outcome}.previous", row.completed_before, known),
        ))
        for row in found
    )  # fmt: skip
    columns = (Column("Outcome of completed calls", "left"), Column(period.this(text).capitalize()),
               Column("Share"), Column(period.before(text).capitalize()))  # fmt: skip
    return Table("outcomes", "Calls by outcome", columns, rows, _early_note(period, known, text))


def hours(found: Sequence[Hour], text: Formatter) -> Table:
    """Calls by hour of the day, hours without a call left out."""
    rows = tuple(
        Row(f"{text.hour(row.hour_of_day)}:00 to {text.hour((row.hour_of_day + 1) % 24)}:00", (
            _count(f"hour.{row.hour_of_day:02d}.total_calls", row.total_calls),
            _count(f"hour.{row.hour_of_day:02d}.calls_completed", row.calls_completed),
            _share(f"hour.{row.hour_of_day:02d}.call_success_rate", row.calls_completed, row.total_calls),
            _count(f"hour.{row.hour_of_day:02d}.interested", row.interested),
            _share(f"hour.{row.hour_of_day:02d}.interest_rate", row.interested, row.calls_completed),
        ))
        for row in found
    )  # fmt: skip
    columns = (Column("Hour", "left"), Column("Calls"), Column("Completed"), Column("Success"),
               Column("Interested"), Column("Interest"))  # fmt: skip
    return Table("hours", "Calls by hour", columns, rows)


def sources(found: Sequence[Source], most: int = 12) -> Table:
    """Leads of the week by source; beyond `most` the rest is one row."""
    shown, rest = list(found[:most]), found[most:]
    if rest:
        shown.append(
            Source(f"{len(rest)} further sources", *(
                sum((getattr(row, name) for row in rest), Decimal(0))
                for name in ("leads", "contacted", "qualified", "converted")
            ))
        )  # fmt: skip
    rows = tuple(
        Row(_title(row.source), (
            _count(f"source.{row.source}.leads", row.leads),
            _count(f"source.{row.source}.contacted", row.contacted),
            _count(f"source.{row.source}.qualified", row.qualified),
            _count(f"source.{row.source}.converted", row.converted),
            _share(f"source.{row.source}.conversion_rate", row.converted, row.leads),
        ))
        for row in shown
    )  # fmt: skip
    columns = (Column("Source", "left"), Column("Leads"), Column("Contacted"), Column("Qualified"),
               Column("Converted"), Column("Conversion"))  # fmt: skip
    return Table("sources", "Funnel by source", columns, rows)


def medians(found: Medians) -> Table:
    """Half of the leads took at most this long."""
    values = (("First contact", "to_contact", found.median_hours_to_contact),
              ("Conversion", "to_convert", found.median_hours_to_convert))  # fmt: skip
    rows = tuple(
        Row(f"From creation to {label.lower()}", (
            Figure(f"median_hours_{key}", label, value, "duration", "hours"),
        ))
        for label, key, value in values
    )  # fmt: skip
    missing = any(value is None for _, _, value in values)
    note = "— No lead of the period has both moments on record." if missing else ""
    return Table("medians", "Median time", (Column("Median time", "left"), Column("Time")), rows, note)


def staff(found: Sequence[Staff], most: int) -> Table:
    """Everybody's calls and leads beside each other; beyond `most` people the rest is one row."""
    shown, rest = found[:most], found[most:]
    rows = [_person(row, _name(row), f"staff.{row.staff_id}") for row in shown]
    if rest:
        rows.append(_person(_add(rest), f"{len(rest)} further people", "staff.further"))
    rows.append(_person(_add(found), "Everybody", "staff.all", total=True))
    columns = (Column("Staff member", "left"), Column("Calls"), Column("Success"), Column("Interested"),
               Column("Interest"), Column("Average call"), Column("Leads"), Column("Converted"),
               Column("Conversion"))  # fmt: skip
    note = (
        "Leads are those created in the period and assigned to the person. — There is nothing to divide by."
    )
    return Table("staff", "Staff", columns, tuple(rows), note)


def _name(row: Staff) -> str:
    return row.name or NOT_NAMED.get(row.staff_id, row.staff_id)


def _add(found: Sequence[Staff]) -> Staff:
    names = (
        "calls",
        "completed",
        "interested",
        "talk_seconds",
        "timed_calls",
        "leads_assigned",
        "leads_converted",
    )
    return Staff("all", None, *(sum((getattr(row, name) for row in found), Decimal(0)) for name in names))


def _person(row: Staff, name: str, key: str, total: bool = False) -> Row:
    cells = (
        _count(f"{key}.calls", row.calls),
        _share(f"{key}.call_success_rate", row.completed, row.calls),
        _count(f"{key}.interested", row.interested),
        _share(f"{key}.interest_rate", row.interested, row.completed),
        _average(f"{key}.avg_talk_seconds", row.talk_seconds, row.timed_calls),
        _count(f"{key}.leads_assigned", row.leads_assigned),
        _count(f"{key}.leads_converted", row.leads_converted),
        _share(f"{key}.conversion_rate", row.leads_converted, row.leads_assigned),
    )
    return Row(name, cells, total)
