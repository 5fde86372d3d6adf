"""The MRR bridge: from the end of the period before to the end of this one, step by step.

Belongs here: the chart, and what the recorded movements leave unexplained. Does not belong here: the query of
the movements (data/executive.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from orchestration.reports.document import Chart, Figure, Number, Series, Source
from orchestration.reports.documents.common import Shelf
from orchestration.reports.documents.prose import phrase
from orchestration.reports.messages import N_

#: Movements are stored unrounded; half a minor unit is no gap.
LEAST_GAP = Decimal("0.005")
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
