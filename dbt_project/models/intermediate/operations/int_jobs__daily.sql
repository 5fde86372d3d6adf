{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'metric_date'],
    on_schema_change='fail',
    contract={'enforced': true},
    meta={'dirty': {'span': 'jobs', 'column': 'metric_date'}},
) }}

with jobs_to_count as (
    select
        jobs.tenant_id,
        (jobs.started_at at time zone tenants.timezone)::date as metric_date,
        -- A job that ends at or after as_of is still running.
        case when jobs.finished_at >= tenants.as_of then 'running' else jobs.status end as status,
        jobs.started_at,
        jobs.finished_at
    from {{ ref('stg_platform__tenants') }} as tenants
    inner join {{ rows_of_dirty_days(ref('stg_operations__jobs'), 'jobs', 'started_at') }} as jobs
        on
            tenants.tenant_id = jobs.tenant_id
            and tenants.as_of > jobs.started_at
),

timed_jobs as (
    select
        tenant_id,
        metric_date,
        status,
        case
            when status in ('succeeded', 'failed') and finished_at >= started_at
                then extract(epoch from finished_at - started_at)
        end as run_seconds
    from jobs_to_count
)

select
    tenant_id,
    metric_date,
    count(*) as total_jobs,
    count(*) filter (where status = 'succeeded') as jobs_succeeded,
    count(*) filter (where status = 'failed') as jobs_failed,
    coalesce(sum(run_seconds), 0) as job_seconds,
    count(run_seconds) as timed_jobs
from timed_jobs
group by 1, 2
