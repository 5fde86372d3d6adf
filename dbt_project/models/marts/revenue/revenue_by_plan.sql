{%- set movements = [
    'new_mrr', 'expansion_mrr', 'contraction_mrr', 'churned_mrr', 'reactivation_mrr', 'paused_mrr', 'resumed_mrr',
    'fx_impact_mrr', 'transferred_in_mrr', 'transferred_out_mrr',
] %}
{%- set scope = {
    'models': ['int_revenue__plan_months'], 'domains': ['revenue_days'], 'grain': 'month', 'later': true,
} %}
{{ config(
    unique_key=['tenant_id', 'month', 'plan'],
    meta={'dirty': {'spans': scope, 'column': 'month'}},
) }}

with tenants as materialized (
    select
        tenants.tenant_id,
        tenants.as_of_date,
        tenants.complete_date
        {%- if is_incremental() %},
            spans.date_from as first_changed
        {%- endif %}
    from {{ ref('stg_platform__tenants') }} as tenants
    {% if is_incremental() %}
        inner join {{ spans_of(**scope) }} as spans on tenants.tenant_id = spans.tenant_id
    {% endif %}
),

plan_months as materialized (
    select
        months.tenant_id,
        months.month,
        months.plan,
        months.mrr,
        months.unknown,
        months.unknown_begun + months.unknown_movements as unknown_moves,
        months.paying_customers,
        months.active_subscriptions,
        {%- for movement in movements %}
            months.{{ movement }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ ref('int_revenue__plan_months') }} as months
    inner join tenants on months.tenant_id = tenants.tenant_id
),

spine as (
    select
        plans.tenant_id,
        plans.plan,
        months.month::date as month,
        (months.month + interval '1 month')::date - 1 <= tenants.complete_date as is_complete
    from (
        select
            tenant_id,
            plan,
            min(month) as first_month
        from plan_months
        group by tenant_id, plan
    ) as plans
    inner join tenants on plans.tenant_id = tenants.tenant_id
    cross join lateral generate_series(
        plans.first_month::timestamp, {{ month_of('tenants.as_of_date') }}::timestamp, interval '1 month'
    ) as months (month)
),

running as (
    select
        spine.tenant_id,
        spine.month,
        spine.plan,
        spine.is_complete,
        sum(coalesce(plan_months.mrr, 0)) over months_so_far as mrr,
        sum(coalesce(plan_months.mrr, 0)) over months_so_far - coalesce(plan_months.mrr, 0) as starting_mrr,
        sum(coalesce(plan_months.unknown, 0)) over months_so_far as unknown,
        sum(coalesce(plan_months.unknown, 0)) over months_so_far - coalesce(plan_months.unknown, 0)
            as starting_unknown,
        coalesce(plan_months.unknown_moves, 0) as unknown_moves,
        (sum(coalesce(plan_months.paying_customers, 0)) over months_so_far)::bigint as paying_customers,
        (sum(coalesce(plan_months.active_subscriptions, 0)) over months_so_far)::bigint as active_subscriptions,
        {%- for movement in movements %}
            coalesce(plan_months.{{ movement }}, 0) as {{ movement }}{{ ',' if not loop.last }}
        {%- endfor %}
    from spine
    left join plan_months
        on
            spine.tenant_id = plan_months.tenant_id
            and spine.plan = plan_months.plan
            and spine.month = plan_months.month
    window months_so_far as (partition by spine.tenant_id, spine.plan order by spine.month)
)

select
    running.tenant_id,
    running.month,
    running.plan,
    running.is_complete,
    case when running.starting_unknown = 0 then trim_scale(running.starting_mrr) end as starting_mrr,
    {%- for movement in movements %}
        case
            when running.starting_unknown = 0 and running.unknown_moves = 0 then trim_scale(running.{{ movement }})
        end as {{ movement }},
    {%- endfor %}
    case when running.unknown = 0 then trim_scale(running.mrr) end as ending_mrr,
    case when running.unknown = 0 then trim_scale(running.mrr) end as mrr,
    running.paying_customers,
    running.active_subscriptions
from running
{% if is_incremental() -%}
    inner join tenants on running.tenant_id = tenants.tenant_id
    where running.month >= tenants.first_changed
{% endif %}
