-- Baseline (c), from nothing by hand: clocks, activity, users, retention.

drop schema if exists baseline_c cascade;
create schema baseline_c;
set search_path = baseline_c;

create table tenants as
select tenant_id, name, timezone, currency, week_start, as_of, as_of_date, complete_date
from build.tenants;
alter table tenants add primary key (tenant_id);
create table branches as select tenant_id, branch_id, name, timezone from raw.branches where deleted_at is null;
alter table branches add primary key (tenant_id, branch_id);
create table staff as select tenant_id, staff_id, branch_id, name from raw.staff where deleted_at is null;
alter table staff add primary key (tenant_id, staff_id);
analyze tenants;

-- One row a tenant, user, local day and type: all of activity and retention is made of it.
create table user_days as
select
    s.tenant_id,
    s.user_id,
    (s.started_at at time zone t.timezone)::date as day,
    coalesce(s.user_type, u.user_type, '(none)') as user_type,
    count(*) as sessions,
    coalesce(sum(s.duration_seconds) filter (where s.duration_seconds >= 0), 0) as session_seconds,
    count(*) filter (where s.duration_seconds >= 0) as timed_sessions
from raw.sessions as s
join tenants as t on t.tenant_id = s.tenant_id and s.started_at < t.as_of
left join raw.users as u on u.tenant_id = s.tenant_id and u.user_id = s.user_id and u.deleted_at is null
where s.deleted_at is null
group by 1, 2, 3, 4;
alter table user_days add primary key (tenant_id, user_id, day, user_type);
analyze user_days;

-- Users come into a window when their last day lies too far back, and leave it when the next one does.
create table window_steps as
with typed as (
    select tenant_id, user_id, day, user_type from user_days
    union all
    select tenant_id, user_id, day, 'all' from (select distinct tenant_id, user_id, day from user_days) as d
),

gaps as (
    select
        y.tenant_id,
        y.user_type,
        y.day,
        y.day - lag(y.day) over w as since,
        lead(y.day) over w - y.day as until,
        date_trunc('month', y.day)::date as month,
        date_trunc('week', y.day + (t.week_start = 'sunday')::int)::date - (t.week_start = 'sunday')::int as week,
        lag(y.day) over w as before
    from typed as y
    join tenants as t on t.tenant_id = y.tenant_id
    window w as (partition by y.tenant_id, y.user_type, y.user_id order by y.day)
)

select
    tenant_id,
    user_type,
    e.day,
    sum(e.dau) as dau,
    sum(e.d7) as d7,
    sum(e.d28) as d28,
    sum(e.d30) as d30,
    sum(e.new_in_week) as new_in_week,
    sum(e.new_in_month) as new_in_month
from gaps as g
cross join lateral (
    values
    (
        g.day, 1, (coalesce(g.since, 999) >= 7)::int, (coalesce(g.since, 999) >= 28)::int,
        (coalesce(g.since, 999) >= 30)::int, (coalesce(g.before < g.week, true))::int,
        (coalesce(g.before < g.month, true))::int
    ),
    (g.day + 7, 0, -(coalesce(g.until, 999) >= 7)::int, 0, 0, 0, 0),
    (g.day + 28, 0, 0, -(coalesce(g.until, 999) >= 28)::int, 0, 0, 0),
    (g.day + 30, 0, 0, 0, -(coalesce(g.until, 999) >= 30)::int, 0, 0)
) as e (day, dau, d7, d28, d30, new_in_week, new_in_month)
group by 1, 2, 3;

create table engagement_by_user_type as
with span as (
    select tenant_id, user_type, min(day) as first_day from window_steps group by 1, 2
),

totals as (
    select
        tenant_id, day, coalesce(user_type, 'all') as user_type, sum(sessions) as sessions,
        sum(session_seconds) as session_seconds, sum(timed_sessions) as timed_sessions
    from user_days
    group by grouping sets ((tenant_id, day, user_type), (tenant_id, day))
),

filled as (
    select
        s.tenant_id,
        s.user_type,
        d::date as metric_date,
        coalesce(w.dau, 0) as dau,
        sum(w.d7) over r as wau,
        sum(w.d30) over r as mau,
        sum(w.d28) over r as mau_28,
        sum(w.new_in_week) over (
            partition by s.tenant_id, s.user_type, date_trunc('week', d + (t.week_start = 'sunday')::int * interval '1 day')
            order by d
        ) as wau_week_to_date,
        sum(w.new_in_month) over (partition by s.tenant_id, s.user_type, date_trunc('month', d) order by d)
            as mau_month_to_date
    from span as s
    join tenants as t on t.tenant_id = s.tenant_id
    cross join generate_series(s.first_day::timestamp, t.as_of_date::timestamp, interval '1 day') as d
    left join window_steps as w on w.tenant_id = s.tenant_id and w.user_type = s.user_type and w.day = d::date
    window r as (partition by s.tenant_id, s.user_type order by d)
)

select
    f.tenant_id,
    f.user_type,
    f.metric_date,
    f.dau::bigint as dau,
    coalesce(f.wau, 0)::bigint as wau,
    coalesce(f.mau, 0)::bigint as mau,
    coalesce(f.mau_28, 0)::bigint as mau_28,
    coalesce(f.wau_week_to_date, 0)::bigint as wau_week_to_date,
    coalesce(f.mau_month_to_date, 0)::bigint as mau_month_to_date,
    coalesce(t.sessions, 0)::bigint as sessions,
    coalesce(t.session_seconds, 0) as session_seconds,
    coalesce(t.timed_sessions, 0)::bigint as timed_sessions,
    t.session_seconds / nullif(t.timed_sessions, 0) as avg_session_seconds
from filled as f
left join totals as t
    on t.tenant_id = f.tenant_id and t.user_type = f.user_type and t.day = f.metric_date;
alter table engagement_by_user_type add primary key (tenant_id, user_type, metric_date);

create table user_activation as
select
    u.tenant_id,
    u.user_id,
    u.customer_id,
    coalesce(u.user_type, '(none)') as user_type,
    (u.signed_up_at at time zone t.timezone)::date as signed_up,
    (min(e.occurred_at) at time zone t.timezone)::date as activated,
    bool_or(e.event_type = 'file_upload') as uploaded,
    bool_or(e.event_type = 'worklog_creation') as logged,
    bool_or(e.event_type = 'report_generation') as reported
from raw.users as u
join tenants as t on t.tenant_id = u.tenant_id and u.signed_up_at < t.as_of
left join raw.activation_events as e
    on e.tenant_id = u.tenant_id and e.user_id = u.user_id and e.occurred_at < t.as_of and e.deleted_at is null
where u.deleted_at is null
group by u.tenant_id, u.user_id, t.timezone;
alter table user_activation add primary key (tenant_id, user_id);
analyze user_activation;

create table users_daily as
select tenant_id, day, sum(signups) as signups, sum(activated_users) as activated_users,
    sum(activated_of_signups) as activated_of_signups, sum(uploaded) as uploaded, sum(logged) as logged,
    sum(reported) as reported, sum(suppliers) as suppliers, sum(couples) as couples
from (
    select tenant_id, signed_up as day, count(*) as signups, 0 as activated_users, count(activated) as activated_of_signups,
        count(*) filter (where uploaded) as uploaded, count(*) filter (where logged) as logged,
        count(*) filter (where reported) as reported, count(*) filter (where user_type = 'supplier') as suppliers,
        count(*) filter (where user_type = 'couple') as couples
    from user_activation
    group by 1, 2
    union all
    select tenant_id, activated, 0, count(*), 0, 0, 0, 0, 0, 0 from user_activation where activated is not null group by 1, 2
) as both_sides
group by 1, 2;
alter table users_daily add primary key (tenant_id, day);
