{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'user_type', 'metric_date'],
    on_schema_change='fail',
    contract={'enforced': true},
    indexes=[{'columns': ['tenant_id', 'metric_date']}],
    meta={'dirty': {'macro': 'users_daily_scope', 'log': ['metric_date']}},
) }}

{% set counts = [
    'signups', 'activated_users', 'activated_of_signups', 'file_upload_of_signups', 'worklog_creation_of_signups',
    'report_generation_of_signups',
] %}

with
{% if is_incremental() %}
    spans as materialized (
        select
            dirty.tenant_id,
            dirty.date_from,
            least(dirty.date_to, tenants.as_of_date) as date_to
        from {{ users_daily_spans() }} as dirty
        inner join {{ ref('stg_platform__tenants') }} as tenants
            on dirty.tenant_id = tenants.tenant_id and dirty.date_from <= tenants.as_of_date
    ),

    cells as (
        select
            counted.tenant_id,
            spans.date_from,
            counted.user_type,
            counted.metric_date,
            {% for count in counts -%}
                counted.{{ count }}{{ ',' if not loop.last }}
            {% endfor %}
        from {{ users_by_day('spans') }} as counted
        inner join spans
            on
                counted.tenant_id = spans.tenant_id
                and counted.metric_date between spans.date_from and spans.date_to
    ),

    -- The types that were there before the span go on, with those signed up by then.
    stocks as (
        select
            spans.tenant_id,
            spans.date_from,
            before.user_type,
            before.total_signed_up
        from spans
        inner join {{ this }} as before
            on spans.tenant_id = before.tenant_id and before.metric_date = spans.date_from - 1
    ),
{% else %}
    cells as (
        select
            counted.tenant_id,
            null::date as date_from,
            counted.user_type,
            counted.metric_date,
            {% for count in counts -%}
                counted.{{ count }}{{ ',' if not loop.last }}
            {% endfor %}
        from {{ users_by_day() }} as counted
    ),
{% endif %}

firsts as (
    select
        tenant_id,
        date_from,
        user_type,
        min(metric_date) as first_date,
        sum(total_signed_up) as total_signed_up
    from (
        select
            tenant_id,
            date_from,
            user_type,
            metric_date,
            0 as total_signed_up
        from cells
        {% if is_incremental() %}
            union all
            select
                tenant_id,
                date_from,
                user_type,
                date_from as metric_date,
                total_signed_up
            from stocks
        {% endif %}
    ) as starts
    group by tenant_id, date_from, user_type
),

days as (
    select
        firsts.tenant_id,
        firsts.date_from,
        firsts.user_type,
        day::date as metric_date,
        case when day::date = firsts.first_date then firsts.total_signed_up else 0 end as total_before,
        {% for count in counts -%}
            0 as {{ count }}{{ ',' if not loop.last }}
        {% endfor %}
    from firsts
    {% if is_incremental() %}
        inner join spans as ends on firsts.tenant_id = ends.tenant_id and firsts.date_from = ends.date_from
        cross join lateral generate_series(
            firsts.first_date::timestamp, ends.date_to::timestamp, interval '1 day'
        ) as day
    {% else %}
        inner join {{ ref('stg_platform__tenants') }} as ends on firsts.tenant_id = ends.tenant_id
        cross join lateral generate_series(
            firsts.first_date::timestamp, ends.as_of_date::timestamp, interval '1 day'
        ) as day
    {% endif %}
    union all
    select
        tenant_id,
        date_from,
        user_type,
        metric_date,
        0 as total_before,
        {% for count in counts -%}
            {{ count }}{{ ',' if not loop.last }}
        {% endfor %}
    from cells
),

counted_days as (
    select
        tenant_id,
        date_from,
        user_type,
        metric_date,
        sum(total_before) as total_before,
        {% for count in counts -%}
            sum({{ count }})::bigint as {{ count }}{{ ',' if not loop.last }}
        {% endfor %}
    from days
    group by tenant_id, date_from, user_type, metric_date
)

select
    tenant_id,
    user_type,
    metric_date,
    signups,
    activated_users,
    activated_of_signups,
    file_upload_of_signups,
    worklog_creation_of_signups,
    report_generation_of_signups,
    sum(total_before + signups) over (
        partition by tenant_id, user_type, date_from order by metric_date
    )::bigint as total_signed_up
from counted_days
