-- Unicorn companies, one row for each pair of investors in a company:
-- metricpress load collaborations Unicorn_Companies.csv --tenant unicorn --select ...
-- Two companies are called Bolt: a company is its name and city. Two companies name one investor twice, which
-- is no pair. The day a company was valued at a billion stands for the start; when a pair last worked together
-- is not known.
with investors as (
    select distinct
        u._file,
        u._line,
        concat_ws(', ', u."Company", u."City") as company,
        btrim(i.investor) as investor,
        lower(u."Industry") as industry,
        to_date(u."Date Joined", 'MM/DD/YY') as valued_on
    from unicorn_companies as u
    cross join string_to_table(u."Select Investors", ',') as i (investor)
    where btrim(i.investor) <> ''
)

select
    concat_ws('|', a.company, a.investor, b.investor) as collaboration_id,
    a.company as client_id,
    a.investor as vendor1_id,
    b.investor as vendor2_id,
    a.industry as collaboration_type,
    a.valued_on as created_at,
    a._file,
    a._line
from investors as a
inner join investors as b on a._line = b._line and a.investor < b.investor
order by a._line, 1
