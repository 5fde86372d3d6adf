"""When something happened: one function a rule, each from a case to a finding or None.

Belongs here: thresholds and the sentence of each rule; docs/insights.md gives reasons and worked examples.
Does not belong here: the dimension behind a move (drivers.py), and which findings are told (opening.py).

A sentence names its numbers as figures. Times are dates and not counts, so that they can be looked up too.
Wording is elliptic or in the past tense, so that it fits titles in the singular and the plural.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

from orchestration.reports.document import Figure, Insight
from orchestration.reports.documents.prose import phrase, sentence
from orchestration.reports.formatting import Formatter
from orchestration.reports.insights.case import LEAST_RATE, Case
from orchestration.reports.messages import N_

#: A move has to be so many times the usual change. The rarer a report, the less: one false alarm in a hundred
#: is three a year of daily reports, and of monthly ones one in eight years.
MOVE = {"day": Decimal(4), "week": Decimal("3.5"), "month": Decimal(3)}
#: So many times for a large one, which is told where nothing is unusual.
LARGE_MOVE = {"day": Decimal(2), "week": Decimal("1.5"), "month": Decimal(1)}
#: A large move, and the distance of a day from its weekday, is at least this share of the value before.
LEAST_LARGE, LEAST_OF_WEEKDAY = Decimal("0.1"), Decimal("0.2")
#: A record has to be the best of so many periods, and beat one that stood for so many.
RECORD_SPAN = {"day": 90, "week": 26, "month": 12}
RECORD_AGE = {"day": 28, "week": 8, "month": 6}
#: Steps in one direction before one against it is a turn.
RUN = 4
#: A run is told when it reaches one of these lengths.
STREAKS = {"day": (30, 90), "week": (6, 13, 26, 52, 104), "month": (6, 12, 24, 36, 48, 60)}
#: Periods in a row on the other side of a target before a change of sides is news.
SETTLED = 2
#: The same weekday of so many weeks says what is usual, the fewest that can, and how far off is far.
WEEKS, FEWEST_WEEKS, FAR = 12, 8, 5


@dataclass(frozen=True)
class Finding:
    """What a rule found. `strength` is 1 at the threshold and at most 2; `before` and `now` are the ends."""

    case: Case
    rule: str
    strength: Decimal
    insight: Insight


def target(case: Case, text: Formatter) -> Finding | None:
    """A target that is missed or met after two periods or more on its other side."""
    row, now = case.target, case.now
    if row is None or row.target is None or now is None or len(case.values) <= SETTLED:
        return None
    sign = -1 if case.figure.direction == "down" else 1

    def met(value: Decimal) -> bool:
        return value * sign >= Decimal(row.target or 0) * sign

    settled = [value for value in case.values[-1 - SETTLED : -1] if value is not None]
    reached = met(now)
    # The status knows a tolerance around the target: what it shows as met is not told as missed.
    agrees = row.status == "success" if reached else row.status in ("warning", "error")
    if len(settled) < SETTLED or not agrees or any(met(value) == reached for value in settled):
        return None
    told = (
        N_("{name} met the target of {target}: {value} after {before}")
        if reached
        else N_("{name} missed the target of {target}: {value} after {before}")
    )
    figures = {"target": case.aim(), "value": case.value_at(-1), "before": case.value_at(-2, "previous")}
    return _finding(case, "target", Decimal(1), told, text, figures)


def mover(case: Case, text: Formatter) -> Finding | None:
    """A change several times the usual one; of what happens in a period, only away from the usual value."""
    return _mover(case, text, "mover", MOVE[case.grain], LEAST_RATE)


def largest(case: Case, text: Formatter) -> Finding | None:
    """A move that is not unusual but large and no chance: told of the largest only (opening.py)."""
    kind = case.figure.format
    is_measured = (
        kind == "integer" or (kind == "percent" and case.base) or (kind == "money" and case.is_stock)
    )
    if not is_measured:
        return None  # chance cannot be told from a move
    return _mover(case, text, "largest", LARGE_MOVE[case.grain], LEAST_LARGE)


def _mover(case: Case, text: Formatter, rule: str, least: Decimal, least_rate: Decimal) -> Finding | None:
    usual, now, before = case.usual_change, case.now, case.before
    if usual is None or now is None or before is None or now == before:
        return None
    size = abs(now - before)
    if size < least * usual or not case.is_material(before, now, least_rate):
        return None
    if (
        rule == "mover"
        and not case.is_stock
        and abs(now - case.usual_value) <= abs(before - case.usual_value)
    ):
        return None  # back to the usual
    rate = case.change_rate()
    figures = {"value": case.value_at(-1), "before": case.value_at(-1 - case.lag, "previous")}
    if rate is not None and rate.value is not None and rate.value < 10 and now != 0:
        figures = {"change": rate, "value": figures["value"]}
    told = _MOVED["change" in figures, now > before, case.is_by_weekday]
    day = text.weekday(case.start.isoweekday())
    return _finding(case, rule, _strength(size, MOVE[case.grain] * usual), told, text, figures, weekday=day)


#: By change or from the value before; up; against the weekday a week earlier.
_MOVED = {
    (True, True, False): N_("{name} rose {change} to {value}"),
    (True, False, False): N_("{name} fell {change} to {value}"),
    (False, True, False): N_("{name} rose from {before} to {value}"),
    (False, False, False): N_("{name} fell from {before} to {value}"),
    (True, True, True): N_("{name} rose {change} against the {weekday} before, to {value}"),
    (True, False, True): N_("{name} fell {change} against the {weekday} before, to {value}"),
    (False, True, True): N_("{name} rose to {value}, from {before} on the {weekday} before"),
    (False, False, True): N_("{name} fell to {value}, from {before} on the {weekday} before"),
}


def record(case: Case, text: Formatter) -> Finding | None:
    """The highest or lowest value for long, clear of the one before it, which must have stood for a while."""
    now, usual, span = case.now, case.usual_change, RECORD_SPAN[case.grain]
    known = [(index, value) for index, value in enumerate(case.values[:-1]) if value is not None]
    if now is None or usual is None or len(known) < span:
        return None
    for is_high in (True, False):
        if case.is_by_weekday and not is_high:
            continue  # the lowest days are the same weekday each week
        best = max if is_high else min
        # Of equal values the first one holds the record.
        index, holder = best(known[-span:], key=lambda entry: entry[1])
        clear = now - holder if is_high else holder - now
        is_old = len(case.values) - 1 - index >= RECORD_AGE[case.grain]
        if clear > 0 and clear >= usual / 2 and is_old and _far_from_the_middle(case, now):
            beaten = [i for i, value in known if (value >= now if is_high else value <= now)]
            return _record(case, is_high, beaten, _strength(clear, usual / 2), text)
    return None


def _far_from_the_middle(case: Case, now: Decimal) -> bool:
    return case.is_material(case.usual_value, now)


def _record(case: Case, is_high: bool, beaten: list[int], strength: Decimal, text: Formatter) -> Finding:
    told = _RECORDS[is_high, bool(beaten)]
    since = _since(case, beaten[-1] if beaten else 0, text)
    return _finding(case, "record", strength, told, text, {"value": case.value_at(-1)}, since=since)


#: High; there was a better one before `since`, else `since` is the first period known.
_RECORDS = {
    (True, True): N_("{name} rose to {value}, the highest {since}"),
    (False, True): N_("{name} fell to {value}, the lowest {since}"),
    (True, False): N_("{name} rose to {value}, the highest of all figures {since}"),
    (False, False): N_("{name} fell to {value}, the lowest of all figures {since}"),
}


def turn(case: Case, text: Formatter) -> Finding | None:
    """Four steps or more in one direction, then one against it that is larger than usual."""
    run, usual = _run(case, len(case.values) - 2), case.usual_change
    if case.is_by_weekday or usual is None or run is None or run.length < RUN:
        return None
    now, before = case.values[-1], case.values[-2]
    if now is None or before is None or (now > before) == run.is_up or now == before:
        return None
    size, whole = abs(now - before), abs(before - run.first)
    if (
        size < usual
        or size * 4 < whole
        or whole < MOVE[case.grain] * usual
        or not case.is_material(run.first, before)
    ):
        return None
    told = _TURNS[run.is_up, case.grain]
    figures = {"before": case.value_at(-2, "previous"), "value": case.value_at(-1)}
    since = _since(case, len(case.values) - 1 - run.length, text)
    return _finding(case, "turn", _strength(size, usual), told, text, figures, since=since)


#: The run was up; by grain.
_TURNS = {
    (True, "day"): N_("{name} fell from {before} to {value}, after a rise on each day {since}"),
    (True, "week"): N_("{name} fell from {before} to {value}, after a rise in each week {since}"),
    (True, "month"): N_("{name} fell from {before} to {value}, after a rise in each month {since}"),
    (False, "day"): N_("{name} rose from {before} to {value}, after a fall on each day {since}"),
    (False, "week"): N_("{name} rose from {before} to {value}, after a fall in each week {since}"),
    (False, "month"): N_("{name} rose from {before} to {value}, after a fall in each month {since}"),
}


def streak(case: Case, text: Formatter) -> Finding | None:
    """A run that has just reached six steps, twelve, and so on, and came far."""
    run, usual = _run(case, len(case.values) - 1), case.usual_change
    if case.is_by_weekday or run is None or usual is None or run.length not in STREAKS[case.grain]:
        return None
    now = case.values[-1]
    if now is None or abs(now - run.first) < MOVE[case.grain] * usual or not case.is_material(run.first, now):
        return None
    first = len(case.values) - 1 - run.length
    figures = {"first": case.value_at(first, "first"), "value": case.value_at(-1)}
    since = _since(case, first + 1, text)
    strength = min(Decimal(2), Decimal(run.length) / STREAKS[case.grain][0])
    return _finding(case, "streak", strength, _STREAKS[run.is_up, case.grain], text, figures, since=since)


_STREAKS = {
    (True, "day"): N_("{name} rose on each day {since}, from {first} to {value}"),
    (True, "week"): N_("{name} rose in each week {since}, from {first} to {value}"),
    (True, "month"): N_("{name} rose in each month {since}, from {first} to {value}"),
    (False, "day"): N_("{name} fell on each day {since}, from {first} to {value}"),
    (False, "week"): N_("{name} fell in each week {since}, from {first} to {value}"),
    (False, "month"): N_("{name} fell in each month {since}, from {first} to {value}"),
}


def weekday(case: Case, text: Formatter) -> Finding | None:
    """A day far from the median of the same weekday, measured by the median distance from it."""
    if not case.is_by_weekday or case.now is None:
        return None
    indices = [i for i in range(len(case.values) - 8, -1, -7) if case.values[i] is not None][:WEEKS]
    if len(indices) < FEWEST_WEEKS:
        return None
    usual = case.median_of(indices)
    middle = Decimal(usual.value or 0)
    distance = abs(case.now - middle)
    spread = median(abs(v - middle) for i in indices if (v := case.values[i]) is not None)
    if distance < FAR * spread or not case.is_material(middle, case.now, LEAST_OF_WEEKDAY):
        return None
    told = (
        N_("{name} came to {value}, far above the {usual} of an ordinary {weekday}")
        if case.now > middle
        else N_("{name} came to {value}, far below the {usual} of an ordinary {weekday}")
    )
    day = text.weekday(case.start.isoweekday())
    figures = {"value": case.value_at(-1), "usual": usual}
    return _finding(case, "weekday", _strength(distance, FAR * spread), told, text, figures, weekday=day)


#: The rules, each with its weight.
RULES: tuple[tuple[Callable[[Case, Formatter], Finding | None], Decimal], ...] = (
    (target, Decimal("2.0")),
    (mover, Decimal("1.1")),
    (largest, Decimal("1.1")),
    (turn, Decimal("1.1")),
    (record, Decimal("1.0")),
    (weekday, Decimal("1.0")),
    (streak, Decimal("0.8")),
)


@dataclass(frozen=True)
class _Run:
    """Steps in one direction without a break; `first` is the value before the first of them."""

    length: int
    is_up: bool
    first: Decimal


def _run(case: Case, last: int) -> _Run | None:
    """The longest run that ends at an index; None without one."""
    index, is_up = last, None
    while index > 0:
        new, old = case.values[index], case.values[index - 1]
        if new is None or old is None or new == old or (is_up is not None and (new > old) != is_up):
            break
        is_up, index = new > old, index - 1
    first = case.values[index] if index >= 0 else None
    return None if is_up is None or first is None else _Run(last - index, is_up, first)


def _since(case: Case, index: int, text: Formatter) -> str:
    """Since when, in a sentence: since a day, the week of a day, a month."""
    start = case.starts[index]
    match case.grain:
        case "month":
            return text.t("since {month}", month=text.period(start, start.replace(day=28), "monthly"))
        case "week":
            return text.t("since the week of {day}", day=text.day(start))
        case _:
            return text.t("since {day}", day=text.day(start))


def _strength(size: Decimal, threshold: Decimal) -> Decimal:
    return Decimal(2) if threshold == 0 else min(Decimal(2), size / threshold)


def _finding(
    case: Case, rule: str, strength: Decimal, told: str, text: Formatter, figures: dict[str, Figure],
    **words: str,
) -> Finding:  # fmt: skip
    shown = {name: text.figure(figure, True) for name, figure in figures.items()}
    clause = text.t(told, name=phrase(case.figure.label, text), **shown, **words)
    insight = Insight(rule, sentence([clause], text), tuple(figures.values()))
    return Finding(case, rule, strength, insight)
