{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'subscription_id', 'kind'],
    on_schema_change='fail',
    contract={'enforced': true},
    indexes=[{'columns': ['tenant_id', 'customer_id']}],
    meta={'dirty': {'entity': 'customer', 'column': 'customer_id'}},
) }}

with subscriptions as materialized (
    select
        subscriptions.tenant_id,
        subscriptions.customer_id,
        subscriptions.subscription_id,
        subscriptions.status,
        subscriptions.currency,
        tenants.as_of,
        subscriptions.started_at < tenants.as_of as has_begun,
        -- The end as in int_revenue__subscription_periods.
        coalesce(
            subscriptions.ended_at,
            case when subscriptions.cancel_at < tenants.as_of then subscriptions.cancel_at end,
            case when subscriptions.status = 'canceled' then subscriptions.canceled_at end,
            subscriptions.cancel_at
        ) as ends_at,
        subscriptions.started_at
    from {{ ref('stg_platform__tenants') }} as tenants
    {% if is_incremental() %}
        inner join {{ dirty_entities('customer') }} as dirty on tenants.tenant_id = dirty.tenant_id
    {% endif %}
    inner join {{ ref('stg_revenue__subscriptions') }} as subscriptions
        on
            tenants.tenant_id = subscriptions.tenant_id
            {% if is_incremental() %}
                and dirty.entity_id = subscriptions.customer_id
            {% endif %}
),

changes as (
    select
        subscriptions.tenant_id,
        subscriptions.subscription_id,
        changes.changed_at,
        changes.status,
        coalesce(changes.currency, subscriptions.currency) as currency,
        changes.is_automatic,
        changes.changed_at < subscriptions.as_of as has_happened,
        bool_or(not changes.is_automatic) over (
            partition by changes.tenant_id, changes.subscription_id
        ) as has_source_history
    from subscriptions
    inner join {{ ref('stg_revenue__subscription_changes') }} as changes
        on
            subscriptions.tenant_id = changes.tenant_id
            and subscriptions.subscription_id = changes.subscription_id
),

histories as materialized (
    select
        tenant_id,
        subscription_id,
        coalesce(bool_or(status = 'canceled'), false) as tells_cancellation,
        coalesce(bool_or(status not in ('incomplete', 'incomplete_expired')), false) as tells_service,
        count(distinct currency) as currencies,
        count(*) filter (where has_happened and is_automatic and has_source_history) as automatic_changes,
        count(*) filter (where has_happened and not (is_automatic and has_source_history))
        - count(distinct changed_at) filter (where has_happened and not (is_automatic and has_source_history))
            as changes_at_one_instant
    from changes
    group by 1, 2
),

judged as (
    select
        subscriptions.tenant_id,
        subscriptions.customer_id,
        subscriptions.subscription_id,
        coalesce(histories.currencies, 1) as currencies,
        coalesce(histories.automatic_changes, 0) as automatic_changes,
        coalesce(histories.changes_at_one_instant, 0) as changes_at_one_instant,
        -- At most one of these, so that each row is left out by one rule.
        case
            when not subscriptions.has_begun then null
            when subscriptions.ends_at < subscriptions.started_at then 'ended_before_start'
            when
                subscriptions.status = 'canceled'
                and subscriptions.ends_at is null
                and not coalesce(histories.tells_cancellation, false)
                then 'canceled_without_date'
            when
                subscriptions.status in ('incomplete', 'incomplete_expired')
                and not coalesce(histories.tells_service, false)
                then 'never_completed'
        end as left_out_as
    from subscriptions
    left join histories
        on
            subscriptions.tenant_id = histories.tenant_id
            and subscriptions.subscription_id = histories.subscription_id
)

select
    judged.tenant_id,
    judged.customer_id,
    judged.subscription_id,
    kinds.kind,
    kinds.rows_found
from judged
cross join lateral (
    values
    (judged.left_out_as, 1::bigint),
    ('currency_changed', (judged.currencies > 1)::integer::bigint),
    ('change_kept_beside_history', judged.automatic_changes),
    ('changes_at_one_instant', judged.changes_at_one_instant)
) as kinds (kind, rows_found)
where kinds.kind is not null and kinds.rows_found > 0
