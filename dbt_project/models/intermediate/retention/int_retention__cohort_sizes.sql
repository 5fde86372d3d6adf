{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'subject', 'cohort_by', 'only_period', 'first_date'],
    on_schema_change='fail',
    contract={'enforced': true},
    meta={'dirty': {'macro': 'retention_sizes_scope'}},
) }}

with {{ recurring_cohorts_cte() }}

select
    firsts.tenant_id,
    subjects.subject,
    firsts.cohort_by,
    'all' as only_period,
    firsts.first_date,
    count(*) as entities,
    sum(firsts.starting_mrr) as starting_mrr
{% if is_incremental() -%}
    from {{ changed_days(['int_retention__first_days']) }} as changed
    cross join (values ('user'), ('customer')) as kinds (subject)
    cross join (values ('first_activity'), ('first_payment'), ('signup')) as cohorts (cohort_by)
    cross join lateral (
        select candidates.*
        from {{ ref('int_retention__first_days') }} as candidates
        where
            candidates.tenant_id = changed.tenant_id
            and candidates.subject = kinds.subject
            and candidates.cohort_by = cohorts.cohort_by
            and candidates.first_date = changed.metric_date
        {{ row_by_row() }}
    ) as firsts
{%- else -%}
    from {{ ref('int_retention__first_days') }} as firsts
{%- endif %}
-- Customers are counted, and their MRR.
inner join (values ('user', 'user'), ('customer', 'customer'), ('customer', 'revenue')) as subjects (counted, subject)
    on firsts.subject = subjects.counted
group by firsts.tenant_id, subjects.subject, firsts.cohort_by, firsts.first_date
union all
select
    recurring.tenant_id,
    recurring.subject,
    recurring.cohort_by,
    recurring.only_period,
    recurring.first_date,
    count(*) as entities,
    null::numeric as starting_mrr
from recurring_cohorts as recurring
group by recurring.tenant_id, recurring.subject, recurring.cohort_by, recurring.only_period, recurring.first_date
