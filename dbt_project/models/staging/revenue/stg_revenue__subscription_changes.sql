select
    changes.tenant_id,
    changes.change_id,
    changes.subscription_id,
    changes.plan,
    changes.status,
    changes.quantity,
    changes.unit_amount,
    changes.billing_interval,
    changes.interval_count,
    changes.forever_discount_percent,
    changes.changed_at,
    changes.loaded_at,
    upper(trim(changes.currency)) as currency,
    changes.change_id like 'auto:%' as is_automatic
from {{ source('raw', 'subscription_changes') }} as changes
where changes.deleted_at is null
