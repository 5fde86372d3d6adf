{{ config(
    unique_key=['tenant_id'],
    meta={'dirty': {'tenant': '*'}},
) }}

select
    rows_of_tenant.tenant_id,
    rows_of_tenant.name,
    rows_of_tenant.timezone,
    rows_of_tenant.currency,
    rows_of_tenant.week_start,
    rows_of_tenant.as_of,
    rows_of_tenant.as_of_date,
    rows_of_tenant.complete_date
from {{ ref('stg_platform__tenants') }} as rows_of_tenant
{% if is_incremental() %}
    inner join {{ dirty_tenants() }} as dirty on rows_of_tenant.tenant_id = dirty.tenant_id
{% endif %}
