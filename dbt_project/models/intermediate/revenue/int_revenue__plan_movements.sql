{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'customer_id', 'moved_at', 'plan'],
    on_schema_change='fail',
    contract={'enforced': true},
    indexes=[{'columns': ['tenant_id', 'movement_date']}],
    meta={'dirty': {'entity': 'customer', 'column': 'customer_id', 'log': ['movement_date']}},
) }}

with periods as materialized (
    select
        periods.tenant_id,
        periods.customer_id,
        periods.plan,
        periods.status,
        periods.valid_from,
        periods.valid_to,
        periods.mrr,
        periods.fx_impact,
        tenants.timezone,
        tenants.as_of,
        lag(periods.plan) over history as previous_plan,
        lag(periods.mrr, 1, 0::numeric) over history as previous_mrr,
        periods.paid_before and coalesce(lag(periods.status) over history = 'paused', false) as is_resumption,
        lead(periods.valid_from) over history is null as is_last
    from {{ ref('int_revenue__subscription_periods') }} as periods
    inner join {{ ref('stg_platform__tenants') }} as tenants on periods.tenant_id = tenants.tenant_id
    {% if is_incremental() %}
        inner join {{ dirty_entities('customer') }} as dirty
            on periods.tenant_id = dirty.tenant_id and periods.customer_id = dirty.entity_id
    {% endif %}
    where periods.valid_from < periods.valid_to
    window history as (partition by periods.tenant_id, periods.subscription_id order by periods.valid_from)
),

-- Each boundary takes an amount from the plan before it and gives one to the plan after it.
sides as (
    select
        periods.tenant_id,
        periods.customer_id,
        periods.timezone,
        sides.moved_at,
        sides.plan,
        sides.direction * coalesce(sides.mrr, 0) as change,
        sides.direction * (sides.mrr is null)::integer as unknown_change,
        sides.fx,
        sides.paused,
        sides.resumed
    from periods
    cross join lateral (
        values
        (
            periods.valid_from, periods.previous_plan, -1, periods.previous_mrr, periods.fx_impact,
            case when periods.status = 'paused' then coalesce(periods.previous_mrr, 0) else 0 end, 0::numeric
        ),
        (
            periods.valid_from, periods.plan, 1, periods.mrr, 0::numeric,
            0::numeric, case when periods.is_resumption then coalesce(periods.mrr, 0) else 0 end
        ),
        (
            case when periods.is_last then periods.valid_to end, periods.plan, -1, periods.mrr, 0::numeric,
            0::numeric, 0::numeric
        )
    ) as sides (moved_at, plan, direction, mrr, fx, paused, resumed)
    where sides.moved_at < periods.as_of and sides.plan is not null
),

plan_moments as (
    select
        sides.tenant_id,
        sides.customer_id,
        sides.moved_at,
        sides.plan,
        sides.timezone,
        sum(sides.change) as change,
        sum(sides.unknown_change) as unknown_change,
        sum(sides.fx) as fx,
        sum(sides.paused) as paused,
        sum(sides.resumed) as resumed,
        sum(sides.change - sides.fx + sides.paused - sides.resumed) as rest
    from sides
    group by sides.tenant_id, sides.customer_id, sides.moved_at, sides.plan, sides.timezone
    having
        sum(sides.change) <> 0
        or sum(sides.unknown_change) <> 0
        or sum(sides.fx) <> 0
        or sum(sides.paused) <> 0
        or sum(sides.resumed) <> 0
),

running as (
    select
        plan_moments.*,
        sum(plan_moments.change) over customer_so_far as customer_after,
        sum(plan_moments.change) over customer_so_far - sum(plan_moments.change) over moment as customer_before,
        sum(plan_moments.unknown_change) over customer_so_far as unknown_after,
        sum(plan_moments.unknown_change) over customer_so_far - sum(plan_moments.unknown_change) over moment
            as unknown_before,
        sum(plan_moments.change) over plan_so_far as plan_after,
        sum(plan_moments.unknown_change) over plan_so_far as plan_unknown_after,
        sum(greatest(plan_moments.rest, 0)) over moment as gains,
        sum(greatest(-plan_moments.rest, 0)) over moment as losses,
        plan_moments.plan = min(plan_moments.plan) over moment as is_first_plan,
        sum(greatest(plan_moments.rest, 0)) over (
            partition by plan_moments.tenant_id, plan_moments.customer_id, plan_moments.moved_at
            order by plan_moments.rest desc, plan_moments.plan
        ) as gains_so_far,
        sum(greatest(-plan_moments.rest, 0)) over (
            partition by plan_moments.tenant_id, plan_moments.customer_id, plan_moments.moved_at
            order by plan_moments.rest, plan_moments.plan
        ) as losses_so_far
    from plan_moments
    window
        customer_so_far as (
            partition by plan_moments.tenant_id, plan_moments.customer_id order by plan_moments.moved_at
        ),
        moment as (partition by plan_moments.tenant_id, plan_moments.customer_id, plan_moments.moved_at),
        plan_so_far as (
            partition by plan_moments.tenant_id, plan_moments.customer_id, plan_moments.plan
            order by plan_moments.moved_at
        )
),

states as (
    select
        running.*,
        running.customer_before > 0 or running.unknown_before > 0 as pays_before,
        running.customer_after > 0 or running.unknown_after > 0 as pays_after,
        running.unknown_before > 0 or running.unknown_after > 0 as is_unknown,
        running.plan_after > 0 or running.plan_unknown_after > 0 as plan_pays_after,
        running.plan_after - running.change > 0 or running.plan_unknown_after - running.unknown_change > 0
            as plan_pays_before,
        greatest(running.rest, 0) as gain,
        greatest(-running.rest, 0) as loss,
        coalesce(
            bool_or(running.customer_after > 0 or running.unknown_after > 0) over (
                partition by running.tenant_id, running.customer_id order by running.moved_at
                groups between unbounded preceding and 1 preceding
            ), false
        ) as has_paid
    from running
),

-- What one plan loses and another gains at one moment has moved between them, the largest first.
-- That the customer began or ceased to pay stands in one row of the moment.
moved as (
    select
        states.*,
        case when states.is_first_plan then states.pays_after::integer - states.pays_before::integer else 0 end
            as total_customers,
        began.is_beginning and not states.has_paid as is_new,
        began.is_beginning and states.has_paid as is_reactivation,
        states.is_first_plan
        and not states.pays_after
        and case when states.is_unknown then states.pays_before else states.losses > 0 end as is_churn,
        greatest(least(states.gain, states.losses - states.gains_so_far + states.gain), 0) as transferred_in,
        greatest(least(states.loss, states.gains - states.losses_so_far + states.loss), 0) as transferred_out
    from states
    cross join lateral (
        select
            states.is_first_plan
            and not states.pays_before
            and case when states.is_unknown then states.pays_after else states.gains > 0 end as is_beginning
    ) as began
)

select
    moved.tenant_id,
    moved.customer_id,
    moved.moved_at,
    moved.plan,
    (moved.moved_at at time zone moved.timezone)::date as movement_date,
    moved.is_unknown,
    moved.total_customers,
    moved.is_new::integer as new_customers,
    moved.is_churn::integer as churned_customers,
    moved.is_reactivation::integer as reactivated_customers,
    moved.plan_pays_after::integer - moved.plan_pays_before::integer as paying_customers,
    trim_scale(case when not (moved.pays_before or moved.has_paid) then moved.gain else 0 end) as new_mrr,
    trim_scale(case when moved.pays_before then moved.gain - moved.transferred_in else 0 end) as expansion_mrr,
    trim_scale(case when moved.pays_after then moved.loss - moved.transferred_out else 0 end) as contraction_mrr,
    trim_scale(case when not moved.pays_after then moved.loss else 0 end) as churned_mrr,
    trim_scale(case when moved.has_paid and not moved.pays_before then moved.gain else 0 end) as reactivation_mrr,
    trim_scale(moved.paused) as paused_mrr,
    trim_scale(moved.resumed) as resumed_mrr,
    trim_scale(moved.fx) as fx_impact_mrr,
    trim_scale(moved.transferred_in) as transferred_in_mrr,
    trim_scale(moved.transferred_out) as transferred_out_mrr
from moved
