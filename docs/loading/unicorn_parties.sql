-- Unicorn companies, who takes part: metricpress load parties Unicorn_Companies.csv --tenant unicorn --select ...
select
    concat_ws(', ', "Company", "City") as party_id,
    'client' as kind,
    "Company" as name
from unicorn_companies
union all
select distinct
    btrim(i.investor),
    'vendor',
    btrim(i.investor)
from unicorn_companies
cross join string_to_table("Select Investors", ',') as i (investor)
where btrim(i.investor) <> ''
order by 2, 1
