select
    occurrences.tenant_id,
    occurrences.occurrence_id,
    subscriptions.report,
    occurrences.due_at,
    occurrences.is_late,
    occurrences.updated_at
from {{ source('reporting', 'report_occurrences') }} as occurrences
inner join {{ source('reporting', 'report_subscriptions') }} as subscriptions
    on
        occurrences.tenant_id = subscriptions.tenant_id
        and occurrences.subscription_id = subscriptions.subscription_id
inner join {{ ref('stg_platform__tenants') }} as tenants on occurrences.tenant_id = tenants.tenant_id
