{#- In every row the parts add up to the total. -#}
{% test sum_of_columns(model, total, parts) %}
select
    tenant_id,
    {{ total }},
    {{ parts | join(' + ') }} as parts
from {{ model }}
where {{ total }} <> {{ parts | join(' + ') }}
{% endtest %}
