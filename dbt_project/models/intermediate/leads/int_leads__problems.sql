{% set known_leads = ref('int_leads__reached') %}

{{ problem(
    'lead_converted_before_created',
    'raw.leads',
    '(select tenant_id, lead_id from ' ~ known_leads ~ ' where is_converted_before_created)',
    'lead_id',
    'Leads converted before they were created',
    'Correct created_at or the moment of the conversion. The leads are counted; their time to convert is left out.',
) }}

union all

{{ problem(
    'lead_status_without_moment',
    'raw.leads',
    "(select tenant_id, lead_id from " ~ known_leads ~ " where case status when 'contacted' then contacted_at is null
        when 'qualified' then qualified_at is null when 'converted' then converted_at is null
        when 'lost' then lost_at is null else false end)",
    'lead_id',
    'Leads with a status but no moment at which they reached it',
    'Fill updated_at or converted_at, or load lead_status_changes. The leads count in their cohort, on no day.',
) }}

union all

{{ problem(
    'lead_converted_at_ignored',
    'raw.leads',
    "(select leads.tenant_id, leads.lead_id from " ~ ref('stg_leads__leads') ~ " as leads inner join " ~ known_leads
        ~ " as reached on leads.tenant_id = reached.tenant_id and leads.lead_id = reached.lead_id
        where leads.converted_at is not null and leads.status <> 'converted' and reached.converted_at is null)",
    'lead_id',
    'Leads with a converted_at whose status is not converted',
    'Correct the status, or load the conversion into lead_status_changes. The leads do not count as converted.',
) }}

union all

{{ problem(
    'status_change_of_unknown_lead',
    'raw.lead_status_changes',
    "(select changes.tenant_id, changes.change_id from " ~ ref('stg_leads__lead_status_changes') ~ " as changes
        inner join " ~ ref('stg_platform__tenants') ~ " as tenants on changes.tenant_id = tenants.tenant_id
        left join " ~ ref('stg_leads__leads') ~ " as leads
        on changes.tenant_id = leads.tenant_id and changes.lead_id = leads.lead_id
        where leads.lead_id is null)",
    'change_id',
    'Status changes of leads that raw.leads does not hold',
    'Load the leads. The changes count nowhere.',
) }}

union all

{{ problem(
    'lead_of_unknown_branch',
    'raw.leads',
    "(select leads.tenant_id, leads.lead_id from " ~ known_leads ~ " as leads
        left join " ~ ref('stg_platform__branches') ~ " as branches
        on leads.tenant_id = branches.tenant_id and leads.branch_id = branches.branch_id
        where leads.branch_id <> '(none)' and branches.branch_id is null)",
    'lead_id',
    'Leads of branches that raw.branches does not hold',
    "Load the branches. The leads count under their branch_id, by the tenant's timezone.",
) }}

union all

{{ problem(
    'lead_of_unknown_staff',
    'raw.leads',
    "(select leads.tenant_id, leads.lead_id from " ~ known_leads ~ " as leads
        left join " ~ ref('stg_platform__staff') ~ " as staff
        on leads.tenant_id = staff.tenant_id and leads.staff_id = staff.staff_id
        where leads.staff_id <> '(none)' and staff.staff_id is null)",
    'lead_id',
    'Leads of staff members that raw.staff does not hold',
    'Load the staff. The leads count under their staff_id, without a name.',
) }}
