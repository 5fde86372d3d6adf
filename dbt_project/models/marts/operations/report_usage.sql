{{ config(
    unique_key=['tenant_id', 'template', 'metric_date'],
    meta={'dirty': {'span': 'usage', 'column': 'metric_date'}},
) }}

{%- set statuses = ['sent', 'failed', 'unknown', 'held', 'skipped', 'waiting'] %}
{%- set channels = ['email', 'slack', 'webhook', 'file'] %}

with occurrences as (
    select
        due.tenant_id,
        due.occurrence_id,
        due.report as template,
        (due.due_at at time zone tenants.timezone)::date as metric_date,
        due.due_at,
        due.is_late,
        due.updated_at
    from {{ ref('stg_platform__tenants') }} as tenants
    inner join {{ rows_of_dirty_days(ref('stg_reporting__occurrences'), 'usage', 'due_at') }} as due
        on tenants.tenant_id = due.tenant_id
),

reports as (
    select
        tenant_id,
        template,
        metric_date,
        count(*) as reports,
        sum(extract(epoch from updated_at)) as checksum
    from occurrences
    group by 1, 2, 3
),

deliveries as (
    select
        occurrences.template,
        occurrences.metric_date,
        occurrences.due_at,
        occurrences.is_late,
        deliveries.*
    from occurrences
    inner join {{ ref('stg_reporting__deliveries') }} as deliveries
        on
            occurrences.tenant_id = deliveries.tenant_id
            and occurrences.occurrence_id = deliveries.occurrence_id
),

usage_of_days as (
    select
        tenant_id,
        template,
        metric_date,
        count(*) as deliveries,
        {% for status in statuses -%}
            count(*) filter (where status = '{{ status }}') as deliveries_{{ status }},
        {% endfor -%}
        {% for channel in channels -%}
            count(*) filter (where channel = '{{ channel }}') as deliveries_{{ channel }},
            count(*) filter (where channel = '{{ channel }}' and status = 'sent') as {{ channel }}_sent,
        {% endfor -%}
        count(*) filter (where kind = 'notice' and status = 'sent') as notices_sent,
        count(*) filter (where is_late and status = 'sent') as late_sent,
        count(distinct recipient_key) as recipients,
        count(distinct recipient_key) filter (where status = 'sent') as recipients_reached,
        sum(attempts)::bigint as attempts,
        count(render_seconds) as renderings,
        sum(render_seconds) as render_seconds,
        max(render_seconds) as longest_render_seconds,
        sum(send_seconds) as send_seconds,
        max(send_seconds) as longest_send_seconds,
        sum(extract(epoch from delivered_at - due_at)) filter (where status = 'sent') as seconds_to_deliver,
        max(extract(epoch from delivered_at - due_at)) filter (where status = 'sent') as longest_seconds_to_deliver,
        coalesce(sum(bytes) filter (where status = 'sent'), 0)::bigint as bytes_sent,
        sum(extract(epoch from updated_at)) as checksum
    from deliveries
    group by 1, 2, 3
)

select
    reports.tenant_id,
    reports.template,
    reports.metric_date,
    reports.reports,
    coalesce(usage_of_days.deliveries, 0) as deliveries,
    {% for status in statuses -%}
        coalesce(usage_of_days.deliveries_{{ status }}, 0) as deliveries_{{ status }},
    {% endfor -%}
    {% for channel in channels -%}
        coalesce(usage_of_days.deliveries_{{ channel }}, 0) as deliveries_{{ channel }},
        coalesce(usage_of_days.{{ channel }}_sent, 0) as {{ channel }}_sent,
    {% endfor -%}
    coalesce(usage_of_days.notices_sent, 0) as notices_sent,
    coalesce(usage_of_days.late_sent, 0) as late_sent,
    coalesce(usage_of_days.recipients, 0) as recipients,
    coalesce(usage_of_days.recipients_reached, 0) as recipients_reached,
    coalesce(usage_of_days.attempts, 0) as attempts,
    coalesce(usage_of_days.renderings, 0) as renderings,
    coalesce(usage_of_days.render_seconds, 0) as render_seconds,
    usage_of_days.longest_render_seconds,
    coalesce(usage_of_days.send_seconds, 0) as send_seconds,
    usage_of_days.longest_send_seconds,
    coalesce(usage_of_days.seconds_to_deliver, 0) as seconds_to_deliver,
    usage_of_days.longest_seconds_to_deliver,
    coalesce(usage_of_days.bytes_sent, 0) as bytes_sent,
    reports.checksum + coalesce(usage_of_days.checksum, 0) as ledger_checksum
from reports
left join usage_of_days
    on
        reports.tenant_id = usage_of_days.tenant_id
        and reports.template = usage_of_days.template
        and reports.metric_date = usage_of_days.metric_date
