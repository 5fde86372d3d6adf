{#- Tenants whose rows leave a figure empty or wrong: their reports wait until the rows are mended. -#}
{% test no_errors(model) %}
select
    tenant_id,
    kind,
    key,
    message
from {{ model }}
where severity = 'error'
{% endtest %}
