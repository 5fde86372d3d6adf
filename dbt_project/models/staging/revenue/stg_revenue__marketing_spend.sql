select
    spend.tenant_id,
    spend.spend_id,
    coalesce(spend.channel, '(none)') as channel,
    spend.amount,
    upper(trim(spend.currency)) as currency,
    spend.spend_date
from {{ source('raw', 'marketing_spend') }} as spend
where spend.deleted_at is null
