{%- set scope = {'models': ['int_billing__days'], 'domains': ['billing'], 'later': true} %}
{%- set stocks = ['outstanding_invoices', 'outstanding_amount', 'outstanding_unrated'] %}
{%- set flows = ['failed_payments', 'recovered_payments', 'marketing_spend', 'unrated_spend'] %}
{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'metric_date'],
    on_schema_change='fail',
    contract={'enforced': true},
    meta={'dirty': {'spans': scope, 'column': 'metric_date'}},
) }}

-- From the first changed day on.
with tenants as materialized (
    select
        tenants.tenant_id,
        tenants.as_of_date,
        first_days.first_date,
        {{ 'greatest(spans.date_from, first_days.first_date)' if is_incremental() else 'first_days.first_date' }}
            as first_changed
    from {{ ref('stg_platform__tenants') }} as tenants
    {% if is_incremental() %}
        inner join {{ spans_of(**scope) }} as spans on tenants.tenant_id = spans.tenant_id
    {% endif %}
    cross join lateral (
        select days.metric_date as first_date
        from {{ ref('int_billing__days') }} as days
        where days.tenant_id = tenants.tenant_id and days.entries > 0
        order by days.metric_date
        limit 1
    ) as first_days
),

-- What stands before the first changed day is told by the row before it, which no change has reached.
steps as (
    select
        days.tenant_id,
        days.metric_date,
        {%- for column in stocks + flows %}
            days.{{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from tenants
    cross join lateral {{ looked_up(
        ref('int_billing__days'), 'billing_days',
        'billing_days.tenant_id = tenants.tenant_id and billing_days.metric_date >= tenants.first_changed'
    ) }} as days
    union all
    select
        tenants.tenant_id,
        day.metric_date::date as metric_date,
        {%- for column in stocks + flows %}
            0 as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from tenants
    cross join lateral generate_series(
        tenants.first_changed::timestamp, tenants.as_of_date::timestamp, interval '1 day'
    ) as day (metric_date)
    {% if is_incremental() %}
        union all
        select
            before.tenant_id,
            before.metric_date,
            {%- for stock in stocks %}
                before.{{ stock }},
            {%- endfor %}
            {%- for flow in flows %}
                0 as {{ flow }}{{ ',' if not loop.last }}
            {%- endfor %}
        from tenants
        cross join lateral {{ looked_up(
            this, 'kept',
            'kept.tenant_id = tenants.tenant_id and kept.metric_date = tenants.first_changed - 1'
            ~ ' and kept.metric_date >= tenants.first_date'
        ) }} as before
    {% endif %}
),

days as (
    select
        steps.tenant_id,
        steps.metric_date,
        {%- for column in stocks + flows %}
            sum(steps.{{ column }}) as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from steps
    group by steps.tenant_id, steps.metric_date
),

running as (
    select
        days.tenant_id,
        days.metric_date,
        {%- for stock in stocks %}
            sum(days.{{ stock }}) over days_so_far as {{ stock }},
        {%- endfor %}
        {%- for flow in flows %}
            days.{{ flow }}{{ ',' if not loop.last }}
        {%- endfor %}
    from days
    window days_so_far as (partition by days.tenant_id order by days.metric_date)
)

select
    running.tenant_id,
    running.metric_date,
    running.failed_payments::bigint as failed_payments,
    running.recovered_payments::bigint as recovered_payments,
    running.outstanding_invoices::bigint as outstanding_invoices,
    trim_scale(running.outstanding_amount) as outstanding_amount,
    running.outstanding_unrated::bigint as outstanding_unrated,
    case when running.outstanding_unrated = 0 then trim_scale(running.outstanding_amount) end
        as outstanding_invoice_amount,
    case when running.unrated_spend = 0 then trim_scale(running.marketing_spend) end as marketing_spend
from running
inner join tenants on running.tenant_id = tenants.tenant_id and running.metric_date >= tenants.first_changed
