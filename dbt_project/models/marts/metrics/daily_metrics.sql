{{ config(
    unique_key=['tenant_id', 'metric_date'],
    meta={'dirty': {'macro': 'daily_metrics_scope', 'log': ['metric_date']}},
) }}

with day_spine as (
    select
        tenants.tenant_id,
        day::date as metric_date,
        day::date <= tenants.complete_date as is_complete
    from {{ ref('stg_platform__tenants') }} as tenants
    inner join {{ first_days() }} as firsts on tenants.tenant_id = firsts.tenant_id
    {% if is_incremental() %}
        inner join {{ daily_metrics_days() }} as days
            on
                tenants.tenant_id = days.tenant_id
                and days.metric_date between firsts.first_date and tenants.as_of_date
        cross join lateral (values (days.metric_date)) as each_day (day)
    {% else %}
        cross join lateral generate_series(
            firsts.first_date::timestamp, tenants.as_of_date::timestamp, interval '1 day'
        ) as day
    {% endif %}
),

-- Signing up is kept by user type; a person has one type.
signups as (
    select
        tenant_id,
        metric_date,
        sum(signups)::bigint as signups,
        sum(activated_users)::bigint as activated_users,
        sum(activated_of_signups)::bigint as activated_of_signups,
        sum(file_upload_of_signups)::bigint as file_upload_of_signups,
        sum(worklog_creation_of_signups)::bigint as worklog_creation_of_signups,
        sum(report_generation_of_signups)::bigint as report_generation_of_signups,
        sum(total_signed_up) filter (where user_type = 'supplier')::bigint as total_suppliers,
        sum(total_signed_up) filter (where user_type = 'couple')::bigint as total_couples
    from {{ ref('int_users__daily') }}
    group by tenant_id, metric_date
)

select
    spine.tenant_id,
    spine.metric_date,
    spine.is_complete,
    -- Customers (metric-rules, Counts)
    coalesce(revenue.total_customers, 0) as total_customers,
    coalesce(revenue.starting_customers, 0) as starting_customers,
    coalesce(revenue.new_customers, 0) as new_customers,
    coalesce(revenue.churned_customers, 0) as churned_customers,
    coalesce(revenue.reactivated_customers, 0) as reactivated_customers,
    case when spine.is_complete then revenue.churned_customers::numeric / nullif(revenue.starting_customers, 0) end as customer_churn_rate,
    -- Engagement
    coalesce(everybody.dau, 0) as dau,
    coalesce(everybody.wau, 0) as wau,
    coalesce(everybody.mau, 0) as mau,
    coalesce(everybody.mau_28, 0) as mau_28,
    coalesce(everybody.wau_week_to_date, 0) as wau_week_to_date,
    coalesce(everybody.mau_month_to_date, 0) as mau_month_to_date,
    everybody.dau::numeric / nullif(everybody.mau, 0) as stickiness,
    coalesce(suppliers.dau, 0) as active_suppliers,
    coalesce(couples.dau, 0) as active_couples,
    coalesce(signups.total_suppliers, 0) as total_suppliers,
    coalesce(signups.total_couples, 0) as total_couples,
    coalesce(everybody.sessions, 0) as total_sessions,
    coalesce(everybody.session_seconds, 0) as session_seconds,
    coalesce(everybody.timed_sessions, 0) as timed_sessions,
    everybody.avg_session_seconds as avg_session_seconds,
    -- Activation
    coalesce(signups.signups, 0) as signups,
    coalesce(signups.activated_users, 0) as activated_users,
    coalesce(signups.activated_of_signups, 0) as activated_of_signups,
    signups.activated_of_signups::numeric / nullif(signups.signups, 0) as activation_rate,
    coalesce(signups.file_upload_of_signups, 0) as file_upload_of_signups,
    signups.file_upload_of_signups::numeric / nullif(signups.signups, 0) as file_upload_rate,
    coalesce(signups.worklog_creation_of_signups, 0) as worklog_creation_of_signups,
    signups.worklog_creation_of_signups::numeric / nullif(signups.signups, 0) as worklog_creation_rate,
    coalesce(signups.report_generation_of_signups, 0) as report_generation_of_signups,
    signups.report_generation_of_signups::numeric / nullif(signups.signups, 0) as report_generation_rate,
    -- Jobs
    coalesce(jobs.total_jobs, 0) as total_jobs,
    coalesce(jobs.jobs_succeeded, 0) as jobs_succeeded,
    coalesce(jobs.jobs_failed, 0) as jobs_failed,
    jobs.jobs_succeeded::numeric / nullif(jobs.jobs_succeeded + jobs.jobs_failed, 0) as job_success_rate,
    coalesce(jobs.job_seconds, 0) as job_seconds,
    coalesce(jobs.timed_jobs, 0) as timed_jobs,
    jobs.job_seconds / nullif(jobs.timed_jobs, 0) as avg_job_seconds,
    -- Leads
    coalesce(leads.new_leads, 0) as new_leads,
    coalesce(leads.leads_contacted, 0) as leads_contacted,
    coalesce(leads.leads_qualified, 0) as leads_qualified,
    coalesce(leads.leads_converted, 0) as leads_converted,
    coalesce(leads.leads_lost, 0) as leads_lost,
    coalesce(leads.cohort_converted, 0) as converted_of_new_leads,
    leads.cohort_converted::numeric / nullif(leads.new_leads, 0) as lead_conversion_rate,
    -- Calls
    coalesce(calls.total_calls, 0) as total_calls,
    coalesce(calls.calls_completed, 0) as calls_completed,
    coalesce(calls.calls_missed, 0) as calls_missed,
    coalesce(calls.calls_failed, 0) as calls_failed,
    coalesce(calls.calls_interested, 0) as calls_interested,
    calls.calls_completed::numeric / nullif(calls.total_calls, 0) as call_success_rate,
    calls.calls_interested::numeric / nullif(calls.calls_completed, 0) as call_interest_rate,
    coalesce(calls.call_seconds, 0) as call_seconds,
    coalesce(calls.timed_calls, 0) as timed_calls,
    calls.call_seconds / nullif(calls.timed_calls, 0) as avg_call_seconds,
    -- Collaboration
    coalesce(coordination.clients_coordinated, 0) as clients_coordinated,
    coalesce(coordination.clients_coordinated_week_to_date, 0) as clients_coordinated_week_to_date,
    coalesce(coordination.clients_coordinated_month_to_date, 0) as clients_coordinated_month_to_date,
    coalesce(coordination.vendors_collaborating, 0) as vendors_collaborating,
    coalesce(coordination.active_vendor_pairs, 0) as active_vendor_pairs,
    coalesce(coordination.coordination_hours, 0) as coordination_hours,
    coalesce(coordination.timed_clients, 0) as timed_clients,
    coordination.avg_coordination_hours as avg_coordination_hours,
    coalesce(coordination.satisfaction_sum, 0) as satisfaction_sum,
    coalesce(coordination.satisfaction_scores, 0) as satisfaction_scores,
    coordination.satisfaction_sum / nullif(coordination.satisfaction_scores, 0) as vendor_satisfaction,
    -- Revenue
    case when revenue.tenant_id is null then 0 else revenue.mrr end as mrr,
    case when revenue.tenant_id is null then 0 else revenue.arr end as arr,
    case when revenue.tenant_id is null then 0 else revenue.trial_mrr end as trial_mrr,
    case when revenue.tenant_id is null then 0 else revenue.committed_mrr end as committed_mrr,
    coalesce(revenue.active_subscriptions, 0) as active_subscriptions,
    coalesce(revenue.trialing_subscriptions, 0) as trialing_subscriptions,
    coalesce(revenue.past_due_subscriptions, 0) as past_due_subscriptions,
    coalesce(revenue.canceled_subscriptions, 0) as canceled_subscriptions,
    coalesce(billing.failed_payments, 0) as failed_payments,
    coalesce(billing.recovered_payments, 0) as recovered_payments,
    coalesce(billing.outstanding_invoices, 0) as outstanding_invoices,
    case when billing.tenant_id is null then 0 else billing.outstanding_invoice_amount end as outstanding_invoice_amount,
    case when billing.tenant_id is null then 0 else billing.marketing_spend end as marketing_spend,
    -- Operations
    coalesce(operations.api_requests, 0) as api_requests,
    coalesce(operations.api_errors, 0) as api_errors,
    operations.api_errors::numeric / nullif(operations.api_requests, 0) as api_error_rate,
    operations.api_p50_ms as api_p50_ms,
    operations.api_p95_ms as api_p95_ms,
    coalesce(operations.health_checks, 0) as health_checks,
    coalesce(operations.health_checks_up, 0) as health_checks_up,
    operations.health_checks_up::numeric / nullif(operations.health_checks, 0) as uptime_rate,
    coalesce(operations.cpu_load_sum, 0) as cpu_load_sum,
    coalesce(operations.cpu_load_checks, 0) as cpu_load_checks,
    operations.cpu_load_sum / nullif(operations.cpu_load_checks, 0) as avg_cpu_load
from day_spine as spine
left join {{ ref('engagement_by_user_type') }} as everybody
    on
        spine.tenant_id = everybody.tenant_id
        and spine.metric_date = everybody.metric_date
        and everybody.user_type = 'all'
left join {{ ref('engagement_by_user_type') }} as suppliers
    on
        spine.tenant_id = suppliers.tenant_id
        and spine.metric_date = suppliers.metric_date
        and suppliers.user_type = 'supplier'
left join {{ ref('engagement_by_user_type') }} as couples
    on
        spine.tenant_id = couples.tenant_id
        and spine.metric_date = couples.metric_date
        and couples.user_type = 'couple'
left join signups
    on
        spine.tenant_id = signups.tenant_id
        and spine.metric_date = signups.metric_date
left join {{ ref('int_jobs__daily') }} as jobs
    on
        spine.tenant_id = jobs.tenant_id
        and spine.metric_date = jobs.metric_date
left join {{ ref('int_leads__daily') }} as leads
    on
        spine.tenant_id = leads.tenant_id
        and spine.metric_date = leads.metric_date
left join {{ ref('int_calls__daily') }} as calls
    on
        spine.tenant_id = calls.tenant_id
        and spine.metric_date = calls.metric_date
left join {{ ref('coordination_metrics') }} as coordination
    on
        spine.tenant_id = coordination.tenant_id
        and spine.metric_date = coordination.metric_date
left join {{ ref('int_revenue__daily') }} as revenue
    on
        spine.tenant_id = revenue.tenant_id
        and spine.metric_date = revenue.metric_date
left join {{ ref('int_billing__daily') }} as billing
    on
        spine.tenant_id = billing.tenant_id
        and spine.metric_date = billing.metric_date
left join {{ ref('int_operations__daily') }} as operations
    on
        spine.tenant_id = operations.tenant_id
        and spine.metric_date = operations.metric_date
