{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'branch_id', 'staff_id', 'metric_date'],
    on_schema_change='fail',
    contract={'enforced': true},
    indexes=[{'columns': ['tenant_id', 'metric_date']}],
    meta={'dirty': {'changed': ['int_leads__reached'], 'column': 'metric_date'}},
) }}

select
    leads.tenant_id,
    leads.branch_id,
    leads.staff_id,
    days.metric_date,
    count(*) filter (where days.step = 'created') as new_leads,
    {% for step in ['contacted', 'qualified', 'converted', 'lost'] %}
        count(*) filter (where days.step = 'created' and leads.is_{{ step }}) as {{ step }}_leads,
    {% endfor %}
    {% for status in ['new', 'contacted', 'qualified', 'converted', 'lost'] %}
        count(*) filter (where days.step = 'created' and leads.status = '{{ status }}') as status_{{ status }},
    {% endfor %}
    count(*) filter (where days.step = 'contacted') as contacted_on_day,
    count(*) filter (where days.step = 'qualified') as qualified_on_day,
    count(*) filter (where days.step = 'converted') as converted_on_day,
    count(*) filter (where days.step = 'lost') as lost_on_day
from {{ ref('int_leads__reached') }} as leads
cross join lateral unnest(
    array['created', 'contacted', 'qualified', 'converted', 'lost'],
    array[
        leads.branch_created_date,
        leads.branch_contacted_date,
        leads.branch_qualified_date,
        leads.branch_converted_date,
        leads.branch_lost_date
    ]
) as days (step, metric_date)
{% if is_incremental() %}
    inner join {{ changed_days(['int_leads__reached']) }} as dirty
        on
            leads.tenant_id = dirty.tenant_id
            and days.metric_date = dirty.metric_date
{% else %}
    where days.metric_date is not null
{% endif %}
group by 1, 2, 3, 4
