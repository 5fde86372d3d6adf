"""Which findings a letter opens with, and in which order.

Belongs here: importance, families of metrics that say the same, the most sentences. Does not belong here:
rules (rules.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from orchestration.reports.data.common import Connection, Metric, TargetRow
from orchestration.reports.data.insights import read_history, read_shares
from orchestration.reports.document import Figure, Insight
from orchestration.reports.formatting import Formatter
from orchestration.reports.insights.case import FEWEST_CHANGES, LEAST_OF_MRR, Case, make_case, starts_back
from orchestration.reports.insights.drivers import driver
from orchestration.reports.insights.rules import RULES, Finding, largest, mover

#: Periods of history that are read: 18 weeks of days, two years of weeks, five years of months.
HISTORY = {"day": 126, "week": 105, "month": 61}
#: A letter opens with no more sentences than this.
MOST_SENTENCES = 5
#: And with no more large moves that are not unusual.
MOST_LARGE = 2
#: Weight of a metric by its place on the cards of its section.
RANKS = (Decimal("1.0"), Decimal("0.85"), Decimal("0.7"))
#: Amounts for one customer, which no share of MRR measures.
PER_HEAD = frozenset({"arpa", "ltv", "cac"})
#: Metrics that say the same in other words: one sentence for each family.
FAMILIES = (
    ("mrr", "arr", "committed_mrr", "mrr_growth_rate"),
    ("nrr", "grr", "gross_mrr_churn_rate", "net_mrr_churn_rate", "revenue_churn_rate"),
    ("total_customers", "active_subscriptions", "net_new_customers", "new_customers"),
    ("churned_customers", "customer_churn_rate", "ltv"),
    ("dau", "wau", "mau", "stickiness", "total_sessions"),
    ("signups", "activated_users"),
    ("new_leads", "leads_contacted", "leads_qualified", "leads_converted"),
    ("total_calls", "calls_completed", "calls_missed", "calls_failed"),
    ("total_jobs", "jobs_succeeded"),
    ("job_success_rate", "jobs_failed"),
    ("clients_coordinated", "active_vendor_pairs"),
)
#: Rates of those who joined in a period grow for weeks after it: their last values are not comparable.
RIPENING = frozenset({
    "lead_conversion_rate", "activation_rate", "file_upload_rate", "worklog_creation_rate",
    "report_generation_rate",
})  # fmt: skip
_FAMILY_OF = {metric: family[0] for family in FAMILIES for metric in family}


@dataclass(frozen=True)
class Opening:
    """The sentences, most important first, and whether history could tell the usual.

    `metric`: what the first sentence is about; `rule`: what made it.
    """

    insights: tuple[Insight, ...]
    metric: str | None
    is_judged: bool

    @property
    def rule(self) -> str | None:
        """The rule of the first sentence; None without one."""
        return self.insights[0].rule if self.insights else None


@dataclass(frozen=True)
class Candidate:
    """A metric that may get a sentence: its blank figure, its row of the catalogue and its weight."""

    figure: Figure
    metric: Metric
    weight: Decimal


def open_letter(
    conn: Connection, tenant_id: str, grain: str, start: date, candidates: Sequence[Candidate],
    targets: Mapping[str, TargetRow], text: Formatter,
) -> Opening:  # fmt: skip
    """The opening of one letter about one period, with two queries whatever the number of metrics."""
    told = [entry for entry in candidates if _may_be_told(entry)]
    starts = starts_back(start, grain, HISTORY[grain])
    history = read_history(conn, tenant_id, grain, [entry.figure.key for entry in told], starts)
    mrr = history.get("mrr", {}).get(start)
    floor = LEAST_OF_MRR * Decimal(mrr.value) if mrr else Decimal(0)
    cases = [
        make_case(entry.figure, tenant_id, grain, entry.metric.aggregation == "last", starts,
                  history[entry.figure.key], targets.get(entry.figure.key),
                  floor if _is_sum_of_money(entry.figure) else Decimal(0))
        for entry in told
    ]  # fmt: skip
    found = find(cases, text)
    drivers = _drivers(conn, tenant_id, grain, found, text)
    chosen = choose(found, {entry.figure.key: entry.weight for entry in told}, drivers)
    insights = [
        insight
        for finding in chosen
        for insight in (finding.insight, drivers.get(finding.case.figure.key) if _is_move(finding) else None)
        if insight is not None
    ]
    is_judged = any(len(case.past) > FEWEST_CHANGES for case in cases)
    first = chosen[0].case.figure.key if chosen else None
    return Opening(tuple(insights[:MOST_SENTENCES]), first, is_judged)


def _may_be_told(candidate: Candidate) -> bool:
    """Not what is neither good nor bad, and not what still ripens."""
    return candidate.figure.direction != "neutral" and candidate.figure.key not in RIPENING


def _is_sum_of_money(figure: Figure) -> bool:
    return figure.format == "money" and figure.key not in PER_HEAD


def _is_move(finding: Finding) -> bool:
    return finding.rule in (mover.__name__, largest.__name__)


def _drivers(
    conn: Connection, tenant_id: str, grain: str, found: Sequence[Finding], text: Formatter
) -> dict[str, Insight]:
    """Metric to the dimension value behind its move, for all that moved and have one."""
    moved = {finding.case.figure.key: finding.case for finding in found if _is_move(finding)}
    if not moved:
        return {}
    ends = {day for case in moved.values() for day in (case.start, case.starts[-1 - case.lag])}
    shares = read_shares(conn, tenant_id, grain, sorted(moved), sorted(ends))
    made = {key: driver(case, shares, text) for key, case in moved.items()}
    return {key: insight for key, insight in made.items() if insight is not None}


def find(cases: Iterable[Case], text: Formatter) -> list[Finding]:
    """Everything any rule finds in any case."""
    return [found for case in cases for rule, _ in RULES if (found := rule(case, text)) is not None]


def choose(
    findings: Sequence[Finding], weights: Mapping[str, Decimal], has_driver: Collection[str] = ()
) -> list[Finding]:
    """The most important ones, at most one for each family of metrics; ties go by name.

    Of large moves that are not unusual the largest few are told, by day only metrics in `has_driver`.
    """
    by_rule = {rule.__name__: weight for rule, weight in RULES}

    def importance(finding: Finding) -> tuple[Decimal, str, str]:
        key = finding.case.figure.key
        return (-by_rule[finding.rule] * weights[key] * finding.strength, key, finding.rule)

    chosen: dict[str, Finding] = {}
    large = 0
    for finding in sorted(findings, key=importance):
        key = finding.case.figure.key
        family = _FAMILY_OF.get(key, key)
        if any(finding.case.is_echo_of(other.case) for other in chosen.values()):
            continue
        if finding.rule == largest.__name__:
            is_told = key in has_driver or finding.case.grain != "day"
            if family in chosen or not is_told or large == MOST_LARGE:
                continue
            large += 1
        chosen.setdefault(family, finding)
    return list(chosen.values())[:MOST_SENTENCES]
