-- Baseline (c): leads, calls, collaborations, operations.

create table lead_steps as
select
    l.tenant_id,
    l.lead_id,
    coalesce(l.branch_id, '(none)') as branch_id,
    coalesce(l.staff_id, '(none)') as staff_id,
    coalesce(l.source, '(none)') as source,
    l.status,
    l.created_at,
    (l.created_at at time zone t.timezone)::date as created,
    coalesce(min(c.changed_at) filter (where c.status = 'contacted'), min(case when l.status = 'contacted' then l.updated_at end))
        as contacted_at,
    coalesce(min(c.changed_at) filter (where c.status = 'qualified'), min(case when l.status = 'qualified' then l.updated_at end))
        as qualified_at,
    coalesce(min(c.changed_at) filter (where c.status = 'converted'), min(l.converted_at)) as converted_at,
    coalesce(min(c.changed_at) filter (where c.status = 'lost'), min(case when l.status = 'lost' then l.updated_at end)) as lost_at,
    t.timezone
from raw.leads as l
join tenants as t on t.tenant_id = l.tenant_id and l.created_at < t.as_of
left join raw.lead_status_changes as c
    on c.tenant_id = l.tenant_id and c.lead_id = l.lead_id and c.changed_at < t.as_of and c.deleted_at is null
where l.deleted_at is null
group by l.tenant_id, l.lead_id, t.timezone;
alter table lead_steps add primary key (tenant_id, lead_id);

create table local_calls as
select
    c.tenant_id,
    c.lead_id,
    coalesce(c.branch_id, '(none)') as branch_id,
    coalesce(c.staff_id, '(none)') as staff_id,
    c.direction,
    c.status,
    coalesce(c.outcome, '(none)') as outcome,
    (c.started_at at time zone t.timezone)::date as tenant_day,
    (c.started_at at time zone coalesce(b.timezone, t.timezone))::date as metric_date,
    extract(hour from c.started_at at time zone coalesce(b.timezone, t.timezone))::integer as hour_of_day,
    case when c.status = 'completed' and c.duration_seconds >= 0 then c.duration_seconds end as seconds
from raw.calls as c
join tenants as t on t.tenant_id = c.tenant_id and c.started_at < t.as_of
left join raw.branches as b on b.tenant_id = c.tenant_id and b.branch_id = c.branch_id and b.deleted_at is null
where c.deleted_at is null;
analyze lead_steps;
analyze local_calls;

create table call_performance_hourly as
select
    tenant_id, branch_id, metric_date, hour_of_day,
    extract(isodow from metric_date)::integer as weekday,
    count(*) as total_calls,
    count(*) filter (where status = 'completed') as calls_completed,
    count(*) filter (where status = 'missed') as calls_missed,
    count(*) filter (where status = 'failed') as calls_failed,
    count(*) filter (where direction = 'inbound') as calls_inbound,
    count(*) filter (where direction = 'outbound') as calls_outbound,
    count(*) filter (where direction = 'inbound' and status = 'completed') as calls_inbound_completed,
    count(*) filter (where direction = 'outbound' and status = 'completed') as calls_outbound_completed,
    count(*) filter (where status = 'completed')::numeric / count(*) as call_success_rate,
    coalesce(sum(seconds), 0) as call_seconds,
    count(seconds) as timed_calls,
    sum(seconds) / nullif(count(seconds), 0) as avg_call_seconds,
    count(*) filter (where status = 'completed' and outcome = 'interested') as interested,
    count(*) filter (where status = 'completed' and outcome = 'interested')::numeric
        / nullif(count(*) filter (where status = 'completed'), 0) as interest_rate
from local_calls
group by 1, 2, 3, 4;
alter table call_performance_hourly add primary key (tenant_id, branch_id, metric_date, hour_of_day);

create table call_outcomes_daily as
select
    tenant_id, branch_id, metric_date, outcome,
    count(*) as calls,
    count(*) filter (where status = 'completed') as calls_completed,
    sum(count(*) filter (where status = 'completed')) over (partition by tenant_id, branch_id, metric_date)
        as completed_of_day,
    count(*) filter (where status = 'completed')::numeric
        / nullif(sum(count(*) filter (where status = 'completed')) over (partition by tenant_id, branch_id, metric_date), 0)
        as share_of_completed
from local_calls
group by 1, 2, 3, 4;
alter table call_outcomes_daily add primary key (tenant_id, branch_id, metric_date, outcome);

-- What happened to leads, by day: one row a lead and step.
create table lead_events as
select s.tenant_id, s.branch_id, s.staff_id, s.lead_id, e.kind, (e.at at time zone s.timezone)::date as day, s.status,
    s.converted_at is not null as converts
from lead_steps as s
cross join lateral (
    values ('created', s.created_at), ('contacted', s.contacted_at), ('qualified', s.qualified_at),
    ('converted', s.converted_at), ('lost', s.lost_at)
) as e (kind, at)
where e.at is not null;
analyze lead_events;

create table lead_performance_daily as
with of_leads as (
    select
        tenant_id, branch_id, day,
        count(*) filter (where kind = 'created') as new_leads,
        count(*) filter (where kind = 'created' and status = 'new') as status_new,
        count(*) filter (where kind = 'created' and status = 'contacted') as status_contacted,
        count(*) filter (where kind = 'created' and status = 'qualified') as status_qualified,
        count(*) filter (where kind = 'created' and status = 'converted') as status_converted,
        count(*) filter (where kind = 'created' and status = 'lost') as status_lost,
        count(*) filter (where kind = 'contacted') as contacted_on_day,
        count(*) filter (where kind = 'qualified') as qualified_on_day,
        count(*) filter (where kind = 'converted') as converted_on_day,
        count(*) filter (where kind = 'lost') as lost_on_day,
        count(*) filter (where kind = 'created' and converts) as converted_leads
    from lead_events
    group by 1, 2, 3
),

of_calls as (
    select
        tenant_id, branch_id, tenant_day as day, count(*) as total_calls, count(lead_id) as lead_calls,
        count(distinct lead_id) as called_leads,
        count(distinct lead_id) filter (where outcome = 'interested' and status = 'completed') as interested_leads,
        count(*) filter (where status = 'completed') as calls_completed,
        count(*) filter (where status = 'completed' and outcome = 'interested') as calls_interested
    from local_calls
    group by 1, 2, 3
)

select
    tenant_id, branch_id, day as metric_date,
    coalesce(new_leads, 0) as new_leads, coalesce(status_new, 0) as status_new,
    coalesce(status_contacted, 0) as status_contacted, coalesce(status_qualified, 0) as status_qualified,
    coalesce(status_converted, 0) as status_converted, coalesce(status_lost, 0) as status_lost,
    coalesce(contacted_on_day, 0) as contacted_on_day, coalesce(qualified_on_day, 0) as qualified_on_day,
    coalesce(converted_on_day, 0) as converted_on_day, coalesce(lost_on_day, 0) as lost_on_day,
    converted_leads::numeric / nullif(new_leads, 0) as conversion_rate,
    converted_on_day::numeric / nullif(new_leads, 0) as conversion_rate_by_close,
    converted_on_day::numeric / nullif(converted_on_day + lost_on_day, 0) as win_rate,
    coalesce(lead_calls, 0) as lead_calls, coalesce(called_leads, 0) as called_leads,
    coalesce(interested_leads, 0) as interested_leads, lead_calls::numeric / nullif(called_leads, 0) as calls_per_lead,
    coalesce(total_calls, 0) as total_calls, coalesce(calls_completed, 0) as calls_completed,
    coalesce(calls_interested, 0) as calls_interested, calls_completed::numeric / nullif(total_calls, 0) as call_success_rate,
    calls_interested::numeric / nullif(calls_completed, 0) as interest_rate
from of_leads
full join of_calls using (tenant_id, branch_id, day);
alter table lead_performance_daily add primary key (tenant_id, branch_id, metric_date);

create table staff_performance_daily as
with of_calls as (
    select
        tenant_id, branch_id, staff_id, tenant_day as day, count(*) as calls,
        count(*) filter (where status = 'completed') as completed, count(*) filter (where status = 'missed') as missed,
        count(*) filter (where status = 'failed') as failed, sum(seconds) as talk_seconds, count(seconds) as timed_calls,
        count(*) filter (where status = 'completed' and outcome = 'interested') as interested
    from local_calls
    group by 1, 2, 3, 4
),

of_leads as (
    select
        tenant_id, branch_id, staff_id, day,
        count(*) filter (where kind = 'created') as leads_assigned,
        count(*) filter (where kind = 'created' and converts) as leads_converted,
        count(*) filter (where kind = 'converted') as converted_on_day,
        count(*) filter (where kind = 'lost') as lost_on_day
    from lead_events
    group by 1, 2, 3, 4
)

select
    tenant_id, branch_id, staff_id, day as metric_date, coalesce(calls, 0) as calls, coalesce(completed, 0) as completed,
    coalesce(missed, 0) as missed, coalesce(failed, 0) as failed, completed::numeric / nullif(calls, 0) as call_success_rate,
    coalesce(talk_seconds, 0) as talk_seconds, coalesce(timed_calls, 0) as timed_calls,
    talk_seconds / nullif(timed_calls, 0) as avg_talk_seconds, coalesce(interested, 0) as interested,
    interested::numeric / nullif(completed, 0) as interest_rate, coalesce(leads_assigned, 0) as leads_assigned,
    coalesce(leads_converted, 0) as leads_converted, leads_converted::numeric / nullif(leads_assigned, 0) as conversion_rate,
    coalesce(converted_on_day, 0) as converted_on_day, coalesce(lost_on_day, 0) as lost_on_day
from of_calls
full join of_leads using (tenant_id, branch_id, staff_id, day);
alter table staff_performance_daily add primary key (tenant_id, branch_id, staff_id, metric_date);

create table lead_funnel_totals as
with funnel as (
    select
        s.tenant_id, s.branch_id, s.source,
        date_trunc('week', s.created + (t.week_start = 'sunday')::int)::date - (t.week_start = 'sunday')::int as cohort_week,
        s.contacted_at is not null or s.qualified_at is not null or s.converted_at is not null as contacted,
        s.qualified_at is not null or s.converted_at is not null as qualified,
        s.converted_at is not null as converted,
        s.status = 'lost' as lost,
        extract(epoch from s.contacted_at - s.created_at) / 3600 as to_contact,
        extract(epoch from s.qualified_at - s.contacted_at) / 3600 as to_qualify,
        extract(epoch from s.converted_at - s.qualified_at) / 3600 as to_close,
        extract(epoch from s.converted_at - s.created_at) / 3600 as to_convert
    from lead_steps as s
    join tenants as t on t.tenant_id = s.tenant_id
)

select
    tenant_id, coalesce(branch_id, 'all') as branch_id, coalesce(source, 'all') as source, cohort_week,
    count(*) as leads, count(*) filter (where contacted) as contacted, count(*) filter (where qualified) as qualified,
    count(*) filter (where converted) as converted, count(*) filter (where lost) as lost,
    count(*) filter (where contacted)::numeric / count(*) as contact_rate,
    count(*) filter (where qualified)::numeric / nullif(count(*) filter (where contacted), 0) as qualification_rate,
    count(*) filter (where converted)::numeric / nullif(count(*) filter (where qualified), 0) as close_rate,
    count(*) filter (where converted)::numeric / count(*) as conversion_rate,
    count(*) filter (where lost)::numeric / count(*) as loss_rate,
    percentile_cont(0.5) within group (order by to_contact) as median_hours_to_contact,
    percentile_cont(0.5) within group (order by to_qualify) as median_hours_contact_to_qualify,
    percentile_cont(0.5) within group (order by to_close) as median_hours_qualify_to_convert,
    percentile_cont(0.5) within group (order by to_convert) as median_hours_to_convert
from funnel
group by grouping sets (
    (tenant_id, branch_id, source, cohort_week), (tenant_id, branch_id, cohort_week), (tenant_id, source, cohort_week),
    (tenant_id, cohort_week)
);
create table lead_funnel as select * from lead_funnel_totals where branch_id <> 'all' and source <> 'all';
delete from lead_funnel_totals where branch_id <> 'all' and source <> 'all';
alter table lead_funnel add primary key (tenant_id, branch_id, source, cohort_week);
alter table lead_funnel_totals add primary key (tenant_id, branch_id, source, cohort_week);

create table coordination_metrics as
with pairs as (
    select
        c.tenant_id, c.client_id, least(c.vendor1_id, c.vendor2_id) as a, greatest(c.vendor1_id, c.vendor2_id) as b,
        c.collaboration_type, (c.created_at at time zone t.timezone)::date as day, t.timezone,
        least(c.last_activity_at, t.as_of) as last_at, c.created_at
    from raw.collaborations as c
    join tenants as t on t.tenant_id = c.tenant_id and c.created_at < t.as_of
    where c.deleted_at is null
),

created as (
    select tenant_id, day, count(distinct client_id) as clients_coordinated, count(*) as new_collaborations
    from pairs
    group by 1, 2
),

vendors as (
    select p.tenant_id, p.day, count(distinct v.vendor) as vendors_collaborating
    from pairs as p
    cross join lateral (values (p.a), (p.b)) as v (vendor)
    group by 1, 2
),

types as (
    select tenant_id, day, jsonb_object_agg(collaboration_type, clients) as by_collaboration_type
    from (
        select tenant_id, day, collaboration_type, count(distinct client_id) as clients from pairs group by 1, 2, 3
    ) as by_type
    group by 1, 2
),

hours as (
    select tenant_id, day, sum(hours) as coordination_hours, count(hours) as timed_clients
    from (
        select tenant_id, day, client_id, avg(extract(epoch from last_at - created_at) / 3600) as hours
        from pairs
        where last_at >= created_at
        group by 1, 2, 3
    ) as by_client
    group by 1, 2
),

lives as (
    select tenant_id, client_id, a, b,
        range_agg(daterange(day, greatest(day, (coalesce(last_at, created_at) at time zone timezone)::date) + 30)) as days
    from pairs
    group by 1, 2, 3, 4
),

active as (
    select tenant_id, day, sum(sum(step)) over (partition by tenant_id order by day) as active_vendor_pairs
    from (
        select l.tenant_id, e.day, e.step
        from (select tenant_id, a, b, range_agg(r) as days from lives cross join unnest(days) as r group by 1, 2, 3) as l
        cross join unnest(l.days) as r
        cross join lateral (values (lower(r), 1), (upper(r), -1)) as e (day, step)
    ) as steps
    group by 1, 2
),

scores as (
    select s.tenant_id, (s.scored_at at time zone t.timezone)::date as day, sum(s.score) as satisfaction_sum,
        count(*) as satisfaction_scores
    from raw.satisfaction_scores as s
    join tenants as t on t.tenant_id = s.tenant_id and s.scored_at < t.as_of
    where s.deleted_at is null
    group by 1, 2
),

first_of_period as (
    select tenant_id, day, count(*) filter (where week_first) as new_in_week, count(*) filter (where month_first) as new_in_month
    from (
        select d.tenant_id, d.day,
            lag(d.day) over w is null or lag(d.day) over w
            < date_trunc('week', d.day + (t.week_start = 'sunday')::int)::date - (t.week_start = 'sunday')::int as week_first,
            lag(d.day) over w is null or lag(d.day) over w < date_trunc('month', d.day)::date as month_first
        from (select distinct tenant_id, client_id, day from pairs) as d
        join tenants as t on t.tenant_id = d.tenant_id
        window w as (partition by d.tenant_id, d.client_id order by d.day)
    ) as firsts
    group by 1, 2
),

days as (
    select f.tenant_id, d::date as day, t.week_start
    from (select tenant_id, min(day) as first_day from pairs group by 1) as f
    join tenants as t on t.tenant_id = f.tenant_id
    cross join generate_series(f.first_day::timestamp, t.as_of_date::timestamp, interval '1 day') as d
)

select
    d.tenant_id, d.day as metric_date,
    coalesce(c.clients_coordinated, 0) as clients_coordinated, coalesce(v.vendors_collaborating, 0) as vendors_collaborating,
    coalesce(c.new_collaborations, 0) as new_collaborations,
    coalesce((array_agg(a.active_vendor_pairs) filter (where a.day is not null) over w)[
        count(a.day) over w
    ], 0) as active_vendor_pairs,
    coalesce(h.coordination_hours, 0) as coordination_hours, coalesce(h.timed_clients, 0) as timed_clients,
    h.coordination_hours / nullif(h.timed_clients, 0) as avg_coordination_hours,
    sum(coalesce(f.new_in_week, 0)) over (
        partition by d.tenant_id, date_trunc('week', d.day + (d.week_start = 'sunday')::int) order by d.day
    ) as clients_coordinated_week_to_date,
    sum(coalesce(f.new_in_month, 0)) over (partition by d.tenant_id, date_trunc('month', d.day) order by d.day)
        as clients_coordinated_month_to_date,
    coalesce(s.satisfaction_sum, 0) as satisfaction_sum, coalesce(s.satisfaction_scores, 0) as satisfaction_scores,
    s.satisfaction_sum / nullif(s.satisfaction_scores, 0) as vendor_satisfaction,
    coalesce(y.by_collaboration_type, '{}') as by_collaboration_type
from days as d
left join created as c on c.tenant_id = d.tenant_id and c.day = d.day
left join vendors as v on v.tenant_id = d.tenant_id and v.day = d.day
left join types as y on y.tenant_id = d.tenant_id and y.day = d.day
left join hours as h on h.tenant_id = d.tenant_id and h.day = d.day
left join active as a on a.tenant_id = d.tenant_id and a.day = d.day
left join scores as s on s.tenant_id = d.tenant_id and s.day = d.day
left join first_of_period as f on f.tenant_id = d.tenant_id and f.day = d.day
window w as (partition by d.tenant_id order by d.day);
alter table coordination_metrics add primary key (tenant_id, metric_date);

create table operations_daily as
with requests as (
    select r.tenant_id, (r.requested_at at time zone t.timezone)::date as day, count(*) as api_requests,
        count(*) filter (where r.status_code >= 500) as api_errors,
        percentile_cont(array[0.5, 0.95]) within group (order by r.latency_ms) as latency
    from raw.api_requests as r
    join tenants as t on t.tenant_id = r.tenant_id and r.requested_at < t.as_of
    where r.deleted_at is null
    group by 1, 2
),

checks as (
    select h.tenant_id, (h.checked_at at time zone t.timezone)::date as day, count(*) as health_checks,
        count(*) filter (where h.status = 'up') as health_checks_up, sum(h.cpu_load) as cpu_load_sum,
        count(h.cpu_load) as cpu_load_checks
    from raw.health_checks as h
    join tenants as t on t.tenant_id = h.tenant_id and h.checked_at < t.as_of
    where h.deleted_at is null
    group by 1, 2
),

jobs as (
    select j.tenant_id, (j.started_at at time zone t.timezone)::date as day, count(*) as total_jobs,
        count(*) filter (where j.status = 'succeeded') as jobs_succeeded, count(*) filter (where j.status = 'failed') as jobs_failed,
        sum(extract(epoch from j.finished_at - j.started_at)) as job_seconds, count(j.finished_at) as timed_jobs
    from raw.jobs as j
    join tenants as t on t.tenant_id = j.tenant_id and j.started_at < t.as_of
    where j.deleted_at is null
    group by 1, 2
)

select * from requests full join checks using (tenant_id, day) full join jobs using (tenant_id, day);
alter table operations_daily add primary key (tenant_id, day);
