-- raw.collaborations and raw.satisfaction_scores: pairs of vendors who work for one client.
insert into raw.collaborations (
    tenant_id, collaboration_id, client_id, vendor1_id, vendor2_id, collaboration_type, created_at,
    last_activity_at, extra
)
select
    p.tenant_id,
    'collaboration-' || lpad(c::text, 7, '0'),
    'client-' || lpad(pg_temp.pick(pg_temp.unit(p.seed, 601, c), p.clients)::text, 6, '0'),
    'vendor-' || lpad(pair.vendor1::text, 6, '0'),
    'vendor-' || lpad((1 + mod(pair.vendor1 - 1 + pair.step, p.vendors))::text, 6, '0'),
    case
        when pg_temp.unit(p.seed, 604, c) < 0.45 then 'message_thread'
        when pg_temp.unit(p.seed, 604, c) < 0.75 then 'document_share'
        else 'timeline_sync'
    end,
    created.at,
    least(
        created.at + pg_temp.waiting(pg_temp.unit(p.seed, 605, c), interval '9 days'), p.end_at - interval '1 second'
    ),
    '{"generated": true}'
from pg_temp.plan as p
cross join generate_series(1, p.collaborations) as c
cross join lateral (
    select
        pg_temp.pick(power(pg_temp.unit(p.seed, 602, c), 1.7), p.vendors) as vendor1,
        pg_temp.pick(pg_temp.unit(p.seed, 603, c), p.vendors - 1) as step
) as pair
cross join lateral (
    select p.first_day + pg_temp.arrival_day(c, p.collaborations, p.days) as day
) as came
cross join lateral (
    select (
        greatest(p.first_day, came.day - pg_temp.days_back(came.day, pg_temp.unit(p.seed, 606, c)))
        + pg_temp.time_of_day(
            pg_temp.unit(p.seed, 607, c), pg_temp.unit(p.seed, 608, c), pg_temp.unit(p.seed, 609, c)
        )
    ) at time zone p.timezone as at
) as created
on conflict do nothing;

insert into raw.satisfaction_scores (tenant_id, score_id, vendor_id, score, scored_at, extra)
select
    p.tenant_id,
    'score-' || lpad(s::text, 7, '0'),
    'vendor-' || lpad(who.vendor::text, 6, '0'),
    round((4 + 6 * power(pg_temp.unit(p.seed, 612, s), 0.45 + 0.5 * pg_temp.unit(p.seed, 613, who.vendor)))::numeric),
    (p.first_day + pg_temp.arrival_day(s, p.collaborations / 3, p.days) + pg_temp.time_of_day(
        pg_temp.unit(p.seed, 614, s), pg_temp.unit(p.seed, 615, s), pg_temp.unit(p.seed, 616, s)
    )) at time zone p.timezone,
    '{"generated": true}'
from pg_temp.plan as p
cross join generate_series(1, p.collaborations / 3) as s
cross join lateral (select pg_temp.pick(pg_temp.unit(p.seed, 611, s), p.vendors) as vendor) as who
on conflict do nothing;
