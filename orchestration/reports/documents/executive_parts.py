"""Sections of the executive report: which figures stand in them, in which order.

Belongs here: lists of metrics. Does not belong here: what is said about them (executive.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from orchestration.reports.messages import N_


@dataclass(frozen=True)
class Part:
    """A section: metrics of its table in order, those worth a card, those drawn as a trend.

    `weight`: how much what happens in it weighs in the opening.
    """

    key: str
    title: str
    metrics: tuple[str, ...]
    cards: tuple[str, ...]
    charts: tuple[str, ...]
    weight: Decimal = Decimal(1)


PARTS = (
    Part(
        "revenue",
        N_("Revenue"),
        (
            "mrr", "arr", "mrr_growth_rate", "new_mrr", "expansion_mrr", "reactivation_mrr",
            "contraction_mrr", "churned_mrr", "nrr", "grr", "gross_mrr_churn_rate", "net_mrr_churn_rate",
            "arpa", "quick_ratio", "trial_mrr",
            "committed_mrr", "active_subscriptions", "past_due_subscriptions", "canceled_subscriptions",
            "failed_payments", "recovered_payments", "outstanding_invoices", "outstanding_invoice_amount",
            "runway_months",
        ),
        (
            "mrr", "nrr", "arpa", "active_subscriptions", "past_due_subscriptions",
            "outstanding_invoice_amount",
        ),
        ("mrr", "nrr", "arpa", "active_subscriptions"),
    ),
    Part(
        "customers",
        N_("Customers"),
        (
            "total_customers", "new_customers", "reactivated_customers", "churned_customers",
            "customer_churn_rate", "ltv", "cac", "ltv_to_cac", "payback_months", "marketing_spend",
        ),
        ("total_customers", "customer_churn_rate", "new_customers", "ltv", "churned_customers"),
        ("total_customers", "customer_churn_rate"),
    ),
    Part(
        "engagement",
        N_("Engagement"),
        (
            "dau", "wau", "mau", "stickiness", "total_sessions", "avg_session_seconds", "active_suppliers",
            "active_couples", "total_suppliers", "total_couples",
        ),
        ("mau", "total_sessions", "stickiness", "avg_session_seconds", "wau", "dau"),
        ("mau", "total_sessions", "stickiness", "avg_session_seconds"),
        Decimal("0.9"),
    ),
    Part(
        "activation",
        N_("New users"),
        (
            "signups", "activated_users", "activation_rate", "file_upload_rate", "worklog_creation_rate",
            "report_generation_rate",
        ),
        ("activation_rate", "signups", "activated_users"),
        ("signups", "activation_rate"),
        Decimal("0.9"),
    ),
    Part(
        "leads",
        N_("Leads"),
        (
            "new_leads", "leads_contacted", "leads_qualified", "leads_converted", "leads_lost",
            "lead_conversion_rate",
        ),
        ("new_leads", "lead_conversion_rate", "leads_converted", "leads_qualified", "leads_contacted"),
        ("new_leads", "lead_conversion_rate"),
        Decimal("0.9"),
    ),
    Part(
        "calls",
        N_("Calls"),
        (
            "total_calls", "calls_completed", "calls_missed", "calls_failed", "call_success_rate",
            "call_interest_rate", "avg_call_seconds",
        ),
        ("total_calls", "call_success_rate", "avg_call_seconds", "calls_completed", "calls_missed"),
        ("total_calls", "call_success_rate"),
        Decimal("0.9"),
    ),
    Part(
        "collaboration",
        N_("Collaboration"),
        (
            "clients_coordinated", "vendors_collaborating", "active_vendor_pairs", "avg_coordination_hours",
            "vendor_satisfaction",
        ),
        ("clients_coordinated", "active_vendor_pairs", "vendor_satisfaction", "avg_coordination_hours"),
        ("clients_coordinated", "active_vendor_pairs"),
        Decimal("0.8"),
    ),
    Part(
        "jobs",
        N_("Jobs"),
        ("total_jobs", "jobs_succeeded", "jobs_failed", "job_success_rate", "avg_job_seconds"),
        ("job_success_rate", "total_jobs", "avg_job_seconds"),
        ("total_jobs", "job_success_rate"),
        Decimal("0.6"),
    ),
    Part(
        "operations",
        N_("Operations"),
        ("api_requests", "api_error_rate", "api_p50_ms", "api_p95_ms", "uptime_rate", "avg_cpu_load"),
        ("uptime_rate", "api_error_rate", "api_p95_ms", "api_requests"),
        ("api_p95_ms", "uptime_rate"),
        Decimal("0.6"),
    ),
)  # fmt: skip

#: Section of the metrics a subscription asks for by name.
FURTHER = "further"

#: Figures that move with another one: they are no news of their own.
ECHOES = frozenset({"arr", "committed_mrr", "mrr_growth_rate"})

#: Which of the metrics of engagement leads it; `mau` where none is named here.
LEADING = {"daily": "dau", "weekly": "wau"}
