{{ config(
    unique_key=['tenant_id', 'branch_id', 'metric_date', 'outcome'],
    indexes=[{'columns': ['tenant_id', 'metric_date']}],
    meta={'dirty': {'span': 'calls_branch', 'column': 'metric_date'}},
) }}

with counted as (
    select
        calls.tenant_id,
        calls.branch_id,
        calls.metric_date,
        calls.outcome,
        count(*) as calls,
        count(*) filter (where calls.status = 'completed') as calls_completed
    from {{ calls_of_dirty_branch_days() }} as calls
    group by 1, 2, 3, 4
),

with_day as (
    select
        tenant_id,
        branch_id,
        metric_date,
        outcome,
        calls,
        calls_completed,
        (sum(calls_completed) over (partition by tenant_id, branch_id, metric_date))::bigint as completed_of_day
    from counted
)

select
    tenant_id,
    branch_id,
    metric_date,
    outcome,
    calls,
    calls_completed,
    completed_of_day,
    calls_completed::numeric / nullif(completed_of_day, 0) as share_of_completed
from with_day
