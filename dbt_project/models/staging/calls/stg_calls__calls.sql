select
    calls.tenant_id,
    calls.call_id,
    calls.lead_id,
    coalesce(calls.branch_id, '(none)') as branch_id,
    coalesce(calls.staff_id, '(none)') as staff_id,
    calls.direction,
    calls.status,
    coalesce(calls.outcome, '(none)') as outcome,
    calls.duration_seconds,
    calls.started_at
from {{ source('raw', 'calls') }} as calls
where calls.deleted_at is null
