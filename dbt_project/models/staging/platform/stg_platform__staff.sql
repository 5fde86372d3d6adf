select
    staff.tenant_id,
    staff.staff_id,
    coalesce(staff.branch_id, '(none)') as branch_id,
    staff.name
from {{ source('raw', 'staff') }} as staff
inner join {{ ref('stg_platform__tenants') }} as tenants on staff.tenant_id = tenants.tenant_id
where staff.deleted_at is null
