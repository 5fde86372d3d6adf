-- Schema build: how the marts are kept. Written by the build plan (orchestration/marts), read by dbt as sources.

create schema build;

-- One row a build.
create table build.builds (
    build_id uuid primary key default gen_random_uuid(),
    as_of timestamptz,           -- the moment asked for; NULL when a bare date was given
    as_of_date date,             -- the bare date asked for: the end of that local day, tenant by tenant
    tenant_id text,              -- NULL: all tenants
    full_refresh boolean not null default false,
    forced_from date,            -- first and last day forced by a partition run or a backfill
    forced_to date,
    snapshot pg_snapshot,        -- what the plan could see of raw.changes
    project_hash text,           -- of the models' SQL: another hash than that of the last build is a full refresh
    status text not null default 'running' check (status in ('running', 'complete', 'failed')),
    error text,
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz
);

-- The tenants as the last plan saw them, each with its own clock: the models' only source of "now".
create table build.tenants (
    tenant_id text primary key,
    name text not null,
    timezone text not null,
    currency text not null,
    week_start text not null,
    as_of timestamptz not null,        -- events at or after it are left out
    as_of_date date not null,          -- the local day that holds the last instant before as_of
    complete_date date not null,       -- the last local day that has ended by as_of
    gross_margin numeric not null default 1,
    past_due_days integer,             -- NULL: past_due always counts
    churn_on text not null default 'end' check (churn_on in ('end', 'intent')),
    activation_events text[] not null,
    mau_window_days integer not null default 30,
    retention_cohorts text[] not null, -- cohort_by values to publish
    in_build boolean not null default true,    -- false: this build leaves the tenant as it is
    is_removed boolean not null default false  -- true: the tenant is gone, this build takes its rows away
);

-- What the build has to repair. Rows stay until a build completes, so a failed build loses nothing.
-- Days: merged into spans without a gap or overlap for each tenant and domain.
create table build.dirty_spans (
    tenant_id text not null,
    domain text not null,
    date_from date not null,
    date_to date not null,
    primary key (tenant_id, domain, date_from)
);
-- Entities: kind is customer, lead, user.
create table build.dirty_entities (
    tenant_id text not null,
    kind text not null,
    entity_id text not null,
    primary key (tenant_id, kind, entity_id)
);
-- Whole tenants.
create table build.dirty_tenants (
    tenant_id text primary key,
    reason text not null
);

-- Which build each mart comes from, written in the transaction that changes the mart.
create table build.mart_state (
    mart text primary key,
    build_id uuid not null references build.builds,
    built_at timestamptz not null default clock_timestamp()
);

-- Days on which a model's rows really changed in this build: what the models behind it have to follow.
create table build.changed_days (
    model text not null,
    tenant_id text not null,
    metric_date date not null,
    primary key (model, tenant_id, metric_date)
);
