{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'subscription_id'],
    on_schema_change='fail',
    contract={'enforced': true},
    meta={'dirty': {'entity': 'subscription', 'column': 'subscription_id'}},
) }}

select
    rows_of.tenant_id,
    rows_of.subscription_id,
    count(*) as changes,
    min(rows_of.change_id) as first_change_id
from {{ ref('stg_platform__tenants') }} as tenants
{% if is_incremental() %}
    inner join {{ dirty_entities('subscription') }} as dirty on tenants.tenant_id = dirty.tenant_id
{% endif %}
inner join {{ ref('stg_revenue__subscription_changes') }} as rows_of
    on
        tenants.tenant_id = rows_of.tenant_id
        {% if is_incremental() %}
            and dirty.entity_id = rows_of.subscription_id
        {% endif %}
where
    not exists (
        select from {{ ref('stg_revenue__subscriptions') }} as known
        where known.tenant_id = rows_of.tenant_id and known.subscription_id = rows_of.subscription_id
    )
group by 1, 2
