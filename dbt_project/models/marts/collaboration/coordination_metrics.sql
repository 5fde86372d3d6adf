{{ config(
    unique_key=['tenant_id', 'metric_date'],
    meta={'dirty': {'tenant': ['collaboration', 'satisfaction'], 'column': 'metric_date'}},
) }}

with collaborations_by_day as (
    select
        collaborations.tenant_id,
        collaborations.client_id,
        collaborations.vendor_a_id,
        collaborations.vendor_b_id,
        collaborations.collaboration_type,
        collaborations.created_at,
        case when collaborations.last_activity_at < tenants.as_of then collaborations.last_activity_at
        end as last_activity_at,
        (collaborations.created_at at time zone tenants.timezone)::date as created_date,
        tenants.timezone,
        tenants.week_start
    from {{ ref('stg_platform__tenants') }} as tenants
    {% if is_incremental() %}
        inner join {{ dirty_tenants(['collaboration', 'satisfaction']) }} as dirty
            on tenants.tenant_id = dirty.tenant_id
    {% endif %}
    inner join {{ ref('stg_collaboration__collaborations') }} as collaborations
        on
            tenants.tenant_id = collaborations.tenant_id
            and tenants.as_of > collaborations.created_at
),

satisfaction_by_day as (
    select
        scores.tenant_id,
        (scores.scored_at at time zone tenants.timezone)::date as metric_date,
        coalesce(sum(scores.score) filter (where scores.score between 0 and 10), 0) as satisfaction_sum,
        count(*) filter (where scores.score between 0 and 10) as satisfaction_scores
    from {{ ref('stg_platform__tenants') }} as tenants
    {% if is_incremental() %}
        inner join {{ dirty_tenants(['collaboration', 'satisfaction']) }} as dirty
            on tenants.tenant_id = dirty.tenant_id
    {% endif %}
    inner join {{ ref('stg_collaboration__satisfaction_scores') }} as scores
        on
            tenants.tenant_id = scores.tenant_id
            and tenants.as_of > scores.scored_at
    group by 1, 2
),

first_days as (
    select
        tenant_id,
        min(created_date) as first_date
    from collaborations_by_day
    group by 1
    union all
    select
        tenant_id,
        min(metric_date) as first_date
    from satisfaction_by_day
    group by 1
),

tenant_days as (
    select
        tenants.tenant_id,
        tenants.as_of_date,
        tenants.week_start,
        min(first_days.first_date) as first_date
    from {{ ref('stg_platform__tenants') }} as tenants
    inner join first_days on tenants.tenant_id = first_days.tenant_id
    group by 1, 2, 3
),

spine as (
    select
        tenant_days.tenant_id,
        day::date as metric_date,
        {{ week_of('day::date', 'tenant_days.week_start') }} as week,
        {{ month_of('day::date') }} as month
    from tenant_days
    cross join lateral generate_series(
        tenant_days.first_date::timestamp, tenant_days.as_of_date::timestamp, interval '1 day'
    ) as day
),

clients_by_day as (
    select
        tenant_id,
        created_date as metric_date,
        count(distinct client_id) as clients_coordinated
    from collaborations_by_day
    group by 1, 2
),

-- (a, b) and (b, a) on one client are one collaboration, also of two types; a vendor beside itself is no pair.
pairs_by_day as (
    select
        tenant_id,
        created_date as metric_date,
        client_id,
        vendor_a_id,
        vendor_b_id,
        array_agg(distinct collaboration_type) as types
    from collaborations_by_day
    where vendor_a_id <> vendor_b_id
    group by 1, 2, 3, 4, 5
),

new_by_day as (
    select
        tenant_id,
        metric_date,
        count(*) as new_collaborations
    from pairs_by_day
    group by 1, 2
),

new_by_type as (
    select
        pairs.tenant_id,
        pairs.metric_date,
        types.collaboration_type,
        count(*) as collaborations
    from pairs_by_day as pairs
    cross join lateral unnest(pairs.types) as types (collaboration_type)
    group by 1, 2, 3
),

types_by_day as (
    select
        tenant_id,
        metric_date,
        jsonb_object_agg(collaboration_type, collaborations) as by_collaboration_type
    from new_by_type
    group by 1, 2
),

vendors_by_day as (
    select
        collaborations.tenant_id,
        collaborations.created_date as metric_date,
        count(distinct vendors.vendor_id) as vendors_collaborating
    from collaborations_by_day as collaborations
    cross join lateral (values (collaborations.vendor_a_id), (collaborations.vendor_b_id)) as vendors (vendor_id)
    group by 1, 2
),

-- A client counts once, however many pairs work for it: from the first creation to the last activity.
client_hours as (
    select
        tenant_id,
        created_date as metric_date,
        client_id,
        extract(epoch from max(last_activity_at) - min(created_at)) / 3600 as hours
    from collaborations_by_day
    where last_activity_at >= created_at
    group by 1, 2, 3
),

hours_by_day as (
    select
        tenant_id,
        metric_date,
        sum(hours) as coordination_hours,
        count(*) as timed_clients
    from client_hours
    group by 1, 2
),

-- A pair is active from its creation to its last activity + 29 days. Its overlapping stretches are merged, so that
-- beginnings minus ends, added up over the days, count each pair once.
pair_stretches as (
    select
        tenant_id,
        vendor_a_id,
        vendor_b_id,
        unnest(range_agg(daterange(
            created_date,
            greatest(created_date, (last_activity_at at time zone timezone)::date) + 30
        ))) as stretch
    from collaborations_by_day
    where vendor_a_id <> vendor_b_id
    group by 1, 2, 3
),

stretch_ends as (
    select
        tenant_id,
        lower(stretch) as metric_date,
        1 as change
    from pair_stretches
    union all
    select
        tenant_id,
        upper(stretch) as metric_date,
        -1 as change
    from pair_stretches
),

pair_changes as (
    select
        tenant_id,
        metric_date,
        sum(change) as change
    from stretch_ends
    group by 1, 2
),

-- A client counts in a week or month from its first day in it on.
first_day_in_week as (
    select
        tenant_id,
        client_id,
        {{ week_of('created_date', 'week_start') }} as week,
        min(created_date) as metric_date
    from collaborations_by_day
    group by 1, 2, 3
),

first_in_week as (
    select
        tenant_id,
        metric_date,
        count(*) as clients
    from first_day_in_week
    group by 1, 2
),

first_day_in_month as (
    select
        tenant_id,
        client_id,
        {{ month_of('created_date') }} as month,
        min(created_date) as metric_date
    from collaborations_by_day
    group by 1, 2, 3
),

first_in_month as (
    select
        tenant_id,
        metric_date,
        count(*) as clients
    from first_day_in_month
    group by 1, 2
)

select
    spine.tenant_id,
    spine.metric_date,
    coalesce(clients_by_day.clients_coordinated, 0) as clients_coordinated,
    coalesce(vendors_by_day.vendors_collaborating, 0) as vendors_collaborating,
    coalesce(new_by_day.new_collaborations, 0) as new_collaborations,
    (coalesce(sum(pair_changes.change) over (partition by spine.tenant_id order by spine.metric_date), 0))::bigint
        as active_vendor_pairs,
    coalesce(hours_by_day.coordination_hours, 0) as coordination_hours,
    coalesce(hours_by_day.timed_clients, 0) as timed_clients,
    hours_by_day.coordination_hours / nullif(hours_by_day.timed_clients, 0) as avg_coordination_hours,
    (coalesce(
        sum(first_in_week.clients) over (partition by spine.tenant_id, spine.week order by spine.metric_date), 0
    ))::bigint as clients_coordinated_week_to_date,
    (coalesce(
        sum(first_in_month.clients) over (partition by spine.tenant_id, spine.month order by spine.metric_date), 0
    ))::bigint as clients_coordinated_month_to_date,
    coalesce(satisfaction_by_day.satisfaction_sum, 0) as satisfaction_sum,
    coalesce(satisfaction_by_day.satisfaction_scores, 0) as satisfaction_scores,
    satisfaction_by_day.satisfaction_sum / nullif(satisfaction_by_day.satisfaction_scores, 0)
        as vendor_satisfaction,
    coalesce(types_by_day.by_collaboration_type, '{}'::jsonb) as by_collaboration_type
from spine
left join clients_by_day
    on
        spine.tenant_id = clients_by_day.tenant_id
        and spine.metric_date = clients_by_day.metric_date
left join vendors_by_day
    on
        spine.tenant_id = vendors_by_day.tenant_id
        and spine.metric_date = vendors_by_day.metric_date
left join new_by_day
    on
        spine.tenant_id = new_by_day.tenant_id
        and spine.metric_date = new_by_day.metric_date
left join types_by_day
    on
        spine.tenant_id = types_by_day.tenant_id
        and spine.metric_date = types_by_day.metric_date
left join hours_by_day
    on
        spine.tenant_id = hours_by_day.tenant_id
        and spine.metric_date = hours_by_day.metric_date
left join pair_changes
    on
        spine.tenant_id = pair_changes.tenant_id
        and spine.metric_date = pair_changes.metric_date
left join first_in_week
    on
        spine.tenant_id = first_in_week.tenant_id
        and spine.metric_date = first_in_week.metric_date
left join first_in_month
    on
        spine.tenant_id = first_in_month.tenant_id
        and spine.metric_date = first_in_month.metric_date
left join satisfaction_by_day
    on
        spine.tenant_id = satisfaction_by_day.tenant_id
        and spine.metric_date = satisfaction_by_day.metric_date
