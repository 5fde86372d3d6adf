-- Baseline (b): one statement that groups raw sessions by tenant, user and day. Whoever wants distinct users by any
-- window has to do at least this once.

create temporary table user_days as
select
    s.tenant_id,
    s.user_id,
    (s.started_at at time zone t.timezone)::date as day,
    count(*) as sessions,
    sum(s.duration_seconds) as seconds
from raw.sessions as s
join raw.tenants as t on t.tenant_id = s.tenant_id
where s.deleted_at is null
group by 1, 2, 3;
drop table user_days;
