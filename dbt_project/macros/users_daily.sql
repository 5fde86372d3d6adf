{#-
    The first day from which on rows of int_users__daily have to be counted anew, because the users signed up so far
    differ, a type of user comes or goes, or the days have no rows yet: (tenant_id, date_from). Changes of other columns
    stay on their days.
-#}
{% macro users_daily_shifts() -%}
(
    select
        differing.tenant_id,
        min(differing.metric_date) as date_from
    from (
        -- Signed up, and here at all, as it is now and as it was.
        select
            cells.tenant_id,
            cells.metric_date
        from (
            select
                tenant_id,
                user_type,
                metric_date,
                signups,
                1 as is_there
            from {{ users_by_day(changed_day_spans(['int_users__activation'])) }} as now_there
            union all
            select
                held.tenant_id,
                held.user_type,
                held.metric_date,
                -held.signups as signups,
                -1 as is_there
            from {{ changed_days(['int_users__activation']) }} as days
            inner join {{ this }} as held on days.tenant_id = held.tenant_id and days.metric_date = held.metric_date
            where held.signups > 0 or held.activated_users > 0
        ) as cells
        group by cells.tenant_id, cells.user_type, cells.metric_date
        having sum(cells.signups) <> 0 or sum(cells.is_there) <> 0
        union all
        select
            clocks.tenant_id,
            ends.last_date + 1 as metric_date
        from {{ dirty_tenants(['users', 'clock']) }} as dirty
        inner join {{ source('build', 'tenants') }} as clocks on dirty.tenant_id = clocks.tenant_id
        cross join lateral (
            select max(held.metric_date) as last_date
            from {{ this }} as held
            where held.tenant_id = clocks.tenant_id
        ) as ends
        where ends.last_date < clocks.as_of_date
    ) as differing
    group by differing.tenant_id
)
{%- endmacro %}

{#- Spans to count: changed days, and all from the shift on: (tenant_id, date_from, date_to). -#}
{% macro users_daily_spans() -%}
(
    select
        merged.tenant_id,
        lower(merged.span) as date_from,
        upper(merged.span) - 1 as date_to
    from (
        select
            spans.tenant_id,
            unnest(range_agg(spans.span)) as span
        from (
            select
                tenant_id,
                daterange(metric_date, metric_date + 1) as span
            from {{ changed_days(['int_users__activation']) }} as changed
            union all
            select
                tenant_id,
                daterange(date_from, '2200-01-01') as span
            from {{ users_daily_shifts() }} as shifts
        ) as spans
        group by spans.tenant_id
    ) as merged
)
{%- endmacro %}

{% macro users_daily_scope(t) -%}
exists (
    select from {{ users_daily_spans() }} as d
    where d.tenant_id = {{ t }}.tenant_id and {{ t }}.metric_date between d.date_from and d.date_to
)
{%- endmacro %}

{#- Users by the day of signing up and of activation, on the days of `spans` or, without, on all. -#}
{% macro users_by_day(spans=none) -%}
{%- set counts = {
    'signups': 'count(*)',
    'activated_of_signups': 'count(users.activated_date)',
    'file_upload_of_signups': 'count(*) filter (where users.did_file_upload)',
    'worklog_creation_of_signups': 'count(*) filter (where users.did_worklog_creation)',
    'report_generation_of_signups': 'count(*) filter (where users.did_report_generation)',
} -%}
(
    select
        steps.tenant_id,
        steps.user_type,
        steps.metric_date,
        {% for count in counts -%}
            sum(steps.{{ count }})::bigint as {{ count }},
        {% endfor -%}
        sum(steps.activated_users)::bigint as activated_users
    from (
        {% for day in ['signed_up_date', 'activated_date'] -%}
            select
                users.tenant_id,
                users.user_type,
                users.{{ day }} as metric_date,
                {% for count, expression in counts.items() -%}
                    {{ expression if day == 'signed_up_date' else '0' }} as {{ count }},
                {% endfor -%}
                {{ 'count(*)' if day == 'activated_date' else '0' }} as activated_users
            {% if spans -%}
                from {{ spans }} as spans
                cross join lateral (
                    select candidates.*
                    from {{ ref('int_users__activation') }} as candidates
                    where
                        candidates.tenant_id = spans.tenant_id
                        and candidates.{{ day }} between spans.date_from and spans.date_to
                    offset 0
                ) as users
            {% else -%}
                from {{ ref('int_users__activation') }} as users
                where users.{{ day }} is not null
            {% endif -%}
            group by users.tenant_id, users.user_type, users.{{ day }}
            {{ 'union all' if not loop.last }}
        {% endfor -%}
    ) as steps
    group by steps.tenant_id, steps.user_type, steps.metric_date
)
{%- endmacro %}
