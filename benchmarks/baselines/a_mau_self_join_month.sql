-- Baseline (a) with the self-join for MAU and WAU: each day joined to the sessions of the thirty days before it.
-- One month only, for all tenants; the bench scales it to the year.

with active_days as (
    select distinct
        s.tenant_id,
        s.user_id,
        (s.started_at at time zone t.timezone)::date as day
    from raw.sessions as s
    join raw.tenants as t on t.tenant_id = s.tenant_id
    where s.deleted_at is null and s.started_at >= '2026-04-01' and s.started_at < '2026-06-03'
),

days as (
    select t.tenant_id, d::date as day
    from raw.tenants as t
    cross join generate_series(date '2026-05-03', date '2026-06-01', interval '1 day') as d
)

select
    d.tenant_id,
    d.day,
    count(distinct a.user_id) filter (where a.day = d.day) as dau,
    count(distinct a.user_id) filter (where a.day > d.day - 7) as wau,
    count(distinct a.user_id) as mau
from days as d
left join active_days as a on a.tenant_id = d.tenant_id and a.day > d.day - 30 and a.day <= d.day
group by 1, 2;
