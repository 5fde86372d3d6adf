{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'user_id', 'activity_date', 'user_type'],
    on_schema_change='fail',
    contract={'enforced': true},
    indexes=[{'columns': ['tenant_id', 'activity_date', 'user_id', 'user_type']}],
    meta={'dirty': {'span': 'activity', 'column': 'activity_date', 'log_entity': 'user_id'}},
    post_hook="{{ index_of_odd_rows('tenant_id, activity_date', 'not is_known_user') }}",
) }}

with sessions_to_count as (
    select
        sessions.tenant_id,
        sessions.user_id,
        sessions.user_type,
        sessions.duration_seconds,
        (sessions.started_at at time zone tenants.timezone)::date as activity_date
    from {{ ref('stg_platform__tenants') }} as tenants
    inner join {{ rows_of_dirty_days(ref('stg_activity__sessions'), 'activity', 'started_at') }} as sessions
        on tenants.tenant_id = sessions.tenant_id and sessions.started_at < tenants.as_of
)

select
    sessions_to_count.tenant_id,
    sessions_to_count.user_id,
    sessions_to_count.activity_date,
    coalesce(sessions_to_count.user_type, users.user_type, '(none)') as user_type,
    count(*) as sessions,
    coalesce(sum(sessions_to_count.duration_seconds) filter (where sessions_to_count.duration_seconds >= 0), 0)
        as session_seconds,
    count(*) filter (where sessions_to_count.duration_seconds >= 0) as timed_sessions,
    bool_and(users.user_id is not null) as is_known_user
from sessions_to_count
left join {{ ref('stg_users__users') }} as users
    on
        sessions_to_count.tenant_id = users.tenant_id
        and sessions_to_count.user_id = users.user_id
group by 1, 2, 3, 4
