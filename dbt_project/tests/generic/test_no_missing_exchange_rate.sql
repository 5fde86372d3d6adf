{#- Tenants some of whose money is left empty because a currency has no rate on a day: their reports wait. -#}
{% test no_missing_exchange_rate(model) %}

select
    problems.tenant_id,
    problems.key,
    problems.message
from {{ ref('data_problems') }} as problems
where problems.kind = 'missing_exchange_rate' and exists (select from {{ model }} as m where m.tenant_id = problems.tenant_id)

{% endtest %}
