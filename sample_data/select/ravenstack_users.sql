-- ravenstack_accounts -> users: the publisher counts usage by account, so an account is the user.
select
    account_id as user_id,
    account_id as customer_id,
    lower(plan_tier) as user_type,
    signup_date as signed_up_at
from ravenstack_accounts
