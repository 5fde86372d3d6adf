{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'branch_id', 'staff_id', 'metric_date'],
    on_schema_change='fail',
    contract={'enforced': true},
    indexes=[{'columns': ['tenant_id', 'metric_date']}],
    meta={'dirty': {'span': 'calls_branch', 'column': 'metric_date'}},
) }}

select
    calls.tenant_id,
    calls.branch_id,
    calls.staff_id,
    calls.metric_date,
    count(*) as total_calls,
    count(*) filter (where calls.status = 'completed') as calls_completed,
    count(*) filter (where calls.status = 'missed') as calls_missed,
    count(*) filter (where calls.status = 'failed') as calls_failed,
    coalesce(sum(calls.talk_seconds), 0) as call_seconds,
    count(calls.talk_seconds) as timed_calls,
    count(*) filter (where calls.status = 'completed' and calls.outcome = 'interested') as calls_interested
from {{ calls_of_dirty_branch_days() }} as calls
group by 1, 2, 3, 4
