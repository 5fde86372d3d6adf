{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'user_type', 'metric_date'],
    on_schema_change='fail',
    contract={'enforced': true},
    meta={'dirty': {'tenant': ['users', 'clock'], 'column': 'metric_date'}},
) }}

with users_to_count as (
    select
        users.tenant_id,
        users.user_type,
        users.signed_up_date,
        users.activated_date,
        users.did_file_upload,
        users.did_worklog_creation,
        users.did_report_generation
    from {{ ref('int_users__activation') }} as users
    {% if is_incremental() %}
        inner join {{ dirty_tenants(['users', 'clock']) }} as dirty on users.tenant_id = dirty.tenant_id
    {% endif %}
),

signups as (
    select
        tenant_id,
        user_type,
        signed_up_date as metric_date,
        count(*) as signups,
        count(activated_date) as activated_of_signups,
        count(*) filter (where did_file_upload) as file_upload_of_signups,
        count(*) filter (where did_worklog_creation) as worklog_creation_of_signups,
        count(*) filter (where did_report_generation) as report_generation_of_signups
    from users_to_count
    where signed_up_date is not null
    group by 1, 2, 3
),

activations as (
    select
        tenant_id,
        user_type,
        activated_date as metric_date,
        count(*) as activated_users
    from users_to_count
    where activated_date is not null
    group by 1, 2, 3
),

day_spine as (
    select
        firsts.tenant_id,
        firsts.user_type,
        day::date as metric_date
    from (
        select
            tenant_id,
            user_type,
            least(min(signed_up_date), min(activated_date)) as first_date
        from users_to_count
        group by 1, 2
    ) as firsts
    inner join {{ ref('stg_platform__tenants') }} as tenants on firsts.tenant_id = tenants.tenant_id
    cross join lateral generate_series(
        firsts.first_date::timestamp, tenants.as_of_date::timestamp, interval '1 day'
    ) as day
    where firsts.first_date is not null
)

select
    spine.tenant_id,
    spine.user_type,
    spine.metric_date,
    coalesce(signups.signups, 0) as signups,
    coalesce(activations.activated_users, 0) as activated_users,
    coalesce(signups.activated_of_signups, 0) as activated_of_signups,
    coalesce(signups.file_upload_of_signups, 0) as file_upload_of_signups,
    coalesce(signups.worklog_creation_of_signups, 0) as worklog_creation_of_signups,
    coalesce(signups.report_generation_of_signups, 0) as report_generation_of_signups,
    sum(coalesce(signups.signups, 0)) over (
        partition by spine.tenant_id, spine.user_type order by spine.metric_date
    )::bigint as total_signed_up
from day_spine as spine
left join signups
    on
        spine.tenant_id = signups.tenant_id
        and spine.user_type = signups.user_type
        and spine.metric_date = signups.metric_date
left join activations
    on
        spine.tenant_id = activations.tenant_id
        and spine.user_type = activations.user_type
        and spine.metric_date = activations.metric_date
