{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'lead_id', 'metric_date'],
    on_schema_change='fail',
    contract={'enforced': true},
    indexes=[{'columns': ['tenant_id', 'lead_created_date']}, {'columns': ['tenant_id', 'metric_date']}],
    meta={'dirty': {
        'any_of': [{'span': 'calls', 'column': 'metric_date'}, {'entity': 'lead', 'column': 'lead_id'}],
        'log': ['lead_created_date'],
    }},
) }}

with calls_to_count as (
    {% if is_incremental() %}
        {#- A row follows the calls of its day and the lead it belongs to. -#}
        select
            calls.tenant_id,
            calls.call_id,
            calls.lead_id,
            calls.status,
            calls.outcome,
            calls.started_at
        from {{ rows_of_dirty_days(ref('stg_calls__calls'), 'calls', 'started_at') }} as calls
        union distinct
    {% endif %}
    select
        calls.tenant_id,
        calls.call_id,
        calls.lead_id,
        calls.status,
        calls.outcome,
        calls.started_at
    from {{ ref('stg_calls__calls') }} as calls
    {% if is_incremental() %}
        inner join {{ dirty_entities('lead') }} as dirty
            on
                calls.tenant_id = dirty.tenant_id
                and calls.lead_id = dirty.entity_id
    {% endif %}
)

select
    calls.tenant_id,
    calls.lead_id,
    (calls.started_at at time zone tenants.timezone)::date as metric_date,
    leads.branch_id,
    leads.branch_created_date as lead_created_date,
    count(*) as total_calls,
    count(*) filter (where calls.status = 'completed' and calls.outcome = 'interested') as calls_interested
from {{ ref('stg_platform__tenants') }} as tenants
inner join calls_to_count as calls
    on
        tenants.tenant_id = calls.tenant_id
        and tenants.as_of > calls.started_at
inner join {{ ref('int_leads__reached') }} as leads
    on
        calls.tenant_id = leads.tenant_id
        and calls.lead_id = leads.lead_id
group by 1, 2, 3, 4, 5
