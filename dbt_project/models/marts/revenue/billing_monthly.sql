{{ config(
    unique_key=['tenant_id', 'month', 'currency'],
    meta={'dirty': {'tenant': ['billing', 'clock'], 'column': 'month'}},
) }}

{%- set ages = {'0_to_30': (0, 30), '31_to_60': (31, 60), '61_to_90': (61, 90), 'over_90': (91, none)} %}

with tenants as materialized (
    select
        tenants.tenant_id,
        tenants.timezone,
        tenants.as_of,
        tenants.as_of_date,
        tenants.complete_date
    from {{ ref('stg_platform__tenants') }} as tenants
    {% if is_incremental() %}
        inner join {{ dirty_tenants(['billing', 'clock']) }} as dirty on tenants.tenant_id = dirty.tenant_id
    {% endif %}
),

-- Drafts are not issued yet and void ones were taken back: neither was ever billed.
invoices as materialized (
    select
        invoices.tenant_id,
        coalesce(nullif(invoices.currency, ''), '(none)') as currency,
        invoices.status,
        invoices.amount_due,
        invoices.amount_paid,
        invoices.tax,
        (invoices.issued_at at time zone tenants.timezone)::date as issued_date,
        case
            when invoices.status = 'paid' and coalesce(invoices.paid_at, invoices.issued_at) < tenants.as_of
                then greatest(
                    (coalesce(invoices.paid_at, invoices.issued_at) at time zone tenants.timezone)::date,
                    (invoices.issued_at at time zone tenants.timezone)::date
                )
        end as paid_date
    from tenants
    inner join {{ ref('stg_revenue__invoices') }} as invoices
        on tenants.tenant_id = invoices.tenant_id and invoices.issued_at < tenants.as_of
    where invoices.status not in ('draft', 'void')
),

payments as materialized (
    select
        payments.tenant_id,
        coalesce(nullif(payments.currency, ''), '(none)') as currency,
        (payments.attempted_at at time zone tenants.timezone)::date as metric_date,
        payments.amount,
        case
            when payments.status = 'refunded' and payments.refunded_amount = 0 then payments.amount
            else payments.refunded_amount
        end as refunded
    from tenants
    inner join {{ ref('stg_revenue__payments') }} as payments
        on tenants.tenant_id = payments.tenant_id and payments.attempted_at < tenants.as_of
    where payments.status <> 'failed'
),

flows as (
    select
        tenant_id,
        {{ month_of('issued_date') }} as month,
        currency,
        amount_due as invoiced,
        tax,
        case when status = 'uncollectible' then amount_due - amount_paid else 0 end as uncollectible,
        0 as collected,
        0 as refunded
    from invoices
    union all
    select
        tenant_id,
        {{ month_of('metric_date') }} as month,
        currency,
        0 as invoiced,
        0 as tax,
        0 as uncollectible,
        amount as collected,
        refunded
    from payments
),

flow_months as materialized (
    select
        tenant_id,
        month,
        currency,
        sum(invoiced) as invoiced,
        sum(tax) as tax,
        sum(uncollectible) as uncollectible,
        sum(collected) as collected,
        sum(refunded) as refunded
    from flows
    group by tenant_id, month, currency
),

months as materialized (
    select
        currencies.tenant_id,
        currencies.currency,
        months.month::date as month,
        least((months.month + interval '1 month')::date - 1, tenants.as_of_date) as last_date,
        (months.month + interval '1 month')::date - 1 <= tenants.complete_date as is_complete
    from (
        select
            tenant_id,
            currency,
            min(month) as first_month
        from flow_months
        group by tenant_id, currency
    ) as currencies
    inner join tenants on currencies.tenant_id = tenants.tenant_id
    cross join lateral generate_series(
        currencies.first_month::timestamp, {{ month_of('tenants.as_of_date') }}::timestamp, interval '1 month'
    ) as months (month)
),

-- Each invoice in each month at whose end it was unpaid. When one was written off is not told.
unpaid as (
    select
        months.tenant_id,
        months.month,
        months.currency,
        months.last_date - invoices.issued_date as age,
        case invoices.status when 'paid' then invoices.amount_due else invoices.amount_due - invoices.amount_paid end
            as amount
    from months
    inner join invoices
        on
            months.tenant_id = invoices.tenant_id
            and months.currency = invoices.currency
            and months.last_date >= invoices.issued_date
            and months.last_date < coalesce(invoices.paid_date, 'infinity')
    where
        invoices.status = 'paid'
        or (invoices.status = 'open' and invoices.amount_due > invoices.amount_paid)
),

unpaid_months as materialized (
    select
        tenant_id,
        month,
        currency,
        sum(amount) as outstanding
        {%- for name, (first, last) in ages.items() %},
            sum(amount) filter (
                where {{ 'age <= ' ~ last if first == 0 else 'age > ' ~ (first - 1) if last is none else 'age between ' ~ first ~ ' and ' ~ last }}
            ) as outstanding_{{ name }}
        {%- endfor %}
    from unpaid
    group by tenant_id, month, currency
)

select
    months.tenant_id,
    months.month,
    months.currency,
    months.is_complete,
    trim_scale(coalesce(flow_months.invoiced, 0)) as invoiced,
    trim_scale(coalesce(flow_months.collected, 0)) as collected,
    trim_scale(coalesce(flow_months.tax, 0)) as tax,
    trim_scale(coalesce(flow_months.refunded, 0)) as refunded,
    trim_scale(coalesce(flow_months.uncollectible, 0)) as uncollectible,
    trim_scale(coalesce(unpaid_months.outstanding, 0)) as outstanding
    {%- for name in ages %},
        trim_scale(coalesce(unpaid_months.outstanding_{{ name }}, 0)) as outstanding_{{ name }}_days
    {%- endfor %}
from months
left join flow_months
    on
        months.tenant_id = flow_months.tenant_id
        and months.month = flow_months.month
        and months.currency = flow_months.currency
left join unpaid_months
    on
        months.tenant_id = unpaid_months.tenant_id
        and months.month = unpaid_months.month
        and months.currency = unpaid_months.currency
