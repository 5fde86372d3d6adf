{#- Cohort retention (metric-rules, Cohort retention): the buckets and cohorts that its models share. -#}

{#- Kinds of buckets: period, mode, days of a rolling bucket (calendar ones: none), last index published. A rolling day
    is a calendar day: it is counted once and published as both. -#}
{% macro retention_buckets() -%}
(
    values
    ('day', 'rolling', 1, 30),
    ('week', 'rolling', 7, 52),
    ('month', 'rolling', 30, 36),
    ('week', 'calendar', null, 52),
    ('month', 'calendar', null, 36),
    ('day', 'unbounded', null, 30),
    ('week', 'unbounded', null, 52),
    ('month', 'unbounded', null, 36)
)
{%- endmacro %}

{#- Which bucket of the cohort's first day a day falls into. -#}
{% macro retention_index(bucket, first_date, day, week_start) -%}
case
    when {{ bucket }}.mode = 'rolling' then ({{ day }} - {{ first_date }}) / {{ bucket }}.days
    when {{ bucket }}.period = 'day' then {{ day }} - {{ first_date }}
    when {{ bucket }}.period = 'week'
        then ({{ week_of(day, week_start) }} - {{ week_of(first_date, week_start) }}) / 7
    else
        (extract(year from {{ day }}) - extract(year from {{ first_date }}))::integer * 12
        + (extract(month from {{ day }}) - extract(month from {{ first_date }}))::integer
end
{%- endmacro %}

{#- The first day after bucket number `index`. -#}
{% macro retention_bucket_end(bucket, first_date, index, week_start) -%}
case
    when {{ bucket }}.mode = 'rolling' then {{ first_date }} + ({{ index }} + 1) * {{ bucket }}.days
    when {{ bucket }}.period = 'day' then {{ first_date }} + {{ index }} + 1
    when {{ bucket }}.period = 'week' then {{ week_of(first_date, week_start) }} + ({{ index }} + 1) * 7
    else ({{ month_of(first_date) }} + ({{ index }} + 1) * interval '1 month')::date
end
{%- endmacro %}

{% macro retention_cohort_start(period, first_date, week_start) -%}
case {{ period }}
    when 'day' then {{ first_date }}
    when 'week' then {{ week_of(first_date, week_start) }}
    else {{ month_of(first_date) }}
end
{%- endmacro %}

{% macro retention_domains() -%}
    {{ return(['activity', 'users', 'revenue', 'clock']) }}
{%- endmacro %}

{#- CTEs `tenants_to_count`, `user_days`, `paying_spans` and `cohorts`, restricted to dirty tenants when incremental.
    cohorts: who belongs to which cohort from which day on; only_period is set for recurring cohorts, which exist
    for one period only. -#}
{% macro retention_cohort_ctes() -%}
tenants_to_count as (
    select
        tenants.tenant_id,
        tenants.timezone,
        tenants.week_start,
        tenants.retention_cohorts,
        tenants.as_of_date,
        tenants.complete_date,
        tenants.as_of
    from {{ ref('stg_platform__tenants') }} as tenants
    {% if is_incremental() %}
        inner join {{ dirty_tenants(retention_domains()) }} as dirty on tenants.tenant_id = dirty.tenant_id
    {% endif %}
),

user_days as (
    select distinct
        days.tenant_id,
        days.user_id,
        days.activity_date
    from tenants_to_count as tenants
    inner join {{ ref('int_activity__user_days') }} as days on tenants.tenant_id = days.tenant_id
),

-- What a customer paid, cut at as_of, in tenant-local days: last_date holds the last paying instant, end_date the end.
paying_spans as (
    select
        periods.tenant_id,
        periods.customer_id,
        periods.mrr,
        (periods.valid_from at time zone tenants.timezone)::date as first_date,
        ((least(periods.valid_to, tenants.as_of) - interval '1 microsecond') at time zone tenants.timezone)::date
            as last_date,
        (least(periods.valid_to, tenants.as_of) at time zone tenants.timezone)::date as end_date,
        row_number() over (partition by periods.tenant_id, periods.customer_id order by periods.valid_from)
            as span_number
    from tenants_to_count as tenants
    inner join {{ ref('int_revenue__customer_periods') }} as periods on tenants.tenant_id = periods.tenant_id
    where periods.mrr > 0 and periods.valid_from < tenants.as_of and periods.valid_to > periods.valid_from
),

first_payments as (
    select
        tenant_id,
        customer_id,
        first_date,
        mrr
    from paying_spans
    where span_number = 1
),

cohorts as (
    select
        days.tenant_id,
        'user' as subject,
        'first_activity' as cohort_by,
        days.user_id as entity_id,
        min(days.activity_date) as first_date,
        null::text as only_period,
        null::numeric as starting_mrr
    from user_days as days
    inner join tenants_to_count as tenants on days.tenant_id = tenants.tenant_id
    where 'first_activity' = any(tenants.retention_cohorts)
    group by 1, 4
    union all
    select
        users.tenant_id,
        'user',
        'signup',
        users.user_id,
        users.signed_up_date,
        null,
        null
    from {{ ref('int_users__activation') }} as users
    inner join tenants_to_count as tenants on users.tenant_id = tenants.tenant_id
    where 'signup' = any(tenants.retention_cohorts) and users.signed_up_date is not null
    union all
    select distinct
        days.tenant_id,
        'user',
        'recurring',
        days.user_id,
        {{ retention_cohort_start('periods.period', 'days.activity_date', 'tenants.week_start') }},
        periods.period,
        null::numeric
    from user_days as days
    inner join tenants_to_count as tenants on days.tenant_id = tenants.tenant_id
    cross join (values ('day'), ('week'), ('month')) as periods (period)
    where 'recurring' = any(tenants.retention_cohorts)
    union all
    select
        payments.tenant_id,
        subjects.subject,
        'first_payment',
        payments.customer_id,
        payments.first_date,
        null,
        payments.mrr
    from first_payments as payments
    inner join tenants_to_count as tenants on payments.tenant_id = tenants.tenant_id
    cross join (values ('customer'), ('revenue')) as subjects (subject)
    where 'first_payment' = any(tenants.retention_cohorts)
    union all
    select
        payments.tenant_id,
        subjects.subject,
        'signup',
        payments.customer_id,
        (customers.created_at at time zone tenants.timezone)::date,
        null,
        payments.mrr
    from first_payments as payments
    inner join tenants_to_count as tenants on payments.tenant_id = tenants.tenant_id
    inner join {{ ref('stg_revenue__customers') }} as customers
        on
            payments.tenant_id = customers.tenant_id
            and payments.customer_id = customers.customer_id
    cross join (values ('customer'), ('revenue')) as subjects (subject)
    where 'signup' = any(tenants.retention_cohorts) and customers.created_at < tenants.as_of
)
{%- endmacro %}
