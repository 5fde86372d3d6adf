-- raw.customers: a customer comes in with its first user.
insert into raw.customers (tenant_id, customer_id, name, segment, source, created_at, extra)
select
    p.tenant_id,
    'customer-' || lpad(c::text, 7, '0'),
    'Customer ' || c,
    case
        when pg_temp.unit(p.seed, 301, c) < 0.6 then 'small'
        when pg_temp.unit(p.seed, 301, c) < 0.9 then 'medium'
        else 'large'
    end,
    case
        when pg_temp.unit(p.seed, 302, c) < 0.4 then 'organic'
        when pg_temp.unit(p.seed, 302, c) < 0.65 then 'search'
        when pg_temp.unit(p.seed, 302, c) < 0.85 then 'social'
        else 'partner'
    end,
    pg_temp.customer_since(
        p.seed, c, p.customers, greatest(p.users, p.customers), p.first_day, p.days, p.timezone
    ),
    '{"generated": true}'
from pg_temp.plan as p
cross join generate_series(%(first)s::bigint, %(last)s::bigint) as c
on conflict do nothing
