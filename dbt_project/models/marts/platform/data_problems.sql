{{ config(
    unique_key=['tenant_id', 'kind', 'table_name', 'key'],
    meta={'dirty': {'tenant': '*'}},
) }}

with found_problems as (
    {% for domain in ['activity', 'calls', 'collaboration', 'leads', 'operations', 'revenue'] -%}
        select
            tenant_id,
            kind,
            table_name,
            key,
            severity,
            message,
            remedy
        from {{ ref('int_' ~ domain ~ '__problems') }}
        {{ 'union all' if not loop.last }}
    {% endfor %}
)

select
    problems.tenant_id,
    problems.kind,
    problems.table_name,
    problems.key,
    problems.severity,
    problems.message,
    problems.remedy
from found_problems as problems
{% if is_incremental() %}
    inner join {{ dirty_tenants() }} as dirty on problems.tenant_id = dirty.tenant_id
{% endif %}
