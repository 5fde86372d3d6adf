{%- set scope = {'models': [], 'domains': ['billing'], 'grain': 'month', 'later': true} %}
{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'month'],
    on_schema_change='fail',
    contract={'enforced': true},
    meta={'dirty': {'spans': scope, 'column': 'month'}},
) }}

with tenants as materialized (
    select
        tenants.tenant_id,
        tenants.timezone,
        tenants.as_of,
        tenants.as_of_date,
        {{ 'spans.date_from' if is_incremental() else "'1900-01-01'::date" }} as first_changed
    from {{ ref('stg_platform__tenants') }} as tenants
    {% if is_incremental() %}
        inner join {{ spans_of(**scope) }} as spans on tenants.tenant_id = spans.tenant_id
    {% endif %}
),

-- Invoices of subscriptions that are unpaid at the end of the first changed month (or as_of), or later.
unpaid as materialized (
    select
        tenants.tenant_id,
        tenants.timezone,
        tenants.as_of,
        tenants.as_of_date,
        tenants.first_changed,
        invoices.invoice_id,
        invoices.subscription_id,
        invoices.issued_at,
        invoices.paid_at,
        invoices.next_attempt_at is not null and invoices.attempt_count > 0 as is_retried
    from tenants
    cross join lateral {{ looked_up(
        ref('stg_revenue__invoices'), 'candidates',
        "candidates.tenant_id = tenants.tenant_id and candidates.status = 'open'"
        ~ " and candidates.issued_at < tenants.as_of"
    ) }} as invoices
    where invoices.subscription_id is not null
    union all
    select
        tenants.tenant_id,
        tenants.timezone,
        tenants.as_of,
        tenants.as_of_date,
        tenants.first_changed,
        invoices.invoice_id,
        invoices.subscription_id,
        invoices.issued_at,
        invoices.paid_at,
        invoices.next_attempt_at is not null and invoices.attempt_count > 0 as is_retried
    from tenants
    cross join lateral {{ looked_up(
        ref('stg_revenue__invoices'), 'candidates',
        "candidates.tenant_id = tenants.tenant_id and candidates.status = 'paid'"
        ~ " and candidates.issued_at < tenants.as_of and candidates.paid_at >= least("
        ~ "(" ~ month_of('tenants.first_changed') ~ " + interval '1 month') at time zone tenants.timezone,"
        ~ " tenants.as_of)"
    ) }} as invoices
    where invoices.subscription_id is not null
),

-- In dunning from the first failed attempt, or from the issue where only a count of attempts is told.
in_dunning as (
    select
        unpaid.tenant_id,
        unpaid.timezone,
        unpaid.as_of,
        unpaid.as_of_date,
        unpaid.first_changed,
        unpaid.subscription_id,
        unpaid.paid_at,
        greatest(
            unpaid.issued_at, coalesce(failures.failed_at, case when unpaid.is_retried then unpaid.issued_at end)
        ) as begins_at
    from unpaid
    cross join lateral (
        select min(payments.attempted_at) as failed_at
        from {{ ref('stg_revenue__payments') }} as payments
        where
            payments.tenant_id = unpaid.tenant_id
            and payments.invoice_id = unpaid.invoice_id
            and payments.status = 'failed'
            and payments.attempted_at < unpaid.as_of
    ) as failures
    where failures.failed_at is not null or unpaid.is_retried
),

months as (
    select
        in_dunning.tenant_id,
        months.month::date as month,
        in_dunning.subscription_id
    from in_dunning
    cross join lateral generate_series(
        {{ month_of('greatest(in_dunning.first_changed, (in_dunning.begins_at at time zone in_dunning.timezone)::date)') }}::timestamp,
        {{ month_of('least((in_dunning.paid_at at time zone in_dunning.timezone)::date, in_dunning.as_of_date)') }}::timestamp,
        interval '1 month'
    ) as months (month)
    cross join lateral (
        select least((months.month + interval '1 month') at time zone in_dunning.timezone, in_dunning.as_of) as ends_at
    ) as ends
    where in_dunning.begins_at < ends.ends_at and (in_dunning.paid_at is null or in_dunning.paid_at >= ends.ends_at)
)

select
    months.tenant_id,
    months.month,
    count(distinct months.subscription_id) as subscriptions_in_dunning
from months
group by months.tenant_id, months.month
