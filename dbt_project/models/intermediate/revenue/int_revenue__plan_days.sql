{%- set scope = {
    'models': ['int_revenue__subscription_periods', 'int_revenue__plan_movements'], 'domains': ['revenue_days'],
} %}
{%- set of_periods = plan_day_columns('periods') %}
{%- set of_movements = plan_day_columns('movements') %}
{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'metric_date', 'plan'],
    on_schema_change='fail',
    contract={'enforced': true},
    meta={'dirty': {'spans': scope, 'column': 'metric_date'}},
) }}

with periods as (
    select
        begun.*,
        begun.valid_from as moment,
        begun.first_date as metric_date,
        1 as direction
    from {{ rows_in_spans(ref('int_revenue__subscription_periods'), scope, 'first_date') }} as begun
    union all
    select
        ended.*,
        ended.valid_to as moment,
        ended.end_date as metric_date,
        -1 as direction
    from {{ rows_in_spans(ref('int_revenue__subscription_periods'), scope, 'end_date') }} as ended
),

subscription_days as (
    select
        periods.tenant_id,
        periods.metric_date,
        periods.plan,
        sum(periods.direction * coalesce(periods.mrr, 0)) as mrr,
        sum(periods.direction * coalesce(periods.trial_mrr, 0)) as trial_mrr,
        sum(periods.direction * coalesce(periods.committed_mrr, 0)) as committed_mrr,
        sum(periods.direction * (periods.mrr is null)::integer) as unknown,
        sum(periods.direction * (periods.trial_mrr is null)::integer) as unknown_trials,
        sum(periods.direction * (periods.status = 'active')::integer) as active_subscriptions,
        sum(periods.direction * (periods.status = 'past_due')::integer) as past_due_subscriptions,
        sum(periods.direction * (periods.status = 'trialing')::integer) as trialing_subscriptions,
        count(*) filter (where periods.direction > 0 and periods.begins_service) as new_subscriptions,
        count(*) filter (where periods.direction < 0 and periods.ends_service) as canceled_subscriptions,
        count(*) filter (
            where periods.direction < 0 and periods.ends_service and periods.status in ('active', 'past_due')
        ) as churned_subscriptions,
        count(*) filter (where periods.direction > 0 and periods.mrr is null) as unknown_begun,
        count(*) filter (where periods.direction < 0 and periods.cancellation_requested) as cancellations_requested,
        coalesce(sum(periods.mrr) filter (where periods.direction < 0 and periods.cancellation_requested), 0)
            as requested_cancellation_mrr,
        count(*) filter (where periods.direction < 0 and periods.cancellation_requested and periods.mrr is null)
            as unknown_requested
    from periods
    inner join {{ ref('stg_platform__tenants') }} as tenants
        on periods.tenant_id = tenants.tenant_id and periods.moment < tenants.as_of
    where periods.status not in ('incomplete', 'incomplete_expired')
    group by periods.tenant_id, periods.metric_date, periods.plan
),

parts as (
    select
        tenant_id,
        metric_date,
        plan,
        {%- for column in of_periods %}
            {{ column }},
        {%- endfor %}
        {%- for column in of_movements %}
            0 as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from subscription_days
    union all
    select
        movements.tenant_id,
        movements.movement_date as metric_date,
        movements.plan,
        {%- for column in of_periods %}
            0 as {{ column }},
        {%- endfor %}
        {%- for column in of_movements %}
            {%- if column == 'unknown_movements' %}
                movements.is_unknown::integer as unknown_movements,
            {%- else %}
                movements.{{ column }} as {{ column }}{{ ',' if not loop.last }}
            {%- endif %}
        {%- endfor %}
    from {{ rows_in_spans(ref('int_revenue__plan_movements'), scope, 'movement_date') }} as movements
)

select
    parts.tenant_id,
    parts.metric_date,
    parts.plan,
    {{ plan_day_sums('parts') }}
from parts
group by parts.tenant_id, parts.metric_date, parts.plan
