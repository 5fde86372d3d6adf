-- What is wrong with a tenant's subscriptions, invoices, spend and rates; nothing here stops another tenant.
with missing_rates as (
    select
        periods.tenant_id,
        periods.currency,
        periods.rated_on,
        'subscriptions' as concerned
    from {{ ref('int_revenue__subscription_periods') }} as periods
    inner join {{ ref('stg_platform__tenants') }} as tenants
        on periods.tenant_id = tenants.tenant_id and periods.valid_from < tenants.as_of
    where periods.is_rate_missing
    union
    select
        rates.tenant_id,
        rates.currency,
        rates.rated_on,
        'invoices, marketing_spend or finance_inputs' as concerned
    from {{ ref('int_billing__exchange_rates') }} as rates
    where rates.exchange_rate is null
),

problems as (
    select
        missing_rates.tenant_id,
        'missing_exchange_rate' as kind,
        'raw.exchange_rates' as table_name,
        missing_rates.currency || ' ' || missing_rates.rated_on as key,
        'error' as severity,
        'No exchange rate from ' || missing_rates.currency || ' to ' || tenants.currency || ' on '
        || missing_rates.rated_on || ' or in the 7 days before, needed for '
        || string_agg(missing_rates.concerned, ' and ' order by missing_rates.concerned)
        || ': their money is left empty.' as message,
        'Load rates of ' || missing_rates.currency || ' and ' || tenants.currency
        || ' for that day into raw.exchange_rates, or correct the currency.' as remedy
    from missing_rates
    inner join {{ ref('stg_platform__tenants') }} as tenants on missing_rates.tenant_id = tenants.tenant_id
    group by missing_rates.tenant_id, missing_rates.currency, missing_rates.rated_on, tenants.currency
    union all
    select distinct
        periods.tenant_id,
        'ended_before_start' as kind,
        'raw.subscriptions' as table_name,
        periods.subscription_id as key,
        'warning' as severity,
        'Subscription ' || periods.subscription_id || ' ends before it starts: it counts for no time at all.'
            as message,
        'Correct started_at, ended_at, cancel_at or canceled_at in the source.' as remedy
    from {{ ref('int_revenue__subscription_periods') }} as periods
    where periods.ended_before_start
    union all
    select
        subscriptions.tenant_id,
        'canceled_without_date' as kind,
        'raw.subscriptions' as table_name,
        subscriptions.subscription_id as key,
        'warning' as severity,
        'Subscription ' || subscriptions.subscription_id
        || ' is canceled, but ended_at, cancel_at and canceled_at are empty and no change tells when.' as message,
        'Give ended_at or canceled_at, or a change with the status.' as remedy
    from {{ ref('stg_revenue__subscriptions') }} as subscriptions
    inner join {{ ref('stg_platform__tenants') }} as tenants on subscriptions.tenant_id = tenants.tenant_id
    where
        subscriptions.status = 'canceled'
        and coalesce(subscriptions.ended_at, subscriptions.cancel_at, subscriptions.canceled_at) is null
        and not exists (
            select from {{ ref('stg_revenue__subscription_changes') }} as changes
            where
                changes.tenant_id = subscriptions.tenant_id
                and changes.subscription_id = subscriptions.subscription_id
                and changes.status = 'canceled'
        )
    union all
    select
        subscriptions.tenant_id,
        'impossible_terms' as kind,
        'raw.subscriptions' as table_name,
        subscriptions.subscription_id as key,
        'warning' as severity,
        'Subscription ' || subscriptions.subscription_id
        || ' has a quantity or price below 0, an interval_count below 1 or a discount outside 0 to 100 percent:'
        || ' its amount counts as 0, its discount as the nearest possible one.' as message,
        'Correct quantity, unit_amount, interval_count or forever_discount_percent in the source.' as remedy
    from {{ ref('stg_revenue__subscriptions') }} as subscriptions
    inner join {{ ref('stg_platform__tenants') }} as tenants on subscriptions.tenant_id = tenants.tenant_id
    where
        subscriptions.quantity < 0
        or subscriptions.unit_amount < 0
        or subscriptions.interval_count < 1
        or subscriptions.forever_discount_percent not between 0 and 100
    union all
    select
        changes.tenant_id,
        'change_without_subscription' as kind,
        'raw.subscription_changes' as table_name,
        changes.subscription_id as key,
        'warning' as severity,
        count(*) || ' changes name the subscription ' || changes.subscription_id
        || ', which is not in raw.subscriptions: they count for nothing.' as message,
        'Load the subscription, or remove its changes.' as remedy
    from {{ ref('stg_revenue__subscription_changes') }} as changes
    inner join {{ ref('stg_platform__tenants') }} as tenants on changes.tenant_id = tenants.tenant_id
    where not exists (
        select from {{ ref('stg_revenue__subscriptions') }} as subscriptions
        where
            subscriptions.tenant_id = changes.tenant_id
            and subscriptions.subscription_id = changes.subscription_id
    )
    group by changes.tenant_id, changes.subscription_id
    union all
    select
        invoices.tenant_id,
        'paid_without_date' as kind,
        'raw.invoices' as table_name,
        invoices.invoice_id as key,
        'warning' as severity,
        'Invoice ' || invoices.invoice_id || ' is paid, but paid_at is empty: it counts as paid when issued.'
            as message,
        'Give paid_at.' as remedy
    from {{ ref('stg_revenue__invoices') }} as invoices
    inner join {{ ref('stg_platform__tenants') }} as tenants on invoices.tenant_id = tenants.tenant_id
    where invoices.status = 'paid' and invoices.paid_at is null
)

select
    problems.tenant_id,
    problems.kind,
    problems.table_name,
    problems.key,
    problems.severity,
    problems.message,
    problems.remedy
from problems
