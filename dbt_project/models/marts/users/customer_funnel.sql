{{ config(
    unique_key=['tenant_id', 'cohort_month'],
    meta={'dirty': {'macro': 'customer_funnel_scope'}},
) }}

{% set steps = ['activated', 'trial', 'paying'] %}
{% set durations = {
    'to_activation': ('signed_up_at', 'activated_at'),
    'activation_to_trial': ('activated_at', 'trial_at'),
    'trial_to_paying': ('trial_at', 'paying_at'),
    'to_trial': ('signed_up_at', 'trial_at'),
    'to_paying': ('signed_up_at', 'paying_at'),
} %}

with cohorts as (
    select
        accounts.tenant_id,
        accounts.cohort_month,
        count(*) as signed_up,
        {% for step in steps %}
            count(accounts.{{ step }}_at) as {{ step }},
        {% endfor %}
        count(*) filter (where accounts.activated_at is not null and accounts.trial_at is not null)
            as activated_with_trial,
        count(*) filter (where accounts.trial_at is not null and accounts.paying_at is not null)
            as trial_with_paying,
        {% for name, (begun, done) in durations.items() -%}
            (
                percentile_cont(0.5) within group (
                    order by extract(epoch from accounts.{{ done }} - accounts.{{ begun }}) / 86400
                ) filter (where accounts.{{ done }} >= accounts.{{ begun }})
            )::numeric as median_days_{{ name }}{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('int_users__accounts') }} as accounts
    {% if is_incremental() %}
        inner join {{ customer_funnel_months() }} as dirty
            on accounts.tenant_id = dirty.tenant_id and accounts.cohort_month = dirty.cohort_month
    {% endif %}
    group by accounts.tenant_id, accounts.cohort_month
)

select
    cohorts.tenant_id,
    cohorts.cohort_month,
    cohorts.cohort_month + interval '1 month' <= tenants.complete_date + 1 as is_complete,
    cohorts.signed_up,
    cohorts.activated,
    cohorts.trial,
    cohorts.paying,
    cohorts.activated_with_trial,
    cohorts.trial_with_paying,
    cohorts.activated::numeric / cohorts.signed_up as activation_rate,
    cohorts.activated_with_trial::numeric / nullif(cohorts.activated, 0) as activation_to_trial_rate,
    cohorts.trial_with_paying::numeric / nullif(cohorts.trial, 0) as trial_conversion_rate,
    cohorts.trial::numeric / cohorts.signed_up as trial_rate,
    cohorts.paying::numeric / cohorts.signed_up as paying_rate,
    {% for name in durations %}
        cohorts.median_days_{{ name }}{{ ',' if not loop.last }}
    {% endfor %}
from cohorts
inner join {{ ref('stg_platform__tenants') }} as tenants on cohorts.tenant_id = tenants.tenant_id
