select
    subscriptions.tenant_id,
    subscriptions.subscription_id,
    subscriptions.customer_id,
    coalesce(subscriptions.plan, '(none)') as plan,
    subscriptions.status,
    subscriptions.quantity,
    subscriptions.unit_amount,
    upper(trim(subscriptions.currency)) as currency,
    subscriptions.billing_interval,
    subscriptions.interval_count,
    subscriptions.forever_discount_percent,
    subscriptions.started_at,
    subscriptions.trial_start,
    subscriptions.trial_end,
    subscriptions.cancel_at,
    subscriptions.canceled_at,
    subscriptions.ended_at,
    subscriptions.updated_at
from {{ source('raw', 'subscriptions') }} as subscriptions
where subscriptions.deleted_at is null
