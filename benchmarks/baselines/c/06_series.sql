-- Baseline (c): every metric by day, week and month in one long table, the catalogue and the summary of the last period.

create table periods as
select d.*, g.grain, p.period_start, p.last_day
from daily_metrics as d
join tenants as t on t.tenant_id = d.tenant_id
cross join (values ('day'), ('week'), ('month')) as g (grain)
cross join lateral (
    select
        case g.grain
            when 'day' then d.metric_date
            when 'week' then date_trunc('week', d.metric_date + (t.week_start = 'sunday')::int)::date - (t.week_start = 'sunday')::int
            else date_trunc('month', d.metric_date)::date
        end as period_start
    offset 0
) as s
cross join lateral (
    select
        s.period_start,
        least(t.as_of_date, case g.grain
            when 'day' then d.metric_date when 'week' then s.period_start + 6
            else (s.period_start + interval '1 month')::date - 1
        end) as last_day
    offset 0
) as p;
analyze periods;

create table metric_timeseries as
with summed as (
    select
        tenant_id, grain, period_start, bool_and(is_complete) as is_complete,
        max(mrr) filter (where metric_date = last_day)::numeric as mrr,
        max(arr) filter (where metric_date = last_day)::numeric as arr,
        max(trial_mrr) filter (where metric_date = last_day)::numeric as trial_mrr,
        max(committed_mrr) filter (where metric_date = last_day)::numeric as committed_mrr,
        max(active_subscriptions) filter (where metric_date = last_day)::numeric as active_subscriptions,
        max(past_due_subscriptions) filter (where metric_date = last_day)::numeric as past_due_subscriptions,
        sum(canceled_subscriptions)::numeric as canceled_subscriptions,
        sum(failed_payments)::numeric as failed_payments,
        sum(recovered_payments)::numeric as recovered_payments,
        max(outstanding_invoices) filter (where metric_date = last_day)::numeric as outstanding_invoices,
        max(outstanding_invoice_amount) filter (where metric_date = last_day)::numeric as outstanding_invoice_amount,
        sum(marketing_spend)::numeric as marketing_spend,
        max(total_customers) filter (where metric_date = last_day)::numeric as total_customers,
        sum(new_customers)::numeric as new_customers,
        sum(churned_customers)::numeric as churned_customers,
        sum(reactivated_customers)::numeric as reactivated_customers,
        sum(churned_customers)::numeric as customer_churn_rate_n,
        sum(starting_customers)::numeric as customer_churn_rate_d,
        max(case grain when 'day' then dau when 'week' then wau_week_to_date else mau_month_to_date end)
            filter (where metric_date = last_day)::numeric as dau,
        max(wau) filter (where metric_date = last_day)::numeric as wau,
        max(mau) filter (where metric_date = last_day)::numeric as mau,
        sum(dau)::numeric as stickiness_n,
        sum(mau)::numeric as stickiness_d,
        sum(total_sessions)::numeric as total_sessions,
        sum(session_seconds)::numeric as avg_session_seconds_n,
        sum(timed_sessions)::numeric as avg_session_seconds_d,
        max(active_suppliers) filter (where grain = 'day')::numeric as active_suppliers,
        max(active_couples) filter (where grain = 'day')::numeric as active_couples,
        max(total_suppliers) filter (where metric_date = last_day)::numeric as total_suppliers,
        max(total_couples) filter (where metric_date = last_day)::numeric as total_couples,
        sum(signups)::numeric as signups,
        sum(activated_users)::numeric as activated_users,
        sum(activated_of_signups)::numeric as activation_rate_n,
        sum(signups)::numeric as activation_rate_d,
        sum(file_upload_of_signups)::numeric as file_upload_rate_n,
        sum(signups)::numeric as file_upload_rate_d,
        sum(worklog_creation_of_signups)::numeric as worklog_creation_rate_n,
        sum(signups)::numeric as worklog_creation_rate_d,
        sum(report_generation_of_signups)::numeric as report_generation_rate_n,
        sum(signups)::numeric as report_generation_rate_d,
        sum(new_leads)::numeric as new_leads,
        sum(leads_contacted)::numeric as leads_contacted,
        sum(leads_qualified)::numeric as leads_qualified,
        sum(leads_converted)::numeric as leads_converted,
        sum(leads_lost)::numeric as leads_lost,
        sum(converted_of_new_leads)::numeric as lead_conversion_rate_n,
        sum(new_leads)::numeric as lead_conversion_rate_d,
        sum(total_calls)::numeric as total_calls,
        sum(calls_completed)::numeric as calls_completed,
        sum(calls_missed)::numeric as calls_missed,
        sum(calls_failed)::numeric as calls_failed,
        sum(calls_completed)::numeric as call_success_rate_n,
        sum(total_calls)::numeric as call_success_rate_d,
        sum(calls_interested)::numeric as call_interest_rate_n,
        sum(calls_completed)::numeric as call_interest_rate_d,
        sum(call_seconds)::numeric as avg_call_seconds_n,
        sum(timed_calls)::numeric as avg_call_seconds_d,
        max(case grain when 'day' then clients_coordinated when 'week' then clients_coordinated_week_to_date else clients_coordinated_month_to_date end)
            filter (where metric_date = last_day)::numeric as clients_coordinated,
        max(vendors_collaborating) filter (where grain = 'day')::numeric as vendors_collaborating,
        max(active_vendor_pairs) filter (where metric_date = last_day)::numeric as active_vendor_pairs,
        sum(coordination_hours)::numeric as avg_coordination_hours_n,
        sum(timed_clients)::numeric as avg_coordination_hours_d,
        sum(satisfaction_sum)::numeric as vendor_satisfaction_n,
        sum(satisfaction_scores)::numeric as vendor_satisfaction_d,
        sum(total_jobs)::numeric as total_jobs,
        sum(jobs_succeeded)::numeric as jobs_succeeded,
        sum(jobs_failed)::numeric as jobs_failed,
        sum(jobs_succeeded)::numeric as job_success_rate_n,
        sum(jobs_succeeded + jobs_failed)::numeric as job_success_rate_d,
        sum(job_seconds)::numeric as avg_job_seconds_n,
        sum(timed_jobs)::numeric as avg_job_seconds_d,
        sum(api_requests)::numeric as api_requests,
        sum(api_errors)::numeric as api_error_rate_n,
        sum(api_requests)::numeric as api_error_rate_d,
        max(api_p50_ms) filter (where grain = 'day')::numeric as api_p50_ms,
        max(api_p95_ms) filter (where grain = 'day')::numeric as api_p95_ms,
        sum(health_checks_up)::numeric as uptime_rate_n,
        sum(health_checks)::numeric as uptime_rate_d,
        sum(cpu_load_sum)::numeric as avg_cpu_load_n,
        sum(cpu_load_checks)::numeric as avg_cpu_load_d
    from periods
    group by 1, 2, 3
)

select s.tenant_id, m.metric, s.grain, s.period_start, 'all' as dimension, 'all' as dimension_value, m.value, m.numerator,
    m.denominator, s.is_complete
from summed as s
cross join lateral (
    values
    ('mrr', mrr, mrr, null),
    ('arr', arr, arr, null),
    ('trial_mrr', trial_mrr, trial_mrr, null),
    ('committed_mrr', committed_mrr, committed_mrr, null),
    ('active_subscriptions', active_subscriptions, active_subscriptions, null),
    ('past_due_subscriptions', past_due_subscriptions, past_due_subscriptions, null),
    ('canceled_subscriptions', canceled_subscriptions, canceled_subscriptions, null),
    ('failed_payments', failed_payments, failed_payments, null),
    ('recovered_payments', recovered_payments, recovered_payments, null),
    ('outstanding_invoices', outstanding_invoices, outstanding_invoices, null),
    ('outstanding_invoice_amount', outstanding_invoice_amount, outstanding_invoice_amount, null),
    ('marketing_spend', marketing_spend, marketing_spend, null),
    ('total_customers', total_customers, total_customers, null),
    ('new_customers', new_customers, new_customers, null),
    ('churned_customers', churned_customers, churned_customers, null),
    ('reactivated_customers', reactivated_customers, reactivated_customers, null),
    ('customer_churn_rate', customer_churn_rate_n / nullif(customer_churn_rate_d, 0), customer_churn_rate_n, customer_churn_rate_d),
    ('dau', dau, dau, null),
    ('wau', wau, wau, null),
    ('mau', mau, mau, null),
    ('stickiness', stickiness_n / nullif(stickiness_d, 0), stickiness_n, stickiness_d),
    ('total_sessions', total_sessions, total_sessions, null),
    ('avg_session_seconds', avg_session_seconds_n / nullif(avg_session_seconds_d, 0), avg_session_seconds_n, avg_session_seconds_d),
    ('active_suppliers', active_suppliers, active_suppliers, null),
    ('active_couples', active_couples, active_couples, null),
    ('total_suppliers', total_suppliers, total_suppliers, null),
    ('total_couples', total_couples, total_couples, null),
    ('signups', signups, signups, null),
    ('activated_users', activated_users, activated_users, null),
    ('activation_rate', activation_rate_n / nullif(activation_rate_d, 0), activation_rate_n, activation_rate_d),
    ('file_upload_rate', file_upload_rate_n / nullif(file_upload_rate_d, 0), file_upload_rate_n, file_upload_rate_d),
    ('worklog_creation_rate', worklog_creation_rate_n / nullif(worklog_creation_rate_d, 0), worklog_creation_rate_n, worklog_creation_rate_d),
    ('report_generation_rate', report_generation_rate_n / nullif(report_generation_rate_d, 0), report_generation_rate_n, report_generation_rate_d),
    ('new_leads', new_leads, new_leads, null),
    ('leads_contacted', leads_contacted, leads_contacted, null),
    ('leads_qualified', leads_qualified, leads_qualified, null),
    ('leads_converted', leads_converted, leads_converted, null),
    ('leads_lost', leads_lost, leads_lost, null),
    ('lead_conversion_rate', lead_conversion_rate_n / nullif(lead_conversion_rate_d, 0), lead_conversion_rate_n, lead_conversion_rate_d),
    ('total_calls', total_calls, total_calls, null),
    ('calls_completed', calls_completed, calls_completed, null),
    ('calls_missed', calls_missed, calls_missed, null),
    ('calls_failed', calls_failed, calls_failed, null),
    ('call_success_rate', call_success_rate_n / nullif(call_success_rate_d, 0), call_success_rate_n, call_success_rate_d),
    ('call_interest_rate', call_interest_rate_n / nullif(call_interest_rate_d, 0), call_interest_rate_n, call_interest_rate_d),
    ('avg_call_seconds', avg_call_seconds_n / nullif(avg_call_seconds_d, 0), avg_call_seconds_n, avg_call_seconds_d),
    ('clients_coordinated', clients_coordinated, clients_coordinated, null),
    ('vendors_collaborating', vendors_collaborating, vendors_collaborating, null),
    ('active_vendor_pairs', active_vendor_pairs, active_vendor_pairs, null),
    ('avg_coordination_hours', avg_coordination_hours_n / nullif(avg_coordination_hours_d, 0), avg_coordination_hours_n, avg_coordination_hours_d),
    ('vendor_satisfaction', vendor_satisfaction_n / nullif(vendor_satisfaction_d, 0), vendor_satisfaction_n, vendor_satisfaction_d),
    ('total_jobs', total_jobs, total_jobs, null),
    ('jobs_succeeded', jobs_succeeded, jobs_succeeded, null),
    ('jobs_failed', jobs_failed, jobs_failed, null),
    ('job_success_rate', job_success_rate_n / nullif(job_success_rate_d, 0), job_success_rate_n, job_success_rate_d),
    ('avg_job_seconds', avg_job_seconds_n / nullif(avg_job_seconds_d, 0), avg_job_seconds_n, avg_job_seconds_d),
    ('api_requests', api_requests, api_requests, null),
    ('api_error_rate', api_error_rate_n / nullif(api_error_rate_d, 0), api_error_rate_n, api_error_rate_d),
    ('api_p50_ms', api_p50_ms, api_p50_ms, null),
    ('api_p95_ms', api_p95_ms, api_p95_ms, null),
    ('uptime_rate', uptime_rate_n / nullif(uptime_rate_d, 0), uptime_rate_n, uptime_rate_d),
    ('avg_cpu_load', avg_cpu_load_n / nullif(avg_cpu_load_d, 0), avg_cpu_load_n, avg_cpu_load_d)
) as m (metric, value, numerator, denominator)
union all
select r.tenant_id, m.metric, 'month', r.month, 'all', 'all', m.value, m.value, null, r.is_complete
from revenue_metrics as r
cross join lateral (
    values
    ('new_mrr', new_mrr),
    ('expansion_mrr', expansion_mrr),
    ('contraction_mrr', contraction_mrr),
    ('churned_mrr', churned_mrr),
    ('reactivation_mrr', reactivation_mrr),
    ('mrr_growth_rate', mrr_growth_rate),
    ('nrr', nrr),
    ('grr', grr),
    ('gross_mrr_churn_rate', gross_mrr_churn_rate),
    ('net_mrr_churn_rate', net_mrr_churn_rate),
    ('revenue_churn_rate', revenue_churn_rate),
    ('arpa', arpa),
    ('ltv', ltv),
    ('cac', cac),
    ('quick_ratio', quick_ratio),
    ('runway_months', runway_months)
) as m (metric, value);
alter table metric_timeseries add primary key (tenant_id, metric, grain, period_start, dimension, dimension_value);
analyze metric_timeseries;

create table metric_catalogue as
select distinct metric, replace(metric, '_', ' ') as title from metric_timeseries;
alter table metric_catalogue add primary key (metric);

create table executive_summary as
select
    tenant_id, metric, grain as period, period_start, value, previous_value, value - previous_value as change,
    (value - previous_value) / nullif(abs(previous_value), 0) as change_rate,
    case when value > previous_value then 'up' when value < previous_value then 'down' else 'stable' end as trend
from (
    select *, lag(value) over w as previous_value,
        row_number() over (partition by tenant_id, metric, grain order by period_start desc) as nth
    from metric_timeseries
    where is_complete
    window w as (partition by tenant_id, metric, grain order by period_start)
) as newest
where nth = 1;
alter table executive_summary add primary key (tenant_id, metric, period);
