{#- Start + gains - losses = end in every row: the ledger and the stocks come from different paths. -#}
{% test mrr_identity(model, gains=[], losses=[], keys=[]) %}
{%- set gains = ['new_mrr', 'reactivation_mrr', 'expansion_mrr', 'resumed_mrr', 'fx_impact_mrr'] + gains %}
{%- set losses = ['contraction_mrr', 'churned_mrr', 'paused_mrr'] + losses %}

select
    tenant_id,
    month,
    {%- for key in keys %}
        {{ key }},
    {%- endfor %}
    starting_mrr,
    ending_mrr,
    starting_mrr + {{ gains | join(' + ') }} - {{ losses | join(' - ') }} as ending_by_ledger
from {{ model }}
where ending_mrr <> starting_mrr + {{ gains | join(' + ') }} - {{ losses | join(' - ') }}

{% endtest %}
