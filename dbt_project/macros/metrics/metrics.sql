{#- The checked list of metrics, and the periods in which they are told. -#}

{% macro metric_vocabulary() -%}
    {{ return({
        'unit': ['count', 'currency', 'rate', 'ratio', 'seconds', 'hours', 'months', 'score', 'milliseconds'],
        'format': ['integer', 'decimal', 'percent', 'money', 'duration', 'months'],
        'direction': ['up', 'down', 'neutral'],
        'aggregation': ['sum', 'last', 'recount', 'ratio'],
    }) }}
{%- endmacro %}

{#- All entries; a wrong one fails dbt parse with a message that names it. -#}
{% macro metric_definitions() -%}
    {%- set entries = fromyaml(metric_definitions_yaml()) -%}
    {%- set texts = ['metric', 'title', 'domain', 'description', 'formula', 'unit', 'format', 'aggregation', 'direction', 'owner'] -%}
    {%- set known = texts + ['edge_cases', 'value', 'numerator', 'denominator', 'week', 'month_to_date', 'grains', 'month'] -%}
    {%- set vocabulary = metric_vocabulary() -%}
    {%- set names = [] -%}
    {%- for entry in entries -%}
        {%- set name = entry.get('metric') or ('number ' ~ loop.index) -%}
        {%- for field in texts if not entry.get(field) -%}
            {{ metric_error(name, 'lacks ' ~ field) }}
        {%- endfor -%}
        {%- for field in entry if field not in known -%}
            {{ metric_error(name, 'has the unknown field ' ~ field ~ '; known: ' ~ known | join(', ')) }}
        {%- endfor -%}
        {%- for field, values in vocabulary.items() if entry[field] not in values -%}
            {{ metric_error(name, 'has ' ~ field ~ ' ' ~ entry[field] ~ '; known: ' ~ values | join(', ')) }}
        {%- endfor -%}
        {%- for grain in entry.get('grains', []) if grain not in ['day', 'week', 'month'] -%}
            {{ metric_error(name, 'has the unknown grain ' ~ grain) }}
        {%- endfor -%}
        {%- if name in names -%}
            {{ metric_error(name, 'stands twice') }}
        {%- endif -%}
        {%- set only_month = entry.get('grains') == ['month'] -%}
        {%- if only_month and not entry.get('month') -%}
            {{ metric_error(name, 'exists for months only and lacks month: {value: column of revenue_metrics}') }}
        {%- elif not only_month and entry.aggregation == 'ratio' and not (entry.get('numerator') and entry.get('denominator')) -%}
            {{ metric_error(name, 'is a ratio and lacks numerator or denominator') }}
        {%- elif not only_month and entry.aggregation != 'ratio' and not entry.get('value') -%}
            {{ metric_error(name, 'lacks value, an expression over daily_metrics') }}
        {%- elif entry.aggregation == 'recount' and not entry.get('grains') and not (entry.get('week') and entry.get('month_to_date')) -%}
            {{ metric_error(name, 'is recounted: it needs the columns week and month_to_date, or grains: [day]') }}
        {%- endif -%}
        {%- do names.append(name) -%}
    {%- endfor -%}
    {{ return(entries) }}
{%- endmacro %}

{% macro metric_error(name, complaint) -%}
    {{ exceptions.raise_compiler_error(
        'Metric ' ~ name ~ ' ' ~ complaint ~ ' (dbt_project/macros/metrics/metric_definitions.sql)'
    ) }}
{%- endmacro %}

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

{#- Periods that hold a changed day; every period of a tenant that is dirty as a whole. -#}
{% macro timeseries_periods() -%}
(
    select distinct
        days.tenant_id,
        grains.grain,
        {{ period_of('grains.grain', 'days.metric_date', 'tenants.week_start') }} as period_start
    from (
        select
            tenant_id,
            metric_date
        from {{ changed_days(['daily_metrics', 'revenue_metrics']) }} as changed
        union
        select
            daily.tenant_id,
            daily.metric_date
        from {{ ref('daily_metrics') }} as daily
        inner join {{ source('build', 'dirty_tenants') }} as dirty on daily.tenant_id = dirty.tenant_id
    ) as days
    inner join {{ source('build', 'tenants') }} as tenants on days.tenant_id = tenants.tenant_id
    cross join {{ grains() }}
    where tenants.in_build
)
{%- endmacro %}

{#- `in` rather than `exists`: joined by `or`, only these are hashed once instead of looked up for each row. -#}
{% macro timeseries_scope(t) -%}
(
    ({{ t }}.tenant_id, {{ t }}.grain, {{ t }}.period_start) in (
        select
            tenant_id,
            grain,
            period_start
        from {{ timeseries_periods() }} as periods
    )
    or {{ t }}.tenant_id in (
        select dirty.tenant_id
        from {{ source('build', 'dirty_tenants') }} as dirty
        inner join {{ source('build', 'tenants') }} as tenants on dirty.tenant_id = tenants.tenant_id
        where tenants.in_build
    )
)
{%- endmacro %}
