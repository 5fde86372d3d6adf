{%- set scope = {'models': ['int_revenue__plan_days'], 'domains': ['revenue_days'], 'grain': 'month'} %}
{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'month', 'plan'],
    on_schema_change='fail',
    contract={'enforced': true},
    meta={'dirty': {'spans': scope, 'column': 'month'}},
) }}

select
    days.tenant_id,
    {{ month_of('days.metric_date') }} as month,
    days.plan,
    {{ plan_day_sums('days') }}
from {{ rows_in_spans(ref('int_revenue__plan_days'), scope, 'metric_date') }} as days
group by days.tenant_id, {{ month_of('days.metric_date') }}, days.plan
