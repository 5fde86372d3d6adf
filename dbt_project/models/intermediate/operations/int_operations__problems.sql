{% set tenants = ref('stg_platform__tenants') %}

{{ problem(
    'job_finished_before_started',
    'raw.jobs',
    '(select jobs.tenant_id, jobs.job_id from ' ~ ref('stg_operations__jobs') ~ ' as jobs
        inner join ' ~ tenants ~ ' as tenants on jobs.tenant_id = tenants.tenant_id
        and jobs.started_at < tenants.as_of where jobs.finished_at < jobs.started_at)',
    'job_id',
    'Jobs that ended before they started',
    'Correct started_at or finished_at. The jobs are counted; their time is left out.',
) }}

union all

{{ problem(
    'api_request_with_negative_latency',
    'raw.api_requests',
    '(select requests.tenant_id, requests.request_id from ' ~ ref('stg_operations__api_requests') ~ ' as requests
        inner join ' ~ tenants ~ ' as tenants on requests.tenant_id = tenants.tenant_id
        and requests.requested_at < tenants.as_of where requests.latency_ms < 0)',
    'request_id',
    'API requests with a negative latency',
    'Correct latency_ms. The requests are counted; their latency is left out.',
) }}

union all

{{ problem(
    'health_check_with_negative_load',
    'raw.health_checks',
    '(select checks.tenant_id, checks.check_id from ' ~ ref('stg_operations__health_checks') ~ ' as checks
        inner join ' ~ tenants ~ ' as tenants on checks.tenant_id = tenants.tenant_id
        and checks.checked_at < tenants.as_of where checks.cpu_load < 0)',
    'check_id',
    'Health checks with a negative CPU load',
    'Correct cpu_load. The checks are counted; their load is left out.',
) }}
