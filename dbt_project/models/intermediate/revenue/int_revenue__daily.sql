{%- set scope = {'models': ['int_revenue__plan_days'], 'domains': ['revenue_days'], 'later': true} %}
{%- set stocks = [
    'mrr', 'trial_mrr', 'committed_mrr', 'unknown', 'unknown_trials', 'active_subscriptions',
    'past_due_subscriptions', 'trialing_subscriptions', 'total_customers',
] %}
{%- set flows = [
    'new_subscriptions', 'canceled_subscriptions', 'churned_subscriptions', 'new_customers', 'churned_customers',
    'reactivated_customers', 'cancellations_requested', 'requested_cancellation_mrr', 'unknown_requested',
] %}
{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'metric_date'],
    on_schema_change='fail',
    contract={'enforced': true},
    meta={'dirty': {'spans': scope, 'column': 'metric_date'}},
) }}

-- From the first changed day on. The sums begin a window of 30 days before it.
with tenants as materialized (
    select
        tenants.tenant_id,
        tenants.as_of_date,
        {% if is_incremental() -%}
            spans.date_from as first_changed,
            greatest(first_days.first_date, spans.date_from - 31) as first_date
        {%- else -%}
            first_days.first_date as first_changed,
            first_days.first_date
        {%- endif %}
    from {{ ref('stg_platform__tenants') }} as tenants
    {% if is_incremental() %}
        inner join {{ spans_of(**scope) }} as spans on tenants.tenant_id = spans.tenant_id
    {% endif %}
    cross join lateral (
        select min(days.metric_date) as first_date
        from {{ ref('int_revenue__plan_days') }} as days
        where days.tenant_id = tenants.tenant_id
    ) as first_days
    where first_days.first_date is not null
),

-- What stands before the first day of the sums: months before its month, then days of its month.
steps as (
    select
        days.tenant_id,
        greatest(days.metric_date, tenants.first_date - 1) as metric_date,
        {%- for stock in stocks %}
            days.{{ stock }},
        {%- endfor %}
        {%- for flow in flows %}
            days.{{ flow }}{{ ',' if not loop.last }}
        {%- endfor %}
    from tenants
    cross join lateral {{ looked_up(
        ref('int_revenue__plan_days'), 'plan_days',
        'plan_days.tenant_id = tenants.tenant_id and plan_days.metric_date >= ' ~ month_of('tenants.first_date')
    ) }} as days
    union all
    select
        months.tenant_id,
        tenants.first_date - 1 as metric_date,
        {%- for stock in stocks %}
            months.{{ stock }},
        {%- endfor %}
        {%- for flow in flows %}
            months.{{ flow }}{{ ',' if not loop.last }}
        {%- endfor %}
    from tenants
    cross join lateral {{ looked_up(
        ref('int_revenue__plan_months'), 'plan_months',
        'plan_months.tenant_id = tenants.tenant_id and plan_months.month < ' ~ month_of('tenants.first_date')
    ) }} as months
    union all
    select
        tenants.tenant_id,
        day.metric_date::date as metric_date,
        {%- for stock in stocks %}
            0 as {{ stock }},
        {%- endfor %}
        {%- for flow in flows %}
            0 as {{ flow }}{{ ',' if not loop.last }}
        {%- endfor %}
    from tenants
    cross join lateral generate_series(
        tenants.first_date::timestamp, tenants.as_of_date::timestamp, interval '1 day'
    ) as day (metric_date)
),

days as (
    select
        steps.tenant_id,
        steps.metric_date,
        {%- for column in stocks + flows %}
            sum(steps.{{ column }}) as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from steps
    group by steps.tenant_id, steps.metric_date
),

running as (
    select
        days.tenant_id,
        days.metric_date,
        {%- for stock in stocks %}
            sum(days.{{ stock }}) over days_so_far as {{ stock }},
        {%- endfor %}
        {%- for flow in flows %}
            days.{{ flow }}{{ ',' if not loop.last }}
        {%- endfor %}
    from days
    window days_so_far as (partition by days.tenant_id order by days.metric_date)
),

results as (
    select
        running.tenant_id,
        running.metric_date,
        case when running.unknown = 0 then trim_scale(running.mrr) end as mrr,
        case when running.unknown = 0 then trim_scale(12 * running.mrr) end as arr,
        case when running.unknown_trials = 0 then trim_scale(running.trial_mrr) end as trial_mrr,
        case when running.unknown = 0 then trim_scale(running.committed_mrr) end as committed_mrr,
        coalesce(lag(running.total_customers) over days, 0)::bigint as starting_customers,
        running.total_customers::bigint as total_customers,
        running.new_customers::bigint as new_customers,
        running.churned_customers::bigint as churned_customers,
        running.reactivated_customers::bigint as reactivated_customers,
        running.active_subscriptions::bigint as active_subscriptions,
        running.trialing_subscriptions::bigint as trialing_subscriptions,
        running.past_due_subscriptions::bigint as past_due_subscriptions,
        running.new_subscriptions::bigint as new_subscriptions,
        running.canceled_subscriptions::bigint as canceled_subscriptions,
        running.churned_subscriptions::bigint as churned_subscriptions,
        running.cancellations_requested::bigint as cancellations_requested,
        case when running.unknown_requested = 0 then trim_scale(running.requested_cancellation_mrr) end
            as requested_cancellation_mrr,
        trim_scale(
            (sum(running.cancellations_requested) over (days rows between 29 preceding and current row))::numeric
            / nullif(lag(running.active_subscriptions + running.past_due_subscriptions, 30) over days, 0)
        ) as cancellation_rate_30d
    from running
    window days as (partition by running.tenant_id order by running.metric_date)
)

select
    results.tenant_id,
    results.metric_date,
    results.mrr,
    results.arr,
    results.trial_mrr,
    results.committed_mrr,
    results.starting_customers,
    results.total_customers,
    results.new_customers,
    results.churned_customers,
    results.reactivated_customers,
    results.active_subscriptions,
    results.trialing_subscriptions,
    results.past_due_subscriptions,
    results.new_subscriptions,
    results.canceled_subscriptions,
    results.churned_subscriptions,
    results.cancellations_requested,
    results.requested_cancellation_mrr,
    results.cancellation_rate_30d
from results
inner join tenants on results.tenant_id = tenants.tenant_id
where results.metric_date >= greatest(tenants.first_date, tenants.first_changed)
