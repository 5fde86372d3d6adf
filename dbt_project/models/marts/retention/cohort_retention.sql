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

-- Buckets that have begun by as_of, for each first day of a cohort.
first_day_cells as (
    select
        sizes.tenant_id,
        sizes.subject,
        sizes.cohort_by,
        sizes.only_period,
        sizes.first_date,
        sizes.entities,
        sizes.starting_mrr,
        buckets.period,
        buckets.mode,
        cells.period_index,
        {{ retention_cohort_start('buckets.period', 'sizes.first_date', 'tenants.week_start') }} as cohort_start,
        {{ retention_bucket_end('buckets', 'sizes.first_date', 'cells.period_index', 'tenants.week_start') }}
        <= tenants.complete_date + 1 as is_complete
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
        (sizes.only_period = 'all' or (sizes.only_period = buckets.period and buckets.mode <> 'rolling'))
        and not (sizes.subject = 'revenue' and buckets.mode = 'unbounded')
),

cohort_cells as (
    select
        cells.tenant_id,
        cells.subject,
        cells.cohort_by,
        cells.period,
        cells.mode,
        cells.cohort_start,
        cells.period_index,
        sum(cells.entities) as cohort_size,
        coalesce(sum(cells.entities) filter (where cells.is_complete), 0) as eligible,
        sum(cells.starting_mrr) filter (where cells.is_complete) as eligible_starting_mrr,
        sum(coalesce(active.active, 0)) filter (where cells.is_complete) as active,
        sum(coalesce(active.active, 0)) as active_in_any_case,
        sum(coalesce(active.mrr, 0)) filter (where cells.is_complete) as mrr,
        bool_and(cells.is_complete) as is_complete
    from first_day_cells as cells
    left join {{ ref('int_retention__active_buckets') }} as active
        on
            cells.tenant_id = active.tenant_id
            and cells.subject = active.subject
            and cells.cohort_by = active.cohort_by
            and cells.only_period = active.only_period
            and cells.first_date = active.first_date
            and cells.period = active.period
            and cells.mode = active.mode
            and cells.period_index = active.period_index
    group by 1, 2, 3, 4, 5, 6, 7
),

retained_cells as (
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
        eligible_starting_mrr,
        is_complete,
        case
            when eligible = 0 then null
            -- Those last active in bucket k or later; a calendar bucket is complete for the whole cohort or for nobody.
            when mode = 'unbounded' then sum(active_in_any_case) over (
                partition by tenant_id, subject, cohort_by, period, mode, cohort_start order by period_index desc
            )
            else active
        end as retained,
        case when subject = 'revenue' and eligible > 0 then mrr end as retained_mrr
    from cohort_cells
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
    retained::bigint as retained,
    case subject
        when 'revenue' then retained_mrr / nullif(eligible_starting_mrr, 0)
        else retained::numeric / nullif(eligible, 0)
    end as retention_rate,
    retained_mrr,
    eligible_starting_mrr,
    is_complete
from retained_cells
