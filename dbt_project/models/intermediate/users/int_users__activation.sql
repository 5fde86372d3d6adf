{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'user_id'],
    on_schema_change='fail',
    contract={'enforced': true},
    indexes=[
        {'columns': ['tenant_id', 'account_id']},
        {'columns': ['tenant_id', 'signed_up_date']},
        {'columns': ['tenant_id', 'activated_date']},
    ],
    meta={'dirty': {
        'entity': 'user',
        'column': 'user_id',
        'log': ['signed_up_date', 'activated_date'],
        'log_entity': 'account_id',
    }},
) }}

{% set steps = ['file_upload', 'worklog_creation', 'report_generation'] %}

with first_events as (
    select
        tenants.tenant_id,
        events.user_id,
        min(events.occurred_at) filter (where events.event_type = any(tenants.activation_events)) as activated_at,
        {% for step in steps -%}
            min(events.occurred_at) filter (where events.event_type = '{{ step }}') as {{ step }}_at{{ ',' if not loop.last }}
        {% endfor %}
    from {{ ref('stg_platform__tenants') }} as tenants
    {% if is_incremental() %}
        inner join {{ dirty_entities('user') }} as dirty on tenants.tenant_id = dirty.tenant_id
    {% endif %}
    inner join {{ ref('stg_users__activation_events') }} as events
        on
            tenants.tenant_id = events.tenant_id
            and events.occurred_at < tenants.as_of
            {% if is_incremental() %}
                and dirty.entity_id = events.user_id
            {% endif %}
    group by 1, 2
),

known_users as (
    select
        tenants.tenant_id,
        users.user_id,
        users.customer_id,
        users.user_type,
        case when users.signed_up_at < tenants.as_of then users.signed_up_at end as signed_up_at
    from {{ ref('stg_platform__tenants') }} as tenants
    {% if is_incremental() %}
        inner join {{ dirty_entities('user') }} as dirty on tenants.tenant_id = dirty.tenant_id
    {% endif %}
    inner join {{ ref('stg_users__users') }} as users
        on
            tenants.tenant_id = users.tenant_id
            {% if is_incremental() %}
                and dirty.entity_id = users.user_id
            {% endif %}
),

users_and_actors as (
    -- An event may come before the row of its user: the user counts as activated, not as signed up.
    select
        coalesce(known_users.tenant_id, first_events.tenant_id) as tenant_id,
        coalesce(known_users.user_id, first_events.user_id) as user_id,
        {{ account_of('known_users.customer_id', 'coalesce(known_users.user_id, first_events.user_id)') }} as account_id,
        coalesce(known_users.user_type, '(none)') as user_type,
        known_users.signed_up_at,
        first_events.activated_at,
        {% for step in steps -%}
            first_events.{{ step }}_at{{ ',' if not loop.last }}
        {% endfor %}
    from known_users
    full join first_events
        on
            known_users.tenant_id = first_events.tenant_id
            and known_users.user_id = first_events.user_id
)

select
    users.tenant_id,
    users.user_id,
    users.account_id,
    users.user_type,
    users.signed_up_at,
    users.activated_at,
    (users.signed_up_at at time zone tenants.timezone)::date as signed_up_date,
    (users.activated_at at time zone tenants.timezone)::date as activated_date,
    {% for step in steps -%}
        users.{{ step }}_at is not null as did_{{ step }}{{ ',' if not loop.last }}
    {% endfor %}
from users_and_actors as users
inner join {{ ref('stg_platform__tenants') }} as tenants on users.tenant_id = tenants.tenant_id
