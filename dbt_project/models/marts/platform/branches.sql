{{ config(
    unique_key=['tenant_id', 'branch_id'],
    meta={'dirty': {'tenant': '*'}},
) }}

select
    rows_of_tenant.tenant_id,
    rows_of_tenant.branch_id,
    rows_of_tenant.name,
    rows_of_tenant.timezone
from {{ ref('stg_platform__branches') }} as rows_of_tenant
{% if is_incremental() %}
    inner join {{ dirty_tenants() }} as dirty on rows_of_tenant.tenant_id = dirty.tenant_id
{% endif %}
