-- What was published (closed months, delivered reports), what later data made of it, and which load wrote a raw row.
-- Frozen with migration 0005: later changes come in later migrations.

-- The transaction id that the rows a load wrote carry as xmin; NULL when it wrote none. A row whose xmin no load has
-- was written by another tool.
alter table raw.loads add column row_xid bigint;
create index loads_by_row_xid on raw.loads (row_xid);
create index loads_by_xid on raw.loads (xid);

-- The loads whose recorded changes a build has taken and that no build has completed yet; a write by another tool has
-- no load_id, and one row a table.
create table build.consumed_loads (
    tenant_id text not null,
    table_name text not null,
    load_id uuid,
    unique nulls not distinct (tenant_id, table_name, load_id)
);
grant select, insert, update, delete, truncate on build.consumed_loads to metricpress_pipeline;

-- Each published figure as it stands now: of a month from the build that closed it, of a report from its delivery.
create table reporting.published_figures (
    tenant_id text not null,
    grain text not null
        constraint published_figures_grain_known check (grain in ('day', 'week', 'month')),
    period_start date not null,
    metric text not null,
    value numeric,
    closed_by_build uuid,  -- the build that closed the month; NULL: published by a report alone
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    created_by text not null default reporting.actor(),
    primary key (tenant_id, grain, period_start, metric)
);

-- A published figure that a build changed.
create table reporting.restatements (
    tenant_id text not null,
    build_id uuid not null,
    metric text not null,
    grain text not null,
    period_start date not null,
    old_value numeric,
    new_value numeric,
    restated_at timestamptz not null default clock_timestamp(),
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    created_by text not null default reporting.actor(),
    primary key (tenant_id, build_id, grain, period_start, metric)
);
create index restatements_by_time on reporting.restatements (restated_at);

-- What a build that restated a tenant's figures had taken in for it.
create table reporting.restatement_causes (
    tenant_id text not null,
    build_id uuid not null,
    table_name text not null,  -- of schema raw; tenant_settings: settings; (models): other SQL
    load_id uuid,              -- NULL: written by another tool
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    created_by text not null default reporting.actor(),
    unique nulls not distinct (tenant_id, build_id, table_name, load_id)
);

-- Deliveries that a build has to look at: those since the build before.
create index report_deliveries_by_delivery on reporting.report_deliveries (delivered_at)
    where delivery_status = 'sent';

do $$
declare
    table_name text;
begin
    foreach table_name in array array['published_figures', 'restatements', 'restatement_causes'] loop
        execute format(
            'create trigger keep_provenance before update on reporting.%I
             for each row execute function reporting.keep_provenance()', table_name
        );
    end loop;
end
$$;
grant select, insert, update, delete
    on reporting.published_figures, reporting.restatements, reporting.restatement_causes to metricpress_pipeline;
