"""What each column of daily_metrics and revenue_metrics counts: the lineage of every metric over them.

Belongs here: one entry a column. A metric of the catalogue is an expression over these columns, so a new
metric needs no entry; a new column does, and a test names the one that lacks it. Does not belong here: the
rows (row_sets.py) and the arithmetic of periods (evaluate.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: A span is the day itself, so many days that end with it, or the week or month up to it.
Window = Literal["day", "mau", "week", "month"] | int


@dataclass(frozen=True)
class Measure:
    """An aggregate over the rows of a row set; `shows` is what one row contributes, for people to see."""

    rows: str
    value: str
    where: str = "true"
    shows: str | None = None
    window: Window = "day"
    empty: int | None = 0

    @property
    def adds_amounts(self) -> bool:
        """Rows contribute amounts, rather than being counted."""
        return self.shows is not None and not self.value.startswith("count(")


@dataclass(frozen=True)
class Formula:
    """A column made of measures: `numerator / denominator`, or the numerator alone.

    needs_complete: NULL while the period has not ended. needs_known: NULL where an exchange rate is missing.
    monthly: holds for one calendar month only, for it relates a month's flow to a lifetime.
    """

    numerator: str
    denominator: str | None = None
    needs_complete: bool = False
    needs_known: bool = False
    monthly: bool = False


def _count(rows: str, where: str = "true", window: Window = "day") -> Measure:
    return Measure(rows, "count(*)", where, None, window)


def _distinct(rows: str, what: str, where: str = "true", window: Window = "day") -> Measure:
    return Measure(rows, f"count(distinct {what})", where, what, window)


def _sum(rows: str, what: str, where: str = "true") -> Measure:
    return Measure(rows, f"coalesce(sum({what}), 0)", f"({where}) and {what} is not null", what)


def _money(rows: str, what: str, where: str = "true") -> Measure:
    """A sum of which one unknown part makes the whole unknown."""
    return Measure(rows, f"case when count(*) = count({what}) then sum({what}) end", where, what)


def _percentile(share: str) -> Measure:
    value = f"(percentile_cont({share}) within group (order by latency_ms))::numeric"
    return Measure("api_requests", value, "latency_ms is not null", "latency_ms", empty=None)


def _movement(kind: str, extra: str = "true") -> Measure:
    return Measure("movements", "coalesce(sum(amount), 0)", f"movement = '{kind}' and {extra}", "amount")


MEASURES: dict[str, Measure] = {
    # Engagement
    "dau": _distinct("sessions", "user_id"),
    "wau": _distinct("sessions", "user_id", window=7),
    "mau": _distinct("sessions", "user_id", window="mau"),
    "mau_28": _distinct("sessions", "user_id", window=28),
    "wau_week_to_date": _distinct("sessions", "user_id", window="week"),
    "mau_month_to_date": _distinct("sessions", "user_id", window="month"),
    "active_suppliers": _distinct("sessions", "user_id", "user_type = 'supplier'"),
    "active_couples": _distinct("sessions", "user_id", "user_type = 'couple'"),
    "total_suppliers": _count("users_so_far", "user_type = 'supplier'"),
    "total_couples": _count("users_so_far", "user_type = 'couple'"),
    "total_sessions": _count("sessions"),
    "session_seconds": _sum("sessions", "seconds"),
    "timed_sessions": _count("sessions", "seconds is not null"),
    # Activation
    "signups": _count("signups"),
    "activated_users": _distinct("activations", "user_id"),
    "activated_of_signups": _distinct("steps_of_signups", "user_id", "step = 'activation'"),
    "file_upload_of_signups": _distinct("steps_of_signups", "user_id", "step = 'file_upload'"),
    "worklog_creation_of_signups": _distinct("steps_of_signups", "user_id", "step = 'worklog_creation'"),
    "report_generation_of_signups": _distinct("steps_of_signups", "user_id", "step = 'report_generation'"),
    # Jobs
    "total_jobs": _count("jobs"),
    "jobs_succeeded": _count("jobs", "status = 'succeeded'"),
    "jobs_failed": _count("jobs", "status = 'failed'"),
    "job_seconds": _sum("jobs", "seconds"),
    "timed_jobs": _count("jobs", "seconds is not null"),
    # Leads
    "new_leads": _count("new_leads"),
    "converted_of_new_leads": _count("new_leads", "is_converted"),
    "leads_contacted": _count("leads_by_step", "step = 'contacted'"),
    "leads_qualified": _count("leads_by_step", "step = 'qualified'"),
    "leads_converted": _count("leads_by_step", "step = 'converted'"),
    "leads_lost": _count("leads_by_step", "step = 'lost'"),
    # Calls
    "total_calls": _count("calls"),
    "calls_completed": _count("calls", "status = 'completed'"),
    "calls_missed": _count("calls", "status = 'missed'"),
    "calls_failed": _count("calls", "status = 'failed'"),
    "calls_interested": _count("calls", "status = 'completed' and outcome = 'interested'"),
    "call_seconds": _sum("calls", "seconds"),
    "timed_calls": _count("calls", "seconds is not null"),
    # Collaboration
    "clients_coordinated": _distinct("collaborations", "client_id"),
    "clients_coordinated_week_to_date": _distinct("collaborations", "client_id", window="week"),
    "clients_coordinated_month_to_date": _distinct("collaborations", "client_id", window="month"),
    "vendors_collaborating": _distinct("vendors", "vendor_id"),
    "active_vendor_pairs": _distinct("active_pairs", "pair"),
    "coordination_hours": Measure(
        "collaborations", "coalesce(sum(hours), 0)", "is_timed", "coalesce(hours, 0)"
    ),
    "timed_clients": _distinct("collaborations", "client_id", "is_timed"),
    "satisfaction_sum": _sum("satisfaction_scores", "score"),
    "satisfaction_scores": _count("satisfaction_scores", "score is not null"),
    # Customers and revenue
    "total_customers": _distinct("subscriptions", "customer_id", "pays"),
    "starting_customers": _distinct("subscriptions_at_start", "customer_id", "pays"),
    "new_customers": _count("movements", "movement = 'new'"),
    "churned_customers": _count("movements", "movement = 'churn'"),
    "reactivated_customers": _count("movements", "movement = 'reactivation'"),
    "mrr": _money("subscriptions", "mrr", "mrr > 0 or mrr is null"),
    "trial_mrr": _money("subscriptions", "trial_mrr", "trial_mrr > 0 or trial_mrr is null"),
    "committed_mrr": _money("subscriptions", "committed_mrr", "committed_mrr > 0 or mrr is null"),
    "active_subscriptions": _count("subscriptions", "status = 'active'"),
    "trialing_subscriptions": _count("subscriptions", "status = 'trialing'"),
    "past_due_subscriptions": _count("subscriptions", "status = 'past_due'"),
    "new_subscriptions": _count("subscription_bounds", "kind = 'begin'"),
    "canceled_subscriptions": _count("subscription_bounds", "kind = 'end'"),
    "churned_subscriptions": _count("subscription_bounds", "kind = 'churn'"),
    "starting_subscriptions": _count("subscriptions_at_start", "status in ('active', 'past_due')"),
    "cancellations_requested": _count("cancellations"),
    "requested_cancellation_mrr": _money("cancellations", "mrr"),
    "failed_payments": _count("payments", "status = 'failed'"),
    "recovered_payments": _count("payments", "status <> 'failed' and failed_before"),
    "outstanding_invoices": _count("outstanding_invoices"),
    "outstanding_invoice_amount": _money("outstanding_invoices", "amount"),
    "subscriptions_in_dunning": _distinct("dunning_invoices", "subscription_id"),
    "marketing_spend": _money("marketing_spend", "amount"),
    "cash_balance": Measure("finance_inputs", "max(cash_balance)", shows="cash_balance", empty=None),
    "monthly_burn": Measure("finance_inputs", "max(monthly_burn)", shows="monthly_burn", empty=None),
    # Movements of MRR; of starters: customers who paid at the start of the span
    "starting_mrr": _money("subscriptions_at_start", "mrr", "mrr > 0 or mrr is null"),
    "movements_new": _movement("new"),
    "movements_expansion": _movement("expansion"),
    "movements_contraction": _movement("contraction"),
    "movements_churn": _movement("churn"),
    "movements_reactivation": _movement("reactivation"),
    "movements_paused": _movement("paused"),
    "movements_resumed": _movement("resumed"),
    "movements_fx_impact": _movement("fx_impact"),
    "starters_expansion": _movement("expansion", "paid_at_start"),
    "starters_contraction": _movement("contraction", "paid_at_start"),
    "starters_churn": _movement("churn", "paid_at_start"),
    "lasting_reactivation": _movement("reactivation", "not ends_in_span"),
    "starters_churned": _distinct("movements", "customer_id", "movement = 'churn' and paid_at_start"),
    "starters_mrr_at_end": _money("starters", "mrr", "side = 'end'"),
    "starters_kept_mrr": Measure("starters", "coalesce(sum(kept_mrr), 0)", shows="coalesce(kept_mrr, 0)"),
    "unknown_mrr_days": _count("unknown_mrr_days"),
    # Operations
    "api_requests": _count("api_requests"),
    "api_errors": _count("api_requests", "status_code >= 500"),
    "api_p50_ms": _percentile("0.5"),
    "api_p95_ms": _percentile("0.95"),
    "health_checks": _count("health_checks"),
    "health_checks_up": _count("health_checks", "status = 'up'"),
    "cpu_load_sum": _sum("health_checks", "cpu_load"),
    "cpu_load_checks": _count("health_checks", "cpu_load is not null"),
}

#: Columns of daily_metrics that are made of others.
DAILY: dict[str, Formula] = {
    "arr": Formula("12 * mrr"),
    "customer_churn_rate": Formula("churned_customers", "starting_customers", needs_complete=True),
    "stickiness": Formula("dau", "mau"),
    "avg_session_seconds": Formula("session_seconds", "timed_sessions"),
    "activation_rate": Formula("activated_of_signups", "signups"),
    "file_upload_rate": Formula("file_upload_of_signups", "signups"),
    "worklog_creation_rate": Formula("worklog_creation_of_signups", "signups"),
    "report_generation_rate": Formula("report_generation_of_signups", "signups"),
    "job_success_rate": Formula("jobs_succeeded", "jobs_succeeded + jobs_failed"),
    "avg_job_seconds": Formula("job_seconds", "timed_jobs"),
    "lead_conversion_rate": Formula("converted_of_new_leads", "new_leads"),
    "call_success_rate": Formula("calls_completed", "total_calls"),
    "call_interest_rate": Formula("calls_interested", "calls_completed"),
    "avg_call_seconds": Formula("call_seconds", "timed_calls"),
    "avg_coordination_hours": Formula("coordination_hours", "timed_clients"),
    "vendor_satisfaction": Formula("satisfaction_sum", "satisfaction_scores"),
    "api_error_rate": Formula("api_errors", "api_requests"),
    "uptime_rate": Formula("health_checks_up", "health_checks"),
    "avg_cpu_load": Formula("cpu_load_sum", "cpu_load_checks"),
}


def _rate(numerator: str) -> Formula:
    return Formula(numerator, "starting_mrr", needs_complete=True, needs_known=True)


_WON = "movements_new + movements_reactivation + movements_expansion + movements_resumed"
_LIFETIME = "mrr * gross_margin * starting_customers"

#: Columns of revenue_metrics that are made of others: over its month, or any span of days.
REVENUE: dict[str, Formula] = {
    "new_mrr": Formula("movements_new", needs_known=True),
    "expansion_mrr": Formula("movements_expansion", needs_known=True),
    "contraction_mrr": Formula("movements_contraction", needs_known=True),
    "churned_mrr": Formula("movements_churn", needs_known=True),
    "reactivation_mrr": Formula("movements_reactivation", needs_known=True),
    "paused_mrr": Formula("movements_paused", needs_known=True),
    "resumed_mrr": Formula("movements_resumed", needs_known=True),
    "fx_impact_mrr": Formula("movements_fx_impact", needs_known=True),
    "ending_mrr": Formula("mrr"),
    "arr": Formula("12 * mrr"),
    "paying_customers": Formula("total_customers"),
    "mrr_growth_rate": _rate("mrr - starting_mrr"),
    "nrr": _rate("starters_mrr_at_end"),
    "grr": _rate("starters_kept_mrr"),
    "gross_mrr_churn_rate": _rate("starters_churn + starters_contraction"),
    "net_mrr_churn_rate": _rate(
        "starters_churn + starters_contraction - starters_expansion - lasting_reactivation"
    ),
    "revenue_churn_rate": _rate("starters_churn"),
    "customer_churn_rate": Formula("starters_churned", "starting_customers", needs_complete=True),
    "subscription_churn_rate": Formula(
        "churned_subscriptions", "starting_subscriptions + new_subscriptions", needs_complete=True
    ),
    "arpa": Formula("mrr", "total_customers"),
    "ltv": Formula(_LIFETIME, "total_customers * starters_churned", needs_complete=True, monthly=True),
    "cac": Formula("marketing_spend", "new_customers"),
    "ltv_to_cac": Formula(
        f"{_LIFETIME} * nullif(new_customers, 0)",
        "total_customers * starters_churned * marketing_spend",
        needs_complete=True,
        monthly=True,
    ),
    "payback_months": Formula(
        "marketing_spend * nullif(total_customers, 0)", "new_customers * mrr * gross_margin"
    ),
    "quick_ratio": Formula(
        _WON, "movements_contraction + movements_churn + movements_paused", needs_known=True
    ),
    "quick_ratio_strict": Formula(
        "movements_new + movements_expansion", "movements_contraction + movements_churn", needs_known=True
    ),
    "runway_months": Formula("cash_balance", "case when monthly_burn > 0 then monthly_burn end"),
}

FORMULAS: dict[str, dict[str, Formula]] = {"daily_metrics": DAILY, "revenue_metrics": REVENUE}
