{{ config(
    unique_key=['tenant_id', 'branch_id', 'metric_date'],
    indexes=[{'columns': ['tenant_id', 'metric_date']}],
    meta={'dirty': {
        'changed': ['int_leads__staff_days', 'int_calls__staff_days', 'int_calls__lead_days'],
        'column': 'metric_date',
    }},
) }}

{% set lead_counts = [
    'new_leads', 'contacted_leads', 'qualified_leads', 'converted_leads', 'lost_leads',
    'status_new', 'status_contacted', 'status_qualified', 'status_converted', 'status_lost',
    'contacted_on_day', 'qualified_on_day', 'converted_on_day', 'lost_on_day',
] %}
{% set call_counts = ['total_calls', 'calls_completed', 'calls_interested'] %}
{% set models = ['int_leads__staff_days', 'int_calls__staff_days', 'int_calls__lead_days'] %}

with leads_by_branch as (
    select
        leads.tenant_id,
        leads.branch_id,
        {% for count in lead_counts %}
            sum(leads.{{ count }})::bigint as {{ count }},
        {% endfor %}
        leads.metric_date
    from {{ rows_of_changed_days(ref('int_leads__staff_days'), models, 'metric_date') }} as leads
    group by leads.tenant_id, leads.branch_id, leads.metric_date
),

calls_by_branch as (
    select
        calls.tenant_id,
        calls.branch_id,
        {% for count in call_counts %}
            sum(calls.{{ count }})::bigint as {{ count }},
        {% endfor %}
        calls.metric_date
    from {{ rows_of_changed_days(ref('int_calls__staff_days'), models, 'metric_date') }} as calls
    group by calls.tenant_id, calls.branch_id, calls.metric_date
),

calls_of_leads as (
    select
        calls.tenant_id,
        calls.branch_id,
        calls.lead_created_date as metric_date,
        sum(calls.total_calls)::bigint as lead_calls,
        count(distinct calls.lead_id) as called_leads,
        count(distinct calls.lead_id) filter (where calls.calls_interested > 0) as interested_leads
    from {{ rows_of_changed_days(ref('int_calls__lead_days'), models, 'lead_created_date') }} as calls
    group by calls.tenant_id, calls.branch_id, calls.lead_created_date
),

keys as (
    select
        tenant_id,
        branch_id,
        metric_date
    from leads_by_branch
    union distinct
    select
        tenant_id,
        branch_id,
        metric_date
    from calls_by_branch
    union distinct
    select
        tenant_id,
        branch_id,
        metric_date
    from calls_of_leads
),

counted as (
    select
        keys.tenant_id,
        keys.branch_id,
        keys.metric_date,
        {% for count in lead_counts %}
            coalesce(leads_by_branch.{{ count }}, 0) as {{ count }},
        {% endfor %}
        {% for count in call_counts %}
            coalesce(calls_by_branch.{{ count }}, 0) as {{ count }},
        {% endfor %}
        coalesce(calls_of_leads.lead_calls, 0) as lead_calls,
        coalesce(calls_of_leads.called_leads, 0) as called_leads,
        coalesce(calls_of_leads.interested_leads, 0) as interested_leads
    from keys
    {% for counts in ['leads_by_branch', 'calls_by_branch', 'calls_of_leads'] %}
        left join {{ counts }}
            on
                keys.tenant_id = {{ counts }}.tenant_id
                and keys.branch_id = {{ counts }}.branch_id
                and keys.metric_date = {{ counts }}.metric_date
    {% endfor %}
)

select
    tenant_id,
    branch_id,
    metric_date,
    {% for count in lead_counts %}
        {{ count }},
    {% endfor %}
    converted_leads::numeric / nullif(new_leads, 0) as conversion_rate,
    converted_on_day::numeric / nullif(new_leads, 0) as conversion_rate_by_close,
    converted_on_day::numeric / nullif(converted_on_day + lost_on_day, 0) as win_rate,
    lead_calls,
    called_leads,
    interested_leads,
    lead_calls::numeric / nullif(new_leads, 0) as calls_per_lead,
    {% for count in call_counts %}
        {{ count }},
    {% endfor %}
    calls_completed::numeric / nullif(total_calls, 0) as call_success_rate,
    calls_interested::numeric / nullif(calls_completed, 0) as interest_rate
from counted
