-- Anonymous Bank, the agents: metricpress load staff data_anonymous_bank_february.txt ... --select ...
select distinct
    server as staff_id,
    initcap(server) as name
from data_anonymous_bank_february
where server <> 'NO_SERVER'
order by 1
