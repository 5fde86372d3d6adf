{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'subject', 'cohort_by', 'only_period', 'first_date', 'period', 'mode', 'period_index'],
    on_schema_change='fail',
    contract={'enforced': true},
    meta={'dirty': {'tenant': ['activity', 'users', 'revenue', 'clock']}},
) }}

with {{ retention_cohort_ctes() }},

-- Days of a cohort's users from its first day on, each with the one before: a day counts where a new bucket begins.
cohort_user_days as (
    select
        cohorts.tenant_id,
        cohorts.cohort_by,
        cohorts.only_period,
        cohorts.first_date,
        days.activity_date,
        tenants.week_start,
        lag(days.activity_date) over user_by_day as previous_date,
        lead(days.activity_date) over user_by_day as next_date
    from cohorts
    inner join tenants_to_count as tenants on cohorts.tenant_id = tenants.tenant_id
    inner join user_days as days
        on
            cohorts.tenant_id = days.tenant_id
            and cohorts.entity_id = days.user_id
            and cohorts.first_date <= days.activity_date
    where cohorts.subject = 'user'
    window user_by_day as (
        partition by
            cohorts.tenant_id, cohorts.cohort_by, cohorts.entity_id, cohorts.only_period, cohorts.first_date
        order by days.activity_date
    )
),

user_buckets as (
    select
        days.tenant_id,
        'user' as subject,
        days.cohort_by,
        days.only_period,
        case buckets.mode
            when 'rolling' then days.first_date
            else {{ retention_cohort_start('buckets.period', 'days.first_date', 'days.week_start') }}
        end as first_date,
        buckets.period,
        buckets.mode,
        least(indexes.this_index, case buckets.mode when 'unbounded' then buckets.last_index end) as period_index,
        null::numeric as mrr
    from cohort_user_days as days
    cross join {{ retention_buckets() }} as buckets (period, mode, days, last_index)
    cross join lateral (
        select
            {{ retention_index('buckets', 'days.first_date', 'days.activity_date', 'days.week_start') }} as this_index,
            {{ retention_index('buckets', 'days.first_date', 'days.previous_date', 'days.week_start') }}
                as previous_index
    ) as indexes
    where
        (
            days.only_period is null
            or (days.only_period = buckets.period and (buckets.mode <> 'rolling' or buckets.period = 'day'))
        )
        and case buckets.mode
            -- Active in bucket k or later: only the last day of a user counts.
            when 'unbounded' then days.next_date is null
            else
                indexes.this_index <= buckets.last_index
                and indexes.this_index is distinct from indexes.previous_index
        end
),

paying_spans_of_cohorts as (
    select
        cohorts.tenant_id,
        cohorts.subject,
        cohorts.cohort_by,
        cohorts.first_date as cohort_date,
        spans.mrr,
        tenants.week_start,
        greatest(spans.first_date, cohorts.first_date) as first_date,
        spans.last_date,
        spans.end_date,
        -- Where one span follows another within a bucket, the bucket has been counted.
        lag(spans.last_date) over customer_by_span as previous_date,
        lead(spans.last_date) over customer_by_span as next_date
    from cohorts
    inner join tenants_to_count as tenants on cohorts.tenant_id = tenants.tenant_id
    inner join paying_spans as spans
        on
            cohorts.tenant_id = spans.tenant_id
            and cohorts.entity_id = spans.customer_id
            and cohorts.first_date <= spans.last_date
    where cohorts.subject in ('customer', 'revenue')
    window customer_by_span as (
        partition by cohorts.tenant_id, cohorts.subject, cohorts.cohort_by, cohorts.entity_id
        order by spans.span_number
    )
),

customer_buckets as (
    -- Paying at some moment of the bucket.
    select
        spans.tenant_id,
        spans.subject,
        spans.cohort_by,
        null::text as only_period,
        case buckets.mode
            when 'rolling' then spans.cohort_date
            else {{ retention_cohort_start('buckets.period', 'spans.cohort_date', 'spans.week_start') }}
        end as first_date,
        buckets.period,
        buckets.mode,
        covered.period_index,
        null::numeric as mrr
    from paying_spans_of_cohorts as spans
    cross join {{ retention_buckets() }} as buckets (period, mode, days, last_index)
    cross join lateral generate_series(
        case
            when buckets.mode = 'unbounded'
                then least(
                    {{ retention_index('buckets', 'spans.cohort_date', 'spans.last_date', 'spans.week_start') }},
                    buckets.last_index
                )
            else greatest(
                {{ retention_index('buckets', 'spans.cohort_date', 'spans.first_date', 'spans.week_start') }},
                {{ retention_index('buckets', 'spans.cohort_date', 'spans.previous_date', 'spans.week_start') }} + 1
            )
        end,
        least(
            {{ retention_index('buckets', 'spans.cohort_date', 'spans.last_date', 'spans.week_start') }},
            buckets.last_index
        )
    ) as covered (period_index)
    where spans.subject = 'customer' and (buckets.mode <> 'unbounded' or spans.next_date is null)
    union all
    -- Paying when the bucket ends, with the MRR of that moment.
    select
        spans.tenant_id,
        spans.subject,
        spans.cohort_by,
        null as only_period,
        case buckets.mode
            when 'rolling' then spans.cohort_date
            else {{ retention_cohort_start('buckets.period', 'spans.cohort_date', 'spans.week_start') }}
        end as first_date,
        buckets.period,
        buckets.mode,
        covered.period_index,
        spans.mrr
    from paying_spans_of_cohorts as spans
    cross join {{ retention_buckets() }} as buckets (period, mode, days, last_index)
    cross join lateral generate_series(
        {{ retention_index('buckets', 'spans.cohort_date', 'spans.first_date', 'spans.week_start') }},
        least(
            {{ retention_index('buckets', 'spans.cohort_date', 'spans.end_date', 'spans.week_start') }} - 1,
            buckets.last_index
        )
    ) as covered (period_index)
    where spans.subject = 'revenue' and buckets.mode <> 'unbounded'
)

select
    tenant_id,
    subject,
    cohort_by,
    coalesce(only_period, 'all') as only_period,
    first_date,
    period,
    mode,
    period_index,
    count(*) as active,
    sum(mrr) as mrr
from (
    select
        tenant_id,
        subject,
        cohort_by,
        only_period,
        first_date,
        period,
        mode,
        period_index,
        mrr
    from user_buckets
    union all
    select
        tenant_id,
        subject,
        cohort_by,
        only_period,
        first_date,
        period,
        mode,
        period_index,
        mrr
    from customer_buckets
) as all_buckets
group by 1, 2, 3, 4, 5, 6, 7, 8
