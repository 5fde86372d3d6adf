{#-
    The rows of a relation a model has to count: those of dirty days, or all in a full build. `offset 0` keeps one
    range scan for each span: the planner takes two join conditions on a moment for a ninth of the table, and would
    rather read it whole.
-#}

{#- By days of the tenant: `moment` is the column that decides the day. -#}
{% macro rows_of_dirty_days(relation, domain, moment) -%}
{%- if is_incremental() -%}
(
    select in_span.*
    from {{ dirty_spans(domain) }} as spans
    cross join lateral (
        select candidates.*
        from {{ relation }} as candidates
        where
            candidates.tenant_id = spans.tenant_id
            and candidates.{{ moment }} >= spans.from_at
            and candidates.{{ moment }} < spans.to_at
        offset 0
    ) as in_span
)
{%- else -%}
{{ relation }}
{%- endif -%}
{%- endmacro %}

{#- Calls by days of the branch. A span's moments are the tenant's midnights and timezones lie up to 26 hours apart, so
    the index is asked for two days more on both sides. -#}
{% macro calls_of_dirty_branch_days() -%}
{%- if is_incremental() -%}
(
    select in_span.*
    from {{ dirty_spans('calls_branch') }} as spans
    cross join lateral (
        select candidates.*
        from {{ ref('int_calls__localized') }} as candidates
        where
            candidates.tenant_id = spans.tenant_id
            and candidates.started_at >= spans.from_at - interval '2 days'
            and candidates.started_at < spans.to_at + interval '2 days'
        offset 0
    ) as in_span
    where in_span.metric_date between spans.date_from and spans.date_to
)
{%- else -%}
{{ ref('int_calls__localized') }}
{%- endif -%}
{%- endmacro %}

{#- Scope of int_calls__lead_days: rows of relation `t` (lead_id, metric_date) whose calls or whose lead changed. -#}
{% macro calls_of_dirty_days_or_leads(t) -%}
(
    {{ dirty_scope({'span': 'calls', 'column': 'metric_date'}, t) }}
    or {{ dirty_scope({'entity': 'lead', 'column': 'lead_id'}, t) }}
)
{%- endmacro %}
