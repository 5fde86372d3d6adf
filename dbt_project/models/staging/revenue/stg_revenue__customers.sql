select
    customers.tenant_id,
    customers.customer_id,
    coalesce(customers.name, '(none)') as customer_name,
    coalesce(customers.segment, '(none)') as segment,
    coalesce(customers.source, '(none)') as source,
    customers.created_at
from {{ source('raw', 'customers') }} as customers
where customers.deleted_at is null
