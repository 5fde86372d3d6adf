{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'customer_id', 'valid_from'],
    on_schema_change='fail',
    contract={'enforced': true},
    meta={'dirty': {'entity': 'customer', 'column': 'customer_id', 'log_entity': 'customer_id'}},
) }}

-- An amount that is not known counts as unknown, not as 0: it makes the customer's sum unknown.
with steps as (
    select
        periods.tenant_id,
        periods.customer_id,
        boundaries.moment,
        sum(boundaries.amount) as amount,
        sum(boundaries.unknown) as unknown
    from {{ ref('int_revenue__subscription_periods') }} as periods
    {% if is_incremental() %}
        inner join {{ dirty_entities('customer') }} as dirty
            on periods.tenant_id = dirty.tenant_id and periods.customer_id = dirty.entity_id
    {% endif %}
    cross join lateral (
        values
        (periods.valid_from, coalesce(periods.mrr, 0), (periods.mrr is null)::integer),
        (periods.valid_to, -coalesce(periods.mrr, 0), -(periods.mrr is null)::integer)
    ) as boundaries (moment, amount, unknown)
    where periods.valid_from < periods.valid_to and (periods.mrr > 0 or periods.mrr is null)
    group by periods.tenant_id, periods.customer_id, boundaries.moment
    having sum(boundaries.amount) <> 0 or sum(boundaries.unknown) <> 0
),

running as (
    select
        steps.tenant_id,
        steps.customer_id,
        steps.moment as valid_from,
        lead(steps.moment, 1, 'infinity') over steps_in_order as valid_to,
        sum(steps.amount) over steps_in_order as mrr,
        sum(steps.unknown) over steps_in_order as unknown
    from steps
    window steps_in_order as (partition by steps.tenant_id, steps.customer_id order by steps.moment)
)

select
    running.tenant_id,
    running.customer_id,
    running.valid_from,
    running.valid_to,
    case when running.unknown = 0 then trim_scale(running.mrr) end as mrr
from running
where running.mrr > 0 or running.unknown > 0
