-- Roles, the schemas of the models, and schema reporting: settings, templates, subscriptions, what was promised
-- and done. Frozen with migration 0003: later changes come in later migrations.

-- Roles are shared by all databases of a server, so they may be there already. The migrating user becomes a
-- member, for connections log in as that user and take a role on.
do $$
declare
    role_name text;
    may_set text := case when current_setting('server_version_num')::integer >= 160000 then 'SET' else 'MEMBER' end;
begin
    foreach role_name in array array['metricpress_pipeline', 'metricpress_bi'] loop
        begin
            if not exists (select from pg_roles where rolname = role_name) then
                execute format('create role %I nologin', role_name);
            end if;
        exception when duplicate_object or unique_violation then
            null;  -- made meanwhile by the migration of another database
        end;
        if not pg_has_role(current_user, role_name, may_set) then
            execute format('grant %I to %I', role_name, current_user);
        end if;
    end loop;
exception when insufficient_privilege then
    raise exception 'the user "%" may not create or take on the roles metricpress_pipeline and metricpress_bi',
        current_user
        using errcode = 'insufficient_privilege', hint = format(
            'As a superuser run: create role metricpress_pipeline; create role metricpress_bi; '
            'grant metricpress_pipeline, metricpress_bi to %I', current_user
        );
end
$$;

create schema staging authorization metricpress_pipeline;
create schema intermediate authorization metricpress_pipeline;
create schema marts authorization metricpress_pipeline;
create schema checks authorization metricpress_pipeline;   -- failing rows of data tests, kept by dbt
create schema dagster authorization metricpress_pipeline;  -- run and event storage of Dagster
create schema reporting;

-- Who acts: the login, and a name where the program gave one (set metricpress.actor).
create function reporting.actor() returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select session_user || coalesce(' (' || nullif(current_setting('metricpress.actor', true), '') || ')', '')
$$;

-- True when the current role owns the database: the owner of the installation.
create function reporting.is_installation_owner() returns boolean
language sql stable set search_path = pg_catalog, pg_temp as $$
    select d.datdba = (select r.oid from pg_roles as r where r.rolname = current_user)
    from pg_database as d
    where d.datname = current_database()
$$;

create function reporting.keep_provenance() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    new.created_at := old.created_at;
    new.created_by := old.created_by;
    new.updated_at := clock_timestamp();
    return new;
end
$$;

-- A tenant without a row has these defaults.
create table reporting.tenant_settings (
    tenant_id text primary key,
    gross_margin numeric not null default 1
        constraint tenant_settings_gross_margin_range check (gross_margin >= 0 and gross_margin <= 1),
    past_due_days integer  -- NULL: a subscription past due always counts
        constraint tenant_settings_past_due_days_range check (past_due_days between 0 and 3660),
    churn_on text not null default 'end'
        constraint tenant_settings_churn_on_known check (churn_on in ('end', 'intent')),
    activation_events text[] not null default '{file_upload,worklog_creation,report_generation}'
        constraint tenant_settings_activation_events_given check (
            cardinality(activation_events) > 0 and array_position(activation_events, null) is null
        ),
    mau_window_days integer not null default 30
        constraint tenant_settings_mau_window_days_range check (mau_window_days between 1 and 366),
    retention_cohorts text[] not null default '{first_activity,signup,first_payment}'
        constraint tenant_settings_retention_cohorts_known check (
            retention_cohorts <@ '{first_activity,signup,first_payment,recurring}'
        ),
    brand jsonb not null default '{}'  -- logo, colours, footer
        constraint tenant_settings_brand_object check (jsonb_typeof(brand) = 'object'),
    locale text not null default 'en'
        constraint tenant_settings_locale_form check (locale ~ '^[a-z]{2,3}(_[A-Z][a-z]{3})?(_[A-Z]{2})?$'),
    allowed_recipient_domains text[],  -- NULL: every domain
    retention_days integer  -- NULL: everything is kept
        constraint tenant_settings_retention_days_range check (retention_days >= 1),
    clock_stops_at timestamptz  -- the tenant's history ends here: no build or report goes past it
        constraint tenant_settings_clock_stops_at_range
        check (clock_stops_at >= '1900-01-01' and clock_stops_at < '2200-01-01'),
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    created_by text not null default reporting.actor()
);

-- What a metric ought to reach; of several rows for one scope the one with the latest valid_from holds.
create table reporting.metric_targets (
    tenant_id text not null,
    target_id uuid not null default gen_random_uuid(),
    metric text not null,
    scope text not null default 'tenant'
        constraint metric_targets_scope_known check (scope in ('tenant', 'branch')),
    branch_id text,
    grain text             -- the period it is meant for; NULL: every period
        constraint metric_targets_grain_known check (grain in ('day', 'week', 'month')),
    target numeric,
    benchmark numeric,
    good_from numeric,     -- the status is good from here on, in the metric's good direction
    warning_from numeric,  -- warning from here on, else critical
    valid_from date not null default '1900-01-01',
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    created_by text not null default reporting.actor(),
    primary key (tenant_id, target_id),
    constraint metric_targets_once unique nulls not distinct (tenant_id, metric, scope, branch_id, grain, valid_from),
    constraint metric_targets_branch_given check ((scope = 'branch') = (branch_id is not null)),
    constraint metric_targets_something_given check (
        num_nonnulls(target, benchmark, good_from, warning_from) > 0
    )
);

-- tenant_id NULL: of the installation. Shared by tenants when public, hence its key has no tenant in front.
create table reporting.report_templates (
    template_id uuid primary key default gen_random_uuid(),
    tenant_id text,
    name text not null,
    description text,
    report_type text not null,
    template_type text not null default 'html'
        constraint report_templates_template_type_known check (template_type in ('html')),
    template_content text not null,
    parameters_schema jsonb not null default '{}'  -- JSON Schema
        constraint report_templates_parameters_schema_object check (jsonb_typeof(parameters_schema) = 'object'),
    output_formats text[] not null default '{pdf,html}'
        constraint report_templates_output_formats_known check (
            cardinality(output_formats) > 0 and output_formats <@ '{pdf,html,csv,xlsx,json}'
        ),
    version integer not null default 1
        constraint report_templates_version_positive check (version >= 1),
    is_active boolean not null default true,
    is_public boolean not null default false,  -- offered to all tenants
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    created_by text not null default reporting.actor(),
    constraint report_templates_name_once unique nulls not distinct (tenant_id, name),
    constraint report_templates_installation_public check (tenant_id is not null or is_public)
);

-- Every content a template ever had, so that a delivered report can be made again as it was.
create table reporting.report_template_versions (
    template_id uuid not null references reporting.report_templates on delete cascade,
    version integer not null,
    tenant_id text,
    template_content text not null,
    parameters_schema jsonb not null,
    created_at timestamptz not null default clock_timestamp(),
    created_by text not null default reporting.actor(),
    primary key (template_id, version)
);

create function reporting.number_template_version() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if new.is_public and (tg_op = 'INSERT' or not old.is_public) and not reporting.is_installation_owner() then
        raise exception 'reporting.report_templates: only the owner of the installation offers "%" to all tenants',
            new.name
            using errcode = 'insufficient_privilege', hint = 'Leave is_public false, or ask the owner.';
    end if;
    if tg_op = 'INSERT' then
        new.version := 1;
    else
        new.version := old.version + case
            when (new.template_content, new.parameters_schema)
                is distinct from (old.template_content, old.parameters_schema) then 1
            else 0
        end;
    end if;
    return new;
end
$$;
create trigger number_version before insert or update on reporting.report_templates
    for each row execute function reporting.number_template_version();

create function reporting.keep_template_version() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into reporting.report_template_versions
        (template_id, version, tenant_id, template_content, parameters_schema)
    values (new.template_id, new.version, new.tenant_id, new.template_content, new.parameters_schema)
    on conflict (template_id, version) do nothing;
    return null;
end
$$;
create trigger keep_version after insert or update on reporting.report_templates
    for each row execute function reporting.keep_template_version();

create table reporting.report_subscriptions (
    tenant_id text not null,
    subscription_id uuid not null default gen_random_uuid(),
    name text not null,
    branch_id text,
    report text not null
        constraint report_subscriptions_report_form check (report ~ '^[a-z][a-z0-9_]*$'),
    template_id uuid references reporting.report_templates,
    parameters jsonb not null default '{}'
        constraint report_subscriptions_parameters_object check (jsonb_typeof(parameters) = 'object'),
    frequency text not null
        constraint report_subscriptions_frequency_known check (frequency in ('daily', 'weekly', 'monthly')),
    delivery_time time not null default '09:00',  -- on the clock of `timezone`
    -- NULL: every day, the first day of the week, the first of the month. monday .. sunday for daily and
    -- weekly; 1 .. 31 for monthly (a shorter month: its last day).
    delivery_days text[],
    timezone text  -- NULL: the tenant's
        constraint report_subscriptions_timezone_known check (timezone is null or raw.is_timezone(timezone)),
    formats text[] not null default '{pdf}'
        constraint report_subscriptions_formats_known check (
            cardinality(formats) > 0 and formats <@ '{pdf,html,csv,xlsx,json}'
        ),
    delivery_method text not null default 'email'
        constraint report_subscriptions_delivery_method_known
        check (delivery_method in ('email', 'slack', 'webhook', 'file')),
    recipients text[] not null
        constraint report_subscriptions_recipients_given check (
            cardinality(recipients) > 0 and array_position(recipients, null) is null
        ),
    locale text,  -- NULL: the tenant's
    misfire_policy text not null default 'catch_up'
        constraint report_subscriptions_misfire_policy_known check (misfire_policy in ('catch_up', 'skip')),
    max_lateness interval not null default '24 hours'
        constraint report_subscriptions_max_lateness_positive check (max_lateness > '0'),
    starts_on date not null default current_date,  -- no occurrence before it
    is_active boolean not null default true,
    deleted_at timestamptz,  -- a deleted subscription keeps its ledger
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    created_by text not null default reporting.actor(),
    primary key (tenant_id, subscription_id),
    constraint report_subscriptions_delivery_days_known check (
        delivery_days is null or cardinality(delivery_days) > 0 and case
            when frequency = 'monthly' then delivery_days <@ array[
                '1', '2', '3', '4', '5', '6', '7', '8', '9', '10', '11', '12', '13', '14', '15', '16', '17', '18',
                '19', '20', '21', '22', '23', '24', '25', '26', '27', '28', '29', '30', '31'
            ]
            else delivery_days <@ array[
                'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'
            ]
        end
    )
);
-- One name a tenant, among the subscriptions that are not deleted.
create unique index report_subscriptions_name_once on reporting.report_subscriptions (tenant_id, name)
    where deleted_at is null;

create function reporting.check_subscription_template() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if new.template_id is not null and not exists (
        select from reporting.report_templates as t
        where t.template_id = new.template_id and (t.is_public or t.tenant_id = new.tenant_id)
    ) then
        raise exception 'reporting.report_subscriptions: tenant "%" has no template %', new.tenant_id, new.template_id
            using errcode = 'foreign_key_violation', hint = 'Choose a template of this tenant or a public one.';
    end if;
    return new;
end
$$;
create trigger check_template before insert or update of template_id, tenant_id on reporting.report_subscriptions
    for each row execute function reporting.check_subscription_template();

-- One row a report that was due or asked for.
create table reporting.report_occurrences (
    tenant_id text not null,
    occurrence_id uuid not null default gen_random_uuid(),
    subscription_id uuid not null,
    local_date date not null,
    report_period_start date not null,
    report_period_end date not null,  -- inclusive
    due_at timestamptz not null,
    origin text not null default 'schedule'
        constraint report_occurrences_origin_known check (origin in ('schedule', 'on_demand')),
    state text not null default 'pending'
        constraint report_occurrences_state_known
        check (state in ('pending', 'sent', 'partial', 'failed', 'skipped')),
    reason text,  -- why it waits or was skipped
    is_late boolean not null default false,
    closed_at timestamptz,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    created_by text not null default reporting.actor(),
    primary key (tenant_id, occurrence_id),
    foreign key (tenant_id, subscription_id) references reporting.report_subscriptions,
    constraint report_occurrences_period_order check (report_period_start <= report_period_end)
);
create unique index report_occurrences_once on reporting.report_occurrences
    (tenant_id, subscription_id, local_date) where origin = 'schedule';
create index report_occurrences_pending on reporting.report_occurrences (due_at) where state = 'pending';

-- One row a recipient of an occurrence; attempt_group rises when a person asks for it to be sent again.
create table reporting.report_deliveries (
    tenant_id text not null,
    delivery_id uuid not null default gen_random_uuid(),
    occurrence_id uuid not null,
    channel text not null
        constraint report_deliveries_channel_known check (channel in ('email', 'slack', 'webhook', 'file')),
    recipient text not null,
    attempt_group integer not null default 1,
    delivery_status text not null default 'pending'
        constraint report_deliveries_delivery_status_known check (delivery_status in (
            'pending', 'rendering', 'ready', 'sending', 'sent', 'failed', 'unknown', 'held', 'skipped'
        )),
    attempts integer not null default 0,
    next_attempt_at timestamptz,
    claimed_by integer,  -- the database process that works on it
    claimed_at timestamptz,
    delivered_at timestamptz,
    error_class text
        constraint report_deliveries_error_class_known check (error_class in ('transient', 'permanent')),
    error_message text,
    report_data jsonb,  -- the figures shown
    data_version text,
    template_version text,
    render_key text,  -- shared by deliveries of one rendering
    files jsonb not null default '[]'  -- format, path, bytes, sha256
        constraint report_deliveries_files_list check (jsonb_typeof(files) = 'array'),
    message_id text,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    created_by text not null default reporting.actor(),
    primary key (tenant_id, delivery_id),
    foreign key (tenant_id, occurrence_id) references reporting.report_occurrences,
    constraint report_deliveries_once unique (tenant_id, occurrence_id, channel, recipient, attempt_group),
    constraint report_deliveries_message_id_once unique (tenant_id, message_id),
    constraint report_deliveries_sent_at check ((delivery_status = 'sent') <= (delivered_at is not null))
);
create index report_deliveries_open on reporting.report_deliveries (delivery_status)
    where delivery_status not in ('sent', 'skipped');

-- Outcome of a data check for one tenant; a failed check of severity error holds that tenant's reports.
create table reporting.check_results (
    tenant_id text not null,
    build_id uuid not null,
    mart text not null,
    check_name text not null,
    severity text not null
        constraint check_results_severity_known check (severity in ('warn', 'error')),
    failed_rows bigint not null
        constraint check_results_failed_rows_range check (failed_rows >= 0),
    at timestamptz not null default clock_timestamp(),
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    created_by text not null default reporting.actor(),
    primary key (tenant_id, build_id, mart, check_name)
);

-- Recipients that get nothing any more.
create table reporting.suppressions (
    tenant_id text not null,
    recipient text not null
        constraint suppressions_recipient_lower check (recipient = lower(recipient)),
    reason text not null,
    since timestamptz not null default clock_timestamp(),
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    created_by text not null default reporting.actor(),
    primary key (tenant_id, recipient)
);

-- Who changed what. Written by triggers only; append-only for every role but the owner of the database.
create table reporting.audit_log (
    audit_id bigint generated always as identity primary key,
    tenant_id text,  -- NULL: the installation
    at timestamptz not null default clock_timestamp(),
    database_user text not null default reporting.actor(),
    application text not null default coalesce(current_setting('application_name', true), ''),
    action text not null
        constraint audit_log_action_known check (action in ('insert', 'update', 'delete', 'truncate')),
    object_type text not null,  -- the table
    object text not null,       -- the key
    before jsonb,
    after jsonb
);
create index audit_log_by_tenant on reporting.audit_log (tenant_id, at);

create function reporting.record_audit() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    before_row jsonb := case when tg_op in ('UPDATE', 'DELETE') then to_jsonb(old) end;
    after_row jsonb := case when tg_op in ('INSERT', 'UPDATE') then to_jsonb(new) end;
    known jsonb := coalesce(after_row, before_row);
begin
    if tg_op = 'UPDATE' and before_row - 'updated_at' = after_row - 'updated_at' then
        return null;
    end if;
    insert into reporting.audit_log (tenant_id, action, object_type, object, before, after)
    values (
        known ->> 'tenant_id', lower(tg_op), tg_table_name,
        coalesce(known ->> tg_argv[0], '*'), before_row, after_row
    );
    return null;
end
$$;

create function reporting.refuse_audit_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if not reporting.is_installation_owner() then
        raise exception 'reporting.audit_log is append-only: "%" may not % it', current_user, lower(tg_op)
            using errcode = 'insufficient_privilege',
            hint = 'Only the owner of the database may, as when an authority asks for it.';
    end if;
    return null;
end
$$;
create trigger append_only before update or delete or truncate on reporting.audit_log
    for each statement execute function reporting.refuse_audit_change();

do $$
declare
    watched record;
    table_name text;
begin
    for watched in
        select * from (values
            ('tenant_settings', 'tenant_id'), ('metric_targets', 'target_id'),
            ('report_templates', 'template_id'), ('report_subscriptions', 'subscription_id')
        ) as w (table_name, key_column)
    loop
        execute format(
            'create trigger audit after insert or update or delete on reporting.%I
             for each row execute function reporting.record_audit(%L)', watched.table_name, watched.key_column
        );
        execute format(
            'create trigger audit_truncate after truncate on reporting.%I
             for each statement execute function reporting.record_audit(%L)', watched.table_name, watched.key_column
        );
    end loop;
    foreach table_name in array array[
        'tenant_settings', 'metric_targets', 'report_templates', 'report_subscriptions', 'report_occurrences',
        'report_deliveries', 'check_results', 'suppressions'
    ] loop
        execute format(
            'create trigger keep_provenance before update on reporting.%I
             for each row execute function reporting.keep_provenance()', table_name
        );
    end loop;
end
$$;

-- Settings and targets decide figures: a build sees their changes as it sees those of the raw rows.
create function reporting.record_settings_change() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op in ('UPDATE', 'DELETE') then
        insert into raw.changes (tenant_id, table_name, op, row_count)
        values (old.tenant_id, tg_table_name, lower(tg_op), 1);
    end if;
    if tg_op = 'INSERT' or tg_op = 'UPDATE' and new.tenant_id <> old.tenant_id then
        insert into raw.changes (tenant_id, table_name, op, row_count)
        values (new.tenant_id, tg_table_name, lower(tg_op), 1);
    end if;
    return null;
end
$$;
create trigger changes_insert after insert on reporting.tenant_settings
    for each row execute function reporting.record_settings_change();
create trigger changes_delete after delete on reporting.tenant_settings
    for each row execute function reporting.record_settings_change();
-- Brand, locale, recipients and retention change no figure.
create trigger changes_update after update on reporting.tenant_settings
    for each row when (
        (old.tenant_id, old.gross_margin, old.past_due_days, old.churn_on, old.activation_events,
            old.mau_window_days, old.retention_cohorts, old.clock_stops_at)
        is distinct from (new.tenant_id, new.gross_margin, new.past_due_days, new.churn_on, new.activation_events,
            new.mau_window_days, new.retention_cohorts, new.clock_stops_at)
    ) execute function reporting.record_settings_change();
create trigger changes_truncate after truncate on reporting.tenant_settings
    for each statement execute function raw.record_truncate();
create trigger changes_row after insert or update or delete on reporting.metric_targets
    for each row execute function reporting.record_settings_change();
create trigger changes_truncate after truncate on reporting.metric_targets
    for each statement execute function raw.record_truncate();

-- metricpress_pipeline loads, builds and delivers. It may not write the audit log.
do $$
begin
    execute format('grant connect, temporary on database %I to metricpress_pipeline', current_database());
    execute format('grant connect on database %I to metricpress_bi', current_database());
end
$$;
grant usage on schema raw, build, reporting to metricpress_pipeline;
grant select, insert, update, delete, truncate on all tables in schema raw, build to metricpress_pipeline;
grant select, insert, update, delete on all tables in schema reporting to metricpress_pipeline;
revoke insert, update, delete, truncate on reporting.audit_log from metricpress_pipeline;
revoke insert, update, delete on reporting.report_template_versions from metricpress_pipeline;

-- metricpress_bi reads the marts, also those dbt makes anew.
grant usage on schema marts to metricpress_bi;
alter default privileges for role metricpress_pipeline in schema marts grant select on tables to metricpress_bi;
