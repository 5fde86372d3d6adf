{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'metric_date'],
    on_schema_change='fail',
    contract={'enforced': true},
    meta={'dirty': {'tenant': ['revenue', 'clock'], 'column': 'metric_date'}},
) }}

with tenants as materialized (
    select
        tenants.tenant_id,
        tenants.timezone,
        tenants.as_of,
        tenants.as_of_date
    from {{ ref('stg_platform__tenants') }} as tenants
    {% if is_incremental() %}
        inner join {{ dirty_tenants(['revenue', 'clock']) }} as dirty on tenants.tenant_id = dirty.tenant_id
    {% endif %}
),

periods as materialized (
    select
        periods.*,
        (periods.valid_from at time zone tenants.timezone)::date as first_date,
        case when periods.valid_to < tenants.as_of then (periods.valid_to at time zone tenants.timezone)::date end
            as end_date
    from tenants
    inner join {{ ref('int_revenue__subscription_periods') }} as periods
        on tenants.tenant_id = periods.tenant_id and periods.valid_from < tenants.as_of
    where periods.status not in ('incomplete', 'incomplete_expired')
),

-- What each day adds to and takes from the stocks at its end.
subscription_steps as materialized (
    select
        periods.tenant_id,
        steps.metric_date,
        sum(steps.direction * coalesce(periods.mrr, 0)) as mrr,
        sum(steps.direction * coalesce(periods.trial_mrr, 0)) as trial_mrr,
        sum(steps.direction * coalesce(periods.committed_mrr, 0)) as committed_mrr,
        sum(steps.direction * (periods.mrr is null)::integer) as unknown,
        sum(steps.direction * (periods.trial_mrr is null)::integer) as unknown_trials,
        sum(steps.direction * (periods.status = 'active')::integer) as active_subscriptions,
        sum(steps.direction * (periods.status = 'past_due')::integer) as past_due_subscriptions,
        sum(steps.direction * (periods.status = 'trialing')::integer) as trialing_subscriptions,
        sum((steps.direction > 0 and periods.begins_service)::integer) as new_subscriptions,
        sum((steps.direction < 0 and periods.ends_service)::integer) as canceled_subscriptions,
        sum(
            (steps.direction < 0 and periods.ends_service and periods.status in ('active', 'past_due'))::integer
        ) as churned_subscriptions
    from periods
    cross join lateral (values (periods.first_date, 1), (periods.end_date, -1)) as steps (metric_date, direction)
    where steps.metric_date is not null
    group by periods.tenant_id, steps.metric_date
),

customer_steps as materialized (
    select
        customer_periods.tenant_id,
        steps.metric_date,
        sum(steps.direction) as customers
    from tenants
    inner join {{ ref('int_revenue__customer_periods') }} as customer_periods
        on tenants.tenant_id = customer_periods.tenant_id and customer_periods.valid_from < tenants.as_of
    cross join lateral (
        values
        ((customer_periods.valid_from at time zone tenants.timezone)::date, 1),
        (
            case
                when customer_periods.valid_to < tenants.as_of
                    then (customer_periods.valid_to at time zone tenants.timezone)::date
            end,
            -1
        )
    ) as steps (metric_date, direction)
    where steps.metric_date is not null
    group by customer_periods.tenant_id, steps.metric_date
),

movements as materialized (
    select
        movements.tenant_id,
        movements.movement_date as metric_date,
        count(*) filter (where movements.movement = 'new') as new_customers,
        count(*) filter (where movements.movement = 'churn') as churned_customers,
        count(*) filter (where movements.movement = 'reactivation') as reactivated_customers
    from {{ ref('mrr_movements') }} as movements
    inner join tenants on movements.tenant_id = tenants.tenant_id
    where movements.movement in ('new', 'churn', 'reactivation')
    group by movements.tenant_id, movements.movement_date
),

-- The wish to cancel, on the day it was known, with the amount it concerns.
cancellations as materialized (
    select
        subscriptions.tenant_id,
        (subscriptions.canceled_at at time zone tenants.timezone)::date as metric_date,
        count(*) as cancellations_requested,
        case when bool_and(periods.mrr is not null) then sum(periods.mrr) end as requested_cancellation_mrr
    from tenants
    inner join {{ ref('stg_revenue__subscriptions') }} as subscriptions
        on tenants.tenant_id = subscriptions.tenant_id and subscriptions.canceled_at < tenants.as_of
    inner join {{ ref('int_revenue__subscription_periods') }} as periods
        on
            subscriptions.tenant_id = periods.tenant_id
            and subscriptions.subscription_id = periods.subscription_id
            and subscriptions.canceled_at > periods.valid_from
            and subscriptions.canceled_at <= periods.valid_to
            and periods.status not in ('incomplete', 'incomplete_expired', 'canceled')
    group by subscriptions.tenant_id, (subscriptions.canceled_at at time zone tenants.timezone)::date
),

first_days as (
    select
        tenant_id,
        min(first_date) as first_date
    from periods
    group by tenant_id
),

spine as (
    select
        first_days.tenant_id,
        days.metric_date::date as metric_date
    from first_days
    inner join tenants on first_days.tenant_id = tenants.tenant_id
    cross join lateral generate_series(
        first_days.first_date::timestamp, tenants.as_of_date::timestamp, interval '1 day'
    ) as days (metric_date)
),

running as (
    select
        spine.tenant_id,
        spine.metric_date,
        sum(coalesce(subscription_steps.mrr, 0)) over days_so_far as mrr,
        sum(coalesce(subscription_steps.trial_mrr, 0)) over days_so_far as trial_mrr,
        sum(coalesce(subscription_steps.committed_mrr, 0)) over days_so_far as committed_mrr,
        sum(coalesce(subscription_steps.unknown, 0)) over days_so_far as unknown,
        sum(coalesce(subscription_steps.unknown_trials, 0)) over days_so_far as unknown_trials,
        (sum(coalesce(subscription_steps.active_subscriptions, 0)) over days_so_far)::bigint as active_subscriptions,
        (sum(coalesce(subscription_steps.past_due_subscriptions, 0)) over days_so_far)::bigint
            as past_due_subscriptions,
        (sum(coalesce(subscription_steps.trialing_subscriptions, 0)) over days_so_far)::bigint
            as trialing_subscriptions,
        (sum(coalesce(customer_steps.customers, 0)) over days_so_far)::bigint as total_customers,
        coalesce(subscription_steps.new_subscriptions, 0) as new_subscriptions,
        coalesce(subscription_steps.canceled_subscriptions, 0) as canceled_subscriptions,
        coalesce(subscription_steps.churned_subscriptions, 0) as churned_subscriptions,
        coalesce(movements.new_customers, 0) as new_customers,
        coalesce(movements.churned_customers, 0) as churned_customers,
        coalesce(movements.reactivated_customers, 0) as reactivated_customers,
        coalesce(cancellations.cancellations_requested, 0) as cancellations_requested,
        case when cancellations.cancellations_requested > 0 then cancellations.requested_cancellation_mrr else 0 end
            as requested_cancellation_mrr
    from spine
    left join subscription_steps
        on spine.tenant_id = subscription_steps.tenant_id and spine.metric_date = subscription_steps.metric_date
    left join customer_steps
        on spine.tenant_id = customer_steps.tenant_id and spine.metric_date = customer_steps.metric_date
    left join movements
        on spine.tenant_id = movements.tenant_id and spine.metric_date = movements.metric_date
    left join cancellations
        on spine.tenant_id = cancellations.tenant_id and spine.metric_date = cancellations.metric_date
    window days_so_far as (partition by spine.tenant_id order by spine.metric_date)
)

select
    running.tenant_id,
    running.metric_date,
    case when running.unknown = 0 then trim_scale(running.mrr) end as mrr,
    case when running.unknown = 0 then trim_scale(12 * running.mrr) end as arr,
    case when running.unknown_trials = 0 then trim_scale(running.trial_mrr) end as trial_mrr,
    case when running.unknown = 0 then trim_scale(running.committed_mrr) end as committed_mrr,
    coalesce(lag(running.total_customers) over days, 0) as starting_customers,
    running.total_customers,
    running.new_customers,
    running.churned_customers,
    running.reactivated_customers,
    running.active_subscriptions,
    running.trialing_subscriptions,
    running.past_due_subscriptions,
    running.new_subscriptions,
    running.canceled_subscriptions,
    running.churned_subscriptions,
    running.cancellations_requested,
    trim_scale(running.requested_cancellation_mrr) as requested_cancellation_mrr,
    trim_scale(
        (sum(running.cancellations_requested) over (days rows between 29 preceding and current row))::numeric
        / nullif(lag(running.active_subscriptions + running.past_due_subscriptions, 30) over days, 0)
    ) as cancellation_rate_30d
from running
window days as (partition by running.tenant_id order by running.metric_date)
