{#- No day of a tenant is missing between its first row and as_of. -#}
{% test dense_days(model) %}
select
    days.tenant_id,
    min(days.metric_date) as first_date,
    max(days.metric_date) as last_date,
    count(*) as days
from {{ model }} as days
inner join {{ ref('stg_platform__tenants') }} as tenants on days.tenant_id = tenants.tenant_id
group by days.tenant_id, tenants.as_of_date
having count(*) <> max(days.metric_date) - min(days.metric_date) + 1 or max(days.metric_date) <> tenants.as_of_date
{% endtest %}
