-- raw.calls: by the staff member of the lead, in the three weeks after its creation. People answer best in the
-- late morning and after work; an inbound call is seldom missed; one call in twenty belongs to no lead.
insert into raw.calls (
    tenant_id, call_id, lead_id, branch_id, staff_id, direction, status, outcome, duration_seconds, started_at, extra
)
select
    p.tenant_id,
    'call-' || lpad(c::text, 9, '0'),
    case when pg_temp.unit(p.seed, 201, c) >= 0.05 then l.lead_id end,
    l.branch_id,
    l.staff_id,
    case when pg_temp.unit(p.seed, 202, c) < 0.86 then 'outbound' else 'inbound' end,
    answer.status,
    answer.outcome,
    case
        when answer.status = 'completed' then round((
            case answer.outcome when 'interested' then 190 when 'callback' then 70 else 45 end
            * exp(1.6 * (pg_temp.unit(p.seed, 203, c) + pg_temp.unit(p.seed, 204, c) - 0.8))
        )::numeric)
        when answer.status = 'missed' then 0
    end,
    dialled.at,
    '{"generated": true}'
from pg_temp.plan as p
cross join generate_series(%(first)s::bigint, %(last)s::bigint) as c
inner join lead_paths as l on l.number = pg_temp.pick(pg_temp.unit(p.seed, 205, c), p.leads)
cross join lateral (
    select
        (l.created_at at time zone p.timezone)::date as first_day,
        (l.created_at at time zone p.timezone)::date
        + floor(21 * power(pg_temp.unit(p.seed, 206, c), 2))::integer as day
    offset 0
) as came
cross join lateral (
    select
        greatest(came.first_day, came.day - pg_temp.days_back(came.day, pg_temp.unit(p.seed, 207, c))) as drawn
    offset 0
) as called
cross join lateral (
    select greatest(l.created_at + interval '1 minute' * (1 + 60 * pg_temp.unit(p.seed, 208, c)), (
        least(called.drawn, p.first_day + p.days - 1)
        + interval '9 hours' + interval '11 hours' * pg_temp.unit(p.seed, 209, c)
    ) at time zone p.timezone) as at
) as dialled
cross join lateral (
    select
        case extract(hour from dialled.at at time zone p.timezone)::integer
            when 10 then 0.55 when 11 then 0.61 when 12 then 0.43 when 13 then 0.36 when 14 then 0.41
            when 17 then 0.58 when 18 then 0.66 when 19 then 0.63 else 0.47
        end + case when pg_temp.unit(p.seed, 202, c) >= 0.86 then 0.3 else 0 end as answered,
        0.14 + 0.16 * pg_temp.unit(p.seed, 100, l.staff_number) as interested
) as chance
cross join lateral (
    select case
        when pg_temp.unit(p.seed, 210, c) < chance.answered then 'completed'
        when pg_temp.unit(p.seed, 210, c) < chance.answered + 0.05 then 'failed'
        else 'missed'
    end as status
) as reached
cross join lateral (
    select
        reached.status,
        case
            when reached.status <> 'completed' then null
            when pg_temp.unit(p.seed, 211, c) < chance.interested then 'interested'
            when pg_temp.unit(p.seed, 211, c) < chance.interested + 0.42 then 'not_interested'
            when pg_temp.unit(p.seed, 211, c) < 0.93 then 'callback'
            else 'wrong_number'
        end as outcome
) as answer
on conflict do nothing
