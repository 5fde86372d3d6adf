{{ config(
    materialized='incremental',
    incremental_strategy='dirty',
    unique_key=['tenant_id', 'lead_id'],
    on_schema_change='fail',
    contract={'enforced': true},
    post_hook=[
        "{{ index_of_odd_rows('tenant_id', 'is_converted_before_created') }}",
        "{{ index_of_odd_rows('tenant_id', lead_without_moment()) }}",
    ],
    indexes=[
        {'columns': ['tenant_id', 'created_date']},
        {'columns': ['tenant_id', 'contacted_date']},
        {'columns': ['tenant_id', 'qualified_date']},
        {'columns': ['tenant_id', 'converted_date']},
        {'columns': ['tenant_id', 'lost_date']},
    ],
    meta={'dirty': {
        'entity': 'lead',
        'column': 'lead_id',
        'log': [
            'created_date', 'contacted_date', 'qualified_date', 'converted_date', 'lost_date', 'cohort_week',
            'branch_created_date', 'branch_contacted_date', 'branch_qualified_date', 'branch_converted_date',
            'branch_lost_date', 'branch_cohort_week',
        ],
    }},
) }}

{% set steps = ['contacted', 'qualified', 'converted', 'lost'] %}

with leads_to_follow as (
    select
        leads.tenant_id,
        leads.lead_id,
        leads.branch_id,
        leads.staff_id,
        leads.source,
        leads.status,
        leads.created_at,
        -- When the lead reached the status it has; NULL: nobody told.
        case leads.status
            when 'new' then leads.created_at
            when 'converted' then coalesce(leads.converted_at, leads.updated_at)
            else leads.updated_at
        end as status_since,
        tenants.as_of,
        tenants.week_start,
        tenants.timezone,
        coalesce(branches.timezone, tenants.timezone) as branch_timezone
    from {{ ref('stg_platform__tenants') }} as tenants
    {% if is_incremental() %}
        inner join {{ dirty_entities('lead') }} as dirty on tenants.tenant_id = dirty.tenant_id
    {% endif %}
    inner join {{ ref('stg_leads__leads') }} as leads
        on
            tenants.tenant_id = leads.tenant_id
            and tenants.as_of > leads.created_at
            {% if is_incremental() %}
                and dirty.entity_id = leads.lead_id
            {% endif %}
    left join {{ ref('stg_platform__branches') }} as branches
        on
            leads.tenant_id = branches.tenant_id
            and leads.branch_id = branches.branch_id
),

history as (
    select
        changes.tenant_id,
        changes.lead_id,
        {% for status in ['new'] + steps %}
            min(changes.changed_at) filter (where changes.status = '{{ status }}') as {{ status }}_at,
            max(changes.changed_at)
            filter (where changes.status = '{{ status }}' and changes.changed_at < tenants.as_of)
                as last_{{ status }}_at,
        {% endfor %}
        max(changes.changed_at) as last_changed_at
    from {{ ref('stg_platform__tenants') }} as tenants
    inner join {{ ref('stg_leads__lead_status_changes') }} as changes on tenants.tenant_id = changes.tenant_id
    {% if is_incremental() %}
        inner join {{ dirty_entities('lead') }} as dirty
            on
                changes.tenant_id = dirty.tenant_id
                and changes.lead_id = dirty.entity_id
    {% endif %}
    group by 1, 2
),

-- The last change before as_of; of several at one instant the furthest step.
history_by_as_of as (
    select
        tenant_id,
        lead_id,
        {% for status in ['new'] + steps %}
            {{ status }}_at,
        {% endfor %}
        last_changed_at,
        case greatest(last_new_at, last_contacted_at, last_qualified_at, last_converted_at, last_lost_at)
            {% for status in steps | reverse %}
                when last_{{ status }}_at then '{{ status }}'
            {% endfor %}
            else 'new'
        end as last_status
    from history
),

moments as (
    select
        leads.tenant_id,
        leads.lead_id,
        leads.branch_id,
        leads.staff_id,
        leads.source,
        leads.created_at,
        leads.as_of,
        leads.week_start,
        leads.timezone,
        leads.branch_timezone,
        {% for step in steps %}
            case
                when leads.status = '{{ step }}' then coalesce(history.{{ step }}_at, leads.status_since)
                else history.{{ step }}_at
            end as {{ step }}_at,
        {% endfor %}
        -- The lead's own status lies ahead when a change does, or when nothing but the lead itself tells of it.
        case
            when
                history.last_changed_at >= leads.as_of
                or leads.status_since >= leads.as_of
                and case leads.status
                    {% for status in ['new'] + steps %}
                        when '{{ status }}' then history.{{ status }}_at is null
                    {% endfor %}
                end
                then coalesce(history.last_status, 'new')
            else leads.status
        end as status
    from leads_to_follow as leads
    left join history_by_as_of as history
        on
            leads.tenant_id = history.tenant_id
            and leads.lead_id = history.lead_id
),

reached as (
    select
        tenant_id,
        lead_id,
        branch_id,
        staff_id,
        source,
        status,
        created_at,
        {% for step in steps %}
            case when {{ step }}_at < as_of then {{ step }}_at end as {{ step }}_at,
        {% endfor %}
        week_start,
        timezone,
        branch_timezone
    from moments
),

dated as (
    select
        tenant_id,
        lead_id,
        branch_id,
        staff_id,
        source,
        status,
        created_at,
        contacted_at,
        qualified_at,
        converted_at,
        lost_at,
        {% for step in ['created'] + steps %}
            ({{ step }}_at at time zone timezone)::date as {{ step }}_date,
            ({{ step }}_at at time zone branch_timezone)::date as branch_{{ step }}_date,
        {% endfor %}
        week_start
    from reached
)

select
    tenant_id,
    lead_id,
    branch_id,
    staff_id,
    source,
    status,
    created_at,
    contacted_at,
    qualified_at,
    converted_at,
    lost_at,
    created_date,
    contacted_date,
    qualified_date,
    converted_date,
    lost_date,
    {{ week_of('created_date', 'week_start') }} as cohort_week,
    branch_created_date,
    branch_contacted_date,
    branch_qualified_date,
    branch_converted_date,
    branch_lost_date,
    {{ week_of('branch_created_date', 'week_start') }} as branch_cohort_week,
    contacted_at is not null
    or qualified_at is not null
    or converted_at is not null
    or status in ('contacted', 'qualified', 'converted') as is_contacted,
    qualified_at is not null
    or converted_at is not null
    or status in ('qualified', 'converted') as is_qualified,
    converted_at is not null or status = 'converted' as is_converted,
    lost_at is not null or status = 'lost' as is_lost,
    coalesce(converted_at < created_at, false) as is_converted_before_created
from dated
