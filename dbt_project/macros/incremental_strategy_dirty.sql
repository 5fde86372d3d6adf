{#-
    Incremental strategy `dirty`: inside the model's dirty scope, rows that differ from the new ones are deleted and
    the new ones inserted; equal rows are not touched. A row that moved away from a day is deleted with that day's
    scope, which dbt's own delete+insert (by the keys of the new rows) would leave behind. The days of changed rows
    (`log`), and their entities (`log_entity`), are logged for the models that follow. All of it in the transaction that dbt opened for the model.
-#}
{% macro get_incremental_dirty_sql(arg_dict) %}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set new_rows = arg_dict['temp_relation'] -%}
    {%- set key = arg_dict['unique_key'] -%}
    {%- set dirty = (config.get('meta') or {}).get('dirty') -%}
    {%- if not dirty or not key -%}
        {{ exceptions.raise_compiler_error(
            "Model " ~ model.name ~ ": the strategy `dirty` needs meta.dirty and unique_key"
        ) }}
    {%- endif -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set dates = dirty.get('log') or ([dirty.column] if dirty.get('column') and 'entity' not in dirty else []) %}

    create temporary table dirty_removed on commit drop as
    select {{ columns }} from {{ target }} as t where {{ dirty_scope(dirty, 't') }}
    except
    select {{ columns }} from {{ new_rows }};

    create temporary table dirty_added on commit drop as
    select {{ columns }} from {{ new_rows }}
    except
    select {{ columns }} from {{ target }} as t where {{ dirty_scope(dirty, 't') }};

    delete from {{ target }} as t
    using dirty_removed as r
    where {% for column in key %}{{ 'and ' if not loop.first }}t.{{ column }} = r.{{ column }} {% endfor %};

    insert into {{ target }} ({{ columns }})
    select {{ columns }} from dirty_added;

    {% if dates -%}
    insert into {{ source('build', 'changed_days') }} (model, tenant_id, metric_date)
    select distinct '{{ model.name }}', changed.tenant_id, dates.metric_date
    from (select * from dirty_removed union all select * from dirty_added) as changed
    cross join lateral (values {% for date in dates %}(changed.{{ date }}){{ ', ' if not loop.last }}{% endfor %})
        as dates (metric_date)
    where dates.metric_date is not null
    on conflict do nothing;
    {%- endif %}

    {% if dirty.get('log_entity') -%}
    insert into {{ source('build', 'changed_entities') }} (model, tenant_id, entity_id, metric_date)
    select distinct
        '{{ model.name }}', changed.tenant_id, changed.{{ dirty.log_entity }},
        {{ 'changed.' ~ dates[0] if dates else 'null::date' }}
    from (select * from dirty_removed union all select * from dirty_added) as changed
    on conflict do nothing;
    {%- endif %}

    drop table dirty_removed;
    drop table dirty_added;
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
