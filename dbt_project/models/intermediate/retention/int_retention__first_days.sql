{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'subject', 'cohort_by', 'entity_id'],
    on_schema_change='fail',
    contract={'enforced': true},
    indexes=[{'columns': ['tenant_id', 'subject', 'cohort_by', 'first_date', 'entity_id']}],
    pre_hook='{{ prepare_retention_entities() }}',
    meta={'dirty': {'keys': 'retention_entity_keys', 'log': ['first_date']}},
) }}

with first_activities as (
    select
        days.tenant_id,
        days.user_id,
        min(days.activity_date) as first_date
    from {{ ref('int_activity__user_days') }} as days
    {% if is_incremental() %}
        inner join retention_entities as dirty
            on
                days.tenant_id = dirty.tenant_id
                and dirty.subject = 'user'
                and days.user_id = dirty.entity_id
    {% endif %}
    group by days.tenant_id, days.user_id
),

first_payments as (
    select distinct on (periods.tenant_id, periods.customer_id)
        periods.tenant_id,
        periods.customer_id,
        (periods.valid_from at time zone tenants.timezone)::date as first_date,
        periods.mrr
    from {{ ref('stg_platform__tenants') }} as tenants
    inner join {{ ref('int_revenue__customer_periods') }} as periods on tenants.tenant_id = periods.tenant_id
    {% if is_incremental() %}
        inner join retention_entities as dirty
            on
                periods.tenant_id = dirty.tenant_id
                and dirty.subject = 'customer'
                and periods.customer_id = dirty.entity_id
    {% endif %}
    where periods.mrr > 0 and periods.valid_from < tenants.as_of
    order by periods.tenant_id, periods.customer_id, periods.valid_from
)

select
    days.tenant_id,
    'user' as subject,
    'first_activity' as cohort_by,
    days.user_id as entity_id,
    days.first_date,
    null::numeric as starting_mrr
from first_activities as days
inner join {{ ref('stg_platform__tenants') }} as tenants on days.tenant_id = tenants.tenant_id
where 'first_activity' = any(tenants.retention_cohorts)
union all
select
    users.tenant_id,
    'user' as subject,
    'signup' as cohort_by,
    users.user_id as entity_id,
    users.signed_up_date as first_date,
    null::numeric as starting_mrr
from {{ ref('int_users__activation') }} as users
inner join {{ ref('stg_platform__tenants') }} as tenants on users.tenant_id = tenants.tenant_id
{% if is_incremental() %}
    inner join retention_entities as dirty
        on
            users.tenant_id = dirty.tenant_id
            and dirty.subject = 'user'
            and users.user_id = dirty.entity_id
{% endif %}
where 'signup' = any(tenants.retention_cohorts) and users.signed_up_date is not null
union all
select
    payments.tenant_id,
    'customer' as subject,
    'first_payment' as cohort_by,
    payments.customer_id as entity_id,
    payments.first_date,
    payments.mrr as starting_mrr
from first_payments as payments
inner join {{ ref('stg_platform__tenants') }} as tenants on payments.tenant_id = tenants.tenant_id
where 'first_payment' = any(tenants.retention_cohorts)
union all
select
    payments.tenant_id,
    'customer' as subject,
    'signup' as cohort_by,
    payments.customer_id as entity_id,
    (customers.created_at at time zone tenants.timezone)::date as first_date,
    payments.mrr as starting_mrr
from first_payments as payments
inner join {{ ref('stg_platform__tenants') }} as tenants on payments.tenant_id = tenants.tenant_id
inner join {{ ref('stg_revenue__customers') }} as customers
    on
        payments.tenant_id = customers.tenant_id
        and payments.customer_id = customers.customer_id
where 'signup' = any(tenants.retention_cohorts) and customers.created_at < tenants.as_of
