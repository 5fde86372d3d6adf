{#- Tenants whose marts do not hold as many sessions, leads, calls, jobs, requests or checks as data_quality counts. -#}
{% test counted_rows_are_in_the_marts(model) %}
with in_marts as (
    select
        daily.tenant_id,
        sums.table_name,
        sum(sums.counted) as counted
    from {{ ref('daily_metrics') }} as daily
    cross join lateral (
        values
        ('raw.sessions', daily.total_sessions),
        ('raw.leads', daily.new_leads),
        ('raw.calls', daily.total_calls),
        ('raw.jobs', daily.total_jobs),
        ('raw.users', daily.signups),
        ('raw.api_requests', daily.api_requests),
        ('raw.health_checks', daily.health_checks),
        ('raw.satisfaction_scores', daily.satisfaction_scores)
    ) as sums (table_name, counted)
    group by daily.tenant_id, sums.table_name
)

select
    quality.tenant_id,
    quality.table_name,
    quality.rows_counted,
    coalesce(in_marts.counted, 0) as counted_in_marts
from {{ model }} as quality
left join in_marts on quality.tenant_id = in_marts.tenant_id and quality.table_name = in_marts.table_name
where
    quality.rows_counted <> coalesce(in_marts.counted, 0)
    and quality.table_name in (
        'raw.sessions', 'raw.leads', 'raw.calls', 'raw.jobs', 'raw.users', 'raw.api_requests', 'raw.health_checks',
        'raw.satisfaction_scores'
    )
{% endtest %}
