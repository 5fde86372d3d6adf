{#- Over all rows of a tenant the column adds up to the same as a column of another model. -#}
{% test same_total(model, column_name, other, other_column) %}
with totals as (
    select
        tenant_id,
        {{ column_name }} as here,
        0 as there
    from {{ model }}
    union all
    select
        tenant_id,
        0 as here,
        {{ other_column }} as there
    from {{ other }}
)

select
    tenant_id,
    sum(here) as here,
    sum(there) as there
from totals
group by tenant_id
having sum(here) <> sum(there)
{% endtest %}
