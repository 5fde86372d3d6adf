-- Baseline (c): one row a tenant and day, and all tenants together.

create table daily_metrics as
with days as (
    select f.tenant_id, d::date as day, d::date <= t.complete_date as is_complete
    from (
        select tenant_id, min(day) as first_day
        from (
            select tenant_id, min(metric_date) as day from engagement_by_user_type group by 1
            union all select tenant_id, min(day) from users_daily group by 1
            union all select tenant_id, min(created) from lead_steps group by 1
            union all select tenant_id, min(tenant_day) from local_calls group by 1
            union all select tenant_id, min(day) from revenue_daily group by 1
            union all select tenant_id, min(day) from operations_daily group by 1
        ) as firsts
        group by 1
    ) as f
    join tenants as t on t.tenant_id = f.tenant_id
    cross join generate_series(f.first_day::timestamp, t.as_of_date::timestamp, interval '1 day') as d
),

leads as (
    select tenant_id, day, count(*) filter (where kind = 'created') as new_leads,
        count(*) filter (where kind = 'contacted') as leads_contacted, count(*) filter (where kind = 'qualified') as leads_qualified,
        count(*) filter (where kind = 'converted') as leads_converted, count(*) filter (where kind = 'lost') as leads_lost,
        count(*) filter (where kind = 'created' and converts) as converted_of_new_leads
    from lead_events
    group by 1, 2
),

calls as (
    select tenant_id, tenant_day as day, count(*) as total_calls, count(*) filter (where status = 'completed') as calls_completed,
        count(*) filter (where status = 'missed') as calls_missed, count(*) filter (where status = 'failed') as calls_failed,
        count(*) filter (where status = 'completed' and outcome = 'interested') as calls_interested, sum(seconds) as call_seconds,
        count(seconds) as timed_calls
    from local_calls
    group by 1, 2
)

select
    d.tenant_id, d.day as metric_date, d.is_complete,
    coalesce(r.total_customers, 0) as total_customers, coalesce(r.starting_customers, 0) as starting_customers,
    coalesce(r.new_customers, 0) as new_customers, coalesce(r.churned_customers, 0) as churned_customers,
    coalesce(r.reactivated_customers, 0) as reactivated_customers,
    case when d.is_complete then r.churned_customers / nullif(r.starting_customers, 0) end as customer_churn_rate,
    coalesce(e.dau, 0) as dau, coalesce(e.wau, 0) as wau, coalesce(e.mau, 0) as mau, coalesce(e.mau_28, 0) as mau_28,
    coalesce(e.wau_week_to_date, 0) as wau_week_to_date, coalesce(e.mau_month_to_date, 0) as mau_month_to_date,
    e.dau::numeric / nullif(e.mau, 0) as stickiness, coalesce(es.dau, 0) as active_suppliers, coalesce(ec.dau, 0) as active_couples,
    sum(coalesce(u.suppliers, 0)) over w as total_suppliers, sum(coalesce(u.couples, 0)) over w as total_couples,
    coalesce(e.sessions, 0) as total_sessions, coalesce(e.session_seconds, 0) as session_seconds,
    coalesce(e.timed_sessions, 0) as timed_sessions, e.avg_session_seconds,
    coalesce(u.signups, 0) as signups, coalesce(u.activated_users, 0) as activated_users,
    coalesce(u.activated_of_signups, 0) as activated_of_signups, u.activated_of_signups / nullif(u.signups, 0) as activation_rate,
    coalesce(u.uploaded, 0) as file_upload_of_signups, u.uploaded / nullif(u.signups, 0) as file_upload_rate,
    coalesce(u.logged, 0) as worklog_creation_of_signups, u.logged / nullif(u.signups, 0) as worklog_creation_rate,
    coalesce(u.reported, 0) as report_generation_of_signups, u.reported / nullif(u.signups, 0) as report_generation_rate,
    coalesce(o.total_jobs, 0) as total_jobs, coalesce(o.jobs_succeeded, 0) as jobs_succeeded, coalesce(o.jobs_failed, 0) as jobs_failed,
    o.jobs_succeeded::numeric / nullif(o.jobs_succeeded + o.jobs_failed, 0) as job_success_rate,
    coalesce(o.job_seconds, 0) as job_seconds, coalesce(o.timed_jobs, 0) as timed_jobs,
    o.job_seconds / nullif(o.timed_jobs, 0) as avg_job_seconds,
    coalesce(l.new_leads, 0) as new_leads, coalesce(l.leads_contacted, 0) as leads_contacted,
    coalesce(l.leads_qualified, 0) as leads_qualified, coalesce(l.leads_converted, 0) as leads_converted,
    coalesce(l.leads_lost, 0) as leads_lost, coalesce(l.converted_of_new_leads, 0) as converted_of_new_leads,
    l.converted_of_new_leads::numeric / nullif(l.new_leads, 0) as lead_conversion_rate,
    coalesce(c.total_calls, 0) as total_calls, coalesce(c.calls_completed, 0) as calls_completed,
    coalesce(c.calls_missed, 0) as calls_missed, coalesce(c.calls_failed, 0) as calls_failed,
    coalesce(c.calls_interested, 0) as calls_interested, c.calls_completed::numeric / nullif(c.total_calls, 0) as call_success_rate,
    c.calls_interested::numeric / nullif(c.calls_completed, 0) as call_interest_rate, coalesce(c.call_seconds, 0) as call_seconds,
    coalesce(c.timed_calls, 0) as timed_calls, c.call_seconds / nullif(c.timed_calls, 0) as avg_call_seconds,
    coalesce(k.clients_coordinated, 0) as clients_coordinated,
    coalesce(k.clients_coordinated_week_to_date, 0) as clients_coordinated_week_to_date,
    coalesce(k.clients_coordinated_month_to_date, 0) as clients_coordinated_month_to_date,
    coalesce(k.vendors_collaborating, 0) as vendors_collaborating, coalesce(k.active_vendor_pairs, 0) as active_vendor_pairs,
    coalesce(k.coordination_hours, 0) as coordination_hours, coalesce(k.timed_clients, 0) as timed_clients, k.avg_coordination_hours,
    coalesce(k.satisfaction_sum, 0) as satisfaction_sum, coalesce(k.satisfaction_scores, 0) as satisfaction_scores, k.vendor_satisfaction,
    coalesce(r.mrr, 0) as mrr, 12 * coalesce(r.mrr, 0) as arr, coalesce(r.trial_mrr, 0) as trial_mrr,
    coalesce(r.committed_mrr, 0) as committed_mrr, coalesce(r.active_subscriptions, 0) as active_subscriptions,
    coalesce(r.trialing_subscriptions, 0) as trialing_subscriptions, coalesce(r.past_due_subscriptions, 0) as past_due_subscriptions,
    coalesce(r.canceled_subscriptions, 0) as canceled_subscriptions, coalesce(b.failed_payments, 0) as failed_payments,
    coalesce(b.recovered_payments, 0) as recovered_payments, coalesce(b.outstanding_invoices, 0) as outstanding_invoices,
    coalesce(b.outstanding_invoice_amount, 0) as outstanding_invoice_amount, coalesce(b.marketing_spend, 0) as marketing_spend,
    coalesce(o.api_requests, 0) as api_requests, coalesce(o.api_errors, 0) as api_errors,
    o.api_errors::numeric / nullif(o.api_requests, 0) as api_error_rate, o.latency[1] as api_p50_ms, o.latency[2] as api_p95_ms,
    coalesce(o.health_checks, 0) as health_checks, coalesce(o.health_checks_up, 0) as health_checks_up,
    o.health_checks_up::numeric / nullif(o.health_checks, 0) as uptime_rate, coalesce(o.cpu_load_sum, 0) as cpu_load_sum,
    coalesce(o.cpu_load_checks, 0) as cpu_load_checks, o.cpu_load_sum / nullif(o.cpu_load_checks, 0) as avg_cpu_load
from days as d
left join engagement_by_user_type as e on e.tenant_id = d.tenant_id and e.metric_date = d.day and e.user_type = 'all'
left join engagement_by_user_type as es on es.tenant_id = d.tenant_id and es.metric_date = d.day and es.user_type = 'supplier'
left join engagement_by_user_type as ec on ec.tenant_id = d.tenant_id and ec.metric_date = d.day and ec.user_type = 'couple'
left join users_daily as u on u.tenant_id = d.tenant_id and u.day = d.day
left join operations_daily as o on o.tenant_id = d.tenant_id and o.day = d.day
left join leads as l on l.tenant_id = d.tenant_id and l.day = d.day
left join calls as c on c.tenant_id = d.tenant_id and c.day = d.day
left join coordination_metrics as k on k.tenant_id = d.tenant_id and k.metric_date = d.day
left join revenue_daily as r on r.tenant_id = d.tenant_id and r.day = d.day
left join billing_daily as b on b.tenant_id = d.tenant_id and b.day = d.day
window w as (partition by d.tenant_id order by d.day);
alter table daily_metrics add primary key (tenant_id, metric_date);
analyze daily_metrics;

create table portfolio_metrics as
select
    metric_date, count(*) as tenants, sum(total_customers) as total_customers, sum(new_customers) as new_customers,
    sum(churned_customers) as churned_customers, sum(reactivated_customers) as reactivated_customers, sum(dau) as dau,
    sum(wau) as wau, sum(mau) as mau, sum(total_sessions) as total_sessions, sum(signups) as signups, sum(total_jobs) as total_jobs,
    sum(new_leads) as new_leads, sum(leads_converted) as leads_converted, sum(total_calls) as total_calls,
    sum(calls_completed) as calls_completed, sum(clients_coordinated) as clients_coordinated,
    sum(active_subscriptions) as active_subscriptions, sum(api_requests) as api_requests, sum(health_checks) as health_checks,
    sum(mrr / coalesce(own.units_per_eur, 1)) as mrr,
    sum(outstanding_invoice_amount / coalesce(own.units_per_eur, 1)) as outstanding_invoice_amount,
    sum(marketing_spend / coalesce(own.units_per_eur, 1)) as marketing_spend
from daily_metrics as d
join tenants as t on t.tenant_id = d.tenant_id
left join lateral (
    select units_per_eur
    from raw.exchange_rates as x
    where x.currency = t.currency and x.rate_date <= d.metric_date
    order by x.rate_date desc
    limit 1
) as own on t.currency <> 'EUR'
group by metric_date;
alter table portfolio_metrics add primary key (metric_date);

create table pipeline_freshness as
select 'sessions' as source_table, count(*) as row_count, max(started_at) as newest_row, max(loaded_at) as newest_load from raw.sessions
union all select 'calls', count(*), max(started_at), max(loaded_at) from raw.calls
union all select 'leads', count(*), max(created_at), max(loaded_at) from raw.leads
union all select 'users', count(*), max(signed_up_at), max(loaded_at) from raw.users
union all select 'activation_events', count(*), max(occurred_at), max(loaded_at) from raw.activation_events
union all select 'jobs', count(*), max(started_at), max(loaded_at) from raw.jobs
union all select 'lead_status_changes', count(*), max(changed_at), max(loaded_at) from raw.lead_status_changes
union all select 'subscriptions', count(*), max(started_at), max(loaded_at) from raw.subscriptions
union all select 'subscription_changes', count(*), max(changed_at), max(loaded_at) from raw.subscription_changes
union all select 'invoices', count(*), max(issued_at), max(loaded_at) from raw.invoices
union all select 'payments', count(*), max(attempted_at), max(loaded_at) from raw.payments
union all select 'collaborations', count(*), max(created_at), max(loaded_at) from raw.collaborations
union all select 'api_requests', count(*), max(requested_at), max(loaded_at) from raw.api_requests
union all select 'health_checks', count(*), max(checked_at), max(loaded_at) from raw.health_checks;
alter table pipeline_freshness add primary key (source_table);

-- What is wrong with the rows: counted by tenant and kind.
create table data_problems as
select s.tenant_id, 'session_of_unknown_user' as kind, 'raw.sessions' as table_name, min(s.session_id) as key, count(*) as found
from raw.sessions as s
left join raw.users as u on u.tenant_id = s.tenant_id and u.user_id = s.user_id and u.deleted_at is null
where s.deleted_at is null and u.user_id is null
group by 1
union all
select tenant_id, 'session_duration', 'raw.sessions', min(session_id), count(*)
from raw.sessions
where deleted_at is null and (duration_seconds < 0 or duration_seconds > 86400)
group by 1
union all
select s.tenant_id, 'session_in_the_future', 'raw.sessions', min(s.session_id), count(*)
from raw.sessions as s
join tenants as t on t.tenant_id = s.tenant_id and s.started_at >= t.as_of
where s.deleted_at is null
group by 1
union all
select c.tenant_id, 'call_of_unknown_lead', 'raw.calls', min(c.call_id), count(*)
from raw.calls as c
left join raw.leads as l on l.tenant_id = c.tenant_id and l.lead_id = c.lead_id and l.deleted_at is null
where c.deleted_at is null and c.lead_id is not null and l.lead_id is null
group by 1
union all
select tenant_id, 'call_duration', 'raw.calls', min(call_id), count(*)
from raw.calls
where deleted_at is null and (duration_seconds < 0 or duration_seconds > 86400)
group by 1
union all
select tenant_id, 'converted_before_created', 'raw.leads', min(lead_id), count(*) from lead_steps where converted_at < created_at group by 1
union all
select tenant_id, 'ended_before_started', 'raw.subscriptions', min(subscription_id), count(*)
from raw.subscriptions
where deleted_at is null and ended_at < started_at
group by 1
union all
select tenant_id, 'amount_not_above_zero', 'raw.subscriptions', min(subscription_id), count(*)
from raw.subscriptions
where deleted_at is null and (unit_amount <= 0 or quantity <= 0)
group by 1;
alter table data_problems add primary key (tenant_id, kind, table_name, key);
