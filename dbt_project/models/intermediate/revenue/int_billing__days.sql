{%- set scope = {'models': [], 'domains': ['billing', 'spend']} %}
{%- set columns = [
    'outstanding_invoices', 'outstanding_amount', 'outstanding_unrated', 'failed_payments', 'recovered_payments',
    'marketing_spend', 'unrated_spend', 'entries', 'documents', 'invoiced', 'tax', 'uncollectible', 'collected',
    'refunded',
] %}
{%- set counts = [
    'outstanding_invoices', 'outstanding_unrated', 'failed_payments', 'recovered_payments', 'unrated_spend', 'entries',
    'documents',
] %}
{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'metric_date', 'currency'],
    on_schema_change='fail',
    contract={'enforced': true},
    meta={'dirty': {'spans': scope, 'column': 'metric_date'}},
) }}

-- Midnights that a timezone skips or has twice are looked for a day further; the local day decides.
with spans as materialized (
    select
        tenants.tenant_id,
        tenants.timezone,
        tenants.currency as tenant_currency,
        tenants.as_of,
        {% if is_incremental() -%}
            spans.date_from,
            least(spans.date_to, tenants.as_of_date) as date_to,
            (spans.date_from - 1)::timestamp at time zone tenants.timezone as from_at,
            least((spans.date_to + 2)::timestamp at time zone tenants.timezone, tenants.as_of) as to_at
        {%- else -%}
            '1900-01-01'::date as date_from,
            tenants.as_of_date as date_to,
            '-infinity'::timestamptz as from_at,
            tenants.as_of as to_at
        {%- endif %}
    from {{ ref('stg_platform__tenants') }} as tenants
    {% if is_incremental() %}
        inner join {{ spans_of(**scope) }} as spans on tenants.tenant_id = spans.tenant_id
    {% endif %}
),

{% set invoice_facts = [
    'tenant_id', 'currency', 'status', 'amount_due', 'amount_paid', 'tax', 'issued_at', 'paid_at'
] %}
-- Invoices issued in the span, and those issued before and paid in it. Drafts are not issued yet and void ones were
-- taken back: neither was ever billed.
found_invoices as (
    select
        spans.timezone,
        spans.tenant_currency,
        spans.as_of,
        spans.date_from,
        spans.date_to,
        true as by_issue,
        {%- for fact in invoice_facts %}
            invoices.{{ fact }}{{ ',' if not loop.last }}
        {%- endfor %}
    from spans
    cross join lateral {{ looked_up(
        ref('stg_revenue__invoices'), 'candidates',
        "candidates.tenant_id = spans.tenant_id and candidates.status not in ('draft', 'void')"
        ~ " and candidates.issued_at >= spans.from_at and candidates.issued_at < spans.to_at"
    ) }} as invoices
    union all
    select
        spans.timezone,
        spans.tenant_currency,
        spans.as_of,
        spans.date_from,
        spans.date_to,
        false as by_issue,
        {%- for fact in invoice_facts %}
            invoices.{{ fact }}{{ ',' if not loop.last }}
        {%- endfor %}
    from spans
    cross join lateral {{ looked_up(
        ref('stg_revenue__invoices'), 'candidates',
        "candidates.tenant_id = spans.tenant_id and candidates.status = 'paid'"
        ~ " and candidates.paid_at >= spans.from_at and candidates.paid_at < spans.to_at"
        ~ " and candidates.issued_at < spans.as_of"
    ) }} as invoices
),

dated_invoices as (
    select
        found.*,
        (found.issued_at at time zone found.timezone)::date as issued_date,
        case
            when found.status = 'paid' and coalesce(found.paid_at, found.issued_at) < found.as_of
                then greatest(
                    (coalesce(found.paid_at, found.issued_at) at time zone found.timezone)::date,
                    (found.issued_at at time zone found.timezone)::date
                )
        end as paid_date,
        found.status = 'paid' or (found.status = 'open' and found.amount_due > found.amount_paid) as is_owed
    from found_invoices as found
),

-- An invoice is outstanding from its issue until it is paid. When it was written off is not told: uncollectible ones
-- never count.
invoices as materialized (
    select
        dated.tenant_id,
        case when dated.by_issue then dated.issued_date else dated.paid_date end as metric_date,
        dated.currency,
        dated.tenant_currency,
        dated.issued_date as rated_on,
        dated.by_issue,
        dated.is_owed,
        dated.amount_due,
        dated.tax,
        case when dated.status = 'uncollectible' then dated.amount_due - dated.amount_paid else 0 end as uncollectible,
        case dated.status when 'paid' then dated.amount_due else dated.amount_due - dated.amount_paid end as unpaid,
        case
            when not dated.by_issue then -1
            when dated.is_owed and (dated.paid_date is distinct from dated.issued_date) then 1
            else 0
        end as direction
    from dated_invoices as dated
    where
        (dated.by_issue and dated.issued_date between dated.date_from and dated.date_to)
        or (
            not dated.by_issue
            and dated.paid_date > dated.issued_date
            and dated.paid_date between dated.date_from and dated.date_to
        )
),

payments as (
    select
        found.tenant_id,
        (found.attempted_at at time zone spans.timezone)::date as metric_date,
        found.currency,
        found.status,
        found.amount,
        case
            when found.status = 'refunded' and found.refunded_amount = 0 then found.amount
            else found.refunded_amount
        end as refunded,
        found.status <> 'failed' and exists (
            select
            from {{ ref('stg_revenue__payments') }} as earlier
            where
                earlier.tenant_id = found.tenant_id
                and earlier.invoice_id = found.invoice_id
                and earlier.status = 'failed'
                and (earlier.attempted_at, earlier.payment_id) < (found.attempted_at, found.payment_id)
            {{ row_by_row() }}
        ) as is_recovered
    from spans
    cross join lateral {{ looked_up(
        ref('stg_revenue__payments'), 'candidates',
        "candidates.tenant_id = spans.tenant_id"
        ~ " and candidates.attempted_at >= spans.from_at and candidates.attempted_at < spans.to_at"
    ) }} as found
    where (found.attempted_at at time zone spans.timezone)::date between spans.date_from and spans.date_to
),

spend as materialized (
    select
        found.tenant_id,
        found.spend_date as metric_date,
        found.currency,
        spans.tenant_currency,
        found.amount
    from spans
    cross join lateral {{ looked_up(
        ref('stg_revenue__marketing_spend'), 'candidates',
        "candidates.tenant_id = spans.tenant_id"
        ~ " and candidates.spend_date between spans.date_from and spans.date_to"
    ) }} as found
),

foreign_days as materialized (
    select
        currency,
        tenant_currency,
        rated_on
    from invoices
    where currency <> tenant_currency
    union
    select
        currency,
        tenant_currency,
        metric_date as rated_on
    from spend
    where currency <> tenant_currency
),

needs as (
    select
        currency,
        rated_on
    from foreign_days
    union
    select
        tenant_currency as currency,
        rated_on
    from foreign_days
),

rates as materialized (
    select
        in_force.currency,
        in_force.rated_on,
        in_force.units_per_eur
    from {{ rates_in_force('needs') }} as in_force
),

exchange_rates as materialized (
    select
        days.currency,
        days.tenant_currency,
        days.rated_on,
        trim_scale(tenant_rates.units_per_eur / own_rates.units_per_eur) as exchange_rate
    from foreign_days as days
    inner join rates as own_rates on days.currency = own_rates.currency and days.rated_on = own_rates.rated_on
    inner join rates as tenant_rates
        on days.tenant_currency = tenant_rates.currency and days.rated_on = tenant_rates.rated_on
),

{% set parts = {
    'invoices': {
        'outstanding_invoices': 'rated.direction',
        'outstanding_amount': 'rated.direction * coalesce(rated.unpaid * rated.exchange_rate, 0)',
        'outstanding_unrated': 'rated.direction * (rated.exchange_rate is null)::integer',
        'entries': '(rated.by_issue and rated.is_owed)::integer',
        'documents': 'rated.by_issue::integer',
        'invoiced': 'case when rated.by_issue then rated.amount_due else 0 end',
        'tax': 'case when rated.by_issue then rated.tax else 0 end',
        'uncollectible': 'case when rated.by_issue then rated.uncollectible else 0 end',
    },
    'payments': {
        'failed_payments': "(rated.status = 'failed')::integer",
        'recovered_payments': 'rated.is_recovered::integer',
        'entries': '1',
        'documents': "(rated.status <> 'failed')::integer",
        'collected': "case when rated.status = 'failed' then 0 else rated.amount end",
        'refunded': "case when rated.status = 'failed' then 0 else rated.refunded end",
    },
    'spend': {
        'marketing_spend': 'coalesce(rated.amount * rated.exchange_rate, 0)',
        'unrated_spend': '(rated.exchange_rate is null)::integer',
        'entries': '1',
    },
} %}
rated_invoices as (
    select
        invoices.*,
        case when invoices.currency = invoices.tenant_currency then 1 else rates.exchange_rate end as exchange_rate
    from invoices
    left join exchange_rates as rates
        on
            invoices.currency = rates.currency
            and invoices.tenant_currency = rates.tenant_currency
            and invoices.rated_on = rates.rated_on
),

rated_spend as (
    select
        spend.*,
        case when spend.currency = spend.tenant_currency then 1 else rates.exchange_rate end as exchange_rate
    from spend
    left join exchange_rates as rates
        on
            spend.currency = rates.currency
            and spend.tenant_currency = rates.tenant_currency
            and spend.metric_date = rates.rated_on
),

steps as (
    {%- for part, figures in parts.items() %}
        select
            rated.tenant_id,
            rated.metric_date,
            rated.currency,
            {%- for column in columns %}
                {{ figures.get(column, '0') }} as {{ column }}{{ ',' if not loop.last }}
            {%- endfor %}
        from {{ part if part == 'payments' else 'rated_' ~ part }} as rated
        {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    steps.tenant_id,
    steps.metric_date,
    coalesce(nullif(steps.currency, ''), '(none)') as currency,
    {%- for column in columns %}
        {% if column in counts -%} sum(steps.{{ column }})::bigint
        {%- else -%} trim_scale(sum(steps.{{ column }}::numeric))
        {%- endif %} as {{ column }}{{ ',' if not loop.last }}
    {%- endfor %}
from steps
group by steps.tenant_id, steps.metric_date, coalesce(nullif(steps.currency, ''), '(none)')
