{{ config(
    unique_key=['tenant_id', 'kind', 'table_name', 'key'],
    meta={'dirty': {'tenant': '*'}},
) }}

{%- set unknown_parents = [
    ('int_quality__status_changes_of_unknown_leads', 'status_change_of_unknown_lead', 'lead_status_changes',
        'changes', 'change_id', true, 'Status changes of leads that raw.leads does not hold',
        'Load the leads. The changes count nowhere.'),
    ('int_quality__changes_of_unknown_subscriptions', 'change_without_subscription', 'subscription_changes',
        'changes', 'change_id', true, 'Changes of subscriptions that raw.subscriptions does not hold',
        'Load the subscriptions, or remove the changes. They count for nothing.'),
    ('int_quality__events_of_unknown_users', 'event_of_unknown_user', 'activation_events',
        'events', 'event_id', false, 'Activation events of users that raw.users does not hold',
        'Load the users. They count as activated, not as signed up.'),
    ('int_quality__calls_of_unknown_leads', 'call_of_unknown_lead', 'calls',
        'calls', 'call_id', false, 'Calls of leads that raw.leads does not hold',
        'Load the leads. The calls count everywhere but in calls_per_lead.'),
] -%}
{%- set odd_subscriptions = [
    ('ended_before_start', 'subscriptions', true, 'warning', 'Subscriptions that end before they start',
        'Correct started_at, ended_at, cancel_at or canceled_at in the source. They count for no time at all.'),
    ('canceled_without_date', 'subscriptions', true, 'warning',
        'Subscriptions that are canceled while ended_at, cancel_at and canceled_at are empty and no change tells when',
        'Give ended_at or canceled_at, or a change with the status. They never counted.'),
    ('never_completed', 'subscriptions', true, 'info', 'Subscriptions that are incomplete',
        'Nothing to do. They count when they are completed.'),
    ('currency_changed', 'subscriptions', false, 'info', 'Subscriptions whose currency changed',
        'Nothing to do. Each amount is converted at the rate of the day it began; the difference is fx_impact.'),
    ('changes_at_one_instant', 'subscription_changes', false, 'warning',
        'Changes of a subscription at the instant of another one',
        'Tell the moment more exactly. The later loaded holds; the earlier only in what that leaves open.'),
    ('change_kept_beside_history', 'subscription_changes', true, 'info',
        'Changes kept by the update trigger beside a history from the source',
        'Nothing to do. The history from the source holds; these are left out.'),
] -%}
{%- set strangers = [
    ('calls', 'int_calls__staff_days', 'total_calls', 'Calls', 'calls'),
    ('leads', 'int_leads__staff_days', 'new_leads', 'Leads', 'leads'),
] %}

with tenants as materialized (
    select
        tenants.tenant_id,
        tenants.currency,
        tenants.as_of,
        tenants.as_of_date
    from {{ ref('stg_platform__tenants') }} as tenants
    {% if is_incremental() %}
        inner join {{ dirty_tenants() }} as dirty on tenants.tenant_id = dirty.tenant_id
    {% endif %}
),

row_counts as materialized (
    select
        counts.tenant_id,
        counts.table_name,
        counts.raw_rows,
        counts.tombstones
    from {{ source('build', 'row_counts') }} as counts
    inner join tenants on counts.tenant_id = tenants.tenant_id
),

{% for table in ['calls', 'leads'] %}
{%- set model = ref('int_' ~ table ~ '__staff_days') -%}
{{ table }}_of_staff as materialized (
    select
        known.tenant_id,
        known.branch_id,
        known.staff_id,
        known.branch_id <> '(none)' and branches.branch_id is null as is_unknown_branch,
        known.staff_id <> '(none)' and staff.staff_id is null as is_unknown_staff
    from {{ branches_and_staff(model) }} as known
    inner join tenants on known.tenant_id = tenants.tenant_id
    left join {{ ref('stg_platform__branches') }} as branches
        on known.tenant_id = branches.tenant_id and known.branch_id = branches.branch_id
    left join {{ ref('stg_platform__staff') }} as staff
        on known.tenant_id = staff.tenant_id and known.staff_id = staff.staff_id
),

{% endfor -%}

missing_rates as (
    select
        periods.tenant_id,
        periods.currency,
        periods.rated_on,
        'subscriptions' as concerned
    from tenants
    inner join {{ ref('int_revenue__subscription_periods') }} as periods
        on tenants.tenant_id = periods.tenant_id and tenants.as_of > periods.valid_from
    where periods.is_rate_missing
    union all
    select
        rates.tenant_id,
        rates.currency,
        rates.rated_on,
        'invoices, marketing_spend or finance_inputs' as concerned
    from tenants
    inner join {{ ref('int_billing__exchange_rates') }} as rates on tenants.tenant_id = rates.tenant_id
    where rates.exchange_rate is null
),

found as (
    select
        tenant_id,
        'deleted' as kind,
        'raw.' || table_name as table_name,
        '(any)' as key,
        'info' as severity,
        'Rows with deleted_at' as what,
        'Nothing to do. They are left out.' as remedy,
        tombstones as rows_found,
        tombstones as rows_excluded
    from row_counts
    where tombstones > 0
    {% for table, facts in counted_tables().items() if facts.moment is defined %}
        union all
        {{ found(
            'in_the_future', table,
            'Rows whose ' ~ facts.moment ~ ' lies at or after as_of',
            'Check the clock of the source. They count when their moment has come.',
            rows_ahead(table, facts), found='sum(f.rows_found)', excluded='sum(f.rows_found)'
        ) }}
    {% endfor %}
    {% for rule in row_rules() %}
        union all
        {{ found(
            rule.kind, rule.table, rule.what, rule.remedy, rows_of_rule(rule),
            excluded='count(*)' if rule.excluded else '0', severity=rule.severity or 'warning'
        ) }}
    {% endfor %}
    {% for model, kind, table, column, key, excluded, what, remedy in unknown_parents %}
        union all
        {{ found(
            kind, table, what, remedy,
            '(select odd.* from tenants inner join ' ~ ref(model) ~ ' as odd on tenants.tenant_id = odd.tenant_id)',
            found='sum(f.' ~ column ~ ')', excluded='sum(f.' ~ column ~ ')' if excluded else '0',
            key='min(f.first_' ~ key ~ ')'
        ) }}
    {% endfor %}
    {% for kind, table, excluded, severity, what, remedy in odd_subscriptions %}
        union all
        {{ found(
            kind, table, what, remedy,
            '(select odd.* from tenants inner join ' ~ ref('int_quality__odd_subscriptions')
                ~ " as odd on tenants.tenant_id = odd.tenant_id where odd.kind = '" ~ kind ~ "')",
            found='sum(f.rows_found)', excluded='sum(f.rows_found)' if excluded else '0', severity=severity,
            key='min(f.subscription_id)'
        ) }}
    {% endfor %}
    {% for table, model, column, subject, they in strangers %}
        {% for who, name in {'branch': 'branches', 'staff': 'staff members'}.items() %}
            union all
            {{ found(
                they[:-1] ~ '_of_unknown_' ~ who, table,
                subject ~ ' of ' ~ name ~ ' that raw.' ~ ('branches' if who == 'branch' else 'staff') ~ ' does not hold',
                'Load them. The ' ~ they ~ ' count under the ' ~ who ~ '_id they name'
                    ~ (", by the tenant's timezone." if who == 'branch' else ', without a name.'),
                '(select days.tenant_id, strangers.' ~ who ~ '_id as key, days.' ~ column ~ ' as rows_found from '
                    ~ table ~ '_of_staff as strangers inner join ' ~ ref(model) ~ ' as days'
                    ~ ' on strangers.tenant_id = days.tenant_id and strangers.branch_id = days.branch_id'
                    ~ ' and strangers.staff_id = days.staff_id where strangers.is_unknown_' ~ who ~ ')',
                found='sum(f.rows_found)'
            ) }}
        {% endfor %}
    {% endfor %}
    union all
    {{ found(
        'session_of_unknown_user', 'sessions', 'Sessions of users that raw.users does not hold',
        'Load the users. The sessions and their users are counted, those without a user_type under (none).',
        '(select days.tenant_id, days.first_user_id as key, days.sessions from tenants inner join '
            ~ ref('int_quality__sessions_of_unknown_users') ~ ' as days on tenants.tenant_id = days.tenant_id)',
        found='sum(f.sessions)'
    ) }}
    union all
    {{ found(
        'user_without_signup', 'users', 'Users without signed_up_at',
        'Fill signed_up_at. They are active users when they have sessions, but count as signed up on no day.',
        '(select users.tenant_id, users.user_id as key from tenants inner join ' ~ source('raw', 'users')
            ~ ' as users on tenants.tenant_id = users.tenant_id'
            ~ ' where users.signed_up_at is null and users.deleted_at is null)',
        excluded='count(*)', severity='info'
    ) }}
    union all
    {{ found(
        'change_of_lead_in_the_future', 'lead_status_changes', 'Status changes of leads that are created at or after as_of',
        'Check the clock of the source. They count when the lead does.',
        '(select changes.tenant_id, changes.change_id as key from tenants inner join ' ~ ref('stg_leads__leads')
            ~ ' as leads on tenants.tenant_id = leads.tenant_id and leads.created_at >= tenants.as_of inner join '
            ~ ref('stg_leads__lead_status_changes') ~ ' as changes on leads.tenant_id = changes.tenant_id'
            ~ ' and leads.lead_id = changes.lead_id and changes.changed_at < tenants.as_of)',
        excluded='count(*)'
    ) }}
    union all
    {{ found(
        'lead_converted_at_ignored', 'leads', 'Leads with a converted_at whose status is not converted',
        'Correct the status, or load the conversion into lead_status_changes. The leads do not count as converted.',
        "(select leads.tenant_id, leads.lead_id as key from tenants inner join " ~ source('raw', 'leads')
            ~ " as leads on tenants.tenant_id = leads.tenant_id and leads.created_at < tenants.as_of inner join "
            ~ ref('int_leads__reached') ~ " as reached on leads.tenant_id = reached.tenant_id"
            ~ " and leads.lead_id = reached.lead_id where leads.converted_at is not null"
            ~ " and leads.status <> 'converted' and leads.deleted_at is null and reached.converted_at is null)"
    ) }}
    union all
    {{ found(
        'lead_converted_before_created', 'leads', 'Leads converted before they were created',
        'Correct created_at or the moment of the conversion. The leads are counted; their time to convert is left out.',
        '(select leads.tenant_id, leads.lead_id as key from tenants inner join ' ~ ref('int_leads__reached')
            ~ ' as leads on tenants.tenant_id = leads.tenant_id where leads.is_converted_before_created)'
    ) }}
    union all
    {{ found(
        'lead_status_without_moment', 'leads', 'Leads with a status but no moment at which they reached it',
        'Fill updated_at or converted_at, or load lead_status_changes. The leads count in their cohort, on no day.',
        '(select leads.tenant_id, leads.lead_id as key from tenants inner join ' ~ ref('int_leads__reached')
            ~ ' as leads on tenants.tenant_id = leads.tenant_id where ' ~ lead_without_moment('leads.') ~ ')'
    ) }}
)

select
    found.tenant_id,
    found.kind,
    found.table_name,
    found.key,
    found.severity,
    found.what || ': ' || found.rows_found
    || case when found.key = '(any)' then '' else ', the first is ' || found.key end as message,
    found.remedy,
    found.rows_found,
    found.rows_excluded,
    found.rows_found::numeric / nullif(row_counts.raw_rows, 0) as share
from found
left join row_counts on found.tenant_id = row_counts.tenant_id and found.table_name = 'raw.' || row_counts.table_name
union all
select
    missing_rates.tenant_id,
    'missing_exchange_rate' as kind,
    'raw.exchange_rates' as table_name,
    missing_rates.currency || ' ' || missing_rates.rated_on as key,
    'error' as severity,
    'No exchange rate from ' || missing_rates.currency || ' to ' || tenants.currency || ' on '
    || missing_rates.rated_on || ' or in the 7 days before, needed for '
    || string_agg(distinct missing_rates.concerned, ' and ' order by missing_rates.concerned)
    || ': their money is left empty' as message,
    'Load rates of ' || missing_rates.currency || ' and ' || tenants.currency
    || ' for that day into raw.exchange_rates, or correct the currency.' as remedy,
    count(*) as rows_found,
    0 as rows_excluded,
    null::numeric as share
from missing_rates
inner join tenants on missing_rates.tenant_id = tenants.tenant_id
group by missing_rates.tenant_id, missing_rates.currency, missing_rates.rated_on, tenants.currency
