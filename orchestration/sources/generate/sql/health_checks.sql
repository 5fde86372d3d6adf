-- raw.health_checks: every component every p.check_hours hours.
insert into raw.health_checks (tenant_id, check_id, component, status, cpu_load, memory_rate, checked_at, extra)
select
    p.tenant_id,
    'check-' || c.component || '-' || lpad(h::text, 7, '0'),
    c.component,
    case
        when pg_temp.unit(p.seed, 850 + c.n, h) < 0.003 then 'down'
        when pg_temp.unit(p.seed, 850 + c.n, h) < 0.012 then 'degraded'
        else 'up'
    end,
    round((
        0.18 + 0.3 * power(sin(pi() * extract(hour from checked.at at time zone p.timezone)::double precision / 24), 2)
        + 0.2 * pg_temp.unit(p.seed, 860 + c.n, h)
    )::numeric, 3),
    round((0.45 + 0.25 * pg_temp.unit(p.seed, 870 + c.n, h))::numeric, 3),
    checked.at,
    '{"generated": true}'
from pg_temp.plan as p
cross join generate_series(0, p.days * 24 / p.check_hours - 1) as h
cross join (values (1, 'api'), (2, 'database'), (3, 'worker')) as c (n, component)
cross join lateral (
    select p.first_day::timestamp at time zone p.timezone + interval '1 hour' * p.check_hours * h as at
) as checked
where checked.at < p.end_at
on conflict do nothing
