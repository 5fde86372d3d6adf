{% set sessions = ref('stg_activity__sessions') %}
{% set tenants = ref('stg_platform__tenants') %}
{% set known_sessions = sessions ~ ' as sessions inner join ' ~ tenants ~ ' as tenants
        on sessions.tenant_id = tenants.tenant_id and sessions.started_at < tenants.as_of' %}

{{ problem(
    'session_with_negative_duration',
    'raw.sessions',
    '(select sessions.tenant_id, sessions.session_id from ' ~ known_sessions ~ ' where sessions.duration_seconds < 0)',
    'session_id',
    'Sessions with a negative duration',
    'Correct duration_seconds. The sessions are counted; their time is left out.',
) }}

union all

{{ problem(
    'session_longer_than_a_week',
    'raw.sessions',
    '(select sessions.tenant_id, sessions.session_id from ' ~ known_sessions
        ~ ' where sessions.duration_seconds > 7 * 86400)',
    'session_id',
    'Sessions longer than a week',
    'Check duration_seconds: it is in seconds. The sessions are counted with the time they tell.',
) }}
