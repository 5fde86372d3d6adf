{%- set scope = {'models': ['int_billing__days'], 'domains': ['billing'], 'grain': 'month', 'later': true} %}
{{ config(
    unique_key=['tenant_id', 'month', 'currency'],
    meta={'dirty': {'spans': scope, 'column': 'month'}},
) }}

{%- set flows = ['invoiced', 'collected', 'tax', 'refunded', 'uncollectible'] %}
{%- set ages = {'0_to_30': (0, 30), '31_to_60': (31, 60), '61_to_90': (61, 90), 'over_90': (91, none)} %}

-- From the first changed month on.
with tenants as materialized (
    select
        tenants.tenant_id,
        tenants.timezone,
        tenants.as_of,
        tenants.as_of_date,
        tenants.complete_date,
        {{ 'spans.date_from' if is_incremental() else "'1900-01-01'::date" }} as first_changed
    from {{ ref('stg_platform__tenants') }} as tenants
    {% if is_incremental() %}
        inner join {{ spans_of(**scope) }} as spans on tenants.tenant_id = spans.tenant_id
    {% endif %}
),

flow_months as materialized (
    select
        days.tenant_id,
        {{ month_of('days.metric_date') }} as month,
        days.currency,
        {%- for flow in flows %}
            sum(days.{{ flow }}) as {{ flow }}{{ ',' if not loop.last }}
        {%- endfor %}
    from tenants
    cross join lateral {{ looked_up(
        ref('int_billing__days'), 'billing_days',
        'billing_days.tenant_id = tenants.tenant_id and billing_days.metric_date >= tenants.first_changed'
        ~ ' and billing_days.documents > 0'
    ) }} as days
    group by days.tenant_id, {{ month_of('days.metric_date') }}, days.currency
),

-- A currency that had begun before has a row in the month before, which no change has reached.
currencies as (
    select
        tenant_id,
        currency,
        month as first_month
    from flow_months
    {% if is_incremental() %}
        union all
        select
            before.tenant_id,
            before.currency,
            tenants.first_changed as first_month
        from tenants
        cross join lateral {{ looked_up(
            this, 'kept',
            "kept.tenant_id = tenants.tenant_id and kept.month = (tenants.first_changed - interval '1 month')::date"
        ) }} as before
    {% endif %}
),

months as materialized (
    select
        first_months.tenant_id,
        first_months.currency,
        months.month::date as month,
        least((months.month + interval '1 month')::date - 1, tenants.as_of_date) as last_date,
        (months.month + interval '1 month')::date - 1 <= tenants.complete_date as is_complete
    from (
        select
            tenant_id,
            currency,
            min(first_month) as first_month
        from currencies
        group by tenant_id, currency
    ) as first_months
    inner join tenants on first_months.tenant_id = tenants.tenant_id
    cross join lateral generate_series(
        first_months.first_month::timestamp, {{ month_of('tenants.as_of_date') }}::timestamp, interval '1 month'
    ) as months (month)
),

{% set invoice_facts = ['status', 'amount_due', 'amount_paid', 'currency', 'issued_at', 'paid_at'] %}
-- Open invoices, and those paid after the end of the first changed month. When one was written off is not told.
invoices as (
    select
        tenants.tenant_id,
        {%- for fact in invoice_facts %}
            invoices.{{ fact }}{{ ',' if not loop.last }}
        {%- endfor %}
    from tenants
    cross join lateral {{ looked_up(
        ref('stg_revenue__invoices'), 'candidates',
        "candidates.tenant_id = tenants.tenant_id and candidates.status = 'open'"
        ~ " and candidates.issued_at < tenants.as_of and candidates.amount_due > candidates.amount_paid"
    ) }} as invoices
    union all
    select
        tenants.tenant_id,
        {%- for fact in invoice_facts %}
            invoices.{{ fact }}{{ ',' if not loop.last }}
        {%- endfor %}
    from tenants
    cross join lateral {{ looked_up(
        ref('stg_revenue__invoices'), 'candidates',
        "candidates.tenant_id = tenants.tenant_id and candidates.status = 'paid'"
        ~ " and candidates.issued_at < tenants.as_of and candidates.paid_at >= least("
        ~ "(tenants.first_changed + interval '1 month') at time zone tenants.timezone - interval '1 day',"
        ~ " tenants.as_of)"
    ) }} as invoices
),

owed as (
    select
        invoices.tenant_id,
        coalesce(nullif(invoices.currency, ''), '(none)') as currency,
        case invoices.status when 'paid' then invoices.amount_due else invoices.amount_due - invoices.amount_paid end
            as amount,
        (invoices.issued_at at time zone tenants.timezone)::date as issued_date,
        case
            when invoices.status = 'paid' and invoices.paid_at < tenants.as_of
                then greatest(
                    (invoices.paid_at at time zone tenants.timezone)::date,
                    (invoices.issued_at at time zone tenants.timezone)::date
                )
        end as paid_date,
        tenants.first_changed,
        tenants.as_of_date
    from invoices
    inner join tenants on invoices.tenant_id = tenants.tenant_id
),

-- Each invoice in each month at whose end it was unpaid.
unpaid as (
    select
        owed.tenant_id,
        months.month::date as month,
        owed.currency,
        months.last_date - owed.issued_date as age,
        owed.amount
    from owed
    cross join lateral (
        select
            month.month,
            least((month.month + interval '1 month')::date - 1, owed.as_of_date) as last_date
        from generate_series(
            {{ month_of('greatest(owed.first_changed, owed.issued_date)') }}::timestamp,
            {{ month_of('least(owed.paid_date, owed.as_of_date)') }}::timestamp,
            interval '1 month'
        ) as month (month)
    ) as months
    where months.last_date < coalesce(owed.paid_date, 'infinity')
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
