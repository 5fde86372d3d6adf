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

{#- The first day of the next calendar period. -#}
{% macro retention_cohort_end(period, cohort_start) -%}
case {{ period }}
    when 'day' then {{ cohort_start }} + 1
    when 'week' then {{ cohort_start }} + 7
    else ({{ cohort_start }} + interval '1 month')::date
end
{%- endmacro %}

{#- The kinds of cohorts that have one first day for each entity; those of revenue are those of customers. -#}
{% macro retention_cohorts() -%}
(
    values
    ('user', 'first_activity'),
    ('user', 'signup'),
    ('customer', 'first_payment'),
    ('customer', 'signup'),
    ('revenue', 'first_payment'),
    ('revenue', 'signup')
)
{%- endmacro %}

{#- Recurring cohorts (every active period of a user is one) know no single day that a change touches: they are counted
    anew for each dirty tenant that asks for them. -#}
{% macro recurring_tenants() -%}
(
    select
        tenants.tenant_id,
        tenants.week_start,
        tenants.as_of_date,
        tenants.complete_date
    from {{ ref('stg_platform__tenants') }} as tenants
    {% if is_incremental() %}
        inner join {{ dirty_tenants(['activity', 'users', 'clock']) }} as dirty
            on tenants.tenant_id = dirty.tenant_id
    {% endif %}
    where 'recurring' = any(tenants.retention_cohorts)
)
{%- endmacro %}

{#- CTE `recurring_cohorts`: who was active in which period, from its first day on. -#}
{% macro recurring_cohorts_cte() -%}
recurring_cohorts as (
    select distinct
        days.tenant_id,
        'user' as subject,
        'recurring' as cohort_by,
        periods.period as only_period,
        days.user_id as entity_id,
        {{ retention_cohort_start('periods.period', 'days.activity_date', 'tenants.week_start') }} as first_date
    from {{ recurring_tenants() }} as tenants
    inner join {{ ref('int_activity__user_days') }} as days on tenants.tenant_id = days.tenant_id
    cross join (values ('day'), ('week'), ('month')) as periods (period)
)
{%- endmacro %}
