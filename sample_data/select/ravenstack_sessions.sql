-- ravenstack_feature_usage, ravenstack_subscriptions, ravenstack_accounts -> sessions: a use of a feature is a
-- session of the account. The publisher gives the day only: sessions begin at local midnight.
select
    u._file,
    u._line,
    u.usage_id as session_id,
    s.account_id as user_id,
    lower(a.plan_tier) as user_type,
    u.usage_date as started_at,
    u.usage_duration_secs as duration_seconds
from ravenstack_feature_usage as u
inner join ravenstack_subscriptions as s on u.subscription_id = s.subscription_id
inner join ravenstack_accounts as a on s.account_id = a.account_id
order by u._line
