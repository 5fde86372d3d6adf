{#-
    What portfolio_metrics adds up: columns of daily_metrics that mean the same for all tenants together. Left out are
    rates, averages and percentiles (they do not add up; their parts are here), and what counts weeks (tenants begin
    them on different days).
-#}
{% macro portfolio_counts() -%}
    {{ return([
        'total_customers', 'starting_customers', 'new_customers', 'churned_customers', 'reactivated_customers',
        'dau', 'wau', 'mau', 'mau_28', 'mau_month_to_date', 'active_suppliers', 'active_couples', 'total_suppliers',
        'total_couples', 'total_sessions', 'timed_sessions', 'signups', 'activated_users', 'activated_of_signups',
        'file_upload_of_signups', 'worklog_creation_of_signups', 'report_generation_of_signups', 'total_jobs',
        'jobs_succeeded', 'jobs_failed', 'timed_jobs', 'new_leads', 'leads_contacted', 'leads_qualified',
        'leads_converted', 'leads_lost', 'converted_of_new_leads', 'total_calls', 'calls_completed', 'calls_missed',
        'calls_failed', 'calls_interested', 'timed_calls', 'clients_coordinated', 'clients_coordinated_month_to_date',
        'vendors_collaborating', 'active_vendor_pairs', 'timed_clients', 'satisfaction_scores',
        'active_subscriptions', 'trialing_subscriptions', 'past_due_subscriptions', 'canceled_subscriptions',
        'failed_payments', 'recovered_payments', 'outstanding_invoices', 'api_requests', 'api_errors',
        'health_checks', 'health_checks_up',
    ]) }}
{%- endmacro %}

{% macro portfolio_amounts() -%}
    {{ return(['session_seconds', 'job_seconds', 'call_seconds', 'coordination_hours', 'satisfaction_sum']) }}
{%- endmacro %}

{% macro portfolio_money() -%}
    {{ return([
        'mrr', 'arr', 'trial_mrr', 'committed_mrr', 'outstanding_invoice_amount', 'marketing_spend',
    ]) }}
{%- endmacro %}

{#- Days to add up anew: those on which a tenant's row changed, and those other rates or another currency touch. -#}
{% macro portfolio_scope(t) -%}
{{ t }}.metric_date in (
    select changed.metric_date
    from {{ changed_days(['daily_metrics']) }} as changed
    union all
    select day::date as metric_date
    from {{ dirty_spans('portfolio') }} as spans
    cross join (
        select
            min(days.metric_date) as first_date,
            max(days.metric_date) as last_date
        from (
            select metric_date
            from {{ ref('daily_metrics') }}
            union all
            select metric_date
            from {{ this }}
        ) as days
    ) as known
    cross join lateral generate_series(
        greatest(spans.date_from, known.first_date)::timestamp,
        least(spans.date_to, known.last_date)::timestamp,
        interval '1 day'
    ) as day
)
{%- endmacro %}
