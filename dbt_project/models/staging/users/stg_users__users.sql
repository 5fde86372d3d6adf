select
    users.tenant_id,
    users.user_id,
    users.branch_id,
    users.customer_id,
    users.user_type,
    users.signed_up_at
from {{ source('raw', 'users') }} as users
where users.deleted_at is null
