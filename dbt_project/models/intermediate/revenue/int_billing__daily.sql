{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'metric_date'],
    on_schema_change='fail',
    contract={'enforced': true},
    meta={'dirty': {'tenant': ['billing', 'spend', 'clock'], 'column': 'metric_date'}},
) }}

with tenants as materialized (
    select
        tenants.tenant_id,
        tenants.timezone,
        tenants.currency,
        tenants.as_of,
        tenants.as_of_date
    from {{ ref('stg_platform__tenants') }} as tenants
    {% if is_incremental() %}
        inner join {{ dirty_tenants(['billing', 'spend', 'clock']) }} as dirty on tenants.tenant_id = dirty.tenant_id
    {% endif %}
),

rates as materialized (
    select
        rates.tenant_id,
        rates.currency,
        rates.rated_on,
        rates.exchange_rate
    from {{ ref('int_billing__exchange_rates') }} as rates
    inner join tenants on rates.tenant_id = tenants.tenant_id
),

-- An invoice is outstanding from its issue until it is paid. When it was written off is not told: void and
-- uncollectible ones never count.
invoices as (
    select
        invoices.tenant_id,
        invoices.invoice_id,
        (invoices.issued_at at time zone tenants.timezone)::date as issued_date,
        case
            when invoices.status = 'paid' and coalesce(invoices.paid_at, invoices.issued_at) < tenants.as_of
                then greatest(
                    (coalesce(invoices.paid_at, invoices.issued_at) at time zone tenants.timezone)::date,
                    (invoices.issued_at at time zone tenants.timezone)::date
                )
        end as paid_date,
        case invoices.status when 'paid' then invoices.amount_due else invoices.amount_due - invoices.amount_paid end
        * case when invoices.currency = tenants.currency then 1 else rates.exchange_rate end as amount
    from tenants
    inner join {{ ref('stg_revenue__invoices') }} as invoices
        on tenants.tenant_id = invoices.tenant_id and invoices.issued_at < tenants.as_of
    left join rates
        on
            invoices.tenant_id = rates.tenant_id
            and invoices.currency = rates.currency
            and rates.rated_on = (invoices.issued_at at time zone tenants.timezone)::date
    where
        invoices.status = 'paid'
        or (invoices.status = 'open' and invoices.amount_due > invoices.amount_paid)
),

invoice_steps as materialized (
    select
        invoices.tenant_id,
        steps.metric_date,
        sum(steps.direction) as invoices,
        sum(steps.direction * coalesce(invoices.amount, 0)) as amount,
        sum(steps.direction * (invoices.amount is null)::integer) as unknown
    from invoices
    cross join lateral (values (invoices.issued_date, 1), (invoices.paid_date, -1)) as steps (metric_date, direction)
    where steps.metric_date is not null
    group by invoices.tenant_id, steps.metric_date
),

payments as (
    select
        payments.tenant_id,
        payments.status,
        (payments.attempted_at at time zone tenants.timezone)::date as metric_date,
        payments.invoice_id is not null
        and coalesce(
            bool_or(payments.status = 'failed') over (
                partition by payments.tenant_id, payments.invoice_id
                order by payments.attempted_at, payments.payment_id
                rows between unbounded preceding and 1 preceding
            ), false
        ) as failed_before
    from tenants
    inner join {{ ref('stg_revenue__payments') }} as payments
        on tenants.tenant_id = payments.tenant_id and payments.attempted_at < tenants.as_of
),

payment_days as materialized (
    select
        payments.tenant_id,
        payments.metric_date,
        count(*) filter (where payments.status = 'failed') as failed_payments,
        count(*) filter (where payments.status <> 'failed' and payments.failed_before) as recovered_payments
    from payments
    group by payments.tenant_id, payments.metric_date
),

spend_days as materialized (
    select
        spend.tenant_id,
        spend.spend_date as metric_date,
        case
            when bool_and(spend.currency = tenants.currency or rates.exchange_rate is not null)
                then sum(spend.amount * case when spend.currency = tenants.currency then 1 else rates.exchange_rate end)
        end as marketing_spend
    from tenants
    inner join {{ ref('stg_revenue__marketing_spend') }} as spend
        on tenants.tenant_id = spend.tenant_id and spend.spend_date <= tenants.as_of_date
    left join rates
        on
            spend.tenant_id = rates.tenant_id
            and spend.currency = rates.currency
            and spend.spend_date = rates.rated_on
    group by spend.tenant_id, spend.spend_date
),

first_days as (
    select
        days.tenant_id,
        min(days.metric_date) as first_date
    from (
        select
            tenant_id,
            metric_date
        from invoice_steps
        union all
        select
            tenant_id,
            metric_date
        from payment_days
        union all
        select
            tenant_id,
            metric_date
        from spend_days
    ) as days
    group by days.tenant_id
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
        coalesce(payment_days.failed_payments, 0) as failed_payments,
        coalesce(payment_days.recovered_payments, 0) as recovered_payments,
        (sum(coalesce(invoice_steps.invoices, 0)) over days_so_far)::bigint as outstanding_invoices,
        sum(coalesce(invoice_steps.amount, 0)) over days_so_far as outstanding_amount,
        sum(coalesce(invoice_steps.unknown, 0)) over days_so_far as unknown,
        case when spend_days.tenant_id is null then 0 else spend_days.marketing_spend end as marketing_spend
    from spine
    left join payment_days
        on spine.tenant_id = payment_days.tenant_id and spine.metric_date = payment_days.metric_date
    left join invoice_steps
        on spine.tenant_id = invoice_steps.tenant_id and spine.metric_date = invoice_steps.metric_date
    left join spend_days
        on spine.tenant_id = spend_days.tenant_id and spine.metric_date = spend_days.metric_date
    window days_so_far as (partition by spine.tenant_id order by spine.metric_date)
)

select
    running.tenant_id,
    running.metric_date,
    running.failed_payments,
    running.recovered_payments,
    running.outstanding_invoices,
    case when running.unknown = 0 then trim_scale(running.outstanding_amount) end as outstanding_invoice_amount,
    trim_scale(running.marketing_spend) as marketing_spend
from running
