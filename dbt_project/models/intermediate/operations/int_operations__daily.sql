{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'metric_date'],
    on_schema_change='fail',
    contract={'enforced': true},
    meta={'dirty': {'span': 'operations', 'column': 'metric_date'}},
) }}

with requests_by_day as (
    select
        requests.tenant_id,
        (requests.requested_at at time zone tenants.timezone)::date as metric_date,
        count(*) as api_requests,
        count(*) filter (where requests.status_code >= 500) as api_errors,
        percentile_cont(array[0.5, 0.95]) within group (order by requests.latency_ms)
        filter (where requests.latency_ms >= 0) as latency_percentiles
    from {{ ref('stg_platform__tenants') }} as tenants
    inner join {{ rows_of_dirty_days(ref('stg_operations__api_requests'), 'operations', 'requested_at') }} as requests
        on
            tenants.tenant_id = requests.tenant_id
            and tenants.as_of > requests.requested_at
    group by 1, 2
),

checks_by_day as (
    select
        checks.tenant_id,
        (checks.checked_at at time zone tenants.timezone)::date as metric_date,
        count(*) as health_checks,
        count(*) filter (where checks.status = 'up') as health_checks_up,
        coalesce(sum(checks.cpu_load) filter (where checks.cpu_load >= 0), 0) as cpu_load_sum,
        count(*) filter (where checks.cpu_load >= 0) as cpu_load_checks
    from {{ ref('stg_platform__tenants') }} as tenants
    inner join {{ rows_of_dirty_days(ref('stg_operations__health_checks'), 'operations', 'checked_at') }} as checks
        on
            tenants.tenant_id = checks.tenant_id
            and tenants.as_of > checks.checked_at
    group by 1, 2
)

select
    coalesce(requests.tenant_id, checks.tenant_id) as tenant_id,
    coalesce(requests.metric_date, checks.metric_date) as metric_date,
    coalesce(requests.api_requests, 0) as api_requests,
    coalesce(requests.api_errors, 0) as api_errors,
    requests.latency_percentiles[1]::numeric as api_p50_ms,
    requests.latency_percentiles[2]::numeric as api_p95_ms,
    coalesce(checks.health_checks, 0) as health_checks,
    coalesce(checks.health_checks_up, 0) as health_checks_up,
    coalesce(checks.cpu_load_sum, 0) as cpu_load_sum,
    coalesce(checks.cpu_load_checks, 0) as cpu_load_checks
from requests_by_day as requests
full outer join checks_by_day as checks
    on
        requests.tenant_id = checks.tenant_id
        and requests.metric_date = checks.metric_date
