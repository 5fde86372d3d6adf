{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'activity_date'],
    on_schema_change='fail',
    contract={'enforced': true},
    meta={'dirty': {'span': 'activity', 'column': 'activity_date'}},
) }}

select
    days.tenant_id,
    days.activity_date,
    sum(days.sessions)::bigint as sessions,
    min(days.user_id) as first_user_id
from {{ ref('int_activity__user_days') }} as days
{% if is_incremental() %}
    inner join {{ dirty_spans('activity') }} as dirty
        on
            days.tenant_id = dirty.tenant_id
            and days.activity_date between dirty.date_from and dirty.date_to
{% endif %}
where not days.is_known_user
group by 1, 2
