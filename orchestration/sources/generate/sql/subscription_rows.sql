-- raw.subscriptions and raw.subscription_changes from subscription_lives and bills (billing.sql): an open bill
-- whose charge failed makes the subscription past_due from that charge on.
create temporary table overdue on commit drop as
select
    b.subscription_id,
    min(b.issued_at) + interval '20 minutes' as since
from bills as b
where b.status = 'open' and b.failed_attempts > 0 and b.issued_at + interval '20 minutes' < b.end_at
group by b.subscription_id;

insert into raw.subscriptions (
    tenant_id, subscription_id, customer_id, plan, status, quantity, unit_amount, currency, billing_interval,
    interval_count, trial_start, trial_end, started_at, cancel_at, canceled_at, ended_at, updated_at, extra
)
select
    s.tenant_id,
    s.subscription_id,
    s.customer_id,
    case when s.changed_at < s.end_at then s.changed_plan else s.plan end,
    case
        when s.ends_at <= s.end_at then 'canceled'
        when s.trial_end > s.end_at then 'trialing'
        when o.since is not null then 'past_due'
        when s.paused_at < s.end_at and s.resumed_at >= s.end_at then 'paused'
        else 'active'
    end,
    case when s.changed_at < s.end_at then s.changed_quantity else s.quantity end,
    case when s.changed_at < s.end_at then s.changed_unit_amount else s.unit_amount end,
    s.currency,
    s.billing_interval,
    1,
    s.trial_start,
    s.trial_end,
    s.started_at,
    case when s.notice_at < s.end_at then s.ends_at end,
    case when s.notice_at < s.end_at then s.notice_at end,
    case when s.ends_at <= s.end_at then s.ends_at end,
    (
        select max(at)
        from unnest(array[s.started_at, s.trial_end, s.changed_at, s.paused_at, s.resumed_at, o.since, s.ends_at]) as at
        where at < s.end_at
    ),
    '{"generated": true}'
from subscription_lives as s
left join overdue as o on s.subscription_id = o.subscription_id
on conflict do nothing;

insert into raw.subscription_changes (
    tenant_id, change_id, subscription_id, changed_at, plan, status, quantity, unit_amount, currency,
    billing_interval, interval_count, extra
)
select
    s.tenant_id,
    s.subscription_id || '-' || c.kind,
    s.subscription_id,
    c.at,
    c.plan,
    c.status,
    c.quantity,
    c.unit_amount,
    s.currency,
    s.billing_interval,
    1,
    '{"generated": true}'
from subscription_lives as s
left join overdue as o on s.subscription_id = o.subscription_id
cross join lateral (
    values
    (
        'start', s.started_at, s.plan, case when s.trial_start is null then 'active' else 'trialing' end,
        s.quantity, s.unit_amount
    ),
    ('paid', case when not s.trial_lapses then s.trial_end end, null, 'active', null, null),
    ('terms', s.changed_at, s.changed_plan, null, s.changed_quantity, s.changed_unit_amount),
    ('pause', s.paused_at, null, 'paused', null, null),
    ('resume', s.resumed_at, null, 'active', null, null),
    ('overdue', case when s.ends_at > s.end_at then o.since end, null, 'past_due', null, null)
) as c (kind, at, plan, status, quantity, unit_amount)
where c.at < s.end_at and c.at <= s.ends_at
on conflict do nothing;
