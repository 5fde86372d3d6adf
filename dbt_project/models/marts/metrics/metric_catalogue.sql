{{ config(
    unique_key=['metric'],
    meta={'dirty': {'macro': 'whole_table'}},
) }}

{% for entry in metric_definitions() -%}
    {%- set only_month = entry.get('grains') == ['month'] -%}
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
        '{{ 'revenue_metrics' if only_month else 'daily_metrics' }}' as source_model,
        '{{ entry.get('numerator') or entry.get('value') or entry.month.value }}' as numerator,
        {{ "'" ~ entry.denominator ~ "'" if entry.get('denominator') else 'null::text' }} as denominator,
        {{ "'" ~ entry.month.value ~ "'" if entry.get('month') else 'null::text' }} as month_value,
        array['{{ (entry.get('grains') or ['day', 'week', 'month']) | join("', '") }}'] as grains,
        {{ loop.index }} as position
    {{ 'union all' if not loop.last }}
{% endfor %}
