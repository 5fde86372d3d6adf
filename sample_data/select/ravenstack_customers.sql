-- ravenstack_accounts -> customers.
select
    account_id as customer_id,
    account_name as name,
    industry as segment,
    referral_source as source,
    signup_date as created_at,
    country
from ravenstack_accounts
