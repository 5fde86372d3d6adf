{{ config(
    unique_key=['tenant_id', 'subject', 'cohort_by', 'period', 'mode', 'cohort_start', 'period_index'],
    pre_hook='{{ prepare_retention_cells() }}',
    meta={'dirty': {'keys': 'retention_cells'}},
) }}

{#- A cell holds those of the cohort for whom its bucket has begun. A day's calendar cell is its rolling one. -#}
with {{ recurring_cohorts_cte() }},

{% if is_incremental() -%}
cells as (
    select
        dirty.tenant_id,
        dirty.subject,
        dirty.cohort_by,
        case dirty.cohort_by when 'recurring' then dirty.period else 'all' end as only_period,
        dirty.period,
        dirty.mode,
        buckets.days,
        dirty.cohort_start,
        {{ retention_cohort_end('dirty.period', 'dirty.cohort_start') }} as cohort_end,
        dirty.period_index,
        tenants.week_start,
        tenants.as_of_date,
        tenants.complete_date
    from retention_cells as dirty
    inner join {{ ref('stg_platform__tenants') }} as tenants on dirty.tenant_id = tenants.tenant_id
    inner join {{ retention_buckets() }} as buckets (period, mode, days, last_index)
        on dirty.period = buckets.period and dirty.mode = buckets.mode
    where dirty.is_counted
),

-- Those who began, where their bucket has begun by as_of.
began as (
    select
        buckets.tenant_id,
        buckets.subject,
        buckets.cohort_by,
        buckets.period,
        buckets.mode,
        buckets.cohort_start,
        buckets.period_index,
        {{ retention_bucket_end('buckets', 'sizes.first_date', 'buckets.period_index', 'buckets.week_start') }}
        <= buckets.complete_date + 1 as is_complete,
        sizes.entities,
        sizes.starting_mrr
    from cells as buckets
    cross join lateral (
        select
            candidates.first_date,
            candidates.entities,
            candidates.starting_mrr
        from {{ ref('int_retention__cohort_sizes') }} as candidates
        where
            candidates.tenant_id = buckets.tenant_id
            and candidates.subject = buckets.subject
            and candidates.cohort_by = buckets.cohort_by
            and candidates.only_period = buckets.only_period
            and candidates.first_date >= buckets.cohort_start
            and candidates.first_date < buckets.cohort_end
        {{ row_by_row() }}
    ) as sizes
    where
        {{ retention_bucket_end('buckets', 'sizes.first_date', '(buckets.period_index - 1)', 'buckets.week_start') }}
        <= buckets.as_of_date
),

-- Those of them who were active in a bucket that has ended.
came_back as (
    select
        cells.tenant_id,
        cells.subject,
        cells.cohort_by,
        cells.period,
        cells.mode,
        cells.cohort_start,
        cells.period_index,
        active.active,
        active.mrr
    from cells
    cross join lateral (
        select
            candidates.active,
            candidates.mrr
        from {{ ref('int_retention__active_buckets') }} as candidates
        where
            candidates.tenant_id = cells.tenant_id
            and candidates.subject = cells.subject
            and candidates.cohort_by = cells.cohort_by
            and candidates.only_period = cells.only_period
            and candidates.period = cells.period
            and candidates.mode = cells.mode
            and candidates.period_index = cells.period_index
            and candidates.first_date >= cells.cohort_start
            and candidates.first_date < cells.cohort_end
        {{ row_by_row() }}
    ) as active
    where cells.mode <> 'unbounded'
),

-- Unbounded: who is in a cohort of which a cell is counted.
members as materialized (
    select
        firsts.tenant_id,
        cohorts.subject,
        cohorts.cohort_by,
        cohorts.period,
        cohorts.cohort_start,
        firsts.entity_id,
        firsts.first_date
    from (
        select distinct
            tenant_id,
            subject,
            cohort_by,
            period,
            cohort_start,
            cohort_end
        from cells
        where mode = 'unbounded' and only_period = 'all'
    ) as cohorts
    cross join lateral (
        select
            candidates.tenant_id,
            candidates.entity_id,
            candidates.first_date
        from {{ ref('int_retention__first_days') }} as candidates
        where
            candidates.tenant_id = cohorts.tenant_id
            and candidates.subject = cohorts.subject
            and candidates.cohort_by = cohorts.cohort_by
            and candidates.first_date >= cohorts.cohort_start
            and candidates.first_date < cohorts.cohort_end
        {{ row_by_row() }}
    ) as firsts
    union all
    select
        recurring.tenant_id,
        recurring.subject,
        recurring.cohort_by,
        recurring.only_period as period,
        recurring.first_date as cohort_start,
        recurring.entity_id,
        recurring.first_date
    from recurring_cohorts as recurring
),

-- The day an entity was active for the last time.
last_days as (
    select
        entities.tenant_id,
        entities.subject,
        entities.entity_id,
        latest.last_date
    from (
        select distinct
            tenant_id,
            subject,
            entity_id
        from members
        where subject = 'user'
    ) as entities
    cross join lateral (
        select days.activity_date as last_date
        from {{ ref('int_activity__user_days') }} as days
        where days.tenant_id = entities.tenant_id and days.user_id = entities.entity_id
        order by days.activity_date desc
        limit 1
    ) as latest
    union all
    select
        entities.tenant_id,
        entities.subject,
        entities.entity_id,
        latest.last_date
    from (
        select distinct
            tenant_id,
            subject,
            entity_id
        from members
        where subject = 'customer'
    ) as entities
    inner join {{ ref('stg_platform__tenants') }} as tenants on entities.tenant_id = tenants.tenant_id
    cross join lateral (
        select
            (
                (least(max(periods.valid_to), tenants.as_of) - interval '1 microsecond') at time zone tenants.timezone
            )::date as last_date
        from {{ ref('int_revenue__customer_periods') }} as periods
        where
            periods.tenant_id = entities.tenant_id
            and periods.customer_id = entities.entity_id
            and periods.mrr > 0
            and periods.valid_from < tenants.as_of
    ) as latest
),

{% else -%}
cohorts_by_period as (
    select
        sizes.tenant_id,
        sizes.subject,
        sizes.cohort_by,
        sizes.only_period,
        periods.period,
        sizes.first_date,
        starts.cohort_start,
        sizes.entities,
        sizes.starting_mrr,
        tenants.week_start,
        tenants.as_of_date,
        tenants.complete_date
    from {{ ref('int_retention__cohort_sizes') }} as sizes
    inner join {{ ref('stg_platform__tenants') }} as tenants on sizes.tenant_id = tenants.tenant_id
    inner join (values ('day'), ('week'), ('month')) as periods (period)
        on sizes.only_period in ('all', periods.period)
    cross join lateral (
        select {{ retention_cohort_start('periods.period', 'sizes.first_date', 'tenants.week_start') }} as cohort_start
    ) as starts
),

-- Those who began, for each bucket that has begun by as_of.
began as (
    select
        cohorts.tenant_id,
        cohorts.subject,
        cohorts.cohort_by,
        cohorts.period,
        buckets.mode,
        cohorts.cohort_start,
        indexes.period_index,
        {{ retention_bucket_end('buckets', 'cohorts.first_date', 'indexes.period_index', 'cohorts.week_start') }}
        <= cohorts.complete_date + 1 as is_complete,
        cohorts.entities,
        cohorts.starting_mrr
    from cohorts_by_period as cohorts
    inner join {{ retention_buckets() }} as buckets (period, mode, days, last_index)
        on cohorts.period = buckets.period
    cross join lateral generate_series(
        0,
        least(
            {{ retention_index('buckets', 'cohorts.first_date', 'cohorts.as_of_date', 'cohorts.week_start') }},
            buckets.last_index
        )
    ) as indexes (period_index)
    where
        (cohorts.only_period = 'all' or buckets.mode <> 'rolling' or buckets.period = 'day')
        and not (cohorts.subject = 'revenue' and buckets.mode = 'unbounded')
),

-- Those of them who were active in a bucket that has ended. Added up rather than joined: there are as many cells as rows.
came_back as (
    select
        active.tenant_id,
        active.subject,
        active.cohort_by,
        active.period,
        active.mode,
        {{ retention_cohort_start('active.period', 'active.first_date', 'tenants.week_start') }} as cohort_start,
        active.period_index,
        active.active,
        active.mrr
    from {{ ref('int_retention__active_buckets') }} as active
    inner join {{ ref('stg_platform__tenants') }} as tenants on active.tenant_id = tenants.tenant_id
),

-- Unbounded: who is in which cohort.
members as (
    select
        firsts.tenant_id,
        firsts.subject,
        firsts.cohort_by,
        periods.period,
        {{ retention_cohort_start('periods.period', 'firsts.first_date', 'tenants.week_start') }} as cohort_start,
        firsts.entity_id,
        firsts.first_date
    from {{ ref('int_retention__first_days') }} as firsts
    inner join {{ ref('stg_platform__tenants') }} as tenants on firsts.tenant_id = tenants.tenant_id
    cross join (values ('day'), ('week'), ('month')) as periods (period)
    union all
    select
        recurring.tenant_id,
        recurring.subject,
        recurring.cohort_by,
        recurring.only_period as period,
        recurring.first_date as cohort_start,
        recurring.entity_id,
        recurring.first_date
    from recurring_cohorts as recurring
),

-- The day an entity was active for the last time.
last_days as (
    select
        days.tenant_id,
        'user' as subject,
        days.user_id as entity_id,
        max(days.activity_date) as last_date
    from {{ ref('int_activity__user_days') }} as days
    group by days.tenant_id, days.user_id
    union all
    select
        periods.tenant_id,
        'customer' as subject,
        periods.customer_id as entity_id,
        max(
            (
                (least(periods.valid_to, tenants.as_of) - interval '1 microsecond') at time zone tenants.timezone
            )::date
        ) as last_date
    from {{ ref('int_revenue__customer_periods') }} as periods
    inner join {{ ref('stg_platform__tenants') }} as tenants on periods.tenant_id = tenants.tenant_id
    where periods.mrr > 0 and periods.valid_from < tenants.as_of
    group by periods.tenant_id, periods.customer_id
),

{% endif -%}
-- Each member's last day. Added up rather than joined: the planner takes the members for a handful and would go through
-- all last days for each of them.
members_with_last_day as (
    select
        tenant_id,
        subject,
        cohort_by,
        period,
        cohort_start,
        first_date,
        max(last_date) over (partition by tenant_id, subject, entity_id) as last_date
    from (
        select
            tenant_id,
            subject,
            entity_id,
            cohort_by,
            period,
            cohort_start,
            first_date,
            null::date as last_date
        from members
        union all
        select
            tenant_id,
            subject,
            entity_id,
            null as cohort_by,
            null as period,
            null as cohort_start,
            null as first_date,
            last_date
        from last_days
    ) as members_and_last_days
),

last_buckets as (
    select
        members.tenant_id,
        members.subject,
        members.cohort_by,
        members.period,
        'unbounded' as mode,
        members.cohort_start,
        least(
            {{ retention_index('buckets', 'members.first_date', 'members.last_date', 'tenants.week_start') }},
            buckets.last_index
        ) as period_index,
        count(*) as active,
        null::numeric as mrr
    from members_with_last_day as members
    inner join {{ ref('stg_platform__tenants') }} as tenants on members.tenant_id = tenants.tenant_id
    inner join {{ retention_buckets() }} as buckets (period, mode, days, last_index)
        on members.period = buckets.period and buckets.mode = 'unbounded'
    where members.first_date <= members.last_date
    group by
        members.tenant_id,
        members.subject,
        members.cohort_by,
        members.period,
        members.cohort_start,
        period_index
),

cohort_cells as (
    select
        tenant_id,
        subject,
        cohort_by,
        period,
        mode,
        cohort_start,
        period_index,
        sum(entities) as cohort_size,
        coalesce(sum(entities) filter (where is_complete), 0) as eligible,
        sum(starting_mrr) filter (where is_complete) as eligible_starting_mrr,
        coalesce(sum(active), 0) as active,
        coalesce(sum(mrr), 0) as mrr,
        bool_and(is_complete) as is_complete
    from (
        select
            tenant_id,
            subject,
            cohort_by,
            period,
            mode,
            cohort_start,
            period_index,
            is_complete,
            entities,
            starting_mrr,
            0 as active,
            null::numeric as mrr
        from began
        union all
        select
            tenant_id,
            subject,
            cohort_by,
            period,
            mode,
            cohort_start,
            period_index,
            null as is_complete,
            0 as entities,
            null as starting_mrr,
            active,
            mrr
        from came_back
        union all
        select
            tenant_id,
            subject,
            cohort_by,
            period,
            mode,
            cohort_start,
            period_index,
            null as is_complete,
            0 as entities,
            null as starting_mrr,
            active,
            mrr
        from last_buckets
    ) as began_and_came_back
    group by tenant_id, subject, cohort_by, period, mode, cohort_start, period_index
),

-- Unbounded: those last active in bucket k or later; a calendar bucket is complete for the whole cohort or for nobody.
cells_with_retained as (
    select
        tenant_id,
        subject,
        cohort_by,
        period,
        mode,
        cohort_start,
        period_index,
        cohort_size,
        eligible,
        active as retained,
        mrr,
        eligible_starting_mrr,
        is_complete
    from cohort_cells
    where mode <> 'unbounded'
    union all
    select
        tenant_id,
        subject,
        cohort_by,
        period,
        'calendar' as mode,
        cohort_start,
        period_index,
        cohort_size,
        eligible,
        active as retained,
        mrr,
        eligible_starting_mrr,
        is_complete
    from cohort_cells
    where period = 'day' and mode = 'rolling'
    union all
    select
        tenant_id,
        subject,
        cohort_by,
        period,
        mode,
        cohort_start,
        period_index,
        cohort_size,
        eligible,
        sum(active) over (
            partition by tenant_id, subject, cohort_by, period, cohort_start order by period_index desc
        ) as retained,
        mrr,
        eligible_starting_mrr,
        is_complete
    from cohort_cells
    where mode = 'unbounded'
)

select
    tenant_id,
    subject,
    cohort_by,
    period,
    mode,
    cohort_start,
    period_index,
    cohort_size::bigint as cohort_size,
    eligible::bigint as eligible,
    case when eligible > 0 then retained end::bigint as retained,
    case
        when eligible = 0 then null
        when subject = 'revenue' then mrr / nullif(eligible_starting_mrr, 0)
        else retained::numeric / eligible
    end as retention_rate,
    case when subject = 'revenue' and eligible > 0 then mrr end as retained_mrr,
    eligible_starting_mrr,
    is_complete
from cells_with_retained
-- The last bucket of a user may be no cell to count.
where cohort_size > 0
