with calls_by_as_of as (
    select
        calls.tenant_id,
        calls.call_id,
        calls.branch_id,
        calls.staff_id,
        calls.direction,
        calls.status,
        calls.outcome,
        calls.duration_seconds,
        calls.started_at,
        calls.started_at at time zone coalesce(branches.timezone, tenants.timezone) as branch_started_at
    from {{ ref('stg_platform__tenants') }} as tenants
    inner join {{ ref('stg_calls__calls') }} as calls
        on
            tenants.tenant_id = calls.tenant_id
            and tenants.as_of > calls.started_at
    left join {{ ref('stg_platform__branches') }} as branches
        on
            calls.tenant_id = branches.tenant_id
            and calls.branch_id = branches.branch_id
)

select
    tenant_id,
    call_id,
    branch_id,
    staff_id,
    direction,
    status,
    outcome,
    case when status = 'completed' and duration_seconds >= 0 then duration_seconds end as talk_seconds,
    started_at,
    branch_started_at,
    branch_started_at::date as metric_date
from calls_by_as_of
