-- Maven CRM, the opportunities as leads, one row an opportunity:
-- metricpress load leads sales_pipeline.csv --lookup sales_teams.csv --tenant maven --select ...
-- An opportunity that is still being prospected has no engage_date, hence no created_at: the load rejects it.
select
    p.opportunity_id as lead_id,
    t.regional_office as branch_id,
    p.sales_agent as staff_id,
    case p.product when 'GTXPro' then 'GTX Pro' else p.product end as source,
    case p.deal_stage
        when 'Prospecting' then 'new'
        when 'Engaging' then 'contacted'
        when 'Won' then 'converted'
        when 'Lost' then 'lost'
        else p.deal_stage
    end as status,
    p.engage_date as created_at,
    coalesce(p.close_date, p.engage_date) as updated_at,
    case when p.deal_stage = 'Won' then p.close_date end as converted_at,
    p.account,
    p.close_value,
    p._file,
    p._line
from sales_pipeline as p
left join sales_teams as t on t.sales_agent = p.sales_agent
order by p._line
