select
    requests.tenant_id,
    requests.request_id,
    coalesce(requests.route, '(none)') as route,
    requests.status_code,
    requests.latency_ms,
    requests.requested_at
from {{ source('raw', 'api_requests') }} as requests
where requests.deleted_at is null
