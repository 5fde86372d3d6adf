{#-
    What a build has to repair, as subqueries for models. The plan (orchestration/marts/plan.py) fills the tables
    of schema build; tenants that are not part of the build are left alone.
-#}

{#- Spans of local days: (tenant_id, date_from, date_to, from_at inclusive, to_at exclusive). -#}
{% macro dirty_spans(domain) -%}
(
    select
        spans.tenant_id,
        spans.date_from,
        spans.date_to,
        spans.date_from::timestamp at time zone tenants.timezone as from_at,
        (spans.date_to + 1)::timestamp at time zone tenants.timezone as to_at
    from {{ source('build', 'dirty_spans') }} as spans
    inner join {{ source('build', 'tenants') }} as tenants on spans.tenant_id = tenants.tenant_id
    where tenants.in_build and spans.domain = '{{ domain }}'
)
{%- endmacro %}

{#- Entities of a kind (customer, lead, user): (tenant_id, entity_id). -#}
{% macro dirty_entities(kind) -%}
(
    select
        entities.tenant_id,
        entities.entity_id
    from {{ source('build', 'dirty_entities') }} as entities
    inner join {{ source('build', 'tenants') }} as tenants on entities.tenant_id = tenants.tenant_id
    where tenants.in_build and entities.kind = '{{ kind }}'
)
{%- endmacro %}

{#- Tenants with dirt in one of the domains, or in any when none is named, save usage, which tells of runs and touches
    no other model: (tenant_id). -#}
{% macro dirty_tenants(domains=none) -%}
{%- set domains = [domains] if domains is string else domains -%}
(
    select distinct spans.tenant_id
    from {{ source('build', 'dirty_spans') }} as spans
    inner join {{ source('build', 'tenants') }} as tenants on spans.tenant_id = tenants.tenant_id
    where
        tenants.in_build
        {%- if domains %}
        and spans.domain in ('{{ domains | join("', '") }}')
        {%- else %}
        and spans.domain <> 'usage'
        {%- endif %}
)
{%- endmacro %}

{#- Days on which rows of the named models changed in this build, or whose completeness did: (tenant_id, metric_date). -#}
{% macro changed_days(models) -%}
(
    select
        changed.tenant_id,
        changed.metric_date
    from {{ source('build', 'changed_days') }} as changed
    inner join {{ source('build', 'tenants') }} as tenants on changed.tenant_id = tenants.tenant_id
    where tenants.in_build and changed.model in ('{{ models | join("', '") }}')
    union
    select
        clock.tenant_id,
        day::date as metric_date
    from {{ dirty_spans('clock') }} as clock
    cross join lateral generate_series(clock.date_from::timestamp, clock.date_to::timestamp, interval '1 day') as day
)
{%- endmacro %}

{#- The same days as spans: (tenant_id, date_from, date_to). -#}
{% macro changed_day_spans(models) -%}
(
    select
        tenant_id,
        lower(span) as date_from,
        upper(span) - 1 as date_to
    from (
        select
            tenant_id,
            unnest(range_agg(daterange(metric_date, metric_date + 1))) as span
        from {{ changed_days(models) }} as changed
        group by tenant_id
    ) as merged
)
{%- endmacro %}

{#- Entities of which rows of the named models changed in this build, with the row's day: (tenant_id, entity_id, metric_date). -#}
{% macro changed_entities(models) -%}
(
    select distinct
        changed.tenant_id,
        changed.entity_id,
        changed.metric_date
    from {{ source('build', 'changed_entities') }} as changed
    inner join {{ source('build', 'tenants') }} as tenants on changed.tenant_id = tenants.tenant_id
    where tenants.in_build and changed.model in ('{{ models | join("', '") }}')
)
{%- endmacro %}

{#- The rows of relation `t` that belong to the model's dirty scope, after meta.dirty of its config. -#}
{% macro dirty_scope(dirty, t) -%}
    {%- if 'span' in dirty -%}
exists (
    select from {{ dirty_spans(dirty.span) }} as d
    where d.tenant_id = {{ t }}.tenant_id and {{ t }}.{{ dirty.column }} between d.date_from and d.date_to
)
    {%- elif 'entity' in dirty -%}
exists (
    select from {{ dirty_entities(dirty.entity) }} as d
    where d.tenant_id = {{ t }}.tenant_id and d.entity_id = {{ t }}.{{ dirty.column }}
)
    {%- elif 'tenant' in dirty -%}
exists (
    select from {{ dirty_tenants(none if dirty.tenant == '*' else dirty.tenant) }} as d
    where d.tenant_id = {{ t }}.tenant_id
)
    {%- elif 'changed' in dirty -%}
exists (
    select from {{ changed_days(dirty.changed) }} as d
    where d.tenant_id = {{ t }}.tenant_id and d.metric_date = {{ t }}.{{ dirty.column }}
)
    {%- elif 'spans' in dirty -%}
exists (
    select from {{ spans_of(**dirty.spans) }} as d
    where d.tenant_id = {{ t }}.tenant_id and {{ t }}.{{ dirty.column }} between d.date_from and d.date_to
)
    {%- elif 'macro' in dirty -%}
{{ context[dirty.macro](t) }}
    {%- else -%}
{{ exceptions.raise_compiler_error(
    "Model " ~ model.name ~ ": meta.dirty needs one of span, spans, entity, tenant, changed, keys, macro or any_of, found " ~ dirty
) }}
    {%- endif -%}
{%- endmacro %}

{#- Tenants of which everything is repaired: new, removed, or with other settings: (tenant_id). -#}
{% macro whole_tenants() -%}
(
    select whole.tenant_id
    from {{ source('build', 'dirty_tenants') }} as whole
    inner join {{ source('build', 'tenants') }} as tenants on whole.tenant_id = tenants.tenant_id
    where tenants.in_build
)
{%- endmacro %}

{#- For small tables without a tenant: compare all rows. -#}
{% macro whole_table(t) -%}
true
{%- endmacro %}
