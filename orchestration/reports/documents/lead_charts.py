"""Charts of the lead performance report: funnel, hours of the day, days of the week, staff.

Belongs here: rows of sums to charts, with the sentence that says what they show. Does not belong here: how a
chart is drawn (formats/svg.py), tables (lead_tables.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal

from orchestration.reports.data.lead_performance import Cell, Hour, Staff
from orchestration.reports.document import Chart, Figure, Series
from orchestration.reports.documents import sources
from orchestration.reports.documents.lead_book import Book
from orchestration.reports.documents.lead_words import NOT_NAMED, person, status_word
from orchestration.reports.messages import N_

STEPS = {"new": "new_leads", "contacted": "contacted_leads", "qualified": "qualified_leads",
         "converted": "converted_leads"}  # fmt: skip
#: What a step's share is of: the step before.
_OF = {"new": N_("of the new ones"), "contacted": N_("of those contacted"),
       "qualified": N_("of those qualified")}  # fmt: skip
#: A cell of fewer calls says nothing about its hour, and fewer cells than these are no picture.
LEAST_CALLS, LEAST_CELLS = 5, 12
MOST_BARS = 12


def funnel(book: Book) -> Chart:
    """How far the leads of the period came, each step with its share of the one before."""
    text, names = book.text, list(STEPS)
    counts = {name: book.now(column) for name, column in STEPS.items()}
    labels: list[Figure] = []
    for before, name in zip([None, *names], names, strict=False):
        place = book.source("lead_performance_daily", sources.total(STEPS[name]), book.period)
        step = Figure(f"funnel.{STEPS[name]}", status_word(name, text), counts[name], source=place)
        labels.append(step)
        if before is not None:
            base = counts[before]
            labels.append(Figure(
                f"{step.key}.step_rate", text.t(_OF[before]), counts[name] / base if base else None,
                "percent", "rate", reason="" if base else text.t("there is nothing to divide by"),
                source=book.source("lead_performance_daily", sources.quotient(STEPS[name], STEPS[before]),
                                   book.period),
            ))  # fmt: skip
    steps = [f for f in labels if not f.key.endswith("step_rate")]
    told = ", ".join(f"{step.label} {text.figure(step)}" for step in steps)
    return Chart("funnel", text.t("How far the leads came"), "funnel", tuple(s.label for s in steps),
                 (Series(text.t("Leads"), tuple(counts.values())),), steps[0],
                 text.t("Leads by step: {steps}.", steps=told), labels=tuple(labels), wide=True)  # fmt: skip


def best_hour(hours: Sequence[Hour], book: Book) -> str:
    """The hour in which most calls were completed, among those that hold their even share of the calls.

    An hour with a handful of calls is no advice. Where these hours do not differ, the busiest one is told.
    """
    text, enough = book.text, sum((hour.total_calls for hour in hours), Decimal(0)) / len(hours)
    busy = [hour for hour in hours if hour.total_calls >= enough]
    rates = {hour.hour_of_day: hour.calls_completed / hour.total_calls for hour in busy}
    if list(rates.values()).count(max(rates.values())) > 1 or len(rates) == 1:
        most = max(busy, key=lambda hour: hour.total_calls)
        count = text.figure(Figure("busiest_hour", "", most.total_calls))
        hour = text.hour(most.hour_of_day)
        return text.t("Most calls began from {hour}:00: {count}.", hour=hour, count=count)
    best = max(busy, key=lambda hour: rates[hour.hour_of_day])
    rate = Figure("best_hour", "", best.calls_completed / best.total_calls, "percent")
    return text.n(
        "Among the busier hours the one from {hour}:00 completed most: {rate} of {count} call.",
        "Among the busier hours the one from {hour}:00 completed most: {rate} of {count} calls.",
        int(best.total_calls), hour=text.hour(best.hour_of_day), rate=text.figure(rate),
    )  # fmt: skip


def hours_of_the_day(hours: Sequence[Hour], lead: str, book: Book) -> Chart:
    """All calls and the completed ones by the hour in which they began."""
    text, by_hour = book.text, {hour.hour_of_day: hour for hour in hours}
    span = range(min(by_hour), max(by_hour) + 1)
    calls = tuple(by_hour[hour].total_calls if hour in by_hour else Decimal(0) for hour in span)
    done = tuple(by_hour[hour].calls_completed if hour in by_hour else Decimal(0) for hour in span)
    series = (Series(text.t("All calls"), calls), Series(text.t("Completed"), done))
    alt = text.t("Calls by hour of the day. {finding}", finding=lead)
    return Chart("calls_by_hour", text.t("Calls by hour of the day"), "columns",
                 tuple(text.hour(hour) for hour in span), series,
                 Figure("total_calls", text.t("Calls"), None), alt,
                 note=text.t("local time of the branch"), wide=True)  # fmt: skip


def week_grid(cells: Sequence[Cell], days: tuple[date, date], book: Book) -> Chart | None:
    """Share of calls completed by day of the week and hour; None where too few hours have enough calls, or
    where all are alike.

    `days`: first and last day that the cells cover.
    """
    text = book.text
    grid = {(cell.weekday, cell.hour_of_day): cell for cell in cells}
    rates = {place: cell.calls_completed / cell.total_calls for place, cell in grid.items()
             if cell.total_calls >= LEAST_CALLS}  # fmt: skip
    if len(rates) < LEAST_CELLS or len(set(rates.values())) == 1:
        return None
    hours = range(min(hour for _, hour in rates), max(hour for _, hour in rates) + 1)
    order = range(1, 8) if book.tenant.week_start == "monday" else (7, 1, 2, 3, 4, 5, 6)
    present = [weekday for weekday in order if any(place[0] == weekday for place in rates)]
    series = tuple(
        Series(text.weekday(weekday), tuple(rates.get((weekday, hour)) for hour in hours),
               _calls_of(weekday, grid, days, book))
        for weekday in present
    )  # fmt: skip
    sample = Figure("call_success_rate", text.t("Call success"), None, "percent", "rate")
    (weekday, hour), rate = max(rates.items(), key=lambda item: (item[1], grid[item[0]].total_calls))
    alt = text.t(
        "Share of calls completed by day of the week and hour. The highest is {rate}, on {weekday} from "
        "{hour}:00.",
        rate=text.like(sample, rate), weekday=text.weekday(weekday), hour=text.hour(hour),
    )  # fmt: skip
    note = text.t("{first} to {last}; number of calls by day; hours with fewer than {least} calls stay empty",
                  first=text.day(days[0]), last=text.day(days[1]), least=LEAST_CALLS)  # fmt: skip
    return Chart("success_by_weekday_and_hour", text.t("Share of calls completed"), "heatmap",
                 tuple(text.hour(hour) for hour in hours), series, sample, alt, note=note,
                 wide=True)  # fmt: skip


def _calls_of(
    weekday: int, grid: Mapping[tuple[int, int], Cell], days: tuple[date, date], book: Book
) -> Figure:
    calls = sum((cell.total_calls for place, cell in grid.items() if place[0] == weekday), Decimal(0))
    place = sources.in_days(
        "call_performance_hourly", sources.total("total_calls"), *days, book.scope.tenant_id,
        book.scope.branch_id, weekday=weekday,
    )  # fmt: skip
    return Figure(f"weekday.{weekday}.total_calls", book.text.weekday(weekday), calls, source=place)


def calls_by_person(staff: Sequence[Staff], book: Book) -> Chart | None:
    """The calls of those who made most; None where fewer than two people called."""
    text = book.text
    shown = [one for one in staff if one.calls and one.staff_id != NOT_NAMED][:MOST_BARS]
    if len(shown) < 2:
        return None
    labels = tuple(
        Figure(f"staff_bar.{one.staff_id}.calls", person(one.name, one.staff_id, text), one.calls,
               source=book.source("staff_performance_daily", sources.total("calls"), book.period,
                                  staff_id=one.staff_id))
        for one in shown
    )  # fmt: skip
    alt = text.t(
        "Calls by member of staff: from {most} ({first}) to {least} ({last}).",
        most=text.figure(labels[0]), first=labels[0].label,
        least=text.figure(labels[-1]), last=labels[-1].label,
    )  # fmt: skip
    return Chart("calls_by_person", text.t("Calls by member of staff"), "bars",
                 tuple(label.label for label in labels),
                 (Series(text.t("Calls"), tuple(one.calls for one in shown)),), labels[0], alt,
                 labels=labels, wide=True)  # fmt: skip


def best_person(staff: Sequence[Staff], book: Book) -> str:
    """Who completed the largest share of calls, among those with at least half of the average number.

    Nobody where they do not differ.
    """
    callers = [one for one in staff if one.calls and one.staff_id != NOT_NAMED]
    if len(callers) < 2:
        return ""
    text, average = book.text, sum((one.calls for one in callers), Decimal(0)) / len(callers)
    steady = [one for one in callers if one.calls * 2 >= average]
    rates = [one.completed / one.calls for one in steady]
    if rates.count(max(rates)) > 1:
        return ""
    best = max(steady, key=lambda one: (one.completed / one.calls, one.calls))
    rate = Figure("best_person", "", best.completed / best.calls, "percent")
    return text.n(
        "Of those with enough calls to compare, {name} completed most: {rate} of {count} call.",
        "Of those with enough calls to compare, {name} completed most: {rate} of {count} calls.",
        int(best.calls), name=person(best.name, best.staff_id, text), rate=text.figure(rate),
    )  # fmt: skip
