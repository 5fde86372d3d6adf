-- raw.sessions: one in four users leaves within days, one in four within a third of the time that remains, the
-- others come again less and less often. One user in eight comes far more often than the others.
-- `offset 0` keeps the planner from copying a subquery's expressions to every place that reads its columns.
insert into raw.sessions (tenant_id, session_id, user_id, user_type, branch_id, started_at, duration_seconds, extra)
select
    p.tenant_id,
    'session-' || lpad(s::text, 9, '0'),
    'user-' || lpad(who.u::text, 8, '0'),
    case when pg_temp.unit(p.seed, 2, who.u) < 0.38 then 'supplier' else 'couple' end,
    'branch-' || lpad(pg_temp.pick(pg_temp.unit(p.seed, 1, who.u), p.branches)::text, 2, '0'),
    (
        p.first_day + moved.day
        + case when moved.day = life.arrived then greatest(came.time_of_day, life.signed_up) else came.time_of_day end
    ) at time zone p.timezone,
    case
        when pg_temp.unit(p.seed, 18, s) >= 0.02
            then (exp(5.4 + 1.9 * (pg_temp.unit(p.seed, 19, s) + pg_temp.unit(p.seed, 20, s) - 1))::bigint)
    end,
    '{"generated": true}'
from pg_temp.plan as p
cross join generate_series(%(first)s::bigint, %(last)s::bigint) as s
cross join lateral (
    select
        floor(p.users * (1 - power(1 - pg_temp.unit(p.seed, 11, s), 0.6)))::bigint as drawn
    offset 0
) as d
cross join lateral (
    select
        least(p.users, 1 + case when pg_temp.unit(p.seed, 12, s) < 0.35 then d.drawn - mod(d.drawn, 8) else d.drawn end)
            as u
    offset 0
) as who
cross join lateral (
    select
        pg_temp.arrival_day(who.u, p.users, p.days) as arrived,
        pg_temp.unit(p.seed, 10, who.u) as loyalty,
        pg_temp.time_of_day(
            pg_temp.unit(p.seed, 3, who.u), pg_temp.unit(p.seed, 4, who.u), pg_temp.unit(p.seed, 5, who.u)
        ) + interval '1 minute' as signed_up
    offset 0
) as life
cross join lateral (
    select
        life.arrived + floor(
            (p.days - life.arrived)
            * case when life.loyalty < 0.25 then 0.04 when life.loyalty < 0.5 then 0.33 else 1 end
            * power(pg_temp.unit(p.seed, 13, s), 1.9)
        )::integer as after,
        pg_temp.time_of_day(
            pg_temp.unit(p.seed, 15, s), pg_temp.unit(p.seed, 16, s), pg_temp.unit(p.seed, 17, s)
        ) as time_of_day
    offset 0
) as came
cross join lateral (
    select
        greatest(life.arrived, came.after - pg_temp.days_back(p.first_day + came.after, pg_temp.unit(p.seed, 14, s)))
            as day
    offset 0
) as moved
on conflict do nothing
