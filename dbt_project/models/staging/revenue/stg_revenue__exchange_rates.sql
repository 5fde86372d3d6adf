select
    rates.rate_date,
    rates.units_per_eur,
    upper(trim(rates.currency)) as currency
from {{ source('raw', 'exchange_rates') }} as rates
where rates.deleted_at is null
