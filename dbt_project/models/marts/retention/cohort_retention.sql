{{ config(
    unique_key=['tenant_id', 'subject', 'cohort_by', 'period', 'mode', 'cohort_start', 'period_index'],
    meta={'dirty': {'tenant': ['activity', 'users', 'revenue', 'clock']}},
) }}

with tenants_to_count as (
    select
        tenants.tenant_id,
        tenants.week_start,
        tenants.as_of_date,
        tenants.complete_date
    from {{ ref('stg_platform__tenants') }} as tenants
    {% if is_incremental() %}
        inner join {{ dirty_tenants(retention_domains()) }} as dirty on tenants.tenant_id = dirty.tenant_id
    {% endif %}
),

-- Those who began, for each bucket that has begun by as_of.
began as (
    select
        sizes.tenant_id,
        sizes.subject,
        sizes.cohort_by,
        buckets.period,
        buckets.mode,
        {{ retention_cohort_start('buckets.period', 'sizes.first_date', 'tenants.week_start') }} as cohort_start,
        cells.period_index,
        {{ retention_bucket_end('buckets', 'sizes.first_date', 'cells.period_index', 'tenants.week_start') }}
        <= tenants.complete_date + 1 as is_complete,
        sizes.entities,
        sizes.starting_mrr
    from tenants_to_count as tenants
    inner join {{ ref('int_retention__cohort_sizes') }} as sizes on tenants.tenant_id = sizes.tenant_id
    cross join {{ retention_buckets() }} as buckets (period, mode, days, last_index)
    cross join lateral generate_series(
        0,
        least(
            {{ retention_index('buckets', 'sizes.first_date', 'tenants.as_of_date', 'tenants.week_start') }},
            buckets.last_index
        )
    ) as cells (period_index)
    where
        (
            sizes.only_period = 'all'
            or (sizes.only_period = buckets.period and (buckets.mode <> 'rolling' or buckets.period = 'day'))
        )
        and not (sizes.subject = 'revenue' and buckets.mode = 'unbounded')
),

-- Those of them who were active in it. Both are added up rather than joined: there are as many cells as rows.
came_back as (
    select
        active.tenant_id,
        active.subject,
        active.cohort_by,
        active.period,
        active.mode,
        {{ retention_cohort_start('active.period', 'active.first_date', 'tenants.week_start') }} as cohort_start,
        active.period_index,
        {{ retention_bucket_end('buckets', 'active.first_date', 'active.period_index', 'tenants.week_start') }}
        <= tenants.complete_date + 1 as is_complete,
        active.active,
        active.mrr
    from tenants_to_count as tenants
    inner join {{ ref('int_retention__active_buckets') }} as active on tenants.tenant_id = active.tenant_id
    inner join {{ retention_buckets() }} as buckets (period, mode, days, last_index)
        on active.period = buckets.period and active.mode = buckets.mode
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
        coalesce(sum(active) filter (where is_complete), 0) as active,
        sum(active) as active_in_any_case,
        coalesce(sum(mrr) filter (where is_complete), 0) as mrr,
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
            is_complete,
            0 as entities,
            null as starting_mrr,
            active,
            mrr
        from came_back
    ) as began_and_came_back
    group by 1, 2, 3, 4, 5, 6, 7
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
        active,
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
        sum(active_in_any_case) over (
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
