-- ravenstack_feature_usage, ravenstack_subscriptions -> activation_events. The publisher's features have no
-- names but feature_1 to feature_40; we read the first three as the three activation events, the others keep
-- their names. 21 usage_id stand twice with different content: the first row stays, the second is refused.
select
    u._file,
    u._line,
    u.usage_id as event_id,
    s.account_id as user_id,
    case u.feature_name
        when 'feature_1' then 'file_upload'
        when 'feature_2' then 'worklog_creation'
        when 'feature_3' then 'report_generation'
        else u.feature_name
    end as event_type,
    u.usage_date as occurred_at
from ravenstack_feature_usage as u
inner join ravenstack_subscriptions as s on u.subscription_id = s.subscription_id
order by u._line
