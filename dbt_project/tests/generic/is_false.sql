{#- The flag is not set in any row. -#}
{% test is_false(model, column_name) %}
select
    tenant_id,
    {{ column_name }}
from {{ model }}
where {{ column_name }}
{% endtest %}
