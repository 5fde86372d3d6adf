{#- The column is NULL or lies between 0 and 1. -#}
{% test fraction(model, column_name) %}
select
    tenant_id,
    {{ column_name }}
from {{ model }}
where {{ column_name }} < 0 or {{ column_name }} > 1
{% endtest %}
