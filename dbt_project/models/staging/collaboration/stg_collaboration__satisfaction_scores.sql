select
    scores.tenant_id,
    scores.score_id,
    scores.vendor_id,
    scores.score,
    scores.scored_at
from {{ source('raw', 'satisfaction_scores') }} as scores
where scores.deleted_at is null
