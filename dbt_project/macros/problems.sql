{#-
    What is wrong with a tenant's rows, told once for each tenant and kind: (tenant_id, kind, table_name, key, severity,
    message, remedy). `rows` is a relation or subquery with tenant_id and the key column.
-#}
{% macro problem(kind, table_name, rows, key, what, remedy, severity='warning') -%}
select
    found.tenant_id,
    '{{ kind }}' as kind,
    '{{ table_name }}' as table_name,
    min(found.{{ key }}) as key,
    '{{ severity }}' as severity,
    format('%s: %s, the first is %s', '{{ what | replace("'", "''") }}', count(*), min(found.{{ key }})) as message,
    '{{ remedy | replace("'", "''") }}' as remedy
from {{ rows }} as found
group by found.tenant_id
{%- endmacro %}
