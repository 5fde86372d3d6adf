select tenant_id, session_id, started_at from {{ source('raw', 'sessions') }}
