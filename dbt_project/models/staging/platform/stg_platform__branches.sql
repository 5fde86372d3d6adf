-- A timezone PostgreSQL does not know holds the tenant back (unusable_tenants); a full refresh of all must not stop at it.
-- Materialized: it is judged once for each branch, not for each call.
with judged as materialized (
    select
        branches.tenant_id,
        branches.branch_id,
        branches.name,
        case when raw.is_timezone(branches.timezone) then branches.timezone else tenants.timezone end as timezone
    from {{ source('raw', 'branches') }} as branches
    inner join {{ ref('stg_platform__tenants') }} as tenants on branches.tenant_id = tenants.tenant_id
    where branches.deleted_at is null
)

select
    tenant_id,
    branch_id,
    name,
    timezone
from judged
