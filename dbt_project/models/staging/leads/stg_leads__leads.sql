select
    leads.tenant_id,
    leads.lead_id,
    coalesce(leads.branch_id, '(none)') as branch_id,
    coalesce(leads.staff_id, '(none)') as staff_id,
    coalesce(leads.source, '(none)') as source,
    leads.status,
    leads.created_at,
    leads.updated_at,
    leads.converted_at
from {{ source('raw', 'leads') }} as leads
where leads.deleted_at is null
