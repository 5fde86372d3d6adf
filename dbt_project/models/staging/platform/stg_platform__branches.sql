select
    branches.tenant_id,
    branches.branch_id,
    branches.name,
    coalesce(branches.timezone, tenants.timezone) as timezone
from {{ source('raw', 'branches') }} as branches
inner join {{ ref('stg_platform__tenants') }} as tenants on branches.tenant_id = tenants.tenant_id
where branches.deleted_at is null
