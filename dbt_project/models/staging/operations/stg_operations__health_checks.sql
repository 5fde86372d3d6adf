select
    checks.tenant_id,
    checks.check_id,
    checks.component,
    checks.status,
    checks.cpu_load,
    checks.memory_rate,
    checks.checked_at
from {{ source('raw', 'health_checks') }} as checks
where checks.deleted_at is null
