-- The leads of the plan with every moment of their way, in a temporary table: leads, their changes and their
-- calls are read from it. Conversion depends on the source and on the staff member.
create temporary table lead_paths on commit drop as
select
    l as number,
    p.tenant_id,
    'lead-' || lpad(l::text, 8, '0') as lead_id,
    staff.number as staff_number,
    'staff-' || lpad(staff.number::text, 3, '0') as staff_id,
    'branch-' || lpad((1 + mod(staff.number, p.branches))::text, 2, '0') as branch_id,
    source.name as source,
    created.at as created_at,
    step.contacted_at,
    step.qualified_at,
    step.converted_at,
    case
        when step.contacted_at is not null and step.converted_at is null
            and pg_temp.unit(p.seed, 121, l) < 0.7
            then coalesce(step.qualified_at, step.contacted_at)
                + pg_temp.waiting(pg_temp.unit(p.seed, 122, l), interval '15 days')
    end as lost_at,
    p.end_at
from pg_temp.plan as p
cross join generate_series(1, p.leads) as l
cross join lateral (
    select pg_temp.pick(power(pg_temp.unit(p.seed, 101, l), 1.2), p.staff) as number
) as staff
cross join lateral (
    select s.name, s.factor
    from (values
        ('website', 0.38, 0.9), ('referral', 0.55, 1.6), ('fair', 0.72, 1.1), ('social', 0.92, 0.6), (null, 1.0, 0.8)
    ) as s (name, up_to, factor)
    where pg_temp.unit(p.seed, 102, l) < s.up_to
    order by s.up_to
    limit 1
) as source
cross join lateral (
    select p.first_day + least(p.days - 1, floor(p.days * power(pg_temp.unit(p.seed, 103, l), 0.85))::integer) as day
) as came
cross join lateral (
    select (
        greatest(p.first_day, came.day - pg_temp.days_back(came.day, pg_temp.unit(p.seed, 104, l)))
        + pg_temp.time_of_day(
            pg_temp.unit(p.seed, 105, l), pg_temp.unit(p.seed, 106, l), pg_temp.unit(p.seed, 107, l)
        )
    ) at time zone p.timezone as at
) as created
cross join lateral (
    select case
        when pg_temp.unit(p.seed, 108, l) < 0.86
            then created.at + pg_temp.waiting(pg_temp.unit(p.seed, 109, l), interval '19 hours')
    end as at
) as contacted
cross join lateral (
    select case
        when pg_temp.unit(p.seed, 110, l) < 0.52
            then contacted.at + pg_temp.waiting(pg_temp.unit(p.seed, 111, l), interval '60 hours')
    end as at
) as qualified
cross join lateral (
    select
        contacted.at as contacted_at,
        qualified.at as qualified_at,
        case
            when pg_temp.unit(p.seed, 112, l)
                < 0.42 * source.factor * (0.6 + 0.8 * pg_temp.unit(p.seed, 100, staff.number))
                then qualified.at + pg_temp.waiting(pg_temp.unit(p.seed, 113, l), interval '130 hours')
        end as converted_at
) as step;

analyze lead_paths;

insert into raw.leads (
    tenant_id, lead_id, branch_id, staff_id, first_name, last_name, phone, email, source, status,
    created_at, updated_at, converted_at, extra
)
select
    tenant_id,
    lead_id,
    branch_id,
    staff_id,
    'Lead',
    lpad(number::text, 8, '0'),
    '+000 ' || lpad(number::text, 9, '0'),
    lead_id || '@example.org',
    source,
    case
        when converted_at < end_at then 'converted'
        when lost_at < end_at then 'lost'
        when qualified_at < end_at then 'qualified'
        when contacted_at < end_at then 'contacted'
        else 'new'
    end,
    created_at,
    (
        select max(at)
        from unnest(array[created_at, contacted_at, qualified_at, converted_at, lost_at]) as at
        where at < end_at
    ),
    case when converted_at < end_at then converted_at end,
    '{"generated": true}'
from lead_paths
on conflict do nothing;

insert into raw.lead_status_changes (tenant_id, change_id, lead_id, status, changed_at, extra)
select
    l.tenant_id,
    l.lead_id || '-' || c.status,
    l.lead_id,
    c.status,
    c.at,
    '{"generated": true}'
from lead_paths as l
cross join lateral (
    values
    ('new', l.created_at),
    ('contacted', l.contacted_at),
    ('qualified', l.qualified_at),
    ('converted', l.converted_at),
    ('lost', l.lost_at)
) as c (status, at)
where c.at < l.end_at
on conflict do nothing;
