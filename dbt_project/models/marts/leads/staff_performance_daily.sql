{{ config(
    unique_key=['tenant_id', 'branch_id', 'staff_id', 'metric_date'],
    indexes=[{'columns': ['tenant_id', 'metric_date']}],
    meta={'dirty': {'changed': ['int_calls__staff_days', 'int_leads__staff_days'], 'column': 'metric_date'}},
) }}

{% set models = ['int_calls__staff_days', 'int_leads__staff_days'] %}

with calls_to_show as (
    select
        calls.tenant_id,
        calls.branch_id,
        calls.staff_id,
        calls.metric_date,
        calls.total_calls,
        calls.calls_completed,
        calls.calls_missed,
        calls.calls_failed,
        calls.call_seconds,
        calls.timed_calls,
        calls.calls_interested
    from {{ rows_of_changed_days(ref('int_calls__staff_days'), models, 'metric_date') }} as calls
),

leads_to_show as (
    select
        leads.tenant_id,
        leads.branch_id,
        leads.staff_id,
        leads.metric_date,
        leads.new_leads,
        leads.converted_leads,
        leads.converted_on_day,
        leads.lost_on_day
    from {{ rows_of_changed_days(ref('int_leads__staff_days'), models, 'metric_date') }} as leads
),

counted as (
    select
        coalesce(calls_to_show.tenant_id, leads_to_show.tenant_id) as tenant_id,
        coalesce(calls_to_show.branch_id, leads_to_show.branch_id) as branch_id,
        coalesce(calls_to_show.staff_id, leads_to_show.staff_id) as staff_id,
        coalesce(calls_to_show.metric_date, leads_to_show.metric_date) as metric_date,
        coalesce(calls_to_show.total_calls, 0) as calls,
        coalesce(calls_to_show.calls_completed, 0) as completed,
        coalesce(calls_to_show.calls_missed, 0) as missed,
        coalesce(calls_to_show.calls_failed, 0) as failed,
        coalesce(calls_to_show.call_seconds, 0) as talk_seconds,
        coalesce(calls_to_show.timed_calls, 0) as timed_calls,
        coalesce(calls_to_show.calls_interested, 0) as interested,
        coalesce(leads_to_show.new_leads, 0) as leads_assigned,
        coalesce(leads_to_show.converted_leads, 0) as leads_converted,
        coalesce(leads_to_show.converted_on_day, 0) as converted_on_day,
        coalesce(leads_to_show.lost_on_day, 0) as lost_on_day
    from calls_to_show
    full outer join leads_to_show
        on
            calls_to_show.tenant_id = leads_to_show.tenant_id
            and calls_to_show.branch_id = leads_to_show.branch_id
            and calls_to_show.staff_id = leads_to_show.staff_id
            and calls_to_show.metric_date = leads_to_show.metric_date
)

select
    tenant_id,
    branch_id,
    staff_id,
    metric_date,
    calls,
    completed,
    missed,
    failed,
    completed::numeric / nullif(calls, 0) as call_success_rate,
    talk_seconds,
    timed_calls,
    talk_seconds / nullif(timed_calls, 0) as avg_talk_seconds,
    interested,
    interested::numeric / nullif(completed, 0) as interest_rate,
    leads_assigned,
    leads_converted,
    leads_converted::numeric / nullif(leads_assigned, 0) as conversion_rate,
    converted_on_day,
    lost_on_day
from counted
