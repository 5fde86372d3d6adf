{{ config(
    unique_key=['tenant_id', 'staff_id'],
    meta={'dirty': {'tenant': '*'}},
) }}

select
    rows_of_tenant.tenant_id,
    rows_of_tenant.staff_id,
    rows_of_tenant.branch_id,
    rows_of_tenant.name
from {{ ref('stg_platform__staff') }} as rows_of_tenant
{% if is_incremental() %}
    inner join {{ dirty_tenants() }} as dirty on rows_of_tenant.tenant_id = dirty.tenant_id
{% endif %}
