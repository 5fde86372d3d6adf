{#- Start + gains - losses = end, by tenant and month: the ledger and the daily stocks come from different paths. -#}
{% test mrr_identity(model) %}

select
    tenant_id,
    month,
    starting_mrr,
    ending_mrr,
    starting_mrr + new_mrr + reactivation_mrr + expansion_mrr + resumed_mrr + fx_impact_mrr
    - contraction_mrr - churned_mrr - paused_mrr as ending_by_ledger
from {{ model }}
where
    ending_mrr <> starting_mrr + new_mrr + reactivation_mrr + expansion_mrr + resumed_mrr + fx_impact_mrr
    - contraction_mrr - churned_mrr - paused_mrr

{% endtest %}
