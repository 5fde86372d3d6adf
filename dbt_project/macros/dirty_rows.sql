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

{#- Leads that reached a step (created, contacted, ...), by the tenant's day or, with `prefix` branch_, by the branch's:
    on days that changed, or on all in a full build. The index is by the tenant's day, at most two from the branch's. -#}
{% macro leads_with_step(step, prefix='') -%}
{%- if is_incremental() -%}
(
    select in_span.*
    from {{ changed_day_spans(['int_leads__reached']) }} as spans
    cross join lateral (
        select candidates.*
        from {{ ref('int_leads__reached') }} as candidates
        where
            candidates.tenant_id = spans.tenant_id
            {%- if prefix %}
            and candidates.{{ step }}_date between spans.date_from - 2 and spans.date_to + 2
            {%- endif %}
            and candidates.{{ prefix }}{{ step }}_date between spans.date_from and spans.date_to
        offset 0
    ) as in_span
)
{%- else -%}
(select known.* from {{ ref('int_leads__reached') }} as known where known.{{ prefix }}{{ step }}_date is not null)
{%- endif -%}
{%- endmacro %}

{#- Leads created in a week, by the tenant's days or the branch's: in weeks that changed, or all in a full build. -#}
{% macro leads_of_weeks(prefix='') -%}
{%- if is_incremental() -%}
(
    select in_week.*
    from {{ changed_days(['int_leads__reached']) }} as weeks
    inner join {{ source('build', 'tenants') }} as tenants
        on
            weeks.tenant_id = tenants.tenant_id
            and weeks.metric_date = {{ week_of('weeks.metric_date', 'tenants.week_start') }}
    cross join lateral (
        select candidates.*
        from {{ ref('int_leads__reached') }} as candidates
        where
            candidates.tenant_id = weeks.tenant_id
            and candidates.created_date between weeks.metric_date - 2 and weeks.metric_date + 8
            and candidates.{{ prefix }}cohort_week = weeks.metric_date
        offset 0
    ) as in_week
)
{%- else -%}
{{ ref('int_leads__reached') }}
{%- endif -%}
{%- endmacro %}

{#- Rows of a relation on the days that changed in the models before; `day` is its column, with an index behind
    tenant_id. -#}
{% macro rows_of_changed_days(relation, models, day) -%}
{%- if is_incremental() -%}
(
    select on_day.*
    from {{ changed_days(models) }} as days
    cross join lateral (
        select candidates.*
        from {{ relation }} as candidates
        where candidates.tenant_id = days.tenant_id and candidates.{{ day }} = days.metric_date
        offset 0
    ) as on_day
)
{%- else -%}
{{ relation }}
{%- endif -%}
{%- endmacro %}

{#- Ends a lateral subquery that is to be looked up row by row, by index: without it the planner reads the whole table. -#}
{% macro row_by_row() -%}
offset 0
{%- endmacro %}
