"""Words about figures: clauses, sentences, what moved, the small print.

Belongs here: sentences that every report forms alike. Does not belong here: how a figure and its comparison
come about (common.py), the sentences a letter opens with (reports/insights), numbers as text (formatting.py).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from orchestration.reports.data.common import Metric, Tenant
from orchestration.reports.document import Definition, Figure, Judgement, Remarks
from orchestration.reports.formatting import Formatter
from orchestration.reports.messages import N_
from orchestration.reports.periods import Period

#: A percentage of fewer than these says less than the two counts.
_SMALL_COUNT = 20


#: `Aktive Nutzer`, `Offener Betrag`: an ending before a noun; `Monatlich wiederkehrender Umsatz`: an adverb.
_GERMAN_ADJECTIVE = re.compile(r"\w+(e|er|es|en) [A-ZÄÖÜ]|\w+lich ")


def phrase(title: str, text: Formatter) -> str:
    """A title inside a sentence: its first letter small unless it begins an abbreviation or a German noun."""
    words = title.replace("_", " ").strip()
    begins_small = len(words) > 1 and words[1].islower()
    if not begins_small or (text.language == "de" and not _GERMAN_ADJECTIVE.match(words)):
        return words
    return words[0].lower() + words[1:]


def definition_text(metric: Metric, text: Formatter) -> str:
    """What the catalogue says about a metric in words; its formula stands in docs/metrics.md."""
    return text.t(metric.description.strip()).rstrip(".") + "."


def definitions(figures: Iterable[Figure]) -> tuple[Definition, ...]:
    """One definition for each shown figure that has one, by title."""
    texts = {figure.label: figure.definition for figure in figures if figure.definition}
    return tuple(Definition(title, texts[title]) for title in sorted(texts, key=str.casefold))


#: Clauses about a figure: how it moved, by its change or from its value before.
_MOVED = {
    ("up", True): N_("{name} rose {change} to {value}"),
    ("down", True): N_("{name} fell {change} to {value}"),
    ("up", False): N_("{name} rose from {before} to {value}"),
    ("down", False): N_("{name} fell from {before} to {value}"),
}


def moved(figure: Figure, text: Formatter, compact: bool = True) -> str:
    """A figure as a clause: `monthly recurring revenue rose 4.2% to $1.24M`."""
    name, value = phrase(figure.label, text), text.figure(figure, compact)
    movement = figure.comparison.movement if figure.comparison else "unknown"
    change = text.change(figure)
    if movement == "unchanged":
        return _joined(text.t("{name} held at {value}", name=name, value=value), value)
    if movement in ("up", "down"):
        before = figure.comparison.value if figure.comparison else None
        small = figure.format == "integer" and before is not None and abs(Decimal(before)) < _SMALL_COUNT
        by_change = not (figure.value == 0 or not change or small)
        earlier = text.like(figure, before, compact)
        clause = text.t(_MOVED[movement, by_change], name=name, change=change, before=earlier, value=value)
        return _joined(clause, value)
    return _joined(text.t("{name} stood at {value}", name=name, value=value), value)


def _joined(clause: str, value: str) -> str:
    """No line ends between the last word and the value."""
    return clause.replace(f" {value}", f"\u00a0{value}")


def sentence(clauses: Sequence[str], text: Formatter) -> str:
    """Clauses joined into one sentence that begins with a capital letter."""
    joined = text.listed(clauses)
    return joined[:1].upper() + joined[1:] + "." if joined else ""


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

    def remarks(judgement: Judgement, title: str, none: str) -> Remarks:
        lines = [sentence([moved(figure, text)], text) for figure in ranked_moves(figures, judgement, 3)]
        return Remarks(title, tuple(lines) or (none,), judgement)

    return (
        remarks("better", text.t("What went well"), text.t("No further figure moved the right way.")),
        remarks("worse", text.t("What needs attention"), text.t("No further figure moved the wrong way.")),
    )


def tally(figures: Iterable[Figure], period: Period, text: Formatter) -> str:
    """How many figures went which way: the second line of a report."""
    judged = [
        figure.comparison.judgement
        for figure in figures
        if figure.comparison and figure.direction != "neutral" and figure.comparison.change is not None
    ]
    better, worse, same = judged.count("better"), judged.count("worse"), judged.count("neutral")
    kinds = (
        (better, text.n("{count} figure is better", "{count} figures are better", better)),
        (worse, text.n("{count} is worse", "{count} are worse", worse)),
        (same, text.n("{count} is unchanged", "{count} are unchanged", same)),
    )
    said = [words for count, words in kinds if count]
    if not said:
        return ""
    if not better:
        # The first clause names what is counted.
        said[0] = (
            text.n("{count} figure is worse", "{count} figures are worse", worse) if worse
            else text.n("{count} figure is unchanged", "{count} figures are unchanged", same)
        )  # fmt: skip
    return text.t("Against {before}, {tally}.", before=period.before(text), tally=text.listed(said))


def small_print(
    tenant: Tenant, period: Period, text: Formatter, empty: bool, has_money: bool = True
) -> tuple[str, ...]:
    """Notes that stand under every report; `has_money`: whether it shows an amount."""
    before = period.previous
    ended = period.end <= tenant.complete_date
    week = text.weekday(1 if tenant.week_start == "monday" else 7)
    notes = (
        text.t(
            "Data as of {moment} ({timezone}). Days, weeks and months are those of {timezone}; weeks begin "
            "on {weekday}.", moment=text.moment(tenant.as_of), timezone=tenant.timezone, weekday=week,
        ),
        "" if ended else text.t(
            "{day} had not ended when the data was taken: figures are partial.", day=text.day(period.end),
        ),
        text.t(
            "Changes compare with {before}, {period}. Rates change in percentage points. Unchanged: the "
            "change is too small for the digits shown.", before=period.before(text),
            period=text.period(before.start, before.end, period.frequency),
        ),
        text.t(
            "Money is in {currency}. Amounts on cards are rounded; tables give them to the minor unit.",
            currency=tenant.currency,
        ) if has_money else "",
    )  # fmt: skip
    return tuple(note for note in notes[: 1 if empty else None] if note)


#: Settings that change figures: what a report says when one differs from its default.
_SETTINGS = (
    ("gross_margin", Decimal(1), N_("lifetime value and payback use a gross margin of {value}")),
    ("past_due_days", None, N_("a subscription past due counts as churned after {value} days")),
    ("churn_on", "end", N_("churn counts when a customer asks to cancel")),
    ("mau_window_days", 30, N_("monthly active users look back {value} days")),
    (
        "activation_events",
        ["file_upload", "worklog_creation", "report_generation"],
        N_("a user is activated by the first of: {value}"),
    ),
)


def _setting(name: str, value: Any, text: Formatter) -> str:
    """A setting as a reader knows it; names of events are data and stay as they are."""
    if isinstance(value, Decimal):
        return text.figure(Figure(name, "", value, "percent", "rate"))
    return ", ".join(value) if isinstance(value, list) else str(value)


#: The figures that these settings change; the others change most of a report.
_CHANGES = {
    "gross_margin": {"ltv", "ltv_to_cac", "payback_months"},
    "mau_window_days": {"mau", "stickiness"},
    "activation_events": {"activated_users", "activation_rate"},
}


def settings_print(
    settings: Mapping[str, Any], text: Formatter, shown: Collection[str] | None = None
) -> tuple[str, ...]:
    """One line naming the tenant's settings that change a figure; none when all are at their defaults.

    `shown`: keys of the report's figures; a setting that changes none of them is left out.
    """
    said = [
        text.t(words, value=_setting(name, value, text))
        for name, standard, words in _SETTINGS
        if settings
        and (value := settings[name]) != standard
        and (shown is None or name not in _CHANGES or not _CHANGES[name].isdisjoint(shown))
    ]
    return (text.t("Settings of this tenant: {settings}.", settings="; ".join(said)),) if said else ()
