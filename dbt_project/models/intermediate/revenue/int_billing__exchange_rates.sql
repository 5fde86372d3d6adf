with days_of_money as (
    select
        invoices.tenant_id,
        invoices.currency,
        (invoices.issued_at at time zone tenants.timezone)::date as rated_on,
        tenants.currency as tenant_currency
    from {{ ref('stg_revenue__invoices') }} as invoices
    inner join {{ ref('stg_platform__tenants') }} as tenants
        on invoices.tenant_id = tenants.tenant_id and invoices.issued_at < tenants.as_of
    where invoices.currency <> tenants.currency and invoices.status not in ('draft', 'void')
    union
    select
        spend.tenant_id,
        spend.currency,
        spend.spend_date as rated_on,
        tenants.currency as tenant_currency
    from {{ ref('stg_revenue__marketing_spend') }} as spend
    inner join {{ ref('stg_platform__tenants') }} as tenants
        on spend.tenant_id = tenants.tenant_id and spend.spend_date <= tenants.as_of_date
    where spend.currency <> tenants.currency
    union
    select
        inputs.tenant_id,
        inputs.currency,
        inputs.told_for as rated_on,
        tenants.currency as tenant_currency
    from {{ ref('stg_revenue__finance_inputs') }} as inputs
    inner join {{ ref('stg_platform__tenants') }} as tenants
        on inputs.tenant_id = tenants.tenant_id and inputs.told_for <= tenants.as_of_date
    where inputs.currency <> tenants.currency
),

needs as (
    select
        currency,
        rated_on
    from days_of_money
    union
    select
        tenant_currency,
        rated_on
    from days_of_money
),

rates as (
    select
        in_force.currency,
        in_force.rated_on,
        in_force.units_per_eur
    from {{ rates_in_force('needs') }} as in_force
)

select
    days_of_money.tenant_id,
    days_of_money.currency,
    days_of_money.rated_on,
    trim_scale(tenant_rates.units_per_eur / own_rates.units_per_eur) as exchange_rate
from days_of_money
inner join rates as own_rates
    on days_of_money.currency = own_rates.currency and days_of_money.rated_on = own_rates.rated_on
inner join rates as tenant_rates
    on days_of_money.tenant_currency = tenant_rates.currency and days_of_money.rated_on = tenant_rates.rated_on
