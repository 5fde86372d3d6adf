select tenant_id, sum(sessions) as sessions from {{ ref('daily_sessions') }} group by 1
