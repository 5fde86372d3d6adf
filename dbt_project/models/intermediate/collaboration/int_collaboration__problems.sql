{% set known_collaborations = ref('stg_collaboration__collaborations') ~ ' as collaborations inner join '
    ~ ref('stg_platform__tenants') ~ ' as tenants on collaborations.tenant_id = tenants.tenant_id
        and collaborations.created_at < tenants.as_of' %}

{{ problem(
    'collaboration_active_before_created',
    'raw.collaborations',
    '(select collaborations.tenant_id, collaborations.collaboration_id from ' ~ known_collaborations ~ '
        where collaborations.last_activity_at < collaborations.created_at)',
    'collaboration_id',
    'Collaborations whose last activity lies before their creation',
    'Correct created_at or last_activity_at. They count from their creation on; their hours are left out.',
) }}

union all

{{ problem(
    'collaboration_of_one_vendor',
    'raw.collaborations',
    '(select collaborations.tenant_id, collaborations.collaboration_id from ' ~ known_collaborations ~ '
        where collaborations.vendor_a_id = collaborations.vendor_b_id)',
    'collaboration_id',
    'Collaborations of a vendor with itself',
    'Correct vendor1_id or vendor2_id. Client and vendor are counted; a pair is not.',
) }}

union all

{{ problem(
    'satisfaction_score_out_of_range',
    'raw.satisfaction_scores',
    '(select scores.tenant_id, scores.score_id from ' ~ ref('stg_collaboration__satisfaction_scores') ~ ' as scores
        inner join ' ~ ref('stg_platform__tenants') ~ ' as tenants
        on scores.tenant_id = tenants.tenant_id and scores.scored_at < tenants.as_of
        where scores.score not between 0 and 10)',
    'score_id',
    'Satisfaction scores below 0 or above 10',
    'Bring the scores to the scale from 0 to 10. They are left out.',
) }}
