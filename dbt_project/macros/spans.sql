{#-
    Spans of days that follow from the models before, for meta.dirty {spans: {...}}: (tenant_id, date_from, date_to),
    merged. `models` changed on these days in this build, `domains` name spans of the plan besides.
    grain month: whole months. following: so many days after each belong to it. later: all days from the first one on.
-#}
{% macro spans_of(models, domains=[], grain='day', following=0, later=false) -%}
{%- set last_day = '(days.date_to + ' ~ following ~ ')' if following else 'days.date_to' -%}
(
    select
        merged.tenant_id,
        lower(span) as date_from,
        upper(span) - 1 as date_to
    from (
        select
            days.tenant_id,
            range_agg(
                daterange(
                    {{ month_of('days.date_from') if grain == 'month' else 'days.date_from' }},
                    {% if later -%} '2200-12-31'
                    {%- elif grain == 'month' -%} ({{ month_of(last_day) }} + interval '1 month')::date - 1
                    {%- else -%} {{ last_day }}
                    {%- endif %},
                    '[]'
                )
            ) as spans
        from (
            select
                changed.tenant_id,
                changed.metric_date as date_from,
                changed.metric_date as date_to
            from {{ changed_days(models) }} as changed
            {%- for domain in domains %}
                union all
                select
                    spans.tenant_id,
                    spans.date_from,
                    spans.date_to
                from {{ dirty_spans(domain) }} as spans
            {%- endfor %}
        ) as days
        group by days.tenant_id
    ) as merged
    cross join lateral unnest(merged.spans) as span
)
{%- endmacro %}

{#- The rows of a relation in such spans by a date column, or all in a full build; `offset 0` as in rows_of_dirty_days. -#}
{% macro rows_in_spans(relation, scope, date_column) -%}
{%- if is_incremental() -%}
(
    select in_span.*
    from {{ spans_of(**scope) }} as spans
    cross join lateral (
        select candidates.*
        from {{ relation }} as candidates
        where
            candidates.tenant_id = spans.tenant_id
            and candidates.{{ date_column }} between spans.date_from and spans.date_to
        offset 0
    ) as in_span
)
{%- else -%}
{{ relation }}
{%- endif -%}
{%- endmacro %}

{#- Rows of a relation that a lateral join looks up one by one, by an index. -#}
{% macro looked_up(relation, name, condition) -%}
(
    select {{ name }}.*
    from {{ relation }} as {{ name }}
    where {{ condition }}
    offset 0
)
{%- endmacro %}
