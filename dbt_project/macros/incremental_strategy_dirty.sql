{#-
    Incremental strategy `dirty`: inside the model's dirty scope, rows that vanished are deleted, rows that are new or
    differ are written; equal rows are not touched. A row that moved away from a day is deleted with that day's scope,
    which dbt's own delete+insert (by the keys of the new rows) would leave behind. The days of changed rows (`log`), and
    their entities (`log_entity`), are logged for the models that follow. One statement, in the transaction that dbt
    opened for the model: old and new rows are read once each and joined by key.
-#}
{% macro get_incremental_dirty_sql(arg_dict) %}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set key = arg_dict['unique_key'] -%}
    {%- set dirty = (config.get('meta') or {}).get('dirty') -%}
    {%- if not dirty or not key -%}
        {{ exceptions.raise_compiler_error(
            "Model " ~ model.name ~ ": the strategy `dirty` needs meta.dirty and unique_key"
        ) }}
    {%- endif -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | list -%}
    {%- set names = arg_dict['dest_columns'] | map(attribute='name') | list -%}
    {%- set dates = dirty.get('log') or ([dirty.column] if dirty.get('column') and 'entity' not in dirty else []) -%}
    {%- set entity = dirty.get('log_entity') -%}
    {%- set logged = [] -%}
    {%- for name in dates + ([entity] if entity else []) + ['tenant_id'] -%}
        {%- if name in names and name not in logged -%}{%- do logged.append(name) -%}{%- endif -%}
    {%- endfor %}

    with differing as materialized (
        select
            {% for column in columns %}new_row.{{ column }}, {% endfor -%}
            old_row.place,
            {% for name in logged %}old_row.{{ name }} as old_{{ name }}, {% endfor -%}
            new_row.{{ key[0] }} is not null as stays
        from {{ rows_in_scope(dirty, target, key) }} as old_row
        full join {{ arg_dict['temp_relation'] }} as new_row
            on {% for name in key %}{{ 'and ' if not loop.first }}old_row.{{ name }} = new_row.{{ name }} {% endfor %}
        where
            old_row.{{ key[0] }} is null or new_row.{{ key[0] }} is null
            {%- for column in columns if column | replace('"', '') not in key %}
            or old_row.{{ column }} is distinct from new_row.{{ column }}
            {%- endfor %}
    ),

    {% if dates or entity -%}
    touched as (
        {% for state in ['old_', ''] -%}
        select
            {{ state }}tenant_id as tenant_id,
            {{ (state ~ entity) if entity else 'null::text' }} as entity_id,
            dates.metric_date
        from differing
        cross join lateral (
            values {% for date in dates %}({{ state }}{{ date }}){{ ', ' if not loop.last }}{% else %}(null::date){% endfor %}
        ) as dates (metric_date)
        where {{ state }}tenant_id is not null
        {{ 'union' if loop.first }}
        {% endfor %}
    ),
    {%- endif %}

    {% if dates -%}
    logged_days as (
        insert into {{ source('build', 'changed_days') }} (model, tenant_id, metric_date)
        select distinct '{{ model.name }}', tenant_id, metric_date from touched where metric_date is not null
        on conflict do nothing
    ),
    {%- endif %}

    {% if entity -%}
    logged_entities as (
        insert into {{ source('build', 'changed_entities') }} (model, tenant_id, entity_id, metric_date)
        select distinct '{{ model.name }}', tenant_id, entity_id, metric_date from touched
        on conflict do nothing
    ),
    {%- endif %}

    vanished as (
        delete from {{ target }} as t
        where t.ctid = any(array(select place from differing where not stays))
    )

    insert into {{ target }} ({{ columns | join(', ') }})
    select {{ columns | join(', ') }} from differing where stays
    on conflict ({{ key | join(', ') }}) do
    {%- set others = [] -%}
    {%- for column in columns if column | replace('"', '') not in key %}{% do others.append(column) %}{% endfor %}
    {%- if others %} update set
        {% for column in others %}{{ column }} = excluded.{{ column }}{{ ', ' if not loop.last }}{% endfor %}
    {%- else %} nothing{% endif %};
{% endmacro %}

{#-
    The target's rows that belong to the model's dirty scope, with their place in the table, as a relation. `offset 0`
    keeps an index scan for each span, day and key: the planner would rather read the whole table once than look up as
    many as it fears. `any_of` is a list of scopes: the rows of any of them. `keys` names a temporary table that the
    model's pre-hook filled with the keys in scope.
-#}
{% macro rows_in_scope(dirty, target, key) -%}
    {%- if 'any_of' in dirty -%}
(
        {%- for scope in dirty.any_of %}
    select any_of.* from {{ rows_in_scope(scope, target, key) }} as any_of {{ 'union' if not loop.last }}
        {%- endfor %}
)
    {%- elif 'span' in dirty -%}
(
    select in_span.*
    from {{ dirty_spans(dirty.span) }} as spans
    cross join lateral (
        select t.*, t.ctid as place
        from {{ target }} as t
        where t.tenant_id = spans.tenant_id and t.{{ dirty.column }} between spans.date_from and spans.date_to
        offset 0
    ) as in_span
)
    {%- elif 'spans' in dirty -%}
(
    select in_span.*
    from {{ spans_of(**dirty.spans) }} as spans
    cross join lateral (
        select t.*, t.ctid as place
        from {{ target }} as t
        where t.tenant_id = spans.tenant_id and t.{{ dirty.column }} between spans.date_from and spans.date_to
        offset 0
    ) as in_span
)
    {%- elif 'changed' in dirty -%}
(
    select on_day.*
    from {{ changed_days(dirty.changed) }} as days
    cross join lateral (
        select t.*, t.ctid as place
        from {{ target }} as t
        where t.tenant_id = days.tenant_id and t.{{ dirty.column }} = days.metric_date
        offset 0
    ) as on_day
)
    {%- elif 'keys' in dirty -%}
(
    select of_key.*
    from {{ dirty['keys'] }} as scope
    cross join lateral (
        select t.*, t.ctid as place
        from {{ target }} as t
        where {% for name in key %}{{ 'and ' if not loop.first }}t.{{ name }} = scope.{{ name }} {% endfor %}
        offset 0
    ) as of_key
)
    {%- else -%}
(select t.*, t.ctid as place from {{ target }} as t where {{ dirty_scope(dirty, 't') }})
    {%- endif -%}
{%- endmacro %}

{#-
    What dbt asks about a model's columns before each incremental run is known already: its SQL is that of the last full
    refresh (a hash decides that), which enforced the contract. Asking took longer than the repair of a small mart.
-#}
{% macro postgres__get_assert_columns_equivalent(sql) -%}
    {{ return('' if is_incremental() else assert_columns_equivalent(sql)) }}
{%- endmacro %}

{% macro postgres__check_for_schema_changes(source_relation, target_relation) %}
    {%- set columns = [] -%}
    {%- for column in model.columns.values() -%}
        {%- do columns.append(api.Column(column.name, column.data_type)) -%}
    {%- endfor -%}
    {{ return({'schema_changed': false, 'source_columns': columns, 'target_columns': columns}) }}
{% endmacro %}

{#- After a full build the planner needs statistics before the next model reads the table. -#}
{% macro analyze_after_full_build() %}
    {%- if config.get('materialized') == 'incremental' and not is_incremental() -%}
        analyze {{ this }}
    {%- else -%}
        select 1
    {%- endif -%}
{% endmacro %}

{#- The id of the build a mart comes from changes in the mart's own transaction. -#}
{% macro record_mart_state() %}
    insert into {{ source('build', 'mart_state') }} (mart, build_id)
    select '{{ this.name }}', build_id
    from {{ source('build', 'builds') }}
    where status = 'running'
    order by started_at desc
    limit 1
    on conflict (mart) do update set build_id = excluded.build_id, built_at = clock_timestamp()
{% endmacro %}
