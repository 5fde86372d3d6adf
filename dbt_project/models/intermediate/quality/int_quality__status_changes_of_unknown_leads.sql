{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'lead_id'],
    on_schema_change='fail',
    contract={'enforced': true},
    meta={'dirty': {'entity': 'lead', 'column': 'lead_id'}},
) }}

select
    rows_of.tenant_id,
    rows_of.lead_id,
    count(*) as changes,
    min(rows_of.change_id) as first_change_id
from {{ ref('stg_platform__tenants') }} as tenants
{% if is_incremental() %}
    inner join {{ dirty_entities('lead') }} as dirty on tenants.tenant_id = dirty.tenant_id
{% endif %}
inner join {{ ref('stg_leads__lead_status_changes') }} as rows_of
    on
        tenants.tenant_id = rows_of.tenant_id
        {% if is_incremental() %}
            and dirty.entity_id = rows_of.lead_id
        {% endif %}
where
    not exists (
        select from {{ ref('stg_leads__leads') }} as known
        where known.tenant_id = rows_of.tenant_id and known.lead_id = rows_of.lead_id
    )
group by 1, 2
