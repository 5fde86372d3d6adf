-- ecb_rates -> exchange_rates: one row a day and currency; N/A (no rate that day) is left out.
select
    r."Date" as rate_date,
    c.currency,
    c.units_per_eur
from ecb_rates as r
cross join lateral (
    values
    ('USD', r."USD"),
    ('JPY', r."JPY"),
    ('GBP', r."GBP"),
    ('CHF', r."CHF"),
    ('BRL', r."BRL"),
    ('AUD', r."AUD"),
    ('INR', r."INR"),
    ('SGD', r."SGD")
) as c (currency, units_per_eur)
where c.units_per_eur <> 'N/A'
