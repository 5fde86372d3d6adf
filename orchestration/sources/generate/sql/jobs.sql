-- raw.jobs: exports, imports and mailings; imports fail most, a job of the last hour may still run.
insert into raw.jobs (tenant_id, job_id, job_type, status, started_at, finished_at, extra)
select
    p.tenant_id,
    'job-' || lpad(j::text, 9, '0'),
    kind.job_type,
    fate.status,
    begun.at,
    case when fate.status <> 'running' then begun.at + took.time end,
    '{"generated": true}'
from pg_temp.plan as p
cross join generate_series(%(first)s::bigint, %(last)s::bigint) as j
cross join lateral (
    select
        case
            when pg_temp.unit(p.seed, 701, j) < 0.5 then 'export'
            when pg_temp.unit(p.seed, 701, j) < 0.8 then 'import'
            else 'mailing'
        end as job_type
) as kind
cross join lateral (
    select (
        p.first_day + least(p.days - 1, floor(p.days * power(pg_temp.unit(p.seed, 702, j), 0.8))::integer)
        + pg_temp.time_of_day(
            pg_temp.unit(p.seed, 703, j), pg_temp.unit(p.seed, 704, j), pg_temp.unit(p.seed, 705, j)
        )
    ) at time zone p.timezone as at
) as begun
cross join lateral (
    select interval '1 second' * round(exp(3 + 3 * pg_temp.unit(p.seed, 706, j))::numeric, 1) as time
) as took
cross join lateral (
    select case
        when begun.at + took.time >= p.end_at then 'running'
        when pg_temp.unit(p.seed, 707, j) < 0.01 then 'canceled'
        when pg_temp.unit(p.seed, 707, j) < case kind.job_type when 'import' then 0.08 else 0.03 end then 'failed'
        else 'succeeded'
    end as status
) as fate
on conflict do nothing
