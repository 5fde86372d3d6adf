-- raw.api_requests: slower at the crests of the day, one request in two hundred ends with a server error.
insert into raw.api_requests (tenant_id, request_id, route, status_code, latency_ms, requested_at, extra)
select
    p.tenant_id,
    'request-' || lpad(r::text, 10, '0'),
    (array['/v1/events', '/v1/leads', '/v1/calls', '/v1/invoices', '/v1/reports'])[
        pg_temp.pick(power(pg_temp.unit(p.seed, 801, r), 1.5), 5)::integer
    ],
    case
        when pg_temp.unit(p.seed, 802, r) < 0.005 then 500 + 3 * (pg_temp.pick(pg_temp.unit(p.seed, 803, r), 2) - 1)
        when pg_temp.unit(p.seed, 802, r) < 0.03 then 404
        when pg_temp.unit(p.seed, 802, r) < 0.2 then 201
        else 200
    end,
    round((
        exp(3.4 + 1.6 * (pg_temp.unit(p.seed, 804, r) + pg_temp.unit(p.seed, 805, r) - 0.5))
        * case when pg_temp.unit(p.seed, 807, r) < 0.48 then 1.2 else 1 end
    )::numeric, 1),
    (
        p.first_day + least(p.days - 1, floor(p.days * power(pg_temp.unit(p.seed, 806, r), 0.8))::integer)
        + pg_temp.time_of_day(
            pg_temp.unit(p.seed, 807, r), pg_temp.unit(p.seed, 808, r), pg_temp.unit(p.seed, 809, r)
        )
    ) at time zone p.timezone,
    '{"generated": true}'
from pg_temp.plan as p
cross join generate_series(%(first)s::bigint, %(last)s::bigint) as r
on conflict do nothing
