{#- In every row each column is at least the next one. -#}
{% test descending(model, columns) %}
select
    tenant_id,
    {{ columns | join(', ') }}
from {{ model }}
where
    {% for column in columns[1:] %}
        {{ 'or ' if not loop.first }}{{ columns[loop.index0] }} < {{ column }}
    {% endfor %}
{% endtest %}
