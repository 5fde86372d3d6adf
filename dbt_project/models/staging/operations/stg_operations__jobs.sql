select
    jobs.tenant_id,
    jobs.job_id,
    coalesce(jobs.job_type, '(none)') as job_type,
    jobs.status,
    jobs.started_at,
    jobs.finished_at
from {{ source('raw', 'jobs') }} as jobs
where jobs.deleted_at is null
