{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'subject', 'cohort_by', 'only_period', 'first_date'],
    on_schema_change='fail',
    contract={'enforced': true},
    meta={'dirty': {'tenant': ['activity', 'users', 'revenue', 'clock']}},
) }}

with {{ retention_cohort_ctes() }}

select
    tenant_id,
    subject,
    cohort_by,
    coalesce(only_period, 'all') as only_period,
    first_date,
    count(*) as entities,
    sum(starting_mrr) as starting_mrr
from cohorts
group by 1, 2, 3, 4, 5
