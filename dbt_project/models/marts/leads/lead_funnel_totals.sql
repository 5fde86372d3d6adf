{{ config(
    unique_key=['tenant_id', 'branch_id', 'source', 'cohort_week'],
    indexes=[{'columns': ['tenant_id', 'cohort_week']}],
    meta={'dirty': {'changed': ['int_leads__reached'], 'column': 'cohort_week'}},
) }}

{#- A branch counts by weeks of its own timezone, the tenant by weeks of the tenant's. -#}
with branch_cohorts as (
    select
        leads.tenant_id,
        leads.branch_id,
        'all' as source,
        leads.branch_cohort_week as cohort_week,
        {{ lead_funnel_counts('leads') }}
    from {{ leads_of_weeks('branch_') }} as leads
    group by leads.tenant_id, leads.branch_id, leads.branch_cohort_week
),

tenant_cohorts as (
    select
        leads.tenant_id,
        'all' as branch_id,
        coalesce(leads.source, 'all') as source,
        leads.cohort_week,
        {{ lead_funnel_counts('leads') }}
    from {{ leads_of_weeks() }} as leads
    group by grouping sets (
        (leads.tenant_id, leads.cohort_week, leads.source),
        (leads.tenant_id, leads.cohort_week)
    )
),

cohorts as (
    select * from branch_cohorts
    union all
    select * from tenant_cohorts
)

select
    tenant_id,
    branch_id,
    source,
    cohort_week,
    leads,
    contacted,
    qualified,
    converted,
    lost,
    {{ lead_funnel_rates() }},
    median_hours_to_contact,
    median_hours_contact_to_qualify,
    median_hours_qualify_to_convert,
    median_hours_to_convert
from cohorts
