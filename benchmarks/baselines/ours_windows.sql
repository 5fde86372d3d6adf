-- Our side of the comparison with the self-join: DAU, WAU, MAU of all tenants and all days of the year from the raw
-- sessions, in one pass (docs/decisions.md, Trailing windows in one pass).

with active_days as (
    select distinct
        s.tenant_id,
        s.user_id,
        (s.started_at at time zone t.timezone)::date as day
    from raw.sessions as s
    join raw.tenants as t on t.tenant_id = s.tenant_id
    where s.deleted_at is null
),

neighbours as (
    select
        tenant_id,
        day,
        day - lag(day) over (partition by tenant_id, user_id order by day) as since,
        lead(day) over (partition by tenant_id, user_id order by day) - day as until
    from active_days
),

steps as (
    select tenant_id, day, count(*) as dau, count(*) filter (where since >= 7 or since is null) as wau,
        count(*) filter (where since >= 30 or since is null) as mau
    from neighbours
    group by 1, 2
    union all
    select tenant_id, day + 7, 0, -count(*), 0 from neighbours where until >= 7 or until is null group by 1, 2
    union all
    select tenant_id, day + 30, 0, 0, -count(*) from neighbours where until >= 30 or until is null group by 1, 2
),

days as (
    select t.tenant_id, d::date as day
    from raw.tenants as t
    cross join generate_series(date '2025-07-01', date '2026-06-30', interval '1 day') as d
)

select
    d.tenant_id,
    d.day,
    sum(s.dau) as dau,
    sum(sum(s.wau)) over (partition by d.tenant_id order by d.day) as wau,
    sum(sum(s.mau)) over (partition by d.tenant_id order by d.day) as mau
from days as d
left join steps as s on s.tenant_id = d.tenant_id and s.day = d.day
group by 1, 2;
