{#- Added over its dimension, each column gives the column of the same name of a model by tenant and month; both are
    NULL together. -#}
{% test adds_up_by_month(model, other, columns) %}
with parts as (
    select
        tenant_id,
        month,
        {%- for column in columns %}
            case when bool_and({{ column }} is not null) then sum({{ column }}) end as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ model }}
    group by tenant_id, month
)

select
    parts.tenant_id,
    parts.month,
    {%- for column in columns %}
        parts.{{ column }} as {{ column }},
        whole.{{ column }} as whole_{{ column }}{{ ',' if not loop.last }}
    {%- endfor %}
from parts
left join {{ other }} as whole on parts.tenant_id = whole.tenant_id and parts.month = whole.month
where
    {%- for column in columns %}
        {{ 'or ' if not loop.first }}(parts.{{ column }} is distinct from whole.{{ column }})
    {%- endfor %}
{% endtest %}
