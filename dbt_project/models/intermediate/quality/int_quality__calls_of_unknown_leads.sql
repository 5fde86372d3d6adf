{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'lead_id', 'metric_date'],
    on_schema_change='fail',
    contract={'enforced': true},
    meta={'dirty': {
        'any_of': [{'span': 'calls', 'column': 'metric_date'}, {'entity': 'lead', 'column': 'lead_id'}],
    }},
) }}

with calls_to_check as (
    {% if is_incremental() %}
        {#- A lead may come or go after its calls. -#}
        select
            calls.tenant_id,
            calls.call_id,
            calls.lead_id,
            calls.started_at
        from {{ rows_of_dirty_days(ref('stg_calls__calls'), 'calls', 'started_at') }} as calls
        union distinct
        select
            calls.tenant_id,
            calls.call_id,
            calls.lead_id,
            calls.started_at
        from {{ dirty_entities('lead') }} as dirty
        inner join {{ ref('stg_calls__calls') }} as calls
            on
                dirty.tenant_id = calls.tenant_id
                and dirty.entity_id = calls.lead_id
        where
            not exists (
                select from {{ ref('stg_leads__leads') }} as leads
                where leads.tenant_id = dirty.tenant_id and leads.lead_id = dirty.entity_id
            )
    {% else %}
        select
            calls.tenant_id,
            calls.call_id,
            calls.lead_id,
            calls.started_at
        from {{ ref('stg_calls__calls') }} as calls
    {% endif %}
)

select
    calls.tenant_id,
    calls.lead_id,
    (calls.started_at at time zone tenants.timezone)::date as metric_date,
    count(*) as calls,
    min(calls.call_id) as first_call_id
from {{ ref('stg_platform__tenants') }} as tenants
inner join calls_to_check as calls
    on
        tenants.tenant_id = calls.tenant_id
        and tenants.as_of > calls.started_at
where
    calls.lead_id is not null
    and not exists (
        select from {{ ref('stg_leads__leads') }} as leads
        where leads.tenant_id = calls.tenant_id and leads.lead_id = calls.lead_id
    )
group by 1, 2, 3
