{#- Columns of a plan's days and months: what comes from the periods, and what from the ledger by plan. -#}
{% macro plan_day_columns(origin=none) -%}
{%- set of_periods = [
    'mrr', 'trial_mrr', 'committed_mrr', 'unknown', 'unknown_trials', 'active_subscriptions',
    'past_due_subscriptions', 'trialing_subscriptions', 'new_subscriptions', 'canceled_subscriptions',
    'churned_subscriptions', 'unknown_begun', 'cancellations_requested', 'requested_cancellation_mrr',
    'unknown_requested',
] -%}
{%- set of_movements = [
    'paying_customers', 'total_customers', 'new_customers', 'churned_customers', 'reactivated_customers',
    'unknown_movements', 'new_mrr', 'expansion_mrr', 'contraction_mrr', 'churned_mrr', 'reactivation_mrr',
    'paused_mrr', 'resumed_mrr', 'fx_impact_mrr', 'transferred_in_mrr', 'transferred_out_mrr',
] -%}
{{ return({'periods': of_periods, 'movements': of_movements}.get(origin, of_periods + of_movements)) }}
{%- endmacro %}

{#- Sums of these columns over rows of `relation`. -#}
{% macro plan_day_sums(relation) -%}
{%- for column in plan_day_columns() %}
    {%- set sum = 'sum(' ~ relation ~ '.' ~ column ~ ')' %}
    {{ 'trim_scale(' ~ sum ~ ')' if 'mrr' in column else sum ~ '::bigint' }} as {{ column }}{{ ',' if not loop.last }}
{%- endfor %}
{%- endmacro %}
