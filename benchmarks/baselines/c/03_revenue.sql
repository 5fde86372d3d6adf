-- Baseline (c): subscriptions over time, the MRR ledger, months, plans, billing. Foreign currencies at the rate of the
-- day on which a state began.

create table subscription_states as
with changes as (
    select
        s.tenant_id, s.subscription_id, s.customer_id, s.started_at, s.billing_interval, s.interval_count, s.currency,
        coalesce(s.forever_discount_percent, 0) as discount, s.trial_end, s.canceled_at,
        coalesce(s.ended_at, case when s.cancel_at < t.as_of then s.cancel_at end,
            case when s.status = 'canceled' then s.canceled_at end) as ended_at,
        case when c.change_id is null or row_number() over w = 1 then s.started_at else c.changed_at end as valid_from,
        coalesce(c.plan, case when c.change_id is null then s.plan end) as plan,
        coalesce(c.status, case when c.change_id is null then s.status end) as status,
        coalesce(c.quantity, case when c.change_id is null then s.quantity end) as quantity,
        coalesce(c.unit_amount, case when c.change_id is null then s.unit_amount end) as unit_amount
    from raw.subscriptions as s
    join tenants as t on t.tenant_id = s.tenant_id and s.started_at < t.as_of
    left join raw.subscription_changes as c
        on c.tenant_id = s.tenant_id and c.subscription_id = s.subscription_id and c.changed_at < t.as_of
        and c.deleted_at is null
    where s.deleted_at is null and s.status not in ('incomplete', 'incomplete_expired')
    window w as (partition by s.tenant_id, s.subscription_id order by c.changed_at, c.loaded_at)
),

numbered as (
    select
        *, count(plan) over w as plan_no, count(status) over w as status_no, count(quantity) over w as quantity_no,
        count(unit_amount) over w as amount_no
    from changes
    window w as (partition by tenant_id, subscription_id order by valid_from)
),

filled as (
    select
        tenant_id, subscription_id, customer_id, started_at, canceled_at, currency,
        max(plan) over (partition by tenant_id, subscription_id, plan_no) as plan,
        max(status) over (partition by tenant_id, subscription_id, status_no) as status,
        max(quantity) over (partition by tenant_id, subscription_id, quantity_no)
        * max(unit_amount) over (partition by tenant_id, subscription_id, amount_no) * (1 - discount / 100)
        * case billing_interval
            when 'day' then 365.0 / 12 when 'week' then 52.0 / 12 when 'month' then 1 else 1.0 / 12
        end / interval_count as amount,
        valid_from,
        least(lead(valid_from, 1, 'infinity') over (partition by tenant_id, subscription_id order by valid_from),
            coalesce(ended_at, 'infinity')) as valid_to
    from numbered
)

select
    f.tenant_id, f.subscription_id, f.customer_id, f.plan, f.status, f.valid_from, f.valid_to, f.started_at, f.canceled_at,
    (f.valid_from at time zone t.timezone)::date as day_from,
    case when isfinite(f.valid_to) then (f.valid_to at time zone t.timezone)::date end as day_to,
    case when f.status in ('active', 'past_due') then f.amount * coalesce(r.rate, 1) else 0 end as mrr,
    case when f.status = 'trialing' then f.amount * coalesce(r.rate, 1) else 0 end as trial_mrr
from filled as f
join tenants as t on t.tenant_id = f.tenant_id
left join lateral (
    select own.units_per_eur / theirs.units_per_eur as rate
    from raw.exchange_rates as own
    join raw.exchange_rates as theirs on theirs.rate_date = own.rate_date and theirs.currency = f.currency
    where own.currency = t.currency and own.rate_date <= (f.valid_from at time zone t.timezone)::date
    order by own.rate_date desc
    limit 1
) as r on f.currency <> t.currency
where f.valid_from < f.valid_to;
alter table subscription_states add primary key (tenant_id, subscription_id, valid_from);
analyze subscription_states;

create table customer_moves as
with steps as (
    select tenant_id, customer_id, valid_from as moved_at, mrr as step, status = 'paused' as into_pause, false as out_of_pause,
        plan, subscription_id
    from subscription_states
    union all
    select s.tenant_id, s.customer_id, s.valid_to, -s.mrr, false, s.status = 'paused', s.plan, s.subscription_id
    from subscription_states as s
    join tenants as t on t.tenant_id = s.tenant_id and s.valid_to < t.as_of
),

netted as (
    select tenant_id, customer_id, moved_at, sum(step) as step, bool_or(into_pause) as into_pause,
        bool_or(out_of_pause) as out_of_pause, min(plan) as plan, min(subscription_id) as subscription_id
    from steps
    group by 1, 2, 3
)

select
    *, sum(step) over w - step as mrr_before, sum(step) over w as mrr_after,
    bool_or(step > 0) over (w rows between unbounded preceding and 1 preceding) as paid_before
from netted
window w as (partition by tenant_id, customer_id order by moved_at);

create table mrr_movements as
select
    m.tenant_id, m.customer_id, m.moved_at,
    case
        when m.into_pause and m.step < 0 then 'paused'
        when m.out_of_pause and m.step > 0 then 'resumed'
        when m.mrr_before = 0 then case when m.paid_before then 'reactivation' else 'new' end
        when m.mrr_after = 0 then 'churn'
        when m.step > 0 then 'expansion'
        else 'contraction'
    end as movement,
    (m.moved_at at time zone t.timezone)::date as movement_date, abs(m.step) as amount, m.mrr_before, m.mrr_after,
    t.currency, m.plan, m.subscription_id,
    m.mrr_after = 0 and date_trunc('month', m.moved_at at time zone t.timezone) = date_trunc('month', lag(m.moved_at) over (
        partition by m.tenant_id, m.customer_id order by m.moved_at
    ) at time zone t.timezone) as intra_period
from customer_moves as m
join tenants as t on t.tenant_id = m.tenant_id
where m.step <> 0;
alter table mrr_movements add primary key (tenant_id, customer_id, moved_at, movement);
analyze mrr_movements;

-- Stocks by day as running sums of what begins and ends.
create table revenue_daily as
with steps as (
    select tenant_id, movement_date as day, sum(mrr_after - mrr_before) as mrr,
        count(*) filter (where mrr_before = 0 and mrr_after > 0) - count(*) filter (where mrr_before > 0 and mrr_after = 0)
            as customers,
        count(*) filter (where movement = 'new') as new_customers, count(*) filter (where movement = 'churn') as churned_customers,
        count(*) filter (where movement = 'reactivation') as reactivated_customers,
        0::numeric as trial_mrr, 0::bigint as active, 0::bigint as trialing, 0::bigint as past_due, 0::bigint as canceled,
        0::numeric as known_to_end
    from mrr_movements
    group by 1, 2
    union all
    select tenant_id, e.day, 0, 0, 0, 0, 0, sum(e.sign * trial_mrr), sum(e.sign) filter (where status = 'active'),
        sum(e.sign) filter (where status = 'trialing'), sum(e.sign) filter (where status = 'past_due'),
        count(*) filter (where e.is_end and e.is_last), 0
    from (
        select *, lead(valid_from) over (partition by tenant_id, subscription_id order by valid_from) is null as last_state
        from subscription_states
    ) as s
    cross join lateral (values (s.day_from, 1, false, false), (s.day_to, -1, true, s.last_state)) as e (day, sign, is_end, is_last)
    where e.day is not null
    group by 1, 2
    union all
    select tenant_id, e.day, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, sum(e.sign * s.mrr)
    from subscription_states as s
    cross join lateral (
        values (greatest(s.day_from, (s.canceled_at at time zone 'UTC')::date), 1), (s.day_to, -1)
    ) as e (day, sign)
    where s.canceled_at is not null and e.day is not null
    group by 1, 2
),

days as (
    select f.tenant_id, d::date as day
    from (select tenant_id, min(day) as first_day from steps group by 1) as f
    join tenants as t on t.tenant_id = f.tenant_id
    cross join generate_series(f.first_day::timestamp, t.as_of_date::timestamp, interval '1 day') as d
),

summed as (
    select tenant_id, day, sum(mrr) as mrr, sum(customers) as customers, sum(new_customers) as new_customers,
        sum(churned_customers) as churned_customers, sum(reactivated_customers) as reactivated_customers,
        sum(trial_mrr) as trial_mrr, sum(active) as active, sum(trialing) as trialing, sum(past_due) as past_due,
        sum(canceled) as canceled, sum(known_to_end) as known_to_end
    from steps
    group by 1, 2
)

select
    tenant_id, day, sum(coalesce(mrr, 0)) over w as mrr, sum(coalesce(trial_mrr, 0)) over w as trial_mrr,
    sum(coalesce(mrr, 0) - coalesce(known_to_end, 0)) over w as committed_mrr,
    sum(coalesce(customers, 0)) over w as total_customers,
    sum(coalesce(customers, 0)) over w - coalesce(customers, 0) as starting_customers,
    coalesce(new_customers, 0) as new_customers, coalesce(churned_customers, 0) as churned_customers,
    coalesce(reactivated_customers, 0) as reactivated_customers, sum(coalesce(active, 0)) over w as active_subscriptions,
    sum(coalesce(trialing, 0)) over w as trialing_subscriptions, sum(coalesce(past_due, 0)) over w as past_due_subscriptions,
    coalesce(canceled, 0) as canceled_subscriptions
from days
left join summed using (tenant_id, day)
window w as (partition by tenant_id order by day);
alter table revenue_daily add primary key (tenant_id, day);

create table billing_daily as
with steps as (
    select i.tenant_id, e.day, sum(e.sign) as invoices, sum(e.sign * i.amount_due) as amount
    from raw.invoices as i
    join tenants as t on t.tenant_id = i.tenant_id and i.issued_at < t.as_of
    cross join lateral (
        values ((i.issued_at at time zone t.timezone)::date, 1), ((i.paid_at at time zone t.timezone)::date, -1)
    ) as e (day, sign)
    where i.deleted_at is null and i.status in ('open', 'paid') and e.day is not null
    group by 1, 2
),

paid as (
    select p.tenant_id, (p.attempted_at at time zone t.timezone)::date as day,
        count(*) filter (where p.status = 'failed') as failed_payments,
        count(*) filter (where p.status = 'succeeded' and exists (
            select from raw.payments as f where f.tenant_id = p.tenant_id and f.invoice_id = p.invoice_id
            and f.status = 'failed' and f.attempted_at < p.attempted_at
        )) as recovered_payments
    from raw.payments as p
    join tenants as t on t.tenant_id = p.tenant_id and p.attempted_at < t.as_of
    where p.deleted_at is null
    group by 1, 2
),

spent as (
    select tenant_id, spend_date as day, sum(amount) as marketing_spend
    from raw.marketing_spend
    where deleted_at is null
    group by 1, 2
)

select
    d.tenant_id, d.day, sum(coalesce(s.invoices, 0)) over w as outstanding_invoices,
    sum(coalesce(s.amount, 0)) over w as outstanding_invoice_amount, coalesce(p.failed_payments, 0) as failed_payments,
    coalesce(p.recovered_payments, 0) as recovered_payments, coalesce(m.marketing_spend, 0) as marketing_spend
from revenue_daily as d
left join steps as s on s.tenant_id = d.tenant_id and s.day = d.day
left join paid as p on p.tenant_id = d.tenant_id and p.day = d.day
left join spent as m on m.tenant_id = d.tenant_id and m.day = d.day
window w as (partition by d.tenant_id order by d.day);
alter table billing_daily add primary key (tenant_id, day);

create table months as
select d.tenant_id, d.month, (d.month + interval '1 month')::date - 1 <= t.complete_date as is_complete,
    least((d.month + interval '1 month')::date - 1, t.as_of_date) as last_day
from (select distinct tenant_id, date_trunc('month', day)::date as month from revenue_daily) as d
join tenants as t on t.tenant_id = d.tenant_id;

-- What each paying customer paid at the start and the end of each month.
create table customer_months as
select m.tenant_id, m.month, l.customer_id, l.starting, l.ending
from months as m
cross join lateral (
    select
        s.customer_id, sum(s.mrr) filter (where s.day_from < m.month) as starting,
        sum(s.mrr) filter (where s.day_to > m.last_day or s.day_to is null) as ending
    from subscription_states as s
    where s.tenant_id = m.tenant_id and s.mrr > 0 and s.day_from <= m.last_day and (s.day_to > m.last_day or s.day_to is null
        or (s.day_from < m.month and s.day_to >= m.month))
    group by 1
) as l;

create table revenue_metrics as
with moved as (
    select tenant_id, date_trunc('month', movement_date)::date as month,
        sum(amount) filter (where movement = 'new') as new_mrr, sum(amount) filter (where movement = 'expansion') as expansion_mrr,
        sum(amount) filter (where movement = 'contraction') as contraction_mrr,
        sum(amount) filter (where movement = 'churn') as churned_mrr,
        sum(amount) filter (where movement = 'reactivation') as reactivation_mrr,
        sum(amount) filter (where movement = 'paused') as paused_mrr, sum(amount) filter (where movement = 'resumed') as resumed_mrr
    from mrr_movements
    group by 1, 2
),

kept as (
    select tenant_id, month, sum(starting) as starting, sum(least(coalesce(ending, 0), starting)) as kept,
        sum(coalesce(ending, 0)) filter (where starting > 0) as ending_of_starting,
        count(*) filter (where starting > 0) as starting_customers
    from customer_months
    group by 1, 2
),

flows as (
    select r.tenant_id, date_trunc('month', r.day)::date as month, sum(r.new_customers) as new_customers,
        sum(r.churned_customers) as churned_customers, sum(r.reactivated_customers) as reactivated_customers,
        sum(r.canceled_subscriptions) as canceled_subscriptions, sum(b.failed_payments) as failed_payments,
        sum(b.recovered_payments) as recovered_payments, sum(b.marketing_spend) as marketing_spend
    from revenue_daily as r
    join billing_daily as b on b.tenant_id = r.tenant_id and b.day = r.day
    group by 1, 2
),

started as (
    select s.tenant_id, date_trunc('month', s.started_at at time zone t.timezone)::date as month, count(*) as new_subscriptions,
        count(*) filter (where s.canceled_at is not null) as cancellations_requested
    from raw.subscriptions as s
    join tenants as t on t.tenant_id = s.tenant_id and s.started_at < t.as_of
    where s.deleted_at is null
    group by 1, 2
)

select
    m.tenant_id, m.month, m.is_complete, coalesce(k.starting, 0) as starting_mrr, coalesce(v.new_mrr, 0) as new_mrr,
    coalesce(v.expansion_mrr, 0) as expansion_mrr, coalesce(v.contraction_mrr, 0) as contraction_mrr,
    coalesce(v.churned_mrr, 0) as churned_mrr, coalesce(v.reactivation_mrr, 0) as reactivation_mrr,
    coalesce(v.paused_mrr, 0) as paused_mrr, coalesce(v.resumed_mrr, 0) as resumed_mrr, 0::numeric as fx_impact_mrr,
    e.mrr as ending_mrr, e.mrr, 12 * e.mrr as arr,
    (e.mrr - k.starting) / nullif(k.starting, 0) as mrr_growth_rate, k.ending_of_starting / nullif(k.starting, 0) as nrr,
    k.kept / nullif(k.starting, 0) as grr,
    (coalesce(v.churned_mrr, 0) + coalesce(v.contraction_mrr, 0)) / nullif(k.starting, 0) as gross_mrr_churn_rate,
    (coalesce(v.churned_mrr, 0) + coalesce(v.contraction_mrr, 0) - coalesce(v.expansion_mrr, 0)
        - coalesce(v.reactivation_mrr, 0)) / nullif(k.starting, 0) as net_mrr_churn_rate,
    f.churned_customers::numeric / nullif(k.starting_customers, 0) as customer_churn_rate,
    v.churned_mrr / nullif(k.starting, 0) as revenue_churn_rate, k.starting_customers, e.total_customers as paying_customers,
    f.new_customers, f.churned_customers, f.reactivated_customers, coalesce(s.new_subscriptions, 0) as new_subscriptions,
    coalesce(s.cancellations_requested, 0) as cancellations_requested, f.canceled_subscriptions,
    e.mrr / nullif(e.total_customers, 0) as arpa,
    e.mrr / nullif(e.total_customers, 0) / nullif(f.churned_customers::numeric / nullif(k.starting_customers, 0), 0) as ltv,
    f.marketing_spend, f.marketing_spend / nullif(f.new_customers, 0) as cac,
    (coalesce(v.new_mrr, 0) + coalesce(v.reactivation_mrr, 0) + coalesce(v.expansion_mrr, 0) + coalesce(v.resumed_mrr, 0))
    / nullif(coalesce(v.contraction_mrr, 0) + coalesce(v.churned_mrr, 0) + coalesce(v.paused_mrr, 0), 0) as quick_ratio,
    e.trial_mrr, e.committed_mrr, e.active_subscriptions, e.trialing_subscriptions, e.past_due_subscriptions,
    f.failed_payments, f.recovered_payments, b.outstanding_invoices, b.outstanding_invoice_amount, i.cash_balance,
    i.monthly_burn, i.cash_balance / nullif(greatest(i.monthly_burn, 0), 0) as runway_months
from months as m
join revenue_daily as e on e.tenant_id = m.tenant_id and e.day = m.last_day
join billing_daily as b on b.tenant_id = m.tenant_id and b.day = m.last_day
left join moved as v on v.tenant_id = m.tenant_id and v.month = m.month
left join kept as k on k.tenant_id = m.tenant_id and k.month = m.month
left join flows as f on f.tenant_id = m.tenant_id and f.month = m.month
left join started as s on s.tenant_id = m.tenant_id and s.month = m.month
left join raw.finance_inputs as i on i.tenant_id = m.tenant_id and i.month = m.month and i.deleted_at is null;
alter table revenue_metrics add primary key (tenant_id, month);

create table revenue_by_plan as
with stock as (
    select m.tenant_id, m.month, s.plan, sum(s.mrr) as mrr, count(distinct s.customer_id) filter (where s.mrr > 0) as paying_customers,
        count(*) filter (where s.status = 'active') as active_subscriptions
    from months as m
    join subscription_states as s
        on s.tenant_id = m.tenant_id and s.day_from <= m.last_day and (s.day_to > m.last_day or s.day_to is null)
    group by 1, 2, 3
),

flow as (
    select tenant_id, date_trunc('month', movement_date)::date as month, plan,
        sum(amount) filter (where movement = 'new') as new_mrr, sum(amount) filter (where movement = 'expansion') as expansion_mrr,
        sum(amount) filter (where movement = 'contraction') as contraction_mrr,
        sum(amount) filter (where movement = 'churn') as churned_mrr,
        sum(amount) filter (where movement = 'reactivation') as reactivation_mrr,
        sum(amount) filter (where movement = 'paused') as paused_mrr, sum(amount) filter (where movement = 'resumed') as resumed_mrr
    from mrr_movements
    group by 1, 2, 3
)

select
    tenant_id, month, coalesce(plan, '(none)') as plan,
    lag(mrr) over (partition by tenant_id, plan order by month) as starting_mrr, new_mrr, expansion_mrr, contraction_mrr,
    churned_mrr, reactivation_mrr, paused_mrr, resumed_mrr, mrr as ending_mrr, mrr, paying_customers, active_subscriptions
from stock
full join flow using (tenant_id, month, plan);
alter table revenue_by_plan add primary key (tenant_id, month, plan);

create table billing_monthly as
with money as (
    select i.tenant_id, date_trunc('month', i.issued_at at time zone t.timezone)::date as month, i.currency,
        sum(i.amount_due) as invoiced, sum(i.tax) as tax, 0::numeric as collected, 0::numeric as refunded
    from raw.invoices as i
    join tenants as t on t.tenant_id = i.tenant_id and i.issued_at < t.as_of
    where i.deleted_at is null and i.status not in ('draft', 'void')
    group by 1, 2, 3
    union all
    select p.tenant_id, date_trunc('month', p.attempted_at at time zone t.timezone)::date, p.currency, 0, 0,
        sum(p.amount) filter (where p.status <> 'failed'), sum(p.refunded_amount)
    from raw.payments as p
    join tenants as t on t.tenant_id = p.tenant_id and p.attempted_at < t.as_of
    where p.deleted_at is null
    group by 1, 2, 3
),

ages as (
    select m.tenant_id, m.month, i.currency, sum(i.amount_due) as outstanding,
        sum(i.amount_due) filter (where a.age <= 30) as outstanding_0_to_30_days,
        sum(i.amount_due) filter (where a.age between 31 and 60) as outstanding_31_to_60_days,
        sum(i.amount_due) filter (where a.age between 61 and 90) as outstanding_61_to_90_days,
        sum(i.amount_due) filter (where a.age > 90) as outstanding_over_90_days
    from months as m
    join tenants as t on t.tenant_id = m.tenant_id
    join raw.invoices as i
        on i.tenant_id = m.tenant_id and (i.issued_at at time zone t.timezone)::date <= m.last_day
        and (i.paid_at is null or (i.paid_at at time zone t.timezone)::date > m.last_day) and i.status in ('open', 'paid')
        and i.deleted_at is null
    cross join lateral (values (m.last_day - (coalesce(i.due_at, i.issued_at) at time zone t.timezone)::date)) as a (age)
    group by 1, 2, 3
)

select tenant_id, month, currency, sum(invoiced) as invoiced, sum(collected) as collected, sum(tax) as tax,
    sum(refunded) as refunded, max(outstanding) as outstanding, max(outstanding_0_to_30_days) as outstanding_0_to_30_days,
    max(outstanding_31_to_60_days) as outstanding_31_to_60_days, max(outstanding_61_to_90_days) as outstanding_61_to_90_days,
    max(outstanding_over_90_days) as outstanding_over_90_days
from money
full join ages using (tenant_id, month, currency)
group by 1, 2, 3;
alter table billing_monthly add primary key (tenant_id, month, currency);

create table customer_funnel as
with accounts as (
    select tenant_id, coalesce(customer_id, 'user ' || user_id) as account, min(signed_up) as signed_up, min(activated) as activated
    from user_activation
    group by 1, 2
),

subscribed as (
    select tenant_id, customer_id as account, min(day_from) filter (where status = 'trialing') as trial,
        min(day_from) filter (where mrr > 0) as paying
    from subscription_states
    group by 1, 2
)

select
    a.tenant_id, date_trunc('month', a.signed_up)::date as cohort_month, count(*) as signed_up, count(a.activated) as activated,
    count(s.trial) as trial, count(s.paying) as paying, count(s.trial) filter (where a.activated is not null) as activated_with_trial,
    count(s.paying) filter (where s.trial is not null) as trial_with_paying,
    count(a.activated)::numeric / count(*) as activation_rate, count(s.trial)::numeric / count(*) as trial_rate,
    count(s.paying)::numeric / count(*) as paying_rate,
    percentile_cont(0.5) within group (order by a.activated - a.signed_up) as median_days_to_activation,
    percentile_cont(0.5) within group (order by s.trial - a.signed_up) as median_days_to_trial,
    percentile_cont(0.5) within group (order by s.paying - a.signed_up) as median_days_to_paying,
    percentile_cont(0.5) within group (order by s.trial - a.activated) as median_days_activation_to_trial,
    percentile_cont(0.5) within group (order by s.paying - s.trial) as median_days_trial_to_paying
from accounts as a
left join subscribed as s on s.tenant_id = a.tenant_id and s.account = a.account
group by 1, 2;
alter table customer_funnel add primary key (tenant_id, cohort_month);
