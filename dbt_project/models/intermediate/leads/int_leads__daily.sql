{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'metric_date'],
    on_schema_change='fail',
    contract={'enforced': true},
    meta={'dirty': {'changed': ['int_leads__reached'], 'column': 'metric_date'}},
) }}

{% set steps = {
    'created': 'new_leads', 'contacted': 'leads_contacted', 'qualified': 'leads_qualified',
    'converted': 'leads_converted', 'lost': 'leads_lost',
} %}

with steps_by_day as (
    {% for step in steps %}
        select
            leads.tenant_id,
            leads.{{ step }}_date as metric_date,
            {% for other, name in steps.items() %}
                {{ 'count(*)' if other == step else '0' }} as {{ name }},
            {% endfor %}
            {{ 'count(*) filter (where leads.is_converted)' if step == 'created' else '0' }} as cohort_converted
        from {{ leads_with_step(step) }} as leads
        group by leads.tenant_id, leads.{{ step }}_date
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    tenant_id,
    metric_date,
    sum(new_leads)::bigint as new_leads,
    sum(leads_contacted)::bigint as leads_contacted,
    sum(leads_qualified)::bigint as leads_qualified,
    sum(leads_converted)::bigint as leads_converted,
    sum(leads_lost)::bigint as leads_lost,
    sum(cohort_converted)::bigint as cohort_converted
from steps_by_day
group by tenant_id, metric_date
