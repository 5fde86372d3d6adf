select
    changes.tenant_id,
    changes.change_id,
    changes.lead_id,
    changes.status,
    changes.changed_at
from {{ source('raw', 'lead_status_changes') }} as changes
where changes.deleted_at is null
