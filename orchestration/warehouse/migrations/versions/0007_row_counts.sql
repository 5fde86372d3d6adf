-- How many rows each raw table holds, by tenant, kept up to date by what is recorded about changes; the currency of the
-- whole installation; and indexes of the rows that a rule of data quality looks for.
-- Frozen with migration 0007: later changes come in later migrations.

-- What a change did to the number of rows and tombstones. Changes recorded before are in the counts below.
alter table raw.changes
    add column net_rows bigint not null default 0,
    add column net_tombstones bigint not null default 0,
    add column newest_loaded_at timestamptz;

-- Rows of each raw table and tenant as the last plan saw them; '(all)' where the table has no tenant.
create table build.row_counts (
    tenant_id text not null,
    table_name text not null,
    raw_rows bigint not null,          -- tombstones included
    tombstones bigint not null,
    newest_loaded_at timestamptz,      -- when a row was last added or changed; later deletions do not take it back
    primary key (tenant_id, table_name)
);
grant select, insert, update, delete, truncate on build.row_counts to metricpress_pipeline;
do $$
declare
    counted text;
    has_tenant boolean;
begin
    for counted, has_tenant in
        select c.relname, exists (
            select from pg_attribute as a where a.attrelid = c.oid and a.attname = 'tenant_id'
        )
        from pg_class as c
        where c.relnamespace = 'raw'::regnamespace and c.relkind = 'r'
            and c.relname not in ('loads', 'rejected_rows', 'changes', 'tenants')
    loop
        execute format(
            'insert into build.row_counts
             select %s, %L, count(*), count(deleted_at), max(loaded_at) from raw.%I group by 1',
            case when has_tenant then 'tenant_id' else '''(all)''' end, counted, counted
        );
    end loop;
end
$$;

-- As in 0001, and besides what the change did to the number of rows. A row that touches several days counts at one.
create or replace function raw.record_changes() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    entity_column text := nullif(tg_argv[0], '');
    touched text[] := case when tg_argv[1] = '' then '{}' else string_to_array(tg_argv[1], ' ') end;
    span_days integer := tg_argv[2]::integer;
    entity_of text := case when entity_column is null then 'null::text' else format('r.%I', entity_column) end;
    local_days text[] := '{}';
    days text;
    rows_of text;
    net text;
    touched_column text;
    column_type text;
begin
    foreach touched_column in array touched loop
        select format_type(a.atttypid, a.atttypmod) into column_type
        from pg_attribute as a
        where a.attrelid = tg_relid and a.attname = touched_column;
        local_days := local_days || case column_type
            when 'date' then format('r.%I', touched_column)
            else format('(r.%I at time zone coalesce(t.timezone, ''UTC''))::date', touched_column)
        end;
    end loop;
    days := case
        when touched = '{}' then 'lateral (values (null::date, null::date, true))'
        when span_days > 0 then format(
            'lateral (values (least(%1$s), greatest(%1$s) + %2$s, true))', array_to_string(local_days, ', '), span_days
        )
        else 'lateral (select d, d, row_number() over (order by d) = 1 from (values ('
            || array_to_string(local_days, '), (') || ')) as v (d) where d is not null or '
            || case when entity_column is null then 'false' else 'true' end || ' group by d)'
    end;
    if cardinality(local_days) = 1 and span_days = 0 then
        -- The common case without a subquery per row: a million sessions come through here.
        days := format('lateral (values (%1$s, %1$s, true))', local_days[1]);
    end if;
    rows_of := case tg_op
        when 'INSERT' then 'new_rows'
        when 'DELETE' then 'old_rows'
        else '(select *, -1 as net_row from old_rows union all select *, 1 from new_rows)'
    end;
    net := case tg_op
        when 'INSERT' then 'count(*) filter (where v.is_first), count(r.deleted_at) filter (where v.is_first)'
        when 'DELETE' then '-count(*) filter (where v.is_first), -count(r.deleted_at) filter (where v.is_first)'
        else 'coalesce(sum(r.net_row) filter (where v.is_first), 0),
              coalesce(sum(r.net_row) filter (where v.is_first and r.deleted_at is not null), 0)'
    end;
    execute format(
        'insert into raw.changes (
             tenant_id, table_name, op, entity, date_from, date_to, row_count, net_rows, net_tombstones, newest_loaded_at
         )
         select r.tenant_id, %L, %L, %s, v.date_from, v.date_to, count(*), %s, max(r.loaded_at)
         from %s as r
         left join raw.tenants as t on t.tenant_id = r.tenant_id
         cross join %s as v (date_from, date_to, is_first)
         group by r.tenant_id, %s, v.date_from, v.date_to',
        tg_table_name, lower(tg_op), entity_of, net, rows_of, days, entity_of
    );
    return null;
end
$$;

create or replace function raw.record_rate_changes() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op in ('UPDATE', 'DELETE') then
        insert into raw.changes (table_name, op, entity, date_from, date_to, row_count, net_rows, net_tombstones)
        select
            tg_table_name, lower(tg_op), r.currency, r.rate_date, r.rate_date, 1, -1,
            -(r.deleted_at is not null)::integer
        from old_rows as r;
    end if;
    if tg_op in ('INSERT', 'UPDATE') then
        insert into raw.changes (
            table_name, op, entity, date_from, date_to, row_count, net_rows, net_tombstones, newest_loaded_at
        )
        select
            tg_table_name, lower(tg_op), r.currency, r.rate_date, r.rate_date, 1, 1,
            (r.deleted_at is not null)::integer, r.loaded_at
        from new_rows as r;
    end if;
    return null;
end
$$;

-- Newest rows and rows that lie ahead are found by their moment.
create index customers_by_moment on raw.customers (tenant_id, created_at);
create index subscriptions_by_moment on raw.subscriptions (tenant_id, started_at);
create index subscription_changes_by_moment on raw.subscription_changes (tenant_id, changed_at);

-- Rows that a rule of data quality looks for (macros/quality in dbt_project): few, so the indexes stay small and a
-- build finds them without reading the table.
create index sessions_odd on raw.sessions (tenant_id, started_at)
    where duration_seconds < 0 or duration_seconds > 604800;
create index calls_odd on raw.calls (tenant_id, started_at)
    where duration_seconds < 0 or duration_seconds > 86400 or (outcome = 'interested' and status <> 'completed');
create index jobs_odd on raw.jobs (tenant_id, started_at) where finished_at < started_at;
create index api_requests_odd on raw.api_requests (tenant_id, requested_at) where latency_ms < 0;
create index health_checks_odd on raw.health_checks (tenant_id, checked_at) where cpu_load < 0;
create index leads_odd on raw.leads (tenant_id, created_at) where converted_at is not null and status <> 'converted';
create index users_odd on raw.users (tenant_id) where signed_up_at is null;
create index users_by_id on raw.users (user_id, tenant_id);
create index collaborations_odd on raw.collaborations (tenant_id, created_at)
    where last_activity_at < created_at or vendor1_id = vendor2_id;
create index satisfaction_scores_odd on raw.satisfaction_scores (tenant_id, scored_at)
    where score < 0 or score > 10;
create index invoices_odd on raw.invoices (tenant_id, issued_at)
    where amount_due <= 0 or status in ('draft', 'void') or (status = 'paid' and paid_at is null);
create index payments_odd on raw.payments (tenant_id, attempted_at) where amount <= 0;
create index subscriptions_odd on raw.subscriptions (tenant_id, started_at)
    where quantity <= 0 or unit_amount <= 0 or interval_count < 1 or forever_discount_percent < 0
        or forever_discount_percent > 100;
create index marketing_spend_odd on raw.marketing_spend (tenant_id, spend_date) where amount <= 0;

-- Settings of the installation as a whole: one row.
create table reporting.installation (
    is_only boolean primary key default true check (is_only),
    -- Of portfolio_metrics; NULL: the tenants' own when they share one.
    reporting_currency text constraint installation_currency_form check (reporting_currency ~ '^[A-Z]{3}$'),
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    created_by text not null default reporting.actor()
);
insert into reporting.installation default values;
create trigger keep_provenance before update on reporting.installation
    for each row execute function reporting.keep_provenance();
grant select, update on reporting.installation to metricpress_pipeline;

-- The same as the last plan saw it; the models read it here.
create table build.installation (
    is_only boolean primary key default true check (is_only),
    reporting_currency text
);
insert into build.installation default values;
grant select, update on build.installation to metricpress_pipeline;

-- Days after it are no days of a tenant whose history has ended: its absence from them is no gap.
alter table build.tenants add column clock_stops_at timestamptz;
