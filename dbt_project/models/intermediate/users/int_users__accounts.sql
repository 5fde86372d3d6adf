{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'account_id'],
    on_schema_change='fail',
    contract={'enforced': true},
    indexes=[{'columns': ['tenant_id', 'cohort_month']}],
    meta={'dirty': {'macro': 'changed_accounts_scope', 'log': ['cohort_month']}},
) }}

{% set moments = ['user_signed_up_at', 'customer_created_at', 'activated_at', 'trial_at', 'paying_at'] %}

with
{% if is_incremental() %}
    accounts_to_follow as materialized (
        select
            tenant_id,
            account_id,
            customer_id
        from {{ changed_accounts() }} as changed
    ),
{% endif %}

moments as (
    select
        users.tenant_id,
        users.account_id,
        min(users.signed_up_at) as user_signed_up_at,
        null::timestamptz as customer_created_at,
        min(users.activated_at) as activated_at,
        null::timestamptz as trial_at,
        null::timestamptz as paying_at
    from {{ ref('int_users__activation') }} as users
    {% if is_incremental() %}
        inner join accounts_to_follow as followed
            on users.tenant_id = followed.tenant_id and users.account_id = followed.account_id
    {% endif %}
    group by users.tenant_id, users.account_id
    union all
    select
        customers.tenant_id,
        {{ account_of('customers.customer_id') }} as account_id,
        null::timestamptz as user_signed_up_at,
        customers.created_at as customer_created_at,
        null::timestamptz as activated_at,
        null::timestamptz as trial_at,
        null::timestamptz as paying_at
    from {{ ref('stg_platform__tenants') }} as tenants
    inner join {{ ref('stg_revenue__customers') }} as customers
        on tenants.tenant_id = customers.tenant_id and tenants.as_of > customers.created_at
    {% if is_incremental() %}
        inner join accounts_to_follow as followed
            on customers.tenant_id = followed.tenant_id and customers.customer_id = followed.customer_id
    {% endif %}
    union all
    select
        periods.tenant_id,
        {{ account_of('periods.customer_id') }} as account_id,
        null::timestamptz as user_signed_up_at,
        null::timestamptz as customer_created_at,
        null::timestamptz as activated_at,
        min(periods.valid_from) as trial_at,
        null::timestamptz as paying_at
    from {{ ref('stg_platform__tenants') }} as tenants
    inner join {{ ref('int_revenue__subscription_periods') }} as periods
        on tenants.tenant_id = periods.tenant_id and tenants.as_of > periods.valid_from
    {% if is_incremental() %}
        inner join accounts_to_follow as followed
            on periods.tenant_id = followed.tenant_id and periods.customer_id = followed.customer_id
    {% endif %}
    where periods.status = 'trialing' and periods.valid_from < periods.valid_to
    group by periods.tenant_id, periods.customer_id
    union all
    -- A customer has a period while it pays; one without an exchange rate pays an amount that is not known.
    select
        periods.tenant_id,
        {{ account_of('periods.customer_id') }} as account_id,
        null::timestamptz as user_signed_up_at,
        null::timestamptz as customer_created_at,
        null::timestamptz as activated_at,
        null::timestamptz as trial_at,
        min(periods.valid_from) as paying_at
    from {{ ref('stg_platform__tenants') }} as tenants
    inner join {{ ref('int_revenue__customer_periods') }} as periods
        on tenants.tenant_id = periods.tenant_id and tenants.as_of > periods.valid_from
    {% if is_incremental() %}
        inner join accounts_to_follow as followed
            on periods.tenant_id = followed.tenant_id and periods.customer_id = followed.customer_id
    {% endif %}
    group by periods.tenant_id, periods.customer_id
),

accounts as (
    select
        tenant_id,
        account_id,
        case when account_id like 'customer:%' then substr(account_id, 10) end as customer_id,
        {% for moment in moments -%}
            min({{ moment }}) as {{ moment }}{{ ',' if not loop.last }}
        {% endfor %}
    from moments
    group by tenant_id, account_id
)

select
    accounts.tenant_id,
    accounts.account_id,
    accounts.customer_id,
    coalesce(accounts.user_signed_up_at, accounts.customer_created_at) as signed_up_at,
    accounts.activated_at,
    accounts.trial_at,
    accounts.paying_at,
    {{ month_of(
        '(coalesce(accounts.user_signed_up_at, accounts.customer_created_at) at time zone tenants.timezone)'
    ) }} as cohort_month
from accounts
inner join {{ ref('stg_platform__tenants') }} as tenants on accounts.tenant_id = tenants.tenant_id
where coalesce(accounts.user_signed_up_at, accounts.customer_created_at) is not null
