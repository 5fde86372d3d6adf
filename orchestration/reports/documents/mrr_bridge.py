"""The MRR bridge: from the end of the period before to the end of this one, step by step.

Belongs here: the chart, and what the recorded movements leave unexplained. Does not belong here: the query of
the movements (data/executive.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from orchestration.reports.document import Chart, Figure, Insight, Number, Series, Source
from orchestration.reports.documents.common import Shelf
from orchestration.reports.documents.prose import phrase
from orchestration.reports.insights.case import LEAST_RATE
from orchestration.reports.messages import N_

#: Movements are stored unrounded; half a minor unit is no gap.
LEAST_GAP = Decimal("0.005")
#: What is told behind a change: movements of at least this part of it, and no more than so many.
LEAST_PART, MOST_STEPS = Decimal("0.1"), 3
#: Steps in order, each with its sign.
STEPS = (
    ("new", N_("New business"), 1), ("reactivation", N_("Reactivated"), 1), ("expansion", N_("Expansion"), 1),
    ("resumed", N_("Resumed"), 1), ("contraction", N_("Contraction"), -1), ("churn", N_("Churn"), -1),
    ("paused", N_("Paused"), -1), ("fx_impact", N_("Currency"), 1),
)  # fmt: skip


def bridge(shelf: Shelf, movements: Mapping[str, Number]) -> Chart | None:
    """The chart; None without movements and when they do not add up."""
    start, end = shelf.value("mrr", shelf.period.previous.start), shelf.value("mrr")
    unexplained = gap(shelf, movements)
    if start is None or end is None or unexplained is None or abs(unexplained) >= LEAST_GAP:
        return None
    text, sample = shelf.text, replace(shelf.blank("mrr"), label=shelf.text.t("MRR"))
    before = shelf.source("mrr", shelf.period.previous.start)
    labels = (
        replace(sample, key="mrr_bridge.start", label=text.t("Start"), value=start, source=before),
        *_steps(shelf, sample, movements),
        replace(sample, key="mrr_bridge.end", label=text.t("End"), value=end, source=shelf.source("mrr")),
    )
    told = ", ".join(f"{phrase(figure.label, text)} {text.figure(figure, True)}" for figure in labels)
    return Chart(
        "mrr_bridge",
        text.t("MRR from start to end"),
        "bridge",
        tuple(figure.label for figure in labels),
        (Series(sample.label, tuple(figure.value for figure in labels)),),
        sample,
        text.t("MRR: {steps}.", steps=told),
        labels=labels,
        wide=True,
    )


def behind(shelf: Shelf, movements: Mapping[str, Number]) -> Insight | None:
    """The largest movements behind a change of MRR; None when it is small or they do not add up to it."""
    chart, text = bridge(shelf, movements), shelf.text
    if chart is None:
        return None
    start, *steps, end = chart.labels
    before, now = Decimal(start.value or 0), Decimal(end.value or 0)
    if before == 0 or abs(now - before) < LEAST_RATE * abs(before):
        return None
    largest = sorted(steps, key=lambda step: -abs(Decimal(step.value or 0)))
    told = [s for s in largest if abs(Decimal(s.value or 0)) >= LEAST_PART * abs(now - before)][:MOST_STEPS]
    said = text.listed([f"{phrase(step.label, text)} {text.figure(step, True)}" for step in told])
    words = (
        text.t("Behind the rise in MRR: {steps}.", steps=said)
        if now > before
        else text.t("Behind the fall in MRR: {steps}.", steps=said)
    )
    return Insight("movements", words, tuple(told))


def warnings(shelf: Shelf, movements: Mapping[str, Number]) -> tuple[str, ...]:
    """That the movements leave a gap, and how large it is."""
    unexplained = gap(shelf, movements)
    if unexplained is None or abs(unexplained) < LEAST_GAP:
        return ()
    amount = shelf.text.money(unexplained, shelf.tenant.currency)
    return (shelf.text.t(
        "The recorded movements leave {amount} of the change in MRR unexplained; they are not drawn.",
        amount=amount,
    ),)  # fmt: skip


def gap(shelf: Shelf, movements: Mapping[str, Number]) -> Decimal | None:
    """What the movements leave unexplained between the two ends; None when there is no bridge to draw."""
    start, end = shelf.value("mrr", shelf.period.previous.start), shelf.value("mrr")
    if not movements or start is None or end is None:
        return None
    moved = sum(sign * Decimal(movements[kind]) for kind, _, sign in STEPS if kind in movements)
    return Decimal(end) - Decimal(start) - moved


def _steps(shelf: Shelf, sample: Figure, movements: Mapping[str, Number]) -> list[Figure]:
    period = shelf.period
    days = f"movement_date between '{period.start}' and '{period.end}'"
    return [
        replace(
            sample,
            key=f"mrr_bridge.{kind}",
            label=shelf.text.t(label),
            value=sign * Decimal(movements[kind]),
            source=Source(
                "marts.mrr_movements",
                f"{'-' if sign < 0 else ''}sum(amount) filter (where {days})",
                (("tenant_id", shelf.tenant.tenant_id), ("movement", kind)),
            ),
        )
        for kind, label, sign in STEPS
        if kind in movements
    ]
