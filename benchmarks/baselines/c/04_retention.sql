-- Baseline (c): cohort retention of users, customers and revenue: rolling, calendar and unbounded.

create table active as
select tenant_id, 'user' as subject, user_id as entity, day as first_day, day as last_day, null::numeric as mrr
from (select distinct tenant_id, user_id, day from user_days) as d
union all
select tenant_id, subject, customer_id, day_from,
    coalesce((valid_to - interval '1 microsecond') at time zone timezone, as_of at time zone timezone - interval '1 microsecond')::date,
    mrr
from (
    select s.*, t.timezone, t.as_of
    from (
        select tenant_id, customer_id, min(day_from) as day_from, min(valid_from) as valid_from,
            nullif(max(valid_to), 'infinity') as valid_to, max(mrr) as mrr
        from subscription_states
        where mrr > 0
        group by tenant_id, customer_id, subscription_id
    ) as s
    join tenants as t on t.tenant_id = s.tenant_id
) as paying
cross join (values ('customer'), ('revenue')) as v (subject);
analyze active;

create table cohorts as
select tenant_id, subject, case subject when 'user' then 'first_activity' else 'first_payment' end as cohort_by, entity,
    min(first_day) as first_day, max(mrr) as starting_mrr
from active
group by 1, 2, 4
union all
select tenant_id, 'user', 'signup', user_id, signed_up, null from user_activation where signed_up is not null
union all
select c.tenant_id, v.subject, 'signup', c.customer_id, (c.created_at at time zone t.timezone)::date, a.mrr
from raw.customers as c
join tenants as t on t.tenant_id = c.tenant_id and c.created_at < t.as_of
join (select tenant_id, entity, max(mrr) as mrr from active where subject = 'customer' group by 1, 2) as a
    on a.tenant_id = c.tenant_id and a.entity = c.customer_id
cross join (values ('customer'), ('revenue')) as v (subject)
where c.deleted_at is null;
analyze cohorts;

create table kinds (period text, mode text, days integer, last_index integer);
insert into kinds values
('day', 'rolling', 1, 30), ('week', 'rolling', 7, 52), ('month', 'rolling', 30, 36), ('week', 'calendar', null, 52),
('month', 'calendar', null, 36), ('day', 'unbounded', 1, 30), ('week', 'unbounded', null, 52), ('month', 'unbounded', null, 36);

-- Cohorts by their first day: the bucket of a day depends on nothing else.
create table cohort_days as
select tenant_id, subject, cohort_by, first_day, count(*) as size, sum(starting_mrr) as starting_mrr from cohorts group by 1, 2, 3, 4;
alter table cohort_days add primary key (tenant_id, subject, cohort_by, first_day);

create function bucket(days integer, period text, first_day date, day date, shift integer) returns integer
language sql immutable
return case
    when days is not null then (day - first_day) / days
    when period = 'week' then (date_trunc('week', day + shift)::date - date_trunc('week', first_day + shift)::date) / 7
    else (extract(year from day) - extract(year from first_day)) * 12 + extract(month from day) - extract(month from first_day)
end::integer;

-- A user's day counts where its bucket is another than that of the day before; the last day decides unbounded.
create table buckets as
with of_users as (
    select
        c.tenant_id, c.cohort_by, c.first_day, a.first_day as day, (t.week_start = 'sunday')::int as shift,
        lag(a.first_day) over w as day_before, lead(a.first_day) over w is null as is_last
    from cohorts as c
    join tenants as t on t.tenant_id = c.tenant_id
    join active as a
        on a.tenant_id = c.tenant_id and a.subject = 'user' and a.entity = c.entity and a.first_day >= c.first_day
    where c.subject = 'user'
    window w as (partition by c.tenant_id, c.cohort_by, c.entity order by a.first_day)
),

user_buckets as (
    select
        u.tenant_id, u.cohort_by, u.first_day, k.period, k.mode, k.last_index,
        bucket(k.days, k.period, u.first_day, u.day, u.shift) as period_index, count(*) as retained
    from of_users as u
    join kinds as k on k.mode <> 'unbounded' or u.is_last
    where
        k.mode = 'unbounded' or u.day_before is null
        or bucket(k.days, k.period, u.first_day, u.day, u.shift) <> bucket(k.days, k.period, u.first_day, u.day_before, u.shift)
    group by 1, 2, 3, 4, 5, 6, 7
),

paid as (
    select
        c.tenant_id, c.subject, c.cohort_by, c.first_day, k.period, k.mode, i as period_index, c.entity, max(a.mrr) as mrr
    from cohorts as c
    join tenants as t on t.tenant_id = c.tenant_id
    join active as a
        on a.tenant_id = c.tenant_id and a.subject = c.subject and a.entity = c.entity and a.last_day >= c.first_day
    cross join kinds as k
    cross join lateral generate_series(
        case
            when k.mode = 'unbounded' then 0
            else bucket(k.days, k.period, c.first_day, greatest(a.first_day, c.first_day), (t.week_start = 'sunday')::int)
        end,
        least(k.last_index, bucket(k.days, k.period, c.first_day, a.last_day, (t.week_start = 'sunday')::int))
    ) as i
    where c.subject <> 'user'
    group by 1, 2, 3, 4, 5, 6, 7, 8
)

select tenant_id, 'user' as subject, cohort_by, first_day, period, mode, period_index, retained, null::numeric as mrr
from user_buckets
where mode <> 'unbounded' and period_index <= last_index
union all
select u.tenant_id, 'user', u.cohort_by, u.first_day, u.period, u.mode, i, sum(u.retained), null
from user_buckets as u
cross join lateral generate_series(0, least(u.period_index, u.last_index)) as i
where u.mode = 'unbounded'
group by 1, 2, 3, 4, 5, 6, 7
union all
select tenant_id, subject, cohort_by, first_day, period, mode, period_index, count(*), sum(mrr) from paid group by 1, 2, 3, 4, 5, 6, 7;
analyze buckets;

-- Sizes of the cohorts that have ended each bucket, and who was there, added up apart.
create table cohort_retention as
with starts as (
    select
        c.*, k.period, k.mode, k.days, k.last_index, t.as_of_date, t.complete_date,
        case k.period
            when 'day' then c.first_day
            when 'week' then date_trunc('week', c.first_day + s.shift)::date - s.shift
            else date_trunc('month', c.first_day)::date
        end as cohort_start
    from cohort_days as c
    join tenants as t on t.tenant_id = c.tenant_id
    cross join lateral (values ((t.week_start = 'sunday')::int)) as s (shift)
    cross join kinds as k
),

added as (
    select
        s.tenant_id, s.subject, s.cohort_by, s.period, s.mode, s.cohort_start, i as period_index, s.size, s.starting_mrr,
        case
            when s.mode = 'rolling' then s.first_day + (i + 1) * s.days
            when s.period = 'day' then s.first_day + i + 1
            when s.period = 'week' then s.cohort_start + (i + 1) * 7
            else (s.cohort_start + (i + 1) * interval '1 month')::date
        end <= s.complete_date + 1 as has_ended,
        0::bigint as retained, null::numeric as mrr
    from starts as s
    cross join lateral generate_series(0, least(
        s.last_index, (s.as_of_date - s.cohort_start) / case s.period when 'day' then 1 when 'week' then 7 else 28 end
    )) as i
    union all
    select
        s.tenant_id, s.subject, s.cohort_by, s.period, s.mode, s.cohort_start, b.period_index, 0, null,
        case
            when s.mode = 'rolling' then s.first_day + (b.period_index + 1) * s.days
            when s.period = 'day' then s.first_day + b.period_index + 1
            when s.period = 'week' then s.cohort_start + (b.period_index + 1) * 7
            else (s.cohort_start + (b.period_index + 1) * interval '1 month')::date
        end <= s.complete_date + 1,
        b.retained, b.mrr
    from buckets as b
    join starts as s
        on s.tenant_id = b.tenant_id and s.subject = b.subject and s.cohort_by = b.cohort_by and s.first_day = b.first_day
        and s.period = b.period and s.mode = b.mode
)

select
    tenant_id, subject, cohort_by, period, mode, cohort_start, period_index, sum(size) as cohort_size,
    coalesce(sum(size) filter (where has_ended), 0) as eligible, sum(retained) filter (where has_ended) as retained,
    sum(retained) filter (where has_ended)::numeric / nullif(sum(size) filter (where has_ended), 0) as retention_rate,
    sum(mrr) filter (where has_ended) as retained_mrr, sum(starting_mrr) filter (where has_ended) as eligible_starting_mrr,
    bool_and(has_ended) as is_complete
from added
group by 1, 2, 3, 4, 5, 6, 7;
alter table cohort_retention add primary key (tenant_id, subject, cohort_by, period, mode, cohort_start, period_index);
