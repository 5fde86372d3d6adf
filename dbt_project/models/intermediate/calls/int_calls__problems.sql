{% set calls = ref('stg_calls__calls') %}
{% set tenants = ref('stg_platform__tenants') %}
{% set known_calls = calls ~ ' as calls inner join ' ~ tenants ~ ' as tenants
        on calls.tenant_id = tenants.tenant_id and calls.started_at < tenants.as_of' %}

{{ problem(
    'call_with_negative_duration',
    'raw.calls',
    '(select calls.tenant_id, calls.call_id from ' ~ known_calls ~ ' where calls.duration_seconds < 0)',
    'call_id',
    'Calls with a negative duration',
    'Correct duration_seconds. The calls are counted; their time is left out.',
) }}

union all

{{ problem(
    'call_interested_but_not_completed',
    'raw.calls',
    "(select calls.tenant_id, calls.call_id from " ~ known_calls
        ~ " where calls.outcome = 'interested' and calls.status <> 'completed')",
    'call_id',
    'Calls with the outcome interested that were not completed',
    'Correct status or outcome. The calls do not count as interested.',
) }}

union all

{{ problem(
    'call_of_unknown_lead',
    'raw.calls',
    "(select calls.tenant_id, calls.call_id from " ~ known_calls ~ "
        left join " ~ ref('stg_leads__leads') ~ " as leads
        on calls.tenant_id = leads.tenant_id and calls.lead_id = leads.lead_id
        where calls.lead_id is not null and leads.lead_id is null)",
    'call_id',
    'Calls of leads that raw.leads does not hold',
    'Load the leads. The calls count everywhere but in calls_per_lead.',
) }}

union all

{{ problem(
    'call_of_unknown_branch',
    'raw.calls',
    "(select calls.tenant_id, calls.call_id from " ~ known_calls ~ "
        left join " ~ ref('stg_platform__branches') ~ " as branches
        on calls.tenant_id = branches.tenant_id and calls.branch_id = branches.branch_id
        where calls.branch_id <> '(none)' and branches.branch_id is null)",
    'call_id',
    'Calls of branches that raw.branches does not hold',
    "Load the branches. The calls count under their branch_id, by the tenant's timezone.",
) }}

union all

{{ problem(
    'call_of_unknown_staff',
    'raw.calls',
    "(select calls.tenant_id, calls.call_id from " ~ known_calls ~ "
        left join " ~ ref('stg_platform__staff') ~ " as staff
        on calls.tenant_id = staff.tenant_id and calls.staff_id = staff.staff_id
        where calls.staff_id <> '(none)' and staff.staff_id is null)",
    'call_id',
    'Calls of staff members that raw.staff does not hold',
    'Load the staff. The calls count under their staff_id, without a name.',
) }}
