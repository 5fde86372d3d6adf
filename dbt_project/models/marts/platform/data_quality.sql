{{ config(
    unique_key=['tenant_id', 'table_name'],
    meta={'dirty': {'tenant': '*'}},
) }}

with tenants as materialized (
    select
        tenants.tenant_id,
        tenants.as_of,
        tenants.as_of_date,
        tenants.timezone
    from {{ ref('stg_platform__tenants') }} as tenants
    {% if is_incremental() %}
        inner join {{ dirty_tenants() }} as dirty on tenants.tenant_id = dirty.tenant_id
    {% endif %}
),

newest_rows as (
    {% for table, facts in counted_tables().items() if facts.moment or facts.newest %}
        {%- set moment = facts.moment or facts.newest -%}
        select
            tenants.tenant_id,
            '{{ table }}' as table_name,
            {% if facts.as_of -%}
                newest.moment::timestamp at time zone tenants.timezone as newest_row
            {%- else -%}
                newest.moment as newest_row
            {%- endif %}
        from tenants
        cross join lateral (
            select r.{{ moment }} as moment
            from {{ source('raw', table) }} as r
            where
                r.tenant_id = tenants.tenant_id
                and r.{{ moment }} < tenants.{{ facts.as_of or 'as_of' }}
                and r.deleted_at is null
            order by r.{{ moment }} desc
            limit 1
        ) as newest
        {{ 'union all' if not loop.last }}
    {% endfor %}
),

rules as (
    select
        tenant_id,
        table_name,
        sum(rows_excluded) as rows_excluded,
        coalesce(sum(rows_found) filter (where rows_excluded = 0 and severity <> 'info'), 0) as rows_flagged
    from {{ ref('data_problems') }}
    group by tenant_id, table_name
)

select
    counts.tenant_id,
    'raw.' || counts.table_name as table_name,
    counts.raw_rows,
    counts.raw_rows - coalesce(rules.rows_excluded, 0)::bigint as rows_counted,
    coalesce(rules.rows_excluded, 0)::bigint as rows_excluded,
    coalesce(rules.rows_flagged, 0)::bigint as rows_flagged,
    newest_rows.newest_row
from tenants
inner join {{ source('build', 'row_counts') }} as counts on tenants.tenant_id = counts.tenant_id
left join rules
    on counts.tenant_id = rules.tenant_id and rules.table_name = 'raw.' || counts.table_name
left join newest_rows
    on counts.tenant_id = newest_rows.tenant_id and counts.table_name = newest_rows.table_name
where counts.raw_rows > 0
