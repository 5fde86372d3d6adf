{{ config(
    unique_key=['tenant_id', 'branch_id', 'source', 'cohort_week'],
    indexes=[{'columns': ['tenant_id', 'cohort_week']}],
    meta={'dirty': {'changed': ['int_leads__reached'], 'column': 'cohort_week'}},
) }}

with cohorts as (
    select
        leads.tenant_id,
        leads.branch_id,
        leads.source,
        leads.branch_cohort_week as cohort_week,
        {{ lead_funnel_counts('leads') }}
    from {{ leads_of_weeks('branch_') }} as leads
    group by 1, 2, 3, 4
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
