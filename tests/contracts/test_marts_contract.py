"""Every mart of the contract is a model, lists what it must, and says what each column is.

The names stand here, so that the contract holds without the design beside the project; where that is there,
no model of it may be missing here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
MARTS = PROJECT / "dbt_project" / "models" / "marts"
DESIGN = PROJECT.parent / "shared" / "design" / "marts-contract.md"
#: Of the contract, and made with alerts.
LATER = {"metric_alerts"}

#: model -> (key, columns at least beside it). Where the contract tells columns in words, those meant.
CONTRACT = {
    "daily_metrics": (
        "tenant_id metric_date",
        """is_complete total_customers new_customers churned_customers reactivated_customers
        customer_churn_rate dau wau mau mau_28 stickiness active_suppliers active_couples
        total_suppliers total_couples total_sessions avg_session_seconds signups activated_users
        activation_rate file_upload_rate worklog_creation_rate report_generation_rate total_jobs
        jobs_succeeded jobs_failed job_success_rate avg_job_seconds new_leads leads_contacted
        leads_qualified leads_converted leads_lost lead_conversion_rate total_calls calls_completed
        calls_missed calls_failed call_success_rate avg_call_seconds clients_coordinated
        vendors_collaborating active_vendor_pairs avg_coordination_hours vendor_satisfaction mrr arr
        trial_mrr committed_mrr active_subscriptions past_due_subscriptions canceled_subscriptions
        failed_payments outstanding_invoice_amount api_requests api_error_rate api_p50_ms api_p95_ms
        uptime_rate avg_cpu_load""",
    ),
    "mrr_movements": (
        "tenant_id customer_id moved_at movement",
        "movement_date amount mrr_before mrr_after currency plan subscription_id intra_period",
    ),
    "revenue_metrics": (
        "tenant_id month",
        """is_complete starting_mrr new_mrr expansion_mrr contraction_mrr churned_mrr reactivation_mrr
        paused_mrr resumed_mrr fx_impact_mrr ending_mrr mrr arr mrr_growth_rate nrr grr
        gross_mrr_churn_rate net_mrr_churn_rate customer_churn_rate revenue_churn_rate
        paying_customers new_customers churned_customers reactivated_customers new_subscriptions
        arpa ltv marketing_spend cac ltv_to_cac payback_months quick_ratio quick_ratio_strict
        trial_mrr committed_mrr active_subscriptions past_due_subscriptions failed_payments
        recovered_payments outstanding_invoices outstanding_invoice_amount subscriptions_in_dunning
        cash_balance monthly_burn runway_months""",
    ),
    "billing_monthly": (
        "tenant_id month currency",
        """invoiced collected tax refunded outstanding_0_to_30_days outstanding_31_to_60_days
        outstanding_61_to_90_days outstanding_over_90_days""",
    ),
    "customer_funnel": (
        "tenant_id cohort_month",
        """signed_up activated trial paying activation_rate activation_to_trial_rate trial_conversion_rate
        median_days_to_activation median_days_activation_to_trial median_days_trial_to_paying""",
    ),
    "portfolio_metrics": (
        "metric_date",
        """reporting_currency total_customers new_customers churned_customers reactivated_customers dau wau
        mau mau_28 active_suppliers active_couples total_suppliers total_couples total_sessions signups
        activated_users total_jobs jobs_succeeded jobs_failed new_leads leads_contacted
        leads_qualified leads_converted leads_lost total_calls calls_completed calls_missed
        calls_failed clients_coordinated vendors_collaborating active_vendor_pairs mrr arr trial_mrr
        committed_mrr active_subscriptions past_due_subscriptions canceled_subscriptions
        failed_payments outstanding_invoice_amount api_requests""",
    ),
    "revenue_by_plan": (
        "tenant_id month plan",
        """new_mrr expansion_mrr contraction_mrr churned_mrr reactivation_mrr paused_mrr resumed_mrr
        fx_impact_mrr paying_customers mrr""",
    ),
    "cohort_retention": (
        "tenant_id subject cohort_by period mode cohort_start period_index",
        "cohort_size eligible retained retention_rate retained_mrr is_complete",
    ),
    "lead_performance_daily": (
        "tenant_id branch_id metric_date",
        """new_leads status_new status_contacted status_qualified status_converted status_lost
        converted_on_day conversion_rate calls_per_lead""",
    ),
    "lead_funnel": (
        "tenant_id branch_id source cohort_week",
        """leads contacted qualified converted lost contact_rate qualification_rate close_rate
        median_hours_to_contact median_hours_to_convert""",
    ),
    "call_performance_hourly": (
        "tenant_id branch_id metric_date hour_of_day",
        """weekday total_calls calls_completed calls_missed calls_failed calls_inbound calls_outbound
        call_success_rate avg_call_seconds interested""",
    ),
    "call_outcomes_daily": ("tenant_id branch_id metric_date outcome", "calls share_of_completed"),
    "staff_performance_daily": (
        "tenant_id branch_id staff_id metric_date",
        "calls completed talk_seconds interested leads_assigned leads_converted conversion_rate",
    ),
    "coordination_metrics": (
        "tenant_id metric_date",
        """clients_coordinated vendors_collaborating active_vendor_pairs avg_coordination_hours
        clients_coordinated_month_to_date vendor_satisfaction by_collaboration_type""",
    ),
    "engagement_by_user_type": (
        "tenant_id user_type metric_date",
        "dau wau mau sessions avg_session_seconds",
    ),
    "metric_timeseries": (
        "tenant_id metric grain period_start dimension dimension_value",
        "value numerator denominator is_complete",
    ),
    "metric_catalogue": (
        "metric",
        "title description formula unit aggregation direction format owner source_model",
    ),
    "executive_summary": (
        "tenant_id metric period",
        "value previous_value change change_rate trend status target benchmark as_of",
    ),
    "report_usage": (
        "tenant_id template metric_date",
        """deliveries deliveries_sent deliveries_failed deliveries_unknown deliveries_held deliveries_skipped
        deliveries_email deliveries_slack deliveries_webhook deliveries_file render_seconds
        seconds_to_deliver bytes_sent""",
    ),
    "pipeline_freshness": (
        "source_table",
        "newest_row newest_loaded_at rows rejected_rows built_at",
    ),
}
#: A word that tells how many, of what, or how it comes about; a bare name of a column tells nothing.
SHORTEST_DESCRIPTION = len("Tenant.")


def _models() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(MARTS.rglob("*.yml")):
        for model in (yaml.safe_load(path.read_text()) or {}).get("models", []):
            found[model["name"]] = {**model, "path": path}
    return found


MODELS = _models()
TESTS = "".join(
    path.read_text() for path in sorted((PROJECT / "tests").rglob("test_*.py")) if path != Path(__file__)
)


def _key(model: dict[str, Any]) -> list[str]:
    keys = [c["columns"] for c in model.get("constraints", []) if c["type"] == "primary_key"]
    assert len(keys) == 1, f"{model['name']} has no primary key of its own"
    return list(keys[0])


def test_every_model_of_the_contract_is_there() -> None:
    assert set(CONTRACT) <= set(MODELS)


@pytest.mark.skipif(not DESIGN.exists(), reason="the design is not beside the project")
def test_the_design_names_no_other_models() -> None:
    rows = [line for line in DESIGN.read_text().splitlines() if line.startswith("| ")]
    named = {re.split(r"\s*\|\s*", row.strip("| "))[0] for row in rows} - {"model"}
    assert named - LATER == set(CONTRACT)


@pytest.mark.parametrize("name", CONTRACT)
def test_grain_and_columns_of_the_contract(name: str) -> None:
    key, columns = CONTRACT[name]
    # A key is a set: in which order an index holds its columns is the mart's own choice.
    assert sorted(_key(MODELS[name])) == sorted(key.split())
    missing = set(columns.split()) - {column["name"] for column in MODELS[name]["columns"]}
    assert missing == set()


@pytest.mark.parametrize("name", MODELS)
def test_every_mart_tells_its_grain_and_every_column(name: str) -> None:
    model = MODELS[name]
    first_sentence = " ".join(model["description"].split()).partition(":")[0].partition(". ")[0]
    assert re.match(r"(One row per|One row a|A row per|A row a) ", first_sentence), first_sentence
    for column in _key(model):
        assert column in model["description"], f"the grain of {name} does not name {column}"
    for column in model["columns"]:
        assert column.get("data_type"), f"{name}.{column['name']} has no type"
        description = column.get("description", "")
        assert len(description) >= SHORTEST_DESCRIPTION, f"{name}.{column['name']} says nothing"
        if column["name"].endswith("_rate"):
            assert re.search(r"[Ff]raction|/|rate", description), f"{name}.{column['name']} has no formula"


@pytest.mark.parametrize("name", MODELS)
def test_every_mart_has_a_yaml_and_sql_of_its_own(name: str) -> None:
    path = MODELS[name]["path"]
    assert path.stem == name
    assert path.with_suffix(".sql").exists()


@pytest.mark.parametrize("name", CONTRACT)
def test_every_mart_of_the_contract_is_tested(name: str) -> None:
    """By dbt at each build, or by a test that reads the mart."""
    model = MODELS[name]
    of_columns = [test for column in model["columns"] for test in column.get("data_tests", [])]
    assert model.get("data_tests") or of_columns or re.search(rf"\b{name}\b", TESTS), name


def test_contracts_are_enforced() -> None:
    """For all marts at once, in dbt_project.yml; no model may take itself out."""
    project = yaml.safe_load((PROJECT / "dbt_project" / "dbt_project.yml").read_text())
    assert project["models"]["metricpress"]["marts"]["+contract"] == {"enforced": True}
    for path in MARTS.rglob("*.sql"):
        assert not re.search(r"contract\s*=", path.read_text()), f"{path.name} changes its contract"
