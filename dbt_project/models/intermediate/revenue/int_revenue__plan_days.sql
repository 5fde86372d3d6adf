{#- What comes from the periods, and what comes from the ledger. -#}
{%- set of_subscriptions = [
    'mrr', 'trial_mrr', 'committed_mrr', 'unknown', 'unknown_trials', 'active_subscriptions',
    'past_due_subscriptions', 'trialing_subscriptions', 'new_subscriptions', 'canceled_subscriptions',
    'churned_subscriptions', 'unknown_begun',
] %}
{%- set of_movements = [
    'paying_customers', 'unknown_movements', 'new_mrr', 'expansion_mrr', 'contraction_mrr', 'churned_mrr',
    'reactivation_mrr', 'paused_mrr', 'resumed_mrr', 'fx_impact_mrr', 'transferred_in_mrr', 'transferred_out_mrr',
] %}
{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'metric_date', 'plan'],
    on_schema_change='fail',
    contract={'enforced': true},
    meta={'dirty': {'tenant': ['revenue', 'clock'], 'column': 'metric_date'}},
) }}

with tenants as materialized (
    select
        tenants.tenant_id,
        tenants.timezone,
        tenants.as_of
    from {{ ref('stg_platform__tenants') }} as tenants
    {% if is_incremental() %}
        inner join {{ dirty_tenants(['revenue', 'clock']) }} as dirty on tenants.tenant_id = dirty.tenant_id
    {% endif %}
),

periods as (
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

subscription_days as (
    select
        periods.tenant_id,
        steps.metric_date,
        periods.plan,
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
        ) as churned_subscriptions,
        sum((steps.direction > 0 and periods.mrr is null)::integer) as unknown_begun
    from periods
    cross join lateral (values (periods.first_date, 1), (periods.end_date, -1)) as steps (metric_date, direction)
    where steps.metric_date is not null
    group by periods.tenant_id, steps.metric_date, periods.plan
),

movement_days as (
    select
        movements.tenant_id,
        movements.movement_date as metric_date,
        movements.plan,
        sum(movements.customers) as paying_customers,
        count(*) filter (where movements.is_unknown) as unknown_movements,
        {%- for column in of_movements[2:] %}
            sum(movements.{{ column }}) as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('int_revenue__plan_movements') }} as movements
    inner join tenants on movements.tenant_id = tenants.tenant_id
    group by movements.tenant_id, movements.movement_date, movements.plan
),

parts as (
    select
        tenant_id,
        metric_date,
        plan,
        {%- for column in of_subscriptions %}
            {{ column }},
        {%- endfor %}
        {%- for column in of_movements %}
            0 as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from subscription_days
    union all
    select
        tenant_id,
        metric_date,
        plan,
        {%- for column in of_subscriptions %}
            0 as {{ column }},
        {%- endfor %}
        {%- for column in of_movements %}
            {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from movement_days
)

select
    tenant_id,
    metric_date,
    plan
    {%- for column in of_subscriptions + of_movements %},
        {{ 'trim_scale(sum(' ~ column ~ '))' if 'mrr' in column else 'sum(' ~ column ~ ')::bigint' }} as {{ column }}
    {%- endfor %}
from parts
group by tenant_id, metric_date, plan
