-- raw.activation_events: two first steps in three happen within days of signing up, reports come last.
insert into raw.activation_events (tenant_id, event_id, user_id, event_type, occurred_at, extra)
select
    p.tenant_id,
    'event-' || lpad(u.number::text, 8, '0') || '-' || e.kind || '-' || n,
    u.user_id,
    e.event_type,
    moment.at,
    '{"generated": true}'
from pg_temp.plan as p
inner join lateral (
    select
        r.user_id,
        r.signed_up_at,
        substr(r.user_id, 6)::bigint as number
    from raw.users as r
    where
        r.tenant_id = p.tenant_id
        and r.user_id between 'user-' || lpad(%(first)s::bigint::text, 8, '0') and 'user-' || lpad(%(last)s::bigint::text, 8, '0')
) as u on true
cross join (
    values
    (1, 'file_upload', 0.72, interval '30 hours'),
    (2, 'worklog_creation', 0.55, interval '70 hours'),
    (3, 'report_generation', 0.38, interval '160 hours'),
    (4, 'profile_update', 0.5, interval '20 hours')
) as e (kind, event_type, share, mean)
cross join generate_series(1, 3) as n
cross join lateral (
    select u.signed_up_at + n * pg_temp.waiting(pg_temp.unit(p.seed, 30 + 4 * n + e.kind, u.number), e.mean) as at
) as moment
where
    pg_temp.unit(p.seed, 30 + e.kind, u.number) < e.share
    and (n = 1 or pg_temp.unit(p.seed, 50 + 4 * n + e.kind, u.number) < 0.5)
    and moment.at < p.end_at
on conflict do nothing
