{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'source', 'metric_date'],
    on_schema_change='fail',
    contract={'enforced': true},
    indexes=[{'columns': ['tenant_id', 'metric_date']}],
    meta={'dirty': {'changed': ['int_leads__reached'], 'column': 'metric_date'}},
) }}

select
    leads.tenant_id,
    leads.source,
    days.metric_date,
    count(*) filter (where days.step = 'created') as new_leads,
    count(*) filter (where days.step = 'contacted') as leads_contacted,
    count(*) filter (where days.step = 'qualified') as leads_qualified,
    count(*) filter (where days.step = 'converted') as leads_converted,
    count(*) filter (where days.step = 'lost') as leads_lost,
    count(*) filter (where days.step = 'created' and leads.is_converted) as converted_of_new_leads
from {{ ref('int_leads__reached') }} as leads
cross join lateral unnest(
    array['created', 'contacted', 'qualified', 'converted', 'lost'],
    array[
        leads.created_date,
        leads.contacted_date,
        leads.qualified_date,
        leads.converted_date,
        leads.lost_date
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
group by 1, 2, 3
