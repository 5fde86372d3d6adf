{#-
    Rules of data quality over single raw rows: which rows, what is wrong, and what the marts do with them. One entry a
    rule; the mart data_problems counts them. Rules that need more than the row have models (intermediate/quality).

    condition   on the row `r`, word by word as in the partial index of migration 0007, which finds the rows
    excluded    true: the row counts in no figure; else the row counts, and the remedy tells what of it does not
    severity    warning, or info for what is no mistake

    Rules see rows that are alive and whose moment lies before as_of: the others are `deleted` and `in_the_future`.
-#}
{% macro row_rules() -%}
{%- set rules -%}
- {kind: session_with_negative_duration, table: sessions, condition: "r.duration_seconds < 0",
   what: Sessions with a negative duration,
   remedy: "Correct duration_seconds. The sessions are counted; their time is left out."}
- {kind: session_longer_than_a_week, table: sessions, condition: "r.duration_seconds > 604800",
   what: Sessions longer than a week,
   remedy: "Check duration_seconds: it is in seconds. The sessions are counted with the time they tell."}
- {kind: call_with_negative_duration, table: calls, condition: "r.duration_seconds < 0",
   what: Calls with a negative duration,
   remedy: "Correct duration_seconds. The calls are counted; their time is left out."}
- {kind: call_longer_than_a_day, table: calls, condition: "r.duration_seconds > 86400",
   what: Calls longer than a day,
   remedy: "Check duration_seconds: it is in seconds. The calls are counted with the time they tell."}
- {kind: call_interested_but_not_completed, table: calls, condition: "r.outcome = 'interested' and r.status <> 'completed'",
   what: Calls with the outcome interested that were not completed,
   remedy: "Correct status or outcome. The calls do not count as interested."}
- {kind: job_finished_before_started, table: jobs, condition: "r.finished_at < r.started_at",
   what: Jobs that ended before they started,
   remedy: "Correct started_at or finished_at. The jobs are counted; their time is left out."}
- {kind: api_request_with_negative_latency, table: api_requests, condition: "r.latency_ms < 0",
   what: API requests with a negative latency,
   remedy: "Correct latency_ms. The requests are counted; their latency is left out."}
- {kind: health_check_with_negative_load, table: health_checks, condition: "r.cpu_load < 0",
   what: Health checks with a negative CPU load,
   remedy: "Correct cpu_load. The checks are counted; their load is left out."}
- {kind: collaboration_active_before_created, table: collaborations, condition: "r.last_activity_at < r.created_at",
   what: Collaborations whose last activity lies before their creation,
   remedy: "Correct created_at or last_activity_at. They count from their creation on; their hours are left out."}
- {kind: collaboration_of_one_vendor, table: collaborations, condition: "r.vendor1_id = r.vendor2_id",
   what: Collaborations of a vendor with itself,
   remedy: "Correct vendor1_id or vendor2_id. Client and vendor are counted; a pair is not."}
- {kind: satisfaction_score_out_of_range, table: satisfaction_scores, condition: "(r.score < 0 or r.score > 10)",
   excluded: true, what: Satisfaction scores below 0 or above 10,
   remedy: "Bring the scores to the scale from 0 to 10. They are left out."}
- {kind: invoice_without_claim, table: invoices, condition: "r.status in ('draft', 'void')",
   excluded: true, severity: info, what: Invoices that are drafts or void,
   remedy: "Nothing to do. They claim no money and are left out."}
- {kind: invoice_without_amount, table: invoices,
   condition: "r.amount_due <= 0 and r.status not in ('draft', 'void')",
   what: Invoices with an amount of 0 or below,
   remedy: "Check amount_due: credits belong to payments as refunds. They count as they are when paid, never as outstanding."}
- {kind: paid_without_date, table: invoices, condition: "r.status = 'paid' and r.paid_at is null",
   what: Paid invoices without paid_at,
   remedy: "Give paid_at. They count as paid when issued."}
- {kind: payment_without_amount, table: payments, condition: "r.amount <= 0",
   what: Payments with an amount of 0 or below,
   remedy: "Check amount: a refund is told by status and refunded_amount. They count as they are."}
- {kind: impossible_terms, table: subscriptions, condition: "(r.quantity < 0 or r.unit_amount < 0 or r.interval_count < 1
     or r.forever_discount_percent < 0 or r.forever_discount_percent > 100)",
   what: "Subscriptions with a quantity or price below 0, an interval_count below 1 or a discount outside 0 to 100 percent",
   remedy: "Correct quantity, unit_amount, interval_count or forever_discount_percent. Their amount counts as 0, their discount as the nearest possible one."}
- {kind: subscription_without_amount, table: subscriptions, severity: info,
   condition: "((r.quantity = 0 and r.unit_amount >= 0) or (r.unit_amount = 0 and r.quantity >= 0))",
   what: Subscriptions with an amount of 0,
   remedy: "Nothing to do when they are free. They count as active, their customers not as paying."}
- {kind: spend_without_amount, table: marketing_spend, condition: "r.amount <= 0",
   what: Marketing spend of 0 or below,
   remedy: "Check amount: spend is told above 0. It counts as it is."}
{%- endset -%}
{{ return(fromyaml(rules)) }}
{%- endmacro %}

{#- Raw tables with rows of a tenant: key, and the moment at which a row begins to count (none: at once). -#}
{% macro counted_tables() -%}
    {{ return({
        'branches': {'key': 'branch_id'},
        'staff': {'key': 'staff_id'},
        'customers': {'key': 'customer_id', 'newest': 'created_at'},
        'parties': {'key': 'party_id'},
        'users': {'key': 'user_id', 'moment': 'signed_up_at'},
        'sessions': {'key': 'session_id', 'moment': 'started_at'},
        'activation_events': {'key': 'event_id', 'moment': 'occurred_at'},
        'jobs': {'key': 'job_id', 'moment': 'started_at'},
        'leads': {'key': 'lead_id', 'moment': 'created_at'},
        'lead_status_changes': {'key': 'change_id', 'moment': 'changed_at', 'parent': 'leads', 'parent_key': 'lead_id'},
        'calls': {'key': 'call_id', 'moment': 'started_at'},
        'subscriptions': {'key': 'subscription_id', 'moment': 'started_at'},
        'subscription_changes': {
            'key': 'change_id', 'moment': 'changed_at', 'parent': 'subscriptions', 'parent_key': 'subscription_id',
        },
        'invoices': {'key': 'invoice_id', 'moment': 'issued_at'},
        'payments': {'key': 'payment_id', 'moment': 'attempted_at'},
        'collaborations': {'key': 'collaboration_id', 'moment': 'created_at'},
        'satisfaction_scores': {'key': 'score_id', 'moment': 'scored_at'},
        'api_requests': {'key': 'request_id', 'moment': 'requested_at'},
        'health_checks': {'key': 'check_id', 'moment': 'checked_at'},
        'marketing_spend': {'key': 'spend_id', 'moment': 'spend_date', 'as_of': 'as_of_date + 1'},
        'finance_inputs': {'key': 'month', 'moment': 'month', 'as_of': 'as_of_date + 1'},
    }) }}
{%- endmacro %}

{#- Rows of one kind that were found, as one branch of data_problems. -#}
{% macro found(kind, table_name, what, remedy, rows, found='count(*)', excluded='0', severity='warning', key='min(f.key)') -%}
select
    f.tenant_id,
    '{{ kind }}' as kind,
    'raw.{{ table_name }}' as table_name,
    {{ key }} as key,
    '{{ severity }}' as severity,
    '{{ what | replace("'", "''") }}' as what,
    '{{ remedy | replace("'", "''") }}' as remedy,
    ({{ found }})::bigint as rows_found,
    ({{ excluded }})::bigint as rows_excluded
from {{ rows }} as f
group by f.tenant_id
having ({{ found }}) > 0
{%- endmacro %}

{#- Branches and staff members of a table of sums by tenant, branch and staff member: one row each, found by leaps
    through the primary key instead of reading every day. -#}
{% macro branches_and_staff(model) -%}
(
    with recursive leaps as (
        (
            select
                days.tenant_id,
                days.branch_id,
                days.staff_id
            from {{ model }} as days
            order by days.tenant_id, days.branch_id, days.staff_id
            limit 1
        )
        union all
        select
            next_days.tenant_id,
            next_days.branch_id,
            next_days.staff_id
        from leaps
        cross join lateral (
            select
                days.tenant_id,
                days.branch_id,
                days.staff_id
            from {{ model }} as days
            where (days.tenant_id, days.branch_id, days.staff_id) > (leaps.tenant_id, leaps.branch_id, leaps.staff_id)
            order by days.tenant_id, days.branch_id, days.staff_id
            limit 1
        ) as next_days
    )
    select
        leaps.tenant_id,
        leaps.branch_id,
        leaps.staff_id
    from leaps
)
{%- endmacro %}

{#- An index of the few rows a rule of data quality looks for in a derived table; made with the table. -#}
{% macro index_of_odd_rows(columns, condition) -%}
    {%- if is_incremental() -%}
        select 1
    {%- else -%}
        create index on {{ this }} ({{ columns }}) where {{ condition }}
    {%- endif -%}
{%- endmacro %}

{#- Rows a rule over single rows finds: (tenant_id, key). Needs the CTE tenants. -#}
{% macro rows_of_rule(rule) -%}
{%- set facts = counted_tables()[rule.table] -%}
(
    select
        r.tenant_id,
        r.{{ facts.key }} as key
    from tenants
    inner join {{ source('raw', rule.table) }} as r
        on tenants.tenant_id = r.tenant_id and r.{{ facts.moment }} < tenants.{{ facts.as_of or 'as_of' }}
    where {{ rule.condition }} and r.deleted_at is null
)
{%- endmacro %}

{#- Rows whose moment has not come, counted by tenant: (tenant_id, key, rows_found). Those whose parent is unknown are told
    of by that. `offset 0` keeps one range scan for each tenant. -#}
{% macro rows_ahead(table, facts) -%}
(
    select
        tenants.tenant_id,
        ahead.key,
        ahead.rows_found
    from tenants
    cross join lateral (
        select
            min(r.{{ facts.key }})::text as key,
            count(*) as rows_found
        from {{ source('raw', table) }} as r
        where
            r.tenant_id = tenants.tenant_id
            and r.{{ facts.moment }} >= tenants.{{ facts.as_of or 'as_of' }}
            and r.deleted_at is null
            {% if facts.parent %}
                and exists (
                    select from {{ source('raw', facts.parent) }} as parents
                    where
                        parents.tenant_id = r.tenant_id
                        and parents.{{ facts.parent_key }} = r.{{ facts.parent_key }}
                        and parents.deleted_at is null
                )
            {% endif %}
        offset 0
    ) as ahead
)
{%- endmacro %}

{#- A lead whose status is told without the moment at which it was reached. -#}
{% macro lead_without_moment(prefix='') -%}
(
    ({{ prefix }}status = 'contacted' and {{ prefix }}contacted_at is null)
    or ({{ prefix }}status = 'qualified' and {{ prefix }}qualified_at is null)
    or ({{ prefix }}status = 'converted' and {{ prefix }}converted_at is null)
    or ({{ prefix }}status = 'lost' and {{ prefix }}lost_at is null)
)
{%- endmacro %}
