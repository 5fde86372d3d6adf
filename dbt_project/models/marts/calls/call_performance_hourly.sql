{{ config(
    unique_key=['tenant_id', 'branch_id', 'metric_date', 'hour_of_day'],
    indexes=[{'columns': ['tenant_id', 'metric_date']}],
    meta={'dirty': {'span': 'calls_branch', 'column': 'metric_date'}},
) }}

with counted as (
    select
        calls.tenant_id,
        calls.branch_id,
        calls.metric_date,
        extract(hour from calls.branch_started_at)::integer as hour_of_day,
        count(*) as total_calls,
        count(*) filter (where calls.status = 'completed') as calls_completed,
        count(*) filter (where calls.status = 'missed') as calls_missed,
        count(*) filter (where calls.status = 'failed') as calls_failed,
        count(*) filter (where calls.direction = 'inbound') as calls_inbound,
        count(*) filter (where calls.direction = 'outbound') as calls_outbound,
        count(*) filter (where calls.direction = 'inbound' and calls.status = 'completed')
            as calls_inbound_completed,
        count(*) filter (where calls.direction = 'outbound' and calls.status = 'completed')
            as calls_outbound_completed,
        coalesce(sum(calls.talk_seconds), 0) as call_seconds,
        count(calls.talk_seconds) as timed_calls,
        count(*) filter (where calls.status = 'completed' and calls.outcome = 'interested') as interested
    from {{ calls_of_dirty_branch_days() }} as calls
    group by 1, 2, 3, 4
)

select
    tenant_id,
    branch_id,
    metric_date,
    hour_of_day,
    extract(isodow from metric_date)::integer as weekday,
    total_calls,
    calls_completed,
    calls_missed,
    calls_failed,
    calls_inbound,
    calls_outbound,
    calls_inbound_completed,
    calls_outbound_completed,
    calls_completed::numeric / total_calls as call_success_rate,
    call_seconds,
    timed_calls,
    call_seconds / nullif(timed_calls, 0) as avg_call_seconds,
    interested,
    interested::numeric / nullif(calls_completed, 0) as interest_rate
from counted
