select
    sessions.tenant_id,
    sessions.session_id,
    sessions.user_id,
    sessions.user_type,
    sessions.branch_id,
    sessions.duration_seconds,
    sessions.started_at
from {{ source('raw', 'sessions') }} as sessions
where sessions.deleted_at is null
