"""Texts of the revenue report: columns that are no metrics of the catalogue, reasons, and sentences.

Belongs here: titles, definitions and sentences. Does not belong here: the figures in them (revenue.py).
"""

from __future__ import annotations

from orchestration.reports.data.common import Metric
from orchestration.reports.document import Direction, Format
from orchestration.reports.messages import N_

#: Columns that are no metrics of the catalogue: title, definition, formula, form, direction.
_OWN: tuple[tuple[str, str, str, str, Format, Direction], ...] = (
    ("starting_mrr", N_("MRR at the start"), N_("Monthly recurring revenue at the end of the month before"),
     "", "money", "neutral"),
    ("resumed_mrr", N_("Resumed MRR"), N_("MRR of subscriptions that went on after a pause"), "", "money",
     "up"),
    ("paused_mrr", N_("Paused MRR"), N_("MRR of subscriptions that paused; no churn"), "", "money", "down"),
    ("fx_impact_mrr", N_("Effect of exchange rates"),
     N_("Difference between the exchange rates of old and new terms; never counted as expansion"), "",
     "money", "neutral"),
    ("paying_customers", N_("Paying customers"), N_("Customers with MRR above 0 at the end of the month"), "",
     "integer", "up"),
    ("quick_ratio_strict", N_("Quick ratio, strict"),
     N_("(new + expansion) / (contraction + churn)"), "",
     "decimal", "up"),
    ("subscriptions_in_dunning", N_("Subscriptions in dunning"),
     N_("Subscriptions with an invoice that failed to be collected and is still unpaid at the month's end"),
     "", "integer", "down"),
    ("cash_balance", N_("Cash"), N_("Cash told for the month"), "", "money", "up"),
    ("monthly_burn", N_("Monthly burn"), N_("Cash used up in the month, as told"), "", "money", "down"),
)  # fmt: skip
_UNITS = {"money": "currency", "integer": "count", "decimal": "ratio"}
OWN = {
    name: Metric(name, title, words, formula, _UNITS[form], form, direction, None)
    for name, title, words, formula, form, direction in _OWN
}
#: Names in the headline.
SHORT = {"mrr": N_("Recurring revenue"), "nrr": N_("Net retention")}
NOTHING_TOLD = {
    "cash_balance": N_("no cash balance is recorded for the month"),
    "monthly_burn": N_("no burn is recorded for the month"),
    "quick_ratio_strict": N_("no MRR was lost"),
}
UNEXPLAINED = N_(
    "The recorded movements leave {amount} of the change in MRR unexplained; it is a step of its own."
)
NEVER = N_(
    "{name} has no recorded revenue yet. A report will follow once a first subscription or payment has come."
)
ELSEWHERE = N_("Nothing is recorded for {name} in this month. Its revenue lies between {first} and {last}.")
NO_BURN = N_("cash is not used up: the burn is not above 0")
