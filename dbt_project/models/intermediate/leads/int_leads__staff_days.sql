{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'branch_id', 'staff_id', 'metric_date'],
    on_schema_change='fail',
    contract={'enforced': true},
    indexes=[{'columns': ['tenant_id', 'metric_date']}],
    meta={'dirty': {'changed': ['int_leads__reached'], 'column': 'metric_date'}},
) }}

{% set steps = ['contacted', 'qualified', 'converted', 'lost'] %}
{% set of_created = {'new_leads': 'true'} %}
{% for step in steps %}
    {%- do of_created.update({step ~ '_leads': 'leads.is_' ~ step}) -%}
{% endfor %}
{% for status in ['new'] + steps %}
    {%- do of_created.update({'status_' ~ status: "leads.status = '" ~ status ~ "'"}) -%}
{% endfor %}

with steps_by_day as (
    select
        leads.tenant_id,
        leads.branch_id,
        leads.staff_id,
        leads.branch_created_date as metric_date,
        {% for name, condition in of_created.items() %}
            count(*) filter (where {{ condition }}) as {{ name }},
        {% endfor %}
        {% for step in steps %}
            0 as {{ step }}_on_day{{ ',' if not loop.last }}
        {% endfor %}
    from {{ leads_with_step('created', 'branch_') }} as leads
    group by leads.tenant_id, leads.branch_id, leads.staff_id, leads.branch_created_date
    {% for step in steps %}
        union all
        select
            leads.tenant_id,
            leads.branch_id,
            leads.staff_id,
            leads.branch_{{ step }}_date as metric_date,
            {% for name in of_created %}
                0 as {{ name }},
            {% endfor %}
            {% for other in steps %}
                {{ 'count(*)' if other == step else '0' }} as {{ other }}_on_day{{ ',' if not loop.last }}
            {% endfor %}
        from {{ leads_with_step(step, 'branch_') }} as leads
        group by leads.tenant_id, leads.branch_id, leads.staff_id, leads.branch_{{ step }}_date
    {% endfor %}
)

select
    tenant_id,
    branch_id,
    staff_id,
    metric_date,
    {% for name in of_created %}
        sum({{ name }})::bigint as {{ name }},
    {% endfor %}
    {% for step in steps %}
        sum({{ step }}_on_day)::bigint as {{ step }}_on_day{{ ',' if not loop.last }}
    {% endfor %}
from steps_by_day
group by tenant_id, branch_id, staff_id, metric_date
