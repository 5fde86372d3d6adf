-- raw.users: suppliers and couples, more of them every month.
insert into raw.users (tenant_id, user_id, branch_id, customer_id, user_type, signed_up_at, extra)
select
    p.tenant_id,
    'user-' || lpad(u::text, 8, '0'),
    'branch-' || lpad(pg_temp.pick(pg_temp.unit(p.seed, 1, u), p.branches)::text, 2, '0'),
    case when p.customers > 0 then 'customer-' || lpad((1 + (u - 1) * p.customers / p.users)::text, 7, '0') end,
    case when pg_temp.unit(p.seed, 2, u) < 0.38 then 'supplier' else 'couple' end,
    pg_temp.user_since(p.seed, u, p.users, p.first_day, p.days, p.timezone),
    '{"generated": true}'
from pg_temp.plan as p
cross join generate_series(%(first)s::bigint, %(last)s::bigint) as u
on conflict do nothing
