{{ config(
    unique_key=['tenant_id', 'metric', 'grain', 'period_start', 'dimension', 'dimension_value'],
    indexes=[{'columns': ['tenant_id', 'grain', 'period_start']}],
    meta={'dirty': {'macro': 'timeseries_scope', 'log': ['period_start']}},
) }}

{%- set entries = metric_definitions() -%}
{%- set daily_entries = entries | rejectattr('grains', 'defined') | list
    + entries | selectattr('grains', 'defined') | rejectattr('grains', 'equalto', ['month']) | list -%}
{%- set monthly_entries = entries | selectattr('month', 'defined') | list %}

-- A sum over a day whose money is unknown is unknown.
with periods as (
    select
        daily.tenant_id,
        grains.grain,
        each_day.period_start,
        min({{ period_end('grains.grain', 'each_day.period_start') }} - tenants.complete_date) <= 0 as is_complete,
        {% for entry in daily_entries -%}
            {%- if entry.aggregation == 'ratio' -%}
                sum({{ entry.numerator }})::numeric as {{ entry.metric }}__numerator,
                sum({{ entry.denominator }})::numeric as {{ entry.metric }}__denominator,
            {%- elif entry.aggregation == 'sum' -%}
                case when count({{ entry.value }}) = count(*) then sum({{ entry.value }}) end::numeric
                    as {{ entry.metric }}__numerator,
            {%- elif entry.aggregation == 'last' -%}
                max({{ entry.value }}) filter (where each_day.is_last)::numeric as {{ entry.metric }}__numerator,
            {%- else -%}
                case grains.grain
                    when 'day' then max({{ entry.value }}) filter (where each_day.is_last)
                    {% if entry.get('week') -%}
                        when 'week' then max({{ entry.week }}) filter (where each_day.is_last)
                        when 'month' then max({{ entry.month_to_date }}) filter (where each_day.is_last)
                    {%- endif %}
                end::numeric as {{ entry.metric }}__numerator,
            {%- endif %}
        {% endfor -%}
        count(*) as days
    from {{ ref('stg_platform__tenants') }} as tenants
    inner join {{ ref('daily_metrics') }} as daily on tenants.tenant_id = daily.tenant_id
    cross join {{ grains() }}
    cross join lateral (
        select {{ period_of('grains.grain', 'daily.metric_date', 'tenants.week_start') }} as period_start
        from (values (1)) as once (number)
        order by once.number
        offset 0
    ) as starts
    -- Days are dense, so the last one of a period is its end or the day of as_of. `offset 0`: computed once a row, not
    -- once a metric.
    cross join lateral (
        select
            starts.period_start,
            daily.metric_date
            = least({{ period_end('grains.grain', 'starts.period_start') }}, tenants.as_of_date) as is_last
        from (values (1)) as once (number)
        order by once.number
        offset 0
    ) as each_day
    {% if is_incremental() %}
        inner join {{ timeseries_periods() }} as periods
            on
                daily.tenant_id = periods.tenant_id
                and grains.grain = periods.grain
                and each_day.period_start = periods.period_start
    {% endif %}
    group by daily.tenant_id, grains.grain, each_day.period_start
),

values_of_days as (
    select
        periods.tenant_id,
        metrics.metric,
        periods.grain,
        periods.period_start,
        metrics.numerator,
        metrics.denominator,
        metrics.is_ratio,
        periods.is_complete
    from periods
    cross join lateral (
        values
        {% for entry in daily_entries -%}
            (
                '{{ entry.metric }}',
                {{ entry.metric }}__numerator,
                {{ entry.metric ~ '__denominator' if entry.aggregation == 'ratio' else 'null::numeric' }},
                {{ 'true' if entry.aggregation == 'ratio' else 'false' }},
                array[{{ "'" ~ (entry.get('grains') or ['day', 'week', 'month']) | join("', '") ~ "'" }}]
            ){{ ',' if not loop.last }}
        {% endfor -%}
    ) as metrics (metric, numerator, denominator, is_ratio, grains)
    where
        periods.grain = any(metrics.grains)
        -- The month of these is told by revenue_metrics, which knows who paid at its start.
        and not (
            periods.grain = 'month'
            and metrics.metric in ('{{ monthly_entries | map(attribute='metric') | join("', '") }}')
        )
),

values_of_months as (
    select
        revenue.tenant_id,
        metrics.metric,
        'month' as grain,
        revenue.month as period_start,
        metrics.value,
        revenue.is_complete
    from {{ ref('revenue_metrics') }} as revenue
    {% if is_incremental() %}
        inner join {{ timeseries_periods() }} as periods
            on
                revenue.tenant_id = periods.tenant_id
                and revenue.month = periods.period_start
                and periods.grain = 'month'
    {% endif %}
    cross join lateral (
        values
        {% for entry in monthly_entries -%}
            ('{{ entry.metric }}', revenue.{{ entry.month.value }}::numeric){{ ',' if not loop.last }}
        {% endfor -%}
    ) as metrics (metric, value)
)

select
    tenant_id,
    metric,
    grain,
    period_start,
    'all' as dimension,
    'all' as dimension_value,
    case when is_ratio then numerator / nullif(denominator, 0) else numerator end as value,
    numerator,
    denominator,
    is_complete
from values_of_days
union all
select
    tenant_id,
    metric,
    grain,
    period_start,
    'all' as dimension,
    'all' as dimension_value,
    value,
    value as numerator,
    null as denominator,
    is_complete
from values_of_months
