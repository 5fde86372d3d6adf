select
    events.tenant_id,
    events.event_id,
    events.user_id,
    events.event_type,
    events.occurred_at
from {{ source('raw', 'activation_events') }} as events
where events.deleted_at is null
