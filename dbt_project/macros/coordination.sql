{#-
    Days that coordination_metrics has to follow, as spans without overlap: (tenant_id, date_from, date_to). Those the
    plan found, and, as the mart is dense, those between its old and its new first day.
-#}
{% macro coordination_spans() -%}
(
    select
        merged.tenant_id,
        lower(merged.span) as date_from,
        upper(merged.span) - 1 as date_to
    from (
        select
            spans.tenant_id,
            unnest(range_agg(spans.span)) as span
        from (
            select
                tenant_id,
                daterange(date_from, date_to, '[]') as span
            from {{ dirty_spans('collaboration') }} as collaboration
            union all
            select
                tenant_id,
                daterange(date_from, date_to, '[]') as span
            from {{ dirty_spans('satisfaction') }} as satisfaction
            union all
            select
                clocks.tenant_id,
                daterange(
                    least(old_days.first_date, new_days.first_date, '2200-01-01'),
                    greatest(coalesce(old_days.first_date, '2200-01-01'), coalesce(new_days.first_date, '2200-01-01'))
                ) as span
            from {{ dirty_tenants(['collaboration', 'satisfaction']) }} as dirty
            inner join {{ source('build', 'tenants') }} as clocks on dirty.tenant_id = clocks.tenant_id
            cross join lateral (
                select min(held.metric_date) as first_date
                from {{ this }} as held
                where held.tenant_id = clocks.tenant_id
            ) as old_days
            cross join lateral {{ first_coordination_day('clocks') }} as new_days
        ) as spans
        group by spans.tenant_id
    ) as merged
)
{%- endmacro %}

{#- The first local day with a collaboration or a score before as_of, NULL when there is none: (first_date), one row. -#}
{% macro first_coordination_day(tenants) -%}
(
    select (least(
        (
            select collaborations.created_at
            from {{ ref('stg_collaboration__collaborations') }} as collaborations
            where collaborations.tenant_id = {{ tenants }}.tenant_id and collaborations.created_at < {{ tenants }}.as_of
            order by collaborations.created_at
            limit 1
        ),
        (
            select scores.scored_at
            from {{ ref('stg_collaboration__satisfaction_scores') }} as scores
            where scores.tenant_id = {{ tenants }}.tenant_id and scores.scored_at < {{ tenants }}.as_of
            order by scores.scored_at
            limit 1
        )
    ) at time zone {{ tenants }}.timezone)::date as first_date
)
{%- endmacro %}

{% macro coordination_scope(t) -%}
exists (
    select from {{ coordination_spans() }} as d
    where d.tenant_id = {{ t }}.tenant_id and {{ t }}.metric_date between d.date_from and d.date_to
)
{%- endmacro %}

{#- Rows of one part of coordination_metrics: the columns it fills, NULL in the others. -#}
{% macro coordination_part(counts, relation, filled) -%}
select
        tenant_id,
        date_from,
        metric_date,
        {% for count in counts -%}
            {{ count if count in filled else 'null::numeric' }} as {{ count }},
        {% endfor -%}
        {{ 'by_collaboration_type' if 'by_collaboration_type' in filled else 'null::jsonb' }} as by_collaboration_type
    from {{ relation }}
{%- endmacro %}

{#- Collaborations that a span has to look at: created within it or in the 31 days before, or still active then. -#}
{% macro collaborations_seen_in(spans) -%}
(
    select seen.*
    from (
        select recent.*
        from {{ ref('stg_collaboration__collaborations') }} as recent
        where
            recent.tenant_id = {{ spans }}.tenant_id
            and recent.created_at >= {{ spans }}.seen_from
            and recent.created_at < {{ spans }}.seen_to
        union all
        select old_but_active.*
        from {{ ref('stg_collaboration__collaborations') }} as old_but_active
        where
            old_but_active.tenant_id = {{ spans }}.tenant_id
            and old_but_active.last_activity_at >= {{ spans }}.seen_from
            and old_but_active.created_at < {{ spans }}.seen_from
    ) as seen
    offset 0
)
{%- endmacro %}

{% macro scores_given_in(spans) -%}
(
    select given.*
    from {{ ref('stg_collaboration__satisfaction_scores') }} as given
    where
        given.tenant_id = {{ spans }}.tenant_id
        and given.scored_at >= {{ spans }}.date_from::timestamp at time zone {{ spans }}.timezone
        and given.scored_at < {{ spans }}.seen_to
    offset 0
)
{%- endmacro %}
