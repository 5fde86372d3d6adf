{{ config(
    unique_key=['tenant_id', 'grain', 'period_start', 'dimension', 'metric', 'dimension_value'],
    pre_hook="{{ make_timeseries_periods() }}",
    meta={'dirty': {'macro': 'timeseries_scope', 'log': ['period_start']}},
) }}

{%- set entries = metric_definitions() -%}
{%- set series = metric_series(entries) -%}
{%- set derived = derived_series(entries) -%}
{%- set groups = series_by_mart(series) -%}
{%- if execute -%}
    {%- set columns = {} -%}
    {%- for group in groups -%}
        {%- do columns.update({group.model: graph.nodes['model.metricpress.' ~ group.model].columns}) -%}
    {%- endfor -%}
    {{ check_metric_columns(series, columns) }}
{%- endif %}

with
{% for group in groups -%}
    {%- set column = group.mart.dimensions[group.dimension] if group.dimension != 'all' -%}
    {%- if group.mart.month -%}
        {%- set last = 'true' -%}
    {%- else -%}
        {%- set last = 'mart.' ~ group.mart.date ~ ' = periods.last_date' -%}
    {%- endif -%}
    {{ group.name }} as (
        select
            periods.tenant_id,
            periods.grain,
            periods.period_start,
            periods.has_ended,
            {% for one in group.series -%}
                {{ aggregated(one, last) }}
            {% endfor -%}
            {{ "'all'" if group.dimension == 'all' else 'mart.' ~ column }} as dimension_value
        from timeseries_periods as periods
        inner join {{ ref(group.model) }} as mart
            on
                periods.tenant_id = mart.tenant_id
                {% if group.mart.month -%}
                    and mart.{{ group.mart.month }} = periods.period_start
                    and periods.grain = 'month'
                {%- else -%}
                    and mart.{{ group.mart.date }} between periods.period_start and periods.period_end
                {%- endif %}
        where
            periods.is_computed
            and periods.dimension = '{{ group.dimension }}'
            {% if group.mart.total -%}
                and mart.{{ group.mart.dimensions.keys() | first }} {{ '=' if group.dimension == 'all' else '<>' }} '{{ group.mart.total }}'
            {%- endif %}
        group by periods.tenant_id, periods.grain, periods.period_start, periods.has_ended, dimension_value
    ),

{% endfor -%}
measured as (
    {% for group in groups -%}
        {#- daily_metrics is dense; other marts have no row for a day without anything, which is a day of zeros. -#}
        {%- set is_sparse = group.dimension == 'all' and group.model != 'daily_metrics' and not group.mart.month -%}
        {%- if not loop.first %}
    union all
        {% endif -%}
        select
            periods.tenant_id,
            metrics.metric,
            periods.grain,
            periods.period_start,
            '{{ group.dimension }}' as dimension,
            {{ "'all'" if is_sparse else 'periods.dimension_value' }} as dimension_value,
            case
                when metrics.is_null_until_complete and not periods.has_ended then null
                when metrics.is_ratio then metrics.numerator / nullif(metrics.denominator, 0)
                else metrics.numerator
            end as value,
            metrics.numerator,
            metrics.denominator,
            periods.has_ended as is_complete
        {% if is_sparse -%}
            from all_by_daily_metrics as periods
            left join {{ group.name }} as sparse
                on
                    periods.tenant_id = sparse.tenant_id
                    and periods.grain = sparse.grain
                    and periods.period_start = sparse.period_start
        {%- else -%}
            from {{ group.name }} as periods
        {%- endif %}
        cross join lateral (
            values
            {% for one in group.series -%}
                {%- set numerator = one.metric ~ '__numerator' -%}
                {%- set denominator = one.metric ~ '__denominator' if one.aggregation == 'ratio' else 'null::numeric' -%}
                (
                    '{{ one.metric }}',
                    {% if is_sparse -%}
                        case when sparse.tenant_id is null then 0 else {{ numerator }} end,
                        {{ 'case when sparse.tenant_id is null then 0 else ' ~ denominator ~ ' end' if one.aggregation == 'ratio' else denominator }},
                    {%- else -%}
                        {{ numerator }},
                        {{ denominator }},
                    {%- endif %}
                    {{ 'true' if one.aggregation == 'ratio' else 'false' }},
                    {{ 'true' if one.is_null_until_complete else 'false' }},
                    array['{{ one.grains | join("', '") }}']
                ){{ ',' if not loop.last }}
            {% endfor -%}
        ) as metrics (metric, numerator, denominator, is_ratio, is_null_until_complete, grains)
        where
            periods.grain = any(metrics.grains)
            {% if group.dimension != 'all' -%}
                -- Nothing to tell of a dimension value: no row.
                and (metrics.numerator is distinct from 0 or metrics.denominator <> 0)
            {%- endif %}
    {% endfor %}
){{ ',' if derived }}

{% if derived -%}
{%- set behind = [] -%}
{%- for one in derived -%}
    {%- do behind.extend(metrics_behind(entries, one.metric, [])) -%}
{%- endfor -%}
{%- set inputs = entries | selectattr('metric', 'in', behind) | list -%}
derived_inputs as (
    select
        tenant_id,
        grain,
        period_start,
        dimension,
        dimension_value,
        {% for entry in inputs -%}
            {{ derived_input(entry) }} as {{ entry.metric }},
        {% endfor -%}
        bool_and(is_complete) as is_complete
    from measured
    where metric in ('{{ inputs | map(attribute='metric') | join("', '") }}')
    group by tenant_id, grain, period_start, dimension, dimension_value
),

derived as (
    select
        inputs.tenant_id,
        metrics.metric,
        inputs.grain,
        inputs.period_start,
        inputs.dimension,
        inputs.dimension_value,
        case when metrics.is_ratio then metrics.numerator / nullif(metrics.denominator, 0) else metrics.numerator end
            as value,
        metrics.numerator,
        metrics.denominator,
        inputs.is_complete
    from derived_inputs as inputs
    cross join lateral (
        values
        {% for one in derived -%}
            {%- set entry = entries | selectattr('metric', 'equalto', one.metric) | first -%}
            (
                '{{ one.metric }}',
                '{{ one.dimension }}',
                ({{ derived_expression(entries, entry.get('value') or entry.numerator) }})::numeric,
                {{ '(' ~ derived_expression(entries, entry.denominator) ~ ')::numeric' if not entry.get('value') else 'null::numeric' }},
                {{ 'false' if entry.get('value') else 'true' }},
                array['{{ one.grains | join("', '") }}']
            ){{ ',' if not loop.last }}
        {% endfor -%}
    ) as metrics (metric, dimension, numerator, denominator, is_ratio, grains)
    where
        inputs.dimension = metrics.dimension
        and inputs.grain = any(metrics.grains)
        and (inputs.dimension = 'all' or coalesce(metrics.numerator, 0) <> 0 or coalesce(metrics.denominator, 0) <> 0)
)
{%- endif %}

select
    tenant_id,
    metric,
    grain,
    period_start,
    dimension,
    dimension_value,
    value,
    numerator,
    denominator,
    is_complete
from measured
{% if derived -%}
    union all
    select
        tenant_id,
        metric,
        grain,
        period_start,
        dimension,
        dimension_value,
        value,
        numerator,
        denominator,
        is_complete
    from derived
{%- endif %}
