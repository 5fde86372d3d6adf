-- Baseline (a): the usual quick design, plain materialized views over the raw tables, made once.
-- a_refresh.sql refreshes them; a_mau_self_join_month.sql is what such a design does for MAU.

create schema if not exists baseline_a;

create materialized view baseline_a.users_by_day_and_type as
select
    s.tenant_id,
    (s.started_at at time zone t.timezone)::date as day,
    coalesce(s.user_type, '(none)') as user_type,
    count(distinct s.user_id) as users,
    count(*) as sessions,
    avg(s.duration_seconds) as avg_session_seconds
from raw.sessions as s
join raw.tenants as t on t.tenant_id = s.tenant_id
where s.deleted_at is null
group by 1, 2, 3;

create materialized view baseline_a.leads_by_day as
select
    l.tenant_id,
    (l.created_at at time zone t.timezone)::date as day,
    count(*) as leads,
    count(*) filter (where l.status = 'converted') as converted,
    count(*) filter (where l.status = 'lost') as lost
from raw.leads as l
join raw.tenants as t on t.tenant_id = l.tenant_id
where l.deleted_at is null
group by 1, 2;

create materialized view baseline_a.calls_by_day as
select
    c.tenant_id,
    (c.started_at at time zone t.timezone)::date as day,
    count(*) as calls,
    count(*) filter (where c.status = 'completed') as completed,
    avg(c.duration_seconds) as avg_call_seconds
from raw.calls as c
join raw.tenants as t on t.tenant_id = c.tenant_id
where c.deleted_at is null
group by 1, 2;

create materialized view baseline_a.revenue_by_month as
select
    p.tenant_id,
    date_trunc('month', p.attempted_at at time zone t.timezone)::date as month,
    p.currency,
    sum(p.amount) filter (where p.status = 'succeeded') as collected,
    count(*) filter (where p.status = 'failed') as failed_payments,
    count(distinct p.customer_id) as customers
from raw.payments as p
join raw.tenants as t on t.tenant_id = p.tenant_id
where p.deleted_at is null
group by 1, 2, 3;

create materialized view baseline_a.collaborations_by_day as
select
    c.tenant_id,
    (c.created_at at time zone t.timezone)::date as day,
    c.collaboration_type,
    count(distinct c.client_id) as clients,
    count(distinct (least(c.vendor1_id, c.vendor2_id), greatest(c.vendor1_id, c.vendor2_id))) as vendor_pairs,
    avg(extract(epoch from c.last_activity_at - c.created_at) / 3600) as avg_hours
from raw.collaborations as c
join raw.tenants as t on t.tenant_id = c.tenant_id
where c.deleted_at is null
group by 1, 2, 3;
