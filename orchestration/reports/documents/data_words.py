"""Names of raw tables and of what rules of data quality find in them.

Belongs here: known words; an unknown table or rule is shown as the mart names it. Does not belong here: the
rules (dbt_project), and which of them a report shows.
"""

from __future__ import annotations

from orchestration.reports.data.operations import Problem
from orchestration.reports.formatting import Formatter
from orchestration.reports.messages import N_

_TABLES = {
    "activation_events": N_("Activation events"),
    "api_requests": N_("API requests"),
    "branches": N_("Branches"),
    "calls": N_("Calls"),
    "collaborations": N_("Collaborations"),
    "customers": N_("Customers"),
    "exchange_rates": N_("Exchange rates"),
    "finance_inputs": N_("Finance inputs"),
    "health_checks": N_("Health checks"),
    "invoices": N_("Invoices"),
    "jobs": N_("Jobs"),
    "lead_status_changes": N_("Status changes of leads"),
    "leads": N_("Leads"),
    "marketing_spend": N_("Marketing spend"),
    "parties": N_("Parties"),
    "payments": N_("Payments"),
    "satisfaction_scores": N_("Satisfaction scores"),
    "sessions": N_("Sessions"),
    "staff": N_("Staff"),
    "subscription_changes": N_("Changes of subscriptions"),
    "subscriptions": N_("Subscriptions"),
    "users": N_("Users"),
}
_KINDS = {
    "api_request_with_negative_latency": N_("negative latency"),
    "call_interested_but_not_completed": N_("interested, but not completed"),
    "call_longer_than_a_day": N_("longer than a day"),
    "call_of_unknown_branch": N_("of an unknown branch"),
    "call_of_unknown_lead": N_("of an unknown lead"),
    "call_of_unknown_staff": N_("of unknown staff"),
    "call_with_negative_duration": N_("negative duration"),
    "canceled_without_date": N_("canceled without a date"),
    "change_kept_beside_history": N_("kept beside the history from the source"),
    "change_of_lead_in_the_future": N_("of a lead in the future"),
    "change_without_subscription": N_("of an unknown subscription"),
    "changes_at_one_instant": N_("several at one instant"),
    "collaboration_active_before_created": N_("last activity before the creation"),
    "collaboration_of_one_vendor": N_("a vendor with itself"),
    "currency_changed": N_("currency changed"),
    "deleted": N_("deleted in the source"),
    "ended_before_start": N_("ended before the start"),
    "event_of_unknown_user": N_("of an unknown user"),
    "health_check_with_negative_load": N_("negative load"),
    "impossible_terms": N_("impossible quantity, price or discount"),
    "in_the_future": N_("in the future"),
    "invoice_without_amount": N_("amount of 0 or below"),
    "invoice_without_claim": N_("draft or void"),
    "job_finished_before_started": N_("finished before the start"),
    "lead_converted_at_ignored": N_("moment of conversion without the status"),
    "lead_converted_before_created": N_("converted before the creation"),
    "lead_of_unknown_branch": N_("of an unknown branch"),
    "lead_of_unknown_staff": N_("of unknown staff"),
    "lead_status_without_moment": N_("status without a moment"),
    "missing_exchange_rate": N_("missing"),
    "never_completed": N_("never completed"),
    "paid_without_date": N_("paid without a date"),
    "payment_without_amount": N_("amount of 0 or below"),
    "satisfaction_score_out_of_range": N_("out of range"),
    "session_longer_than_a_week": N_("longer than a week"),
    "session_of_unknown_user": N_("of an unknown user"),
    "session_with_negative_duration": N_("negative duration"),
    "spend_without_amount": N_("amount of 0 or below"),
    "status_change_of_unknown_lead": N_("of an unknown lead"),
    "subscription_without_amount": N_("amount of 0"),
    "user_without_signup": N_("without a day of signing up"),
}
_SEVERITIES = {"error": N_("Error"), "warning": N_("Warning"), "info": N_("For information")}


def table_word(table_name: str, text: Formatter) -> str:
    """A raw table such as `raw.jobs` in words."""
    name = table_name.removeprefix("raw.")
    return text.t(_TABLES[name]) if name in _TABLES else name


def problem_words(problem: Problem, text: Formatter) -> str:
    """What was found, after the table it was found in; of an unknown rule what the mart says."""
    table = table_word(problem.table_name, text)
    if problem.kind not in _KINDS:
        return problem.message
    found = text.t("{table}: {problem}", table=table, problem=text.t(_KINDS[problem.kind]))
    return f"{found} ({problem.key})" if problem.kind == "missing_exchange_rate" else found


def severity_word(severity: str, text: Formatter) -> str:
    """How grave it is."""
    return text.t(_SEVERITIES[severity]) if severity in _SEVERITIES else severity


#: Every rule that has words here; a test compares it with the rules of the marts.
KNOWN_KINDS = frozenset(_KINDS)
