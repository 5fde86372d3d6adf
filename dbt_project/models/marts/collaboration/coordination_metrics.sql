{{ config(
    unique_key=['tenant_id', 'metric_date'],
    meta={'dirty': {'macro': 'coordination_scope', 'log': ['metric_date']}},
) }}

{#- What a day adds, column by column: each part below fills some and leaves the others NULL. -#}
{% set counts = [
    'clients_coordinated', 'coordination_hours', 'timed_clients', 'clients_new_in_week', 'clients_new_in_month',
    'vendors_collaborating', 'new_collaborations', 'active_pairs_change', 'satisfaction_sum', 'satisfaction_scores',
] %}

-- A month to date looks back to the first of the month, a pair is active for 29 days after its last activity.
with spans as materialized (
    select
        tenants.tenant_id,
        tenants.timezone,
        tenants.week_start,
        tenants.as_of,
        days.date_from,
        days.date_to,
        (days.date_from - 31)::timestamp at time zone tenants.timezone as seen_from,
        least((days.date_to + 1)::timestamp at time zone tenants.timezone, tenants.as_of) as seen_to
    from {{ ref('stg_platform__tenants') }} as tenants
    cross join lateral {{ first_coordination_day('tenants') }} as firsts
    {% if is_incremental() %}
        inner join {{ coordination_spans() }} as dirty on tenants.tenant_id = dirty.tenant_id
        cross join lateral (
            values (greatest(dirty.date_from, firsts.first_date), least(dirty.date_to, tenants.as_of_date))
        ) as days (date_from, date_to)
    {% else %}
        cross join lateral (values (firsts.first_date, tenants.as_of_date)) as days (date_from, date_to)
    {% endif %}
    where firsts.first_date is not null and days.date_from <= days.date_to
),

collaborations_seen as (
    select
        spans.tenant_id,
        spans.date_from,
        spans.date_to,
        spans.week_start,
        seen.client_id,
        seen.vendor_a_id,
        seen.vendor_b_id,
        seen.collaboration_type,
        seen.created_at,
        case when seen.last_activity_at < spans.as_of then seen.last_activity_at end as last_activity_at,
        (seen.created_at at time zone spans.timezone)::date as created_date,
        case when seen.last_activity_at < spans.as_of then (seen.last_activity_at at time zone spans.timezone)::date
        end as last_activity_date
    from spans
    cross join lateral {{ collaborations_seen_in('spans') }} as seen
),

-- A client counts once, however many pairs work for it: from the first creation to the last activity.
client_days as (
    select
        tenant_id,
        date_from,
        week_start,
        client_id,
        created_date as metric_date,
        extract(
            epoch from max(last_activity_at) filter (where last_activity_at >= created_at)
            - min(created_at) filter (where last_activity_at >= created_at)
        ) / 3600 as hours
    from collaborations_seen
    group by tenant_id, date_from, week_start, client_id, created_date
),

-- A client counts in a week or month from its first day in it on.
client_days_in_order as (
    select
        tenant_id,
        date_from,
        metric_date,
        hours,
        {{ week_of('metric_date', 'week_start') }} as week,
        lag(metric_date) over (partition by tenant_id, date_from, client_id order by metric_date) as previous_date
    from client_days
),

clients_by_day as (
    select
        tenant_id,
        date_from,
        metric_date,
        count(*) as clients_coordinated,
        sum(hours) as coordination_hours,
        count(hours) as timed_clients,
        count(*) filter (where previous_date is null or previous_date < week) as clients_new_in_week,
        count(*) filter (
            where previous_date is null or previous_date < {{ month_of('metric_date') }}
        ) as clients_new_in_month
    from client_days_in_order
    group by tenant_id, date_from, metric_date
),

vendor_days as (
    select distinct
        seen.tenant_id,
        seen.date_from,
        seen.created_date as metric_date,
        vendors.vendor_id
    from collaborations_seen as seen
    cross join lateral (values (seen.vendor_a_id), (seen.vendor_b_id)) as vendors (vendor_id)
    where seen.created_date >= seen.date_from
),

vendors_by_day as (
    select
        tenant_id,
        date_from,
        metric_date,
        count(*) as vendors_collaborating
    from vendor_days
    group by tenant_id, date_from, metric_date
),

-- (a, b) and (b, a) on one client are one collaboration, also of two types; a vendor beside itself is no pair.
pair_days as (
    select
        tenant_id,
        date_from,
        created_date as metric_date,
        client_id,
        vendor_a_id,
        vendor_b_id,
        collaboration_type,
        -- one row of each pair and day is the first
        row_number() over (
            partition by tenant_id, date_from, created_date, client_id, vendor_a_id, vendor_b_id
            order by collaboration_type
        ) = 1 as is_first
    from collaborations_seen
    where created_date >= date_from and vendor_a_id <> vendor_b_id
    group by tenant_id, date_from, created_date, client_id, vendor_a_id, vendor_b_id, collaboration_type
),

types_by_day as (
    select
        tenant_id,
        date_from,
        metric_date,
        collaboration_type,
        count(*) as collaborations,
        count(*) filter (where is_first) as first_collaborations
    from pair_days
    group by tenant_id, date_from, metric_date, collaboration_type
),

new_by_day as (
    select
        tenant_id,
        date_from,
        metric_date,
        sum(first_collaborations) as new_collaborations,
        jsonb_object_agg(collaboration_type, collaborations) as by_collaboration_type
    from types_by_day
    group by tenant_id, date_from, metric_date
),

-- A pair is active from its creation to its last activity + 29 days. Its overlapping stretches are merged, so that
-- beginnings minus ends, added up over the days, count each pair once.
pair_stretches as (
    select
        tenant_id,
        date_from,
        unnest(range_agg(
            daterange(created_date, greatest(created_date, last_activity_date) + 30)
            * daterange(date_from, date_to + 1)
        )) as stretch
    from collaborations_seen
    where vendor_a_id <> vendor_b_id
    group by tenant_id, date_from, vendor_a_id, vendor_b_id
),

pair_changes as (
    select
        stretches.tenant_id,
        stretches.date_from,
        ends.metric_date,
        sum(ends.change) as active_pairs_change
    from pair_stretches as stretches
    cross join lateral (
        values (lower(stretches.stretch), 1), (upper(stretches.stretch), -1)
    ) as ends (metric_date, change)
    group by stretches.tenant_id, stretches.date_from, ends.metric_date
),

satisfaction_by_day as (
    select
        spans.tenant_id,
        spans.date_from,
        (scores.scored_at at time zone spans.timezone)::date as metric_date,
        sum(scores.score) filter (where scores.score between 0 and 10) as satisfaction_sum,
        count(*) filter (where scores.score between 0 and 10) as satisfaction_scores
    from spans
    cross join lateral {{ scores_given_in('spans') }} as scores
    group by spans.tenant_id, spans.date_from, (scores.scored_at at time zone spans.timezone)::date
),

day_spine as (
    select
        spans.tenant_id,
        spans.date_from,
        day::date as metric_date
    from spans
    cross join lateral generate_series(
        spans.date_from::timestamp, spans.date_to::timestamp, interval '1 day'
    ) as day
),

parts as (
    {{ coordination_part(counts, 'day_spine', []) }}
    union all
    {{ coordination_part(counts, 'clients_by_day', [
        'clients_coordinated', 'coordination_hours', 'timed_clients', 'clients_new_in_week', 'clients_new_in_month'
    ]) }}
    union all
    {{ coordination_part(counts, 'vendors_by_day', ['vendors_collaborating']) }}
    union all
    {{ coordination_part(counts, 'new_by_day', ['new_collaborations', 'by_collaboration_type']) }}
    union all
    {{ coordination_part(counts, 'pair_changes', ['active_pairs_change']) }}
    union all
    {{ coordination_part(counts, 'satisfaction_by_day', ['satisfaction_sum', 'satisfaction_scores']) }}
),

days as (
    select
        tenant_id,
        date_from,
        metric_date,
        {% for count in counts -%}
            coalesce(sum({{ count }}), 0) as {{ count }},
        {% endfor -%}
        (array_agg(by_collaboration_type) filter (where by_collaboration_type is not null))[1] as by_collaboration_type
    from parts
    group by tenant_id, date_from, metric_date
),

running as (
    select
        days.tenant_id,
        days.metric_date,
        days.metric_date between spans.date_from and spans.date_to as is_in_span,
        {% for count in counts -%}
            days.{{ count }},
        {% endfor -%}
        days.by_collaboration_type,
        sum(days.active_pairs_change) over (
            partition by days.tenant_id, days.date_from order by days.metric_date
        ) as active_vendor_pairs,
        sum(days.clients_new_in_week) over (
            partition by days.tenant_id, days.date_from, {{ week_of('days.metric_date', 'spans.week_start') }}
            order by days.metric_date
        ) as clients_coordinated_week_to_date,
        sum(days.clients_new_in_month) over (
            partition by days.tenant_id, days.date_from, {{ month_of('days.metric_date') }}
            order by days.metric_date
        ) as clients_coordinated_month_to_date
    from days
    inner join spans on days.tenant_id = spans.tenant_id and days.date_from = spans.date_from
)

select
    tenant_id,
    metric_date,
    clients_coordinated::bigint as clients_coordinated,
    vendors_collaborating::bigint as vendors_collaborating,
    new_collaborations::bigint as new_collaborations,
    active_vendor_pairs::bigint as active_vendor_pairs,
    coordination_hours,
    timed_clients::bigint as timed_clients,
    coordination_hours / nullif(timed_clients, 0) as avg_coordination_hours,
    clients_coordinated_week_to_date::bigint as clients_coordinated_week_to_date,
    clients_coordinated_month_to_date::bigint as clients_coordinated_month_to_date,
    satisfaction_sum,
    satisfaction_scores::bigint as satisfaction_scores,
    satisfaction_sum / nullif(satisfaction_scores, 0) as vendor_satisfaction,
    coalesce(by_collaboration_type, '{}'::jsonb) as by_collaboration_type
from running
where is_in_span
