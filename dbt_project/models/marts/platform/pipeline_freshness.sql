{{ config(
    unique_key=['source_table'],
    meta={'dirty': {'macro': 'whole_table'}},
) }}

with tables (table_name) as (
    values
    ('tenants'),
    ('exchange_rates'),
    {% for table in counted_tables() -%}
        ('{{ table }}'){{ ',' if not loop.last }}
    {% endfor %}
),

-- Rows of tenants that are not there, or whose clock cannot be read, belong to no tenant's report.
counts as (
    select
        row_counts.table_name,
        row_counts.raw_rows,
        row_counts.tombstones,
        row_counts.newest_loaded_at,
        row_counts.table_name <> 'exchange_rates' and tenants.tenant_id is null as is_of_unknown_tenant
    from {{ source('build', 'row_counts') }} as row_counts
    left join {{ ref('stg_platform__tenants') }} as tenants on row_counts.tenant_id = tenants.tenant_id
    union all
    select
        'tenants' as table_name,
        count(*) as raw_rows,
        count(deleted_at) as tombstones,
        max(loaded_at) as newest_loaded_at,
        false as is_of_unknown_tenant
    from {{ source('raw', 'tenants') }}
),

totals as (
    select
        table_name,
        sum(raw_rows)::bigint as raw_rows,
        sum(tombstones)::bigint as tombstones,
        coalesce(sum(raw_rows) filter (where is_of_unknown_tenant), 0)::bigint as rows_of_unknown_tenants,
        max(newest_loaded_at) as newest_loaded_at,
        count(*) filter (where raw_rows > 0 and table_name not in ('tenants', 'exchange_rates')) as tenants,
        max(raw_rows) filter (where table_name not in ('tenants', 'exchange_rates')) as rows_of_largest_tenant
    from counts
    group by table_name
),

rules as (
    select
        table_name,
        sum(rows_excluded)::bigint as rows_excluded,
        sum(rows_flagged)::bigint as rows_flagged,
        max(newest_row) as newest_row
    from {{ ref('data_quality') }}
    group by table_name
),

-- Those found earlier stay as they are while no user changed.
shared_users as (
    select count(*) as users
    from (
        select user_id
        from {{ source('raw', 'users') }}
        where deleted_at is null
        {% if is_incremental() %}
            and (select count(dirty.entity_id) > 0 from {{ dirty_entities('user') }} as dirty)
        {% endif %}
        group by user_id
        having min(tenant_id) <> max(tenant_id)
    ) as several
),

rejections as (
    select
        table_name,
        sum(rows_rejected)::bigint as rejected_rows
    from {{ source('raw', 'loads') }}
    group by table_name
)

select
    'raw.' || tables.table_name as source_table,
    case tables.table_name
        when 'tenants' then (select max(t.created_at) from {{ source('raw', 'tenants') }} as t)
        when 'exchange_rates'
            then (select max(r.rate_date) from {{ source('raw', 'exchange_rates') }} as r)::timestamp at time zone 'UTC'
        else rules.newest_row
    end as newest_row,
    totals.newest_loaded_at,
    coalesce(totals.raw_rows, 0) as rows,
    coalesce(rejections.rejected_rows, 0) as rejected_rows,
    coalesce(rules.rows_excluded, totals.tombstones, 0)::bigint as rows_excluded,
    coalesce(totals.rows_of_unknown_tenants, 0) as rows_of_unknown_tenants,
    coalesce(rules.rows_flagged, 0) as rows_flagged,
    coalesce(totals.tenants, 0) as tenants,
    totals.rows_of_largest_tenant::numeric / nullif(totals.raw_rows, 0) as largest_tenant_share,
    coalesce(totals.tenants, 0) = 1
    and (select count(*) from {{ ref('stg_platform__tenants') }}) > 1 as is_in_one_tenant,
    case
        when tables.table_name <> 'users' then 0
        {% if is_incremental() %}
            when (select count(dirty.entity_id) = 0 from {{ dirty_entities('user') }} as dirty)
                then (
                    select old.users_in_several_tenants
                    from {{ this }} as old
                    where old.source_table = 'raw.users'
                )
        {% endif %}
        else (select shared_users.users from shared_users)
    end as users_in_several_tenants,
    (
        select builds.started_at
        from {{ source('build', 'builds') }} as builds
        where builds.status = 'running'
        order by builds.started_at desc
        limit 1
    ) as built_at
from tables
left join totals on tables.table_name = totals.table_name
left join rules on rules.table_name = 'raw.' || tables.table_name
left join rejections on tables.table_name = rejections.table_name
