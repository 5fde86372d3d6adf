select
    tenant_id,
    name,
    timezone,
    currency,
    week_start,
    gross_margin,
    past_due_days,
    churn_on,
    activation_events,
    mau_window_days,
    retention_cohorts,
    as_of_date,
    complete_date,
    as_of,
    clock_stops_at
from {{ source('build', 'tenants') }}
where not is_removed
