{#- Models whose days make daily_metrics. -#}
{% macro daily_models() -%}
    {{ return([
        'engagement_by_user_type', 'int_users__daily', 'int_jobs__daily', 'int_leads__daily', 'int_calls__daily',
        'coordination_metrics', 'int_revenue__daily', 'int_billing__daily', 'int_operations__daily',
    ]) }}
{%- endmacro %}

{#- First day of each tenant over all of them: (tenant_id, first_date). -#}
{% macro first_days() -%}
(
    select
        tenant_id,
        min(first_date) as first_date
    from (
        {% for model in daily_models() -%}
            select
                tenant_id,
                min(metric_date) as first_date
            from {{ ref(model) }}
            group by tenant_id
            {{ 'union all' if not loop.last }}
        {% endfor -%}
    ) as first_dates
    group by tenant_id
)
{%- endmacro %}

{#- Days daily_metrics has to follow: those that changed before it, and those between its old and its new first day. -#}
{% macro daily_metrics_days() -%}
(
    select
        tenant_id,
        metric_date
    from {{ changed_days(daily_models()) }} as changed
    union
    select
        tenants.tenant_id,
        day::date as metric_date
    from {{ dirty_tenants() }} as tenants
    left join {{ first_days() }} as new_days on tenants.tenant_id = new_days.tenant_id
    left join (
        select
            tenant_id,
            min(metric_date) as first_date,
            max(metric_date) + 1 as end_date
        from {{ this }}
        group by tenant_id
    ) as old_days on tenants.tenant_id = old_days.tenant_id
    inner join {{ source('build', 'tenants') }} as clocks on tenants.tenant_id = clocks.tenant_id
    cross join lateral generate_series(
        least(old_days.first_date, new_days.first_date)::timestamp,
        greatest(
            coalesce(old_days.first_date, clocks.as_of_date + 1), coalesce(new_days.first_date, old_days.end_date)
        ) - interval '1 day',
        interval '1 day'
    ) as day
)
{%- endmacro %}

{% macro daily_metrics_scope(t) -%}
exists (
    select from {{ daily_metrics_days() }} as d
    where d.tenant_id = {{ t }}.tenant_id and d.metric_date = {{ t }}.metric_date
)
{%- endmacro %}
