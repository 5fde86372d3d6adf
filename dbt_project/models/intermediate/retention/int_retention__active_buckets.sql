{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'subject', 'cohort_by', 'only_period', 'period', 'mode', 'period_index', 'first_date'],
    on_schema_change='fail',
    contract={'enforced': true},
    pre_hook='{{ prepare_active_buckets() }}',
    meta={'dirty': {'keys': 'retention_buckets'}},
) }}

{#- A full build reads each user's days once and counts a day where a new bucket begins; so do recurring cohorts. An
    incremental build asks for each user of a changed bucket whether a day of theirs lies in it. -#}
with {{ recurring_cohorts_cte() }},

members as (
    select
        recurring.tenant_id,
        recurring.cohort_by,
        recurring.only_period,
        recurring.entity_id,
        recurring.first_date
    from recurring_cohorts as recurring
    {% if not is_incremental() %}
        union all
        select
            firsts.tenant_id,
            firsts.cohort_by,
            'all' as only_period,
            firsts.entity_id,
            firsts.first_date
        from {{ ref('int_retention__first_days') }} as firsts
        where firsts.subject = 'user'
    {% endif %}
),

user_days as (
    select
        days.tenant_id,
        days.user_id,
        days.activity_date
    from {{ ref('int_activity__user_days') }} as days
    {% if is_incremental() %}
        where days.tenant_id in (select asking.tenant_id from {{ recurring_tenants() }} as asking)
    {% endif %}
    group by days.tenant_id, days.user_id, days.activity_date
),

-- Days of a cohort's users from its first day on, each with the one before.
member_days as (
    select
        members.tenant_id,
        members.cohort_by,
        members.only_period,
        members.first_date,
        days.activity_date,
        lag(days.activity_date) over user_by_day as previous_date
    from members
    inner join user_days as days
        on
            members.tenant_id = days.tenant_id
            and members.entity_id = days.user_id
            and members.first_date <= days.activity_date
    window user_by_day as (
        partition by
            members.tenant_id, members.cohort_by, members.entity_id, members.only_period, members.first_date
        order by days.activity_date
    )
),

-- Users of a cohort by the day they were active on and the day before it: few pairs, each placed in its buckets once.
steps as (
    select
        tenant_id,
        cohort_by,
        only_period,
        first_date,
        activity_date,
        previous_date,
        count(*) as users
    from member_days
    group by tenant_id, cohort_by, only_period, first_date, activity_date, previous_date
),

user_buckets as (
    select
        steps.tenant_id,
        'user' as subject,
        steps.cohort_by,
        steps.only_period,
        buckets.period,
        buckets.mode,
        indexes.this_index as period_index,
        case buckets.mode
            when 'rolling' then steps.first_date
            else {{ retention_cohort_start('buckets.period', 'steps.first_date', 'tenants.week_start') }}
        end as first_date,
        steps.users as active,
        null::numeric as mrr
    from steps
    inner join {{ ref('stg_platform__tenants') }} as tenants on steps.tenant_id = tenants.tenant_id
    cross join {{ retention_buckets() }} as buckets (period, mode, days, last_index)
    cross join lateral (
        select
            {{ retention_index('buckets', 'steps.first_date', 'steps.activity_date', 'tenants.week_start') }}
                as this_index,
            {{ retention_index('buckets', 'steps.first_date', 'steps.previous_date', 'tenants.week_start') }}
                as previous_index
    ) as indexes
    where
        buckets.mode <> 'unbounded'
        and (
            steps.only_period = 'all'
            or (steps.only_period = buckets.period and (buckets.mode <> 'rolling' or buckets.period = 'day'))
        )
        and indexes.this_index <= buckets.last_index
        and indexes.this_index is distinct from indexes.previous_index
        and {{ retention_bucket_end('buckets', 'steps.first_date', 'indexes.this_index', 'tenants.week_start') }}
        <= tenants.complete_date + 1
),

{% if is_incremental() -%}
buckets_to_count as (
    select
        dirty.tenant_id,
        dirty.subject,
        dirty.cohort_by,
        dirty.only_period,
        dirty.period,
        dirty.mode,
        dirty.period_index,
        dirty.first_date,
        case
            when dirty.mode = 'rolling' then dirty.first_date
            else {{ retention_cohort_end('dirty.period', 'dirty.first_date') }} - 1
        end as last_first_date,
        bounds.from_date,
        bounds.end_date,
        bounds.from_date::timestamp at time zone tenants.timezone as from_at,
        bounds.end_date::timestamp at time zone tenants.timezone as end_at,
        tenants.timezone
    from retention_buckets as dirty
    inner join {{ ref('stg_platform__tenants') }} as tenants on dirty.tenant_id = tenants.tenant_id
    inner join {{ retention_buckets() }} as buckets (period, mode, days, last_index)
        on dirty.period = buckets.period and dirty.mode = buckets.mode
    cross join lateral (
        select
            {{ retention_bucket_end('buckets', 'dirty.first_date', '(dirty.period_index - 1)', 'tenants.week_start') }}
                as from_date,
            {{ retention_bucket_end('buckets', 'dirty.first_date', 'dirty.period_index', 'tenants.week_start') }}
                as end_date
    ) as bounds
    where dirty.is_counted
),

bucket_counts as (
    select
        buckets.tenant_id,
        buckets.subject,
        buckets.cohort_by,
        buckets.only_period,
        buckets.period,
        buckets.mode,
        buckets.period_index,
        buckets.first_date,
        found.active,
        null::numeric as mrr
    from buckets_to_count as buckets
    cross join lateral (
        select count(*) as active
        from {{ ref('int_retention__first_days') }} as firsts
        where
            firsts.tenant_id = buckets.tenant_id
            and firsts.subject = buckets.subject
            and firsts.cohort_by = buckets.cohort_by
            and firsts.first_date between buckets.first_date and buckets.last_first_date
            and exists (
                select from {{ ref('int_activity__user_days') }} as days
                where
                    days.tenant_id = firsts.tenant_id
                    and days.user_id = firsts.entity_id
                    and days.activity_date >= greatest(buckets.from_date, firsts.first_date)
                    and days.activity_date < buckets.end_date
                {{ row_by_row() }}
            )
    ) as found
    where buckets.subject = 'user'
    union all
    -- Paying at some moment of the bucket.
    select
        buckets.tenant_id,
        buckets.subject,
        buckets.cohort_by,
        buckets.only_period,
        buckets.period,
        buckets.mode,
        buckets.period_index,
        buckets.first_date,
        found.active,
        null as mrr
    from buckets_to_count as buckets
    cross join lateral (
        select count(*) as active
        from {{ ref('int_retention__first_days') }} as firsts
        where
            firsts.tenant_id = buckets.tenant_id
            and firsts.subject = buckets.subject
            and firsts.cohort_by = buckets.cohort_by
            and firsts.first_date between buckets.first_date and buckets.last_first_date
            and exists (
                select from {{ ref('int_revenue__customer_periods') }} as periods
                where
                    periods.tenant_id = firsts.tenant_id
                    and periods.customer_id = firsts.entity_id
                    and periods.mrr > 0
                    and periods.valid_from < buckets.end_at
                    and periods.valid_to > buckets.from_at
                    and periods.valid_to > firsts.first_date::timestamp at time zone buckets.timezone
                {{ row_by_row() }}
            )
    ) as found
    where buckets.subject = 'customer'
    union all
    -- Paying when the bucket ends, with the MRR of that moment.
    select
        buckets.tenant_id,
        buckets.subject,
        buckets.cohort_by,
        buckets.only_period,
        buckets.period,
        buckets.mode,
        buckets.period_index,
        buckets.first_date,
        found.active,
        found.mrr
    from buckets_to_count as buckets
    cross join lateral (
        select
            count(paid.mrr) as active,
            sum(paid.mrr) as mrr
        from {{ ref('int_retention__first_days') }} as firsts
        cross join lateral (
            select periods.mrr
            from {{ ref('int_revenue__customer_periods') }} as periods
            where
                periods.tenant_id = firsts.tenant_id
                and periods.customer_id = firsts.entity_id
                and periods.mrr > 0
                and periods.valid_from < buckets.end_at
                and periods.valid_to >= buckets.end_at
            {{ row_by_row() }}
        ) as paid
        where
            firsts.tenant_id = buckets.tenant_id
            and firsts.subject = 'customer'
            and firsts.cohort_by = buckets.cohort_by
            and firsts.first_date between buckets.first_date and buckets.last_first_date
    ) as found
    where buckets.subject = 'revenue'
),

{% else -%}
-- What a customer paid, cut at as_of, in tenant-local days: last_date holds the last paying instant, end_date the end.
paying_spans as (
    select
        firsts.tenant_id,
        firsts.cohort_by,
        firsts.first_date as cohort_date,
        tenants.week_start,
        tenants.complete_date,
        periods.mrr,
        greatest((periods.valid_from at time zone tenants.timezone)::date, firsts.first_date) as first_date,
        spans.last_date,
        spans.end_date,
        -- Where one span follows another within a bucket, the bucket has been counted.
        lag(spans.last_date) over customer_by_span as previous_date
    from {{ ref('int_retention__first_days') }} as firsts
    inner join {{ ref('stg_platform__tenants') }} as tenants on firsts.tenant_id = tenants.tenant_id
    inner join {{ ref('int_revenue__customer_periods') }} as periods
        on
            firsts.tenant_id = periods.tenant_id
            and firsts.entity_id = periods.customer_id
            and periods.mrr > 0
            and periods.valid_from < tenants.as_of
    cross join lateral (
        select
            ((least(periods.valid_to, tenants.as_of) - interval '1 microsecond') at time zone tenants.timezone)::date
                as last_date,
            (least(periods.valid_to, tenants.as_of) at time zone tenants.timezone)::date as end_date
    ) as spans
    where firsts.subject = 'customer' and firsts.first_date <= spans.last_date
    window customer_by_span as (
        partition by firsts.tenant_id, firsts.cohort_by, firsts.entity_id order by periods.valid_from
    )
),

bucket_counts as (
    -- Paying at some moment of the bucket, and paying when it ends.
    select
        spans.tenant_id,
        subjects.subject,
        spans.cohort_by,
        'all' as only_period,
        buckets.period,
        buckets.mode,
        covered.period_index,
        case buckets.mode
            when 'rolling' then spans.cohort_date
            else {{ retention_cohort_start('buckets.period', 'spans.cohort_date', 'spans.week_start') }}
        end as first_date,
        1 as active,
        case subjects.subject when 'revenue' then spans.mrr end as mrr
    from paying_spans as spans
    cross join (values ('customer'), ('revenue')) as subjects (subject)
    cross join {{ retention_buckets() }} as buckets (period, mode, days, last_index)
    cross join lateral generate_series(
        case subjects.subject
            when 'customer' then greatest(
                {{ retention_index('buckets', 'spans.cohort_date', 'spans.first_date', 'spans.week_start') }},
                {{ retention_index('buckets', 'spans.cohort_date', 'spans.previous_date', 'spans.week_start') }} + 1
            )
            else {{ retention_index('buckets', 'spans.cohort_date', 'spans.first_date', 'spans.week_start') }}
        end,
        least(
            case subjects.subject
                when 'customer'
                    then {{ retention_index('buckets', 'spans.cohort_date', 'spans.last_date', 'spans.week_start') }}
                else
                    {{ retention_index('buckets', 'spans.cohort_date', 'spans.end_date', 'spans.week_start') }} - 1
            end,
            -- Only buckets that have ended.
            {{ retention_index('buckets', 'spans.cohort_date', '(spans.complete_date + 1)', 'spans.week_start') }} - 1,
            buckets.last_index
        )
    ) as covered (period_index)
    where buckets.mode <> 'unbounded'
),

{% endif -%}
all_counts as (
    select
        tenant_id,
        subject,
        cohort_by,
        only_period,
        period,
        mode,
        period_index,
        first_date,
        active,
        mrr
    from user_buckets
    union all
    select
        tenant_id,
        subject,
        cohort_by,
        only_period,
        period,
        mode,
        period_index,
        first_date,
        active,
        mrr
    from bucket_counts
)

select
    tenant_id,
    subject,
    cohort_by,
    only_period,
    period,
    mode,
    period_index,
    first_date,
    sum(active)::bigint as active,
    sum(mrr) as mrr
from all_counts
group by tenant_id, subject, cohort_by, only_period, period, mode, period_index, first_date
having sum(active) > 0
