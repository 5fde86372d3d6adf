-- The subscriptions of the plan with every moment of their life, in a temporary table: billing.sql, the
-- subscriptions and their changes are read from it. The first p.customers numbers are each customer's first
-- subscription; a further one comes back after the end of the first, or runs beside it.
create temporary table subscription_lives on commit drop as
with first_starts as (
    select
        c as number,
        c as customer_number,
        since.at + least(
            pg_temp.waiting(pg_temp.unit(p.seed, 310, c), interval '6 days'), (p.end_at - since.at) * 0.9
        ) as started_at
    from pg_temp.plan as p
    cross join generate_series(1, least(p.customers, p.subscriptions)) as c
    cross join lateral (
        select pg_temp.customer_since(
            p.seed, c, p.customers, greatest(p.users, p.customers), p.first_day, p.days, p.timezone
        ) as at
    ) as since
),

drawn as (
    select
        number,
        customer_number,
        started_at,
        terms.*
    from first_starts as f
    cross join pg_temp.plan as p
    cross join lateral pg_temp.drawn_terms(p.seed, f.number, f.started_at) as terms
),

further_starts as (
    select
        n as number,
        d.customer_number,
        case
            when pg_temp.service_end(p.seed, d.number, d.paid_from, d.billing_interval) + gap.length < p.end_at
                then pg_temp.service_end(p.seed, d.number, d.paid_from, d.billing_interval) + gap.length
            else d.started_at + (p.end_at - d.started_at) * pg_temp.unit(p.seed, 331, n)
        end as started_at
    from pg_temp.plan as p
    cross join generate_series(p.customers + 1, p.subscriptions) as n
    inner join drawn as d on d.number = 1 + mod(n - p.customers - 1, p.customers)
    cross join lateral (
        select interval '18 days' + pg_temp.waiting(pg_temp.unit(p.seed, 330, n), interval '30 days') as length
    ) as gap
),

starts as (
    select number, customer_number, started_at from first_starts
    union all
    select number, customer_number, started_at from further_starts
)

select
    p.tenant_id,
    p.seed,
    p.end_at,
    s.number,
    'subscription-' || lpad(s.number::text, 8, '0') as subscription_id,
    'customer-' || lpad(s.customer_number::text, 7, '0') as customer_id,
    s.started_at,
    terms.*,
    money.currency,
    pg_temp.price(terms.plan, money.currency) * terms.months_charged as unit_amount,
    pg_temp.price(change.plan, money.currency) * terms.months_charged as changed_unit_amount,
    change.plan as changed_plan,
    change.quantity as changed_quantity,
    life.ends_at,
    case when pg_temp.unit(p.seed, 340, s.number) < 0.35 and not terms.trial_lapses
        then terms.paid_from + (least(life.ends_at, p.end_at) - terms.paid_from)
            * (0.2 + 0.6 * pg_temp.unit(p.seed, 341, s.number))
    end as changed_at,
    case when pg_temp.unit(p.seed, 342, s.number) < 0.03 and not terms.trial_lapses
        then terms.paid_from + (least(life.ends_at, p.end_at) - terms.paid_from) * 0.1
    end as paused_at,
    case when pg_temp.unit(p.seed, 342, s.number) < 0.03 and not terms.trial_lapses
        then terms.paid_from + (least(life.ends_at, p.end_at) - terms.paid_from) * 0.18
    end as resumed_at,
    life.ends_at - interval '1 day' * floor(20 * pg_temp.unit(p.seed, 343, s.number)) as notice_at
from pg_temp.plan as p
cross join starts as s
cross join lateral pg_temp.drawn_terms(p.seed, s.number, s.started_at) as terms
cross join lateral (
    select case
        when pg_temp.unit(p.seed, 344, s.customer_number) < p.foreign_share
            then p.foreign_currencies[pg_temp.pick(
                pg_temp.unit(p.seed, 345, s.customer_number), cardinality(p.foreign_currencies)
            )::integer]
        else p.currency
    end as currency
) as money
cross join lateral (
    select case
        when terms.trial_lapses then terms.trial_end
        else pg_temp.service_end(p.seed, s.number, terms.paid_from, terms.billing_interval)
    end as ends_at
) as life
cross join lateral (
    select
        case
            when pg_temp.unit(p.seed, 346, s.number) < 0.2 and terms.plan = 'basic' then 'plus'
            when pg_temp.unit(p.seed, 346, s.number) < 0.1 and terms.plan = 'plus' then 'basic'
            else terms.plan
        end as plan,
        case
            when pg_temp.unit(p.seed, 347, s.number) < 0.25 then greatest(1, terms.quantity - 1)
            else terms.quantity + pg_temp.pick(pg_temp.unit(p.seed, 348, s.number), 3)
        end as quantity
) as change
where s.started_at < p.end_at;

create temporary table billing_terms on commit drop as
select
    tenant_id,
    seed,
    end_at,
    number,
    subscription_id,
    customer_id,
    currency,
    unit_amount * quantity as amount,
    changed_at,
    changed_unit_amount * changed_quantity as changed_amount,
    billing_interval,
    paid_from as billed_from,
    least(ends_at, end_at) as billed_until,
    paused_at,
    resumed_at
from subscription_lives
where not trial_lapses;
