{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'user_id'],
    on_schema_change='fail',
    contract={'enforced': true},
    meta={'dirty': {'entity': 'user', 'column': 'user_id'}},
) }}

select
    rows_of.tenant_id,
    rows_of.user_id,
    count(*) as events,
    min(rows_of.event_id) as first_event_id
from {{ ref('stg_platform__tenants') }} as tenants
{% if is_incremental() %}
    inner join {{ dirty_entities('user') }} as dirty on tenants.tenant_id = dirty.tenant_id
{% endif %}
inner join {{ ref('stg_users__activation_events') }} as rows_of
    on
        tenants.tenant_id = rows_of.tenant_id
        and rows_of.occurred_at < tenants.as_of
        {% if is_incremental() %}
            and dirty.entity_id = rows_of.user_id
        {% endif %}
where
    not exists (
        select from {{ ref('stg_users__users') }} as known
        where known.tenant_id = rows_of.tenant_id and known.user_id = rows_of.user_id
    )
group by 1, 2
