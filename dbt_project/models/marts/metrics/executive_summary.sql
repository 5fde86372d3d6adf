{{ config(
    unique_key=['tenant_id', 'metric', 'period'],
    meta={'dirty': {'tenant': '*'}},
) }}

{#- Below this share of the previous value a change is no trend. -#}
{%- set stable_below = 0.01 -%}

with last_periods as (
    select
        tenants.tenant_id,
        tenants.as_of,
        tenants.week_start,
        grains.grain,
        case grains.grain
            when 'day' then tenants.complete_date
            -- The last week or month of which every day has ended: the one before that of the day to come.
            when 'week' then {{ week_of('(tenants.complete_date + 1)', 'tenants.week_start') }} - 7
            else ({{ month_of('(tenants.complete_date + 1)') }} - interval '1 month')::date
        end as period_start
    from {{ ref('stg_platform__tenants') }} as tenants
    cross join {{ grains() }}
    {% if is_incremental() %}
        inner join {{ dirty_tenants() }} as dirty on tenants.tenant_id = dirty.tenant_id
    {% endif %}
),

period_pairs as (
    select
        tenant_id,
        as_of,
        grain,
        period_start,
        {{ period_end('grain', 'period_start') }} as period_end,
        case grain
            when 'day' then period_start - 1
            when 'week' then period_start - 7
            else (period_start - interval '1 month')::date
        end as previous_start
    from last_periods
),

summary_values as (
    select
        pairs.tenant_id,
        series.metric,
        pairs.grain as period,
        pairs.period_start,
        pairs.period_end,
        pairs.as_of,
        series.value,
        previous.value as previous_value,
        series.value - previous.value as change,
        (series.value - previous.value) / nullif(abs(previous.value), 0) as change_rate,
        catalogue.direction
    from period_pairs as pairs
    inner join {{ ref('metric_timeseries') }} as series
        on
            pairs.tenant_id = series.tenant_id
            and pairs.grain = series.grain
            and pairs.period_start = series.period_start
            and series.dimension = 'all'
    inner join {{ ref('metric_catalogue') }} as catalogue on series.metric = catalogue.metric
    left join {{ ref('metric_timeseries') }} as previous
        on
            pairs.tenant_id = previous.tenant_id
            and series.metric = previous.metric
            and pairs.grain = previous.grain
            and pairs.previous_start = previous.period_start
            and previous.dimension = 'all'
),

targets as (
    select
        summary_values.tenant_id,
        summary_values.metric,
        summary_values.period,
        valid.target,
        valid.benchmark,
        coalesce(valid.good_from, valid.target) as good_from,
        valid.warning_from
    from summary_values
    cross join lateral (
        select
            targets.target,
            targets.benchmark,
            targets.good_from,
            targets.warning_from
        from {{ source('reporting', 'metric_targets') }} as targets
        where
            targets.tenant_id = summary_values.tenant_id
            and targets.metric = summary_values.metric
            and targets.scope = 'tenant'
            and coalesce(targets.grain, summary_values.period) = summary_values.period
            and targets.valid_from <= summary_values.period_end
        order by targets.valid_from desc, targets.grain nulls last
        limit 1
    ) as valid
),

summary_with_trend as (
    select
        summary_values.tenant_id,
        summary_values.metric,
        summary_values.period,
        summary_values.period_start,
        summary_values.period_end,
        summary_values.value,
        summary_values.previous_value,
        summary_values.change,
        summary_values.change_rate,
        summary_values.direction,
        summary_values.as_of,
        targets.target,
        targets.benchmark,
        targets.good_from,
        targets.warning_from,
        case
            when summary_values.change is null then null
            when summary_values.change = 0 or abs(summary_values.change_rate) < {{ stable_below }} then 'stable'
            when summary_values.change > 0 then 'up'
            else 'down'
        end as trend,
        case summary_values.direction when 'down' then -1 else 1 end as sign
    from summary_values
    left join targets
        on
            summary_values.tenant_id = targets.tenant_id
            and summary_values.metric = targets.metric
            and summary_values.period = targets.period
)

select
    tenant_id,
    metric,
    period,
    period_start,
    period_end,
    value,
    previous_value,
    change,
    change_rate,
    trend,
    case
        when value is null then null
        when good_from is not null and value * sign >= good_from * sign then 'success'
        when warning_from is not null and value * sign < warning_from * sign then 'error'
        when good_from is not null or warning_from is not null then 'warning'
        when direction <> 'neutral' and trend = case direction when 'up' then 'down' else 'up' end then 'warning'
        else 'success'
    end as status,
    target,
    benchmark,
    as_of
from summary_with_trend
