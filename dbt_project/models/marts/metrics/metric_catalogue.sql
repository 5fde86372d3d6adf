{{ config(
    unique_key=['metric'],
    meta={'dirty': {'macro': 'whole_table'}},
) }}

{%- set entries = metric_definitions() -%}
{%- set series = metric_series(entries) + derived_series(entries) %}

{% for entry in entries -%}
    {%- set dimensions = dimensions_of(series, entry.metric) -%}
    select
        '{{ entry.metric }}' as metric,
        '{{ entry.title | replace("'", "''") }}' as title,
        '{{ entry.description | replace("'", "''") }}' as description,
        '{{ entry.formula | replace("'", "''") }}' as formula,
        {{ "'" ~ entry.edge_cases | replace("'", "''") ~ "'" if entry.get('edge_cases') else 'null::text' }} as edge_cases,
        '{{ entry.unit }}' as unit,
        '{{ entry.aggregation }}' as aggregation,
        '{{ entry.direction }}' as direction,
        '{{ entry.format }}' as format,
        '{{ entry.domain }}' as domain,
        '{{ entry.owner }}' as owner,
        '{{ 'metric_timeseries' if entry.aggregation == 'derived' else entry.get('model', 'daily_metrics') }}' as source_model,
        '{{ (entry.get('numerator') or entry.value) | replace("'", "''") }}' as numerator,
        {{ "'" ~ entry.denominator | replace("'", "''") ~ "'" if entry.get('denominator') else 'null::text' }} as denominator,
        {{ "'" ~ expression_of(entry.month) ~ "'" if entry.get('month') else 'null::text' }} as month_value,
        array['{{ grains_of(series, entry.metric) | join("', '") }}'] as grains,
        array[{{ "'" ~ dimensions | join("', '") ~ "'" if dimensions }}]::text[] as dimensions,
        {{ loop.index }} as position
    {{ 'union all' if not loop.last }}
{% endfor %}
