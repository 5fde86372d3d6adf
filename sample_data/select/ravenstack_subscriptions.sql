-- ravenstack_subscriptions -> subscriptions. Monthly: mrr_amount a month; annual: arr_amount a year, so that
-- both give the publisher's mrr_amount. The amounts cover all seats: quantity is 1, seats go to extra.
-- A trial carries the amount 0, as published.
select
    subscription_id,
    account_id as customer_id,
    lower(plan_tier) as plan,
    case
        when end_date <> '' then 'canceled'
        when is_trial = 'True' then 'trialing'
        else 'active'
    end as status,
    1 as quantity,
    case billing_frequency when 'annual' then arr_amount else mrr_amount end as unit_amount,
    'USD' as currency,
    case billing_frequency when 'annual' then 'year' else 'month' end as billing_interval,
    1 as interval_count,
    case when is_trial = 'True' then start_date end as trial_start,
    case when is_trial = 'True' then nullif(end_date, '') end as trial_end,
    start_date as started_at,
    nullif(end_date, '') as canceled_at,
    nullif(end_date, '') as ended_at,
    seats
from ravenstack_subscriptions
