{#- Days of portfolio_metrics whose sessions, leads or calls are not those of all tenants together. -#}
{% test same_as_daily_metrics(model) %}
select
    portfolio.metric_date
from {{ model }} as portfolio
inner join (
    select
        metric_date,
        sum(total_sessions) as total_sessions,
        sum(new_leads) as new_leads,
        sum(total_calls) as total_calls
    from {{ ref('daily_metrics') }}
    group by metric_date
) as daily on portfolio.metric_date = daily.metric_date
where
    (portfolio.total_sessions, portfolio.new_leads, portfolio.total_calls)
    is distinct from (daily.total_sessions, daily.new_leads, daily.total_calls)
{% endtest %}
