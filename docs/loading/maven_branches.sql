-- Maven CRM, the offices: metricpress load branches sales_teams.csv --tenant maven --select ...
select distinct
    regional_office as branch_id,
    regional_office as name
from sales_teams
order by 1
