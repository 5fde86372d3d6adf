{{ config(
    unique_key=['tenant_id', 'user_type', 'metric_date'],
    meta={'dirty': {'span': 'activity_window', 'column': 'metric_date'}},
) }}

{#- A trailing window of N days counts a user on day d when the last active day is less than N days before. Over the
    sorted active days of a user a stretch begins where the day before is N or more away, and ends N days after a day
    whose next is N or more away. Stretches begun minus stretches ended is exact for every day, in one pass for all
    windows (metric-rules, Activity). For a single day, as each night brings one, it is enough to know when each user was
    active for the last time: nothing has to be sorted. -#}
{% set windows = {'wau': '7', 'mau': 'mau_window_days', 'mau_28': '28'} %}

with spans as (
    select
        tenants.tenant_id,
        tenants.week_start,
        tenants.mau_window_days,
        -- What lies further back than the longest window cannot reach into the span; a month has 31 days.
        greatest(tenants.mau_window_days, 31) as reach_days,
        {% if is_incremental() %}
            spans.date_from,
            least(spans.date_to, tenants.as_of_date) as date_to
        {% else %}
            '1900-01-01'::date as date_from,
            tenants.as_of_date as date_to
        {% endif %}
    from {{ ref('stg_platform__tenants') }} as tenants
    {% if is_incremental() %}
        inner join {{ dirty_spans('activity_window') }} as spans on tenants.tenant_id = spans.tenant_id
    {% endif %}
),

user_days_by_type as (
    select
        spans.tenant_id,
        spans.date_from as span_from,
        spans.date_to as span_to,
        spans.week_start,
        spans.mau_window_days,
        days.user_type,
        days.user_id,
        days.activity_date,
        days.sessions,
        days.session_seconds,
        days.timed_sessions
    from spans
    inner join {{ ref('int_activity__user_days') }} as days
        on
            spans.tenant_id = days.tenant_id
            and days.activity_date between spans.date_from - spans.reach_days and spans.date_to
    {% if is_incremental() %}
        where spans.date_from < spans.date_to
    {% endif %}
),

user_days as (
    select
        tenant_id,
        span_from,
        span_to,
        week_start,
        mau_window_days,
        'all' as user_type,
        user_id,
        activity_date,
        sum(sessions) as sessions,
        sum(session_seconds) as session_seconds,
        sum(timed_sessions) as timed_sessions
    from user_days_by_type
    group by 1, 2, 3, 4, 5, 7, 8
    union all
    select
        tenant_id,
        span_from,
        span_to,
        week_start,
        mau_window_days,
        user_type,
        user_id,
        activity_date,
        sessions,
        session_seconds,
        timed_sessions
    from user_days_by_type
),

user_days_with_neighbours as (
    select
        tenant_id,
        span_from,
        span_to,
        week_start,
        user_type,
        activity_date,
        sessions,
        session_seconds,
        timed_sessions,
        mau_window_days,
        lag(activity_date) over user_by_day as previous_date,
        activity_date - lag(activity_date) over user_by_day as days_since,
        lead(activity_date) over user_by_day - activity_date as days_until
    from user_days
    window user_by_day as (partition by tenant_id, span_from, user_type, user_id order by activity_date)
),

active_days as (
    select
        tenant_id,
        span_from,
        span_to,
        week_start,
        mau_window_days,
        user_type,
        activity_date,
        {% for name, days in windows.items() -%}
            count(*) filter (where days_since is null or days_since >= {{ days }}) as {{ name }}_begun,
            count(*) filter (where days_until is null or days_until >= {{ days }}) as {{ name }}_ended,
        {% endfor -%}
        count(*) filter (
            where
            previous_date is null
            or {{ week_of('previous_date', 'week_start') }} <> {{ week_of('activity_date', 'week_start') }}
        ) as first_in_week,
        count(*) filter (
            where previous_date is null or {{ month_of('previous_date') }} <> {{ month_of('activity_date') }}
        ) as first_in_month,
        count(*) as dau,
        sum(sessions) as sessions,
        sum(session_seconds) as session_seconds,
        sum(timed_sessions) as timed_sessions
    from user_days_with_neighbours
    group by 1, 2, 3, 4, 5, 6, 7
),

-- What happens on a day: stretches that begin with it, stretches that ended N days before, or nothing at all. Added
-- up by day rather than joined: the planner cannot tell how few rows a day has.
steps as (
    select
        tenant_id,
        span_from,
        span_to,
        week_start,
        user_type,
        activity_date as metric_date,
        {% for name in windows -%}
            {{ name }}_begun as {{ name }}_step,
        {% endfor -%}
        first_in_week,
        first_in_month,
        dau,
        sessions,
        session_seconds,
        timed_sessions
    from active_days
    {% for ended, days in windows.items() -%}
        union all
        select
            tenant_id,
            span_from,
            span_to,
            week_start,
            user_type,
            activity_date + {{ days }} as metric_date,
            {% for name in windows -%}
                {{ '-' ~ name ~ '_ended' if name == ended else '0' }} as {{ name }}_step,
            {% endfor -%}
            0 as first_in_week,
            0 as first_in_month,
            0 as dau,
            0 as sessions,
            0 as session_seconds,
            0 as timed_sessions
        from active_days
        where {{ ended }}_ended > 0 and activity_date + {{ days }} <= span_to
    {% endfor -%}
    union all
    select
        ends.tenant_id,
        ends.span_from,
        ends.span_to,
        ends.week_start,
        ends.user_type,
        day::date as metric_date,
        {% for name in windows -%}
            0 as {{ name }}_step,
        {% endfor -%}
        0 as first_in_week,
        0 as first_in_month,
        0 as dau,
        0 as sessions,
        0 as session_seconds,
        0 as timed_sessions
    from (
        select
            tenant_id,
            span_from,
            span_to,
            week_start,
            user_type,
            min(activity_date) as first_date,
            least(max(activity_date) + greatest(max(mau_window_days), 31), span_to) as last_date
        from active_days
        group by 1, 2, 3, 4, 5
    ) as ends
    cross join lateral generate_series(ends.first_date::timestamp, ends.last_date::timestamp, interval '1 day') as day
),

steps_by_day as (
    select
        tenant_id,
        span_from,
        week_start,
        user_type,
        metric_date,
        {% for name in windows -%}
            sum({{ name }}_step) as {{ name }}_step,
        {% endfor -%}
        sum(first_in_week) as first_in_week,
        sum(first_in_month) as first_in_month,
        sum(dau) as dau,
        sum(sessions) as sessions,
        sum(session_seconds) as session_seconds,
        sum(timed_sessions) as timed_sessions
    from steps
    group by 1, 2, 3, 4, 5
),

windows_by_day as (
    select
        tenant_id,
        span_from,
        user_type,
        metric_date,
        dau,
        sessions,
        session_seconds,
        timed_sessions,
        {% for name in windows -%}
            sum({{ name }}_step) over type_by_day as {{ name }},
        {% endfor -%}
        sum(first_in_week) over (
            partition by tenant_id, span_from, user_type, {{ week_of('metric_date', 'week_start') }}
            order by metric_date
        ) as wau_week_to_date,
        sum(first_in_month) over (
            partition by tenant_id, span_from, user_type, {{ month_of('metric_date') }}
            order by metric_date
        ) as mau_month_to_date
    from steps_by_day
    window type_by_day as (partition by tenant_id, span_from, user_type order by metric_date)
),

{% if is_incremental() -%}
last_days_by_type as materialized (
    select
        spans.tenant_id,
        spans.date_to as metric_date,
        spans.week_start,
        spans.mau_window_days,
        users.user_type,
        users.user_id,
        users.last_date
    from spans
    cross join lateral (
        select
            days.user_type,
            days.user_id,
            max(days.activity_date) as last_date
        from {{ ref('int_activity__user_days') }} as days
        where
            days.tenant_id = spans.tenant_id
            and days.activity_date > spans.date_to - spans.reach_days
            and days.activity_date <= spans.date_to
        group by 1, 2
        {{ row_by_row() }}
    ) as users
    where spans.date_from = spans.date_to
),

-- The same row shape as windows_by_day: people by their last day, sessions of the day itself.
single_days as (
    select
        tenant_id,
        user_type,
        metric_date,
        count(*) filter (where last_date = metric_date) as dau,
        {% for name, days in windows.items() -%}
            count(*) filter (where last_date > metric_date - {{ days }}) as {{ name }},
        {% endfor -%}
        count(*) filter (where last_date >= {{ week_of('metric_date', 'week_start') }}) as wau_week_to_date,
        count(*) filter (where last_date >= {{ month_of('metric_date') }}) as mau_month_to_date,
        0 as sessions,
        0 as session_seconds,
        0 as timed_sessions
    from (
        select
            tenant_id,
            metric_date,
            week_start,
            mau_window_days,
            user_type,
            user_id,
            last_date
        from last_days_by_type
        union all
        select
            tenant_id,
            metric_date,
            week_start,
            mau_window_days,
            'all' as user_type,
            user_id,
            max(last_date) as last_date
        from last_days_by_type
        group by 1, 2, 3, 4, 6
    ) as last_days
    group by 1, 2, 3
    union all
    select
        spans.tenant_id,
        types.user_type,
        spans.date_to as metric_date,
        0 as dau,
        {% for name in windows -%}
            0 as {{ name }},
        {% endfor -%}
        0 as wau_week_to_date,
        0 as mau_month_to_date,
        sum(days.sessions) as sessions,
        sum(days.session_seconds) as session_seconds,
        sum(days.timed_sessions) as timed_sessions
    from spans
    cross join lateral (
        select
            candidates.user_type,
            candidates.sessions,
            candidates.session_seconds,
            candidates.timed_sessions
        from {{ ref('int_activity__user_days') }} as candidates
        where candidates.tenant_id = spans.tenant_id and candidates.activity_date = spans.date_to
        {{ row_by_row() }}
    ) as days
    cross join lateral (values (days.user_type), ('all')) as types (user_type)
    where spans.date_from = spans.date_to
    group by 1, 2, 3
),

{% endif -%}
counts as (
    select
        tenant_id,
        user_type,
        metric_date,
        dau,
        {% for name in windows -%}
            {{ name }},
        {% endfor -%}
        wau_week_to_date,
        mau_month_to_date,
        sessions,
        session_seconds,
        timed_sessions
    from windows_by_day
    where metric_date >= span_from
    {% if is_incremental() -%}
        union all
        select
            tenant_id,
            user_type,
            metric_date,
            sum(dau) as dau,
            {% for name in windows -%}
                sum({{ name }}) as {{ name }},
            {% endfor -%}
            sum(wau_week_to_date) as wau_week_to_date,
            sum(mau_month_to_date) as mau_month_to_date,
            sum(sessions) as sessions,
            sum(session_seconds) as session_seconds,
            sum(timed_sessions) as timed_sessions
        from single_days
        group by 1, 2, 3
    {%- endif %}
)

select
    tenant_id,
    user_type,
    metric_date,
    dau::bigint as dau,
    wau::bigint as wau,
    mau::bigint as mau,
    mau_28::bigint as mau_28,
    wau_week_to_date::bigint as wau_week_to_date,
    mau_month_to_date::bigint as mau_month_to_date,
    sessions::bigint as sessions,
    session_seconds,
    timed_sessions::bigint as timed_sessions,
    session_seconds / nullif(timed_sessions, 0) as avg_session_seconds
from counts
where greatest(dau, wau, mau, mau_28, wau_week_to_date, mau_month_to_date) > 0
