{#- The periods metric_timeseries has to compute, and the SQL of its values. -#}

{#- First day of the period of a grain that holds a date. -#}
{% macro period_of(grain, date, week_start) -%}
case {{ grain }}
    when 'day' then {{ date }}
    when 'week' then {{ week_of(date, week_start) }}
    else {{ month_of(date) }}
end
{%- endmacro %}

{#- Last day of the period that begins on a date. -#}
{% macro period_end(grain, period_start) -%}
case {{ grain }}
    when 'day' then {{ period_start }}
    when 'week' then {{ period_start }} + 6
    else ({{ period_start }} + interval '1 month')::date - 1
end
{%- endmacro %}

{% macro grains() -%}
(values ('day'), ('week'), ('month')) as grains (grain)
{%- endmacro %}

{#- What is read together: one item for each dimension and mart, with its series. -#}
{% macro series_by_mart(series) -%}
    {%- set marts = metric_marts() -%}
    {%- set groups = {} -%}
    {%- for one in series -%}
        {%- set name = one.dimension ~ '_by_' ~ one.model -%}
        {%- if name not in groups -%}
            {%- do groups.update({name: {
                'name': name, 'dimension': one.dimension, 'model': one.model, 'mart': marts[one.model], 'series': [],
            }}) -%}
        {%- endif -%}
        {%- do groups[name].series.append(one) -%}
    {%- endfor -%}
    {{ return(groups.values() | list) }}
{%- endmacro %}

{#-
    Pre-hook of metric_timeseries: the temporary table timeseries_periods, one row for each dimension, tenant, grain and
    period that holds a changed day of a mart the dimension is read from; every period of a tenant that is dirty as a
    whole, old and new; all periods in a full build. A table and not a subquery: it is used four times, and the planner
    knows how few rows it has.
-#}
{% macro make_timeseries_periods() -%}
{%- set groups = series_by_mart(metric_series(metric_definitions())) -%}
create temporary table timeseries_periods on commit drop as
with whole_tenants as (
    {% if is_incremental() -%}
        select dirty.tenant_id
        from {{ source('build', 'dirty_tenants') }} as dirty
        inner join {{ source('build', 'tenants') }} as tenants on dirty.tenant_id = tenants.tenant_id
        where tenants.in_build
    {%- else -%}
        select tenant_id
        from {{ source('build', 'tenants') }}
    {%- endif %}
),

days as (
    {% for group in groups -%}
        {%- set grains = ['month'] if group.mart.month else ['day', 'week', 'month'] -%}
        {%- if not loop.first %}
    union
        {% endif -%}
        select
            '{{ group.dimension }}' as dimension,
            mart.tenant_id,
            mart.{{ group.mart.month or group.mart.date }} as metric_date,
            {{ 'true' if group.mart.month else 'false' }} as is_month
        from whole_tenants
        inner join {{ ref(group.model) }} as mart on whole_tenants.tenant_id = mart.tenant_id
        {%- if is_incremental() %}
    union
        select
            '{{ group.dimension }}' as dimension,
            changed.tenant_id,
            changed.metric_date,
            {{ 'true' if group.mart.month else 'false' }} as is_month
        from {{ changed_days([group.model]) }} as changed
        {%- endif %}
    {%- endfor %}
),

periods as (
    select
        days.dimension,
        days.tenant_id,
        grains.grain,
        {{ period_of('grains.grain', 'days.metric_date', 'tenants.week_start') }} as period_start
    from days
    inner join {{ source('build', 'tenants') }} as tenants on days.tenant_id = tenants.tenant_id
    inner join {{ grains() }} on not days.is_month or grains.grain = 'month'
    {%- if is_incremental() %}
    union
    select
        published.dimension,
        published.tenant_id,
        published.grain,
        published.period_start
    from whole_tenants
    inner join {{ this }} as published on whole_tenants.tenant_id = published.tenant_id
    {%- endif %}
)

select distinct
    periods.dimension,
    periods.tenant_id,
    periods.grain,
    periods.period_start,
    {{ period_end('periods.grain', 'periods.period_start') }} as period_end,
    least({{ period_end('periods.grain', 'periods.period_start') }}, tenants.as_of_date) as last_date,
    {{ period_end('periods.grain', 'periods.period_start') }} <= tenants.complete_date as has_ended,
    -- Weeks that were published before the tenant's weeks began on another day only have to go.
    periods.period_start
    = {{ period_of('periods.grain', 'periods.period_start', 'tenants.week_start') }} as is_computed
from periods
inner join {{ source('build', 'tenants') }} as tenants on periods.tenant_id = tenants.tenant_id;

analyze timeseries_periods
{%- endmacro %}

{% macro timeseries_scope(t) -%}
exists (
    select from timeseries_periods as p
    where
        p.tenant_id = {{ t }}.tenant_id
        and p.grain = {{ t }}.grain
        and p.period_start = {{ t }}.period_start
        and p.dimension = {{ t }}.dimension
)
{%- endmacro %}

{#- A series in one period, out of the rows of its mart: numerator and, for a ratio, denominator. A sum over a row whose
    money is unknown is unknown; no row at all is 0. -#}
{% macro aggregated(one, last) -%}
    {%- if one.aggregation == 'ratio' -%}
        {{ known_sum(one.numerator) }} as {{ one.metric }}__numerator,
        {{ known_sum(one.denominator) }} as {{ one.metric }}__denominator,
    {%- elif one.aggregation == 'sum' -%}
        {{ known_sum(one.value) }} as {{ one.metric }}__numerator,
    {%- elif one.aggregation == 'last' -%}
        {{ known_sum(one.value, last) }} as {{ one.metric }}__numerator,
    {%- else -%}
        case periods.grain
            when 'day' then max({{ one.value }}) filter (where {{ last }})
            {% if one.week -%}
                when 'week' then max({{ one.week }}) filter (where {{ last }})
                when 'month' then max({{ one.month_to_date }}) filter (where {{ last }})
            {%- endif %}
        end::numeric as {{ one.metric }}__numerator,
    {%- endif %}
{%- endmacro %}

{% macro known_sum(expression, condition='true') -%}
case when count(*) filter (where {{ condition }} and ({{ expression }}) is null) = 0
    then coalesce(sum({{ expression }}) filter (where {{ condition }}), 0)
end::numeric
{%- endmacro %}

{#- A metric that a derived one is made of, out of the rows of one period: where a dimension value has no row, a count
    is 0 and a ratio NULL. -#}
{% macro derived_input(entry) -%}
{%- if entry.aggregation == 'ratio' -%}
max(value) filter (where metric = '{{ entry.metric }}')
{%- else -%}
case when count(*) filter (where metric = '{{ entry.metric }}') = 0 then 0
    else max(value) filter (where metric = '{{ entry.metric }}')
end
{%- endif -%}
{%- endmacro %}

{#- Rows of the time series that its tests look at: of the periods this build changed; all in a full build. -#}
{% macro timeseries_to_check() -%}
{%- if flags.FULL_REFRESH -%}
{{ ref('metric_timeseries') }}
{%- else -%}
(
    select series.*
    from (
        select distinct
            tenant_id,
            metric_date
        from {{ changed_days(['metric_timeseries']) }} as changed
    ) as days
    cross join {{ grains() }}
    inner join {{ ref('metric_timeseries') }} as series
        on
            days.tenant_id = series.tenant_id
            and grains.grain = series.grain
            and days.metric_date = series.period_start
)
{%- endif -%}
{%- endmacro %}
