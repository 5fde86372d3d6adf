select
    collaborations.tenant_id,
    collaborations.collaboration_id,
    collaborations.client_id,
    least(collaborations.vendor1_id, collaborations.vendor2_id) as vendor_a_id,
    greatest(collaborations.vendor1_id, collaborations.vendor2_id) as vendor_b_id,
    collaborations.collaboration_type,
    collaborations.created_at,
    collaborations.last_activity_at
from {{ source('raw', 'collaborations') }} as collaborations
where collaborations.deleted_at is null
