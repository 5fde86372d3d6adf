{{ config(
    unique_key=['tenant_id', 'customer_id', 'moved_at', 'movement'],
    indexes=[{'columns': ['tenant_id', 'movement_date']}],
    meta={'dirty': {'entity': 'customer', 'column': 'customer_id', 'log': ['movement_date']}},
) }}

with periods as materialized (
    select
        periods.tenant_id,
        periods.customer_id,
        periods.subscription_id,
        periods.plan,
        periods.status,
        periods.valid_from,
        periods.valid_to,
        periods.mrr,
        periods.fx_impact,
        tenants.as_of,
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

boundaries as (
    select
        periods.tenant_id,
        periods.customer_id,
        periods.subscription_id,
        periods.plan,
        periods.valid_from as moved_at,
        periods.previous_mrr as mrr_before,
        periods.mrr as mrr_after,
        periods.fx_impact,
        periods.status = 'paused' as is_pause,
        periods.is_resumption
    from periods
    where periods.valid_from < periods.as_of
    union all
    select
        periods.tenant_id,
        periods.customer_id,
        periods.subscription_id,
        periods.plan,
        periods.valid_to as moved_at,
        periods.mrr as mrr_before,
        0 as mrr_after,
        0 as fx_impact,
        false as is_pause,
        false as is_resumption
    from periods
    where periods.is_last and periods.valid_to < periods.as_of
),

-- One subscription's step, parted: fx_impact, paused and resumed are told apart, the rest is netted.
parts as (
    select
        boundaries.tenant_id,
        boundaries.customer_id,
        boundaries.subscription_id,
        boundaries.plan,
        boundaries.moved_at,
        coalesce(boundaries.mrr_after, 0) - coalesce(boundaries.mrr_before, 0) as change,
        (boundaries.mrr_after is null)::integer - (boundaries.mrr_before is null)::integer as unknown_change,
        boundaries.fx_impact as fx,
        case when boundaries.is_pause then coalesce(boundaries.mrr_before, 0) else 0 end as paused,
        case when boundaries.is_resumption then coalesce(boundaries.mrr_after, 0) else 0 end as resumed
    from boundaries
    where boundaries.mrr_before is distinct from boundaries.mrr_after or boundaries.fx_impact <> 0
),

steps as materialized (
    select
        parts.*,
        parts.change - parts.fx + parts.paused - parts.resumed as rest
    from parts
),

customer_steps as (
    select
        steps.tenant_id,
        steps.customer_id,
        steps.moved_at,
        sum(steps.change) as change,
        sum(steps.unknown_change) as unknown_change,
        sum(steps.fx) as fx,
        sum(steps.paused) as paused,
        sum(steps.resumed) as resumed,
        sum(steps.rest) as rest
    from steps
    group by steps.tenant_id, steps.customer_id, steps.moved_at
),

running as (
    select
        customer_steps.*,
        sum(customer_steps.change) over history - customer_steps.change as mrr_before,
        sum(customer_steps.change) over history as mrr_after,
        sum(customer_steps.unknown_change) over history - customer_steps.unknown_change as unknown_before,
        sum(customer_steps.unknown_change) over history as unknown_after
    from customer_steps
    window history as (
        partition by customer_steps.tenant_id, customer_steps.customer_id order by customer_steps.moved_at
    )
),

states as (
    select
        running.*,
        running.mrr_before > 0 or running.unknown_before > 0 as pays_before,
        running.mrr_after > 0 or running.unknown_after > 0 as pays_after,
        running.unknown_before > 0 or running.unknown_after > 0 as is_unknown,
        coalesce(
            bool_or(running.mrr_after > 0 or running.unknown_after > 0) over (
                partition by running.tenant_id, running.customer_id order by running.moved_at
                rows between unbounded preceding and 1 preceding
            ), false
        ) as has_paid
    from running
),

-- The rows of one moment follow each other in this order; mrr_before and mrr_after are chained through them.
-- Without an exchange rate only that a customer began or ceased to pay is known, not by how much.
kinds as materialized (
    select
        states.tenant_id,
        states.customer_id,
        states.moved_at,
        states.is_unknown,
        states.mrr_before,
        kinds.movement,
        kinds.place,
        kinds.signed_amount
    from states
    cross join lateral (
        values
        ('fx_impact', 1, states.fx, states.fx <> 0 and not states.is_unknown),
        ('resumed', 2, states.resumed, states.resumed > 0 and not states.is_unknown),
        (
            case
                when states.pays_before then 'expansion'
                when states.has_paid then 'reactivation'
                else 'new'
            end,
            3,
            states.rest,
            case
                when states.is_unknown then not states.pays_before and states.pays_after
                else states.rest > 0
            end
        ),
        ('contraction', 4, states.rest, states.rest < 0 and states.pays_after and not states.is_unknown),
        ('paused', 5, -states.paused, states.paused > 0 and not states.is_unknown),
        (
            'churn',
            6,
            states.rest,
            case
                when states.is_unknown then states.pays_before and not states.pays_after
                else states.rest < 0 and not states.pays_after
            end
        )
    ) as kinds (movement, place, signed_amount, happened)
    where kinds.happened
),

-- The subscription that moved most names the row.
leading_subscriptions as materialized (
    select distinct on (kinds.tenant_id, kinds.customer_id, kinds.moved_at, kinds.place)
        kinds.tenant_id,
        kinds.customer_id,
        kinds.moved_at,
        kinds.place,
        steps.subscription_id,
        steps.plan
    from kinds
    inner join steps
        on
            kinds.tenant_id = steps.tenant_id
            and kinds.customer_id = steps.customer_id
            and kinds.moved_at = steps.moved_at
    order by
        kinds.tenant_id,
        kinds.customer_id,
        kinds.moved_at,
        kinds.place,
        case kinds.place
            when 1 then abs(steps.fx)
            when 2 then steps.resumed
            when 3 then steps.rest
            when 5 then steps.paused
            else -steps.rest
        end desc,
        steps.subscription_id
),

chained as (
    select
        kinds.tenant_id,
        kinds.customer_id,
        kinds.moved_at,
        (kinds.moved_at at time zone tenants.timezone)::date as movement_date,
        kinds.movement,
        kinds.place,
        case
            when kinds.is_unknown then null
            when kinds.movement = 'fx_impact' then kinds.signed_amount
            else abs(kinds.signed_amount)
        end as amount,
        case
            when not kinds.is_unknown
                then kinds.mrr_before + sum(kinds.signed_amount) over moment - kinds.signed_amount
        end as mrr_before,
        case when not kinds.is_unknown then kinds.mrr_before + sum(kinds.signed_amount) over moment end as mrr_after,
        tenants.currency,
        leading_subscriptions.plan,
        leading_subscriptions.subscription_id,
        kinds.movement in ('new', 'reactivation', 'churn') as is_start_or_end
    from kinds
    inner join {{ ref('stg_platform__tenants') }} as tenants on kinds.tenant_id = tenants.tenant_id
    left join leading_subscriptions
        on
            kinds.tenant_id = leading_subscriptions.tenant_id
            and kinds.customer_id = leading_subscriptions.customer_id
            and kinds.moved_at = leading_subscriptions.moved_at
            and kinds.place = leading_subscriptions.place
    window moment as (partition by kinds.tenant_id, kinds.customer_id, kinds.moved_at order by kinds.place)
)

select
    chained.tenant_id,
    chained.customer_id,
    chained.moved_at,
    chained.movement,
    chained.movement_date,
    trim_scale(chained.amount) as amount,
    trim_scale(chained.mrr_before) as mrr_before,
    trim_scale(chained.mrr_after) as mrr_after,
    chained.currency,
    chained.plan,
    chained.subscription_id,
    chained.is_start_or_end
    and coalesce(
        case
            when chained.movement = 'churn'
                then
                    lag(chained.movement) over starts_and_ends <> 'churn'
                    and {{ month_of('lag(chained.movement_date) over starts_and_ends') }}
                    = {{ month_of('chained.movement_date') }}
            else
                lead(chained.movement) over starts_and_ends = 'churn'
                and {{ month_of('lead(chained.movement_date) over starts_and_ends') }}
                = {{ month_of('chained.movement_date') }}
        end, false
    ) as intra_period
from chained
window starts_and_ends as (
    partition by chained.tenant_id, chained.customer_id, chained.is_start_or_end
    order by chained.moved_at, chained.place
)
