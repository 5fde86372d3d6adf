{#- On days, the tenant's total of a metric that is a column of daily_metrics is that column. -#}
{% test same_as_daily_metrics_by_day(model) %}
{%- set metrics = [] -%}
{%- for one in metric_series(metric_definitions())
    if one.model == 'daily_metrics' and one.value and 'day' in one.grains and not one.is_null_until_complete -%}
    {%- do metrics.append(one) -%}
{%- endfor %}
select
    daily.tenant_id,
    daily.metric_date,
    metrics.metric,
    metrics.value as expected,
    series.value as found
from (
    select
        tenant_id,
        period_start,
        jsonb_object_agg(metric, value) as values_by_metric
    from {{ timeseries_to_check() }} as checked
    where grain = 'day' and dimension = 'all'
    group by tenant_id, period_start
) as days
inner join {{ ref('daily_metrics') }} as daily
    on days.tenant_id = daily.tenant_id and days.period_start = daily.metric_date
cross join lateral (
    values
    {% for one in metrics -%}
        ('{{ one.metric }}', (daily.{{ one.value }})::numeric){{ ',' if not loop.last }}
    {% endfor -%}
) as metrics (metric, value)
cross join lateral (select (days.values_by_metric ->> metrics.metric)::numeric as value) as series
where metrics.value is distinct from series.value
{% endtest %}

{#- A sum by the values of a dimension adds up to the tenant's. By branch and staff only where every branch keeps the
    tenant's days; by plan it need not: customers move between plans. -#}
{% test dimensions_add_up(model) %}
{%- set additive = [] -%}
{%- for one in metric_series(metric_definitions())
    if one.aggregation == 'sum' and one.dimension not in ('all', 'plan') -%}
    {%- do additive.append(one) -%}
{%- endfor %}
select
    checked.tenant_id,
    checked.metric,
    checked.grain,
    checked.period_start,
    parts.dimension,
    coalesce(sum(checked.value) filter (where checked.dimension = parts.dimension), 0) as by_dimension,
    sum(checked.value) filter (where checked.dimension = 'all') as total
from {{ timeseries_to_check() }} as checked
inner join (
    values
    {% for one in additive -%}
        ('{{ one.metric }}', '{{ one.dimension }}'){{ ',' if not loop.last }}
    {% endfor -%}
) as parts (metric, dimension)
    on checked.metric = parts.metric and checked.dimension in ('all', parts.dimension)
where
    parts.dimension not in ('branch', 'staff')
    or not exists (
        select from {{ ref('stg_platform__branches') }} as branches
        inner join {{ ref('stg_platform__tenants') }} as tenants on branches.tenant_id = tenants.tenant_id
        where branches.tenant_id = checked.tenant_id and branches.timezone <> tenants.timezone
    )
group by checked.tenant_id, checked.metric, checked.grain, checked.period_start, parts.dimension
having
    coalesce(sum(checked.value) filter (where checked.dimension = parts.dimension), 0)
    <> sum(checked.value) filter (where checked.dimension = 'all')
{% endtest %}
