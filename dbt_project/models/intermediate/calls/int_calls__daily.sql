{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'metric_date'],
    on_schema_change='fail',
    contract={'enforced': true},
    meta={'dirty': {'span': 'calls', 'column': 'metric_date'}},
) }}

with calls_to_count as (
    select
        calls.tenant_id,
        (calls.started_at at time zone tenants.timezone)::date as metric_date,
        calls.status,
        calls.outcome,
        case when calls.status = 'completed' and calls.duration_seconds >= 0 then calls.duration_seconds
        end as talk_seconds
    from {{ ref('stg_platform__tenants') }} as tenants
    inner join {{ rows_of_dirty_days(ref('stg_calls__calls'), 'calls', 'started_at') }} as calls
        on
            tenants.tenant_id = calls.tenant_id
            and tenants.as_of > calls.started_at
)

select
    tenant_id,
    metric_date,
    count(*) as total_calls,
    count(*) filter (where status = 'completed') as calls_completed,
    count(*) filter (where status = 'missed') as calls_missed,
    count(*) filter (where status = 'failed') as calls_failed,
    coalesce(sum(talk_seconds), 0) as call_seconds,
    count(talk_seconds) as timed_calls,
    count(*) filter (where status = 'completed' and outcome = 'interested') as calls_interested
from calls_to_count
group by 1, 2
