-- Schema raw: the raw contract, its change recording and the rows a load refused.
-- Frozen with migration 0001: later changes come in later migrations.

create schema raw;

-- True when PostgreSQL knows the name as a time zone.
create function raw.is_timezone(zone text) returns boolean
language plpgsql stable as $$
begin
    perform now() at time zone zone;
    return zone is not null;
exception when invalid_parameter_value then
    return false;
end
$$;

create table raw.tenants (
    tenant_id text not null,
    name text not null,
    timezone text not null default 'UTC',
    currency text not null default 'USD',
    week_start text not null default 'monday',
    created_at timestamptz,
    loaded_at timestamptz not null default clock_timestamp(),
    deleted_at timestamptz,
    extra jsonb,
    primary key (tenant_id),
    constraint tenants_week_start_known check (week_start in ('monday', 'sunday')),
    constraint tenants_created_at_range check (created_at >= '1900-01-01' and created_at < '2200-01-01')
);

create table raw.branches (
    tenant_id text not null,
    branch_id text not null,
    name text not null,
    timezone text,
    loaded_at timestamptz not null default clock_timestamp(),
    deleted_at timestamptz,
    extra jsonb,
    primary key (tenant_id, branch_id)
);

create table raw.staff (
    tenant_id text not null,
    staff_id text not null,
    branch_id text,
    name text not null,
    loaded_at timestamptz not null default clock_timestamp(),
    deleted_at timestamptz,
    extra jsonb,
    primary key (tenant_id, staff_id)
);

create table raw.customers (
    tenant_id text not null,
    customer_id text not null,
    name text,
    segment text,
    source text,
    created_at timestamptz,
    loaded_at timestamptz not null default clock_timestamp(),
    deleted_at timestamptz,
    extra jsonb,
    primary key (tenant_id, customer_id),
    constraint customers_created_at_range check (created_at >= '1900-01-01' and created_at < '2200-01-01')
);

create table raw.parties (
    tenant_id text not null,
    party_id text not null,
    kind text,
    name text,
    loaded_at timestamptz not null default clock_timestamp(),
    deleted_at timestamptz,
    extra jsonb,
    primary key (tenant_id, party_id)
);

create table raw.users (
    tenant_id text not null,
    user_id text not null,
    branch_id text,
    customer_id text,
    user_type text,
    signed_up_at timestamptz,
    loaded_at timestamptz not null default clock_timestamp(),
    deleted_at timestamptz,
    extra jsonb,
    primary key (tenant_id, user_id),
    constraint users_signed_up_at_range check (signed_up_at >= '1900-01-01' and signed_up_at < '2200-01-01')
);

create table raw.sessions (
    tenant_id text not null,
    session_id text not null,
    user_id text not null,
    user_type text,
    branch_id text,
    started_at timestamptz not null,
    duration_seconds numeric,
    loaded_at timestamptz not null default clock_timestamp(),
    deleted_at timestamptz,
    extra jsonb,
    primary key (tenant_id, session_id),
    constraint sessions_started_at_range check (started_at >= '1900-01-01' and started_at < '2200-01-01')
);

create table raw.activation_events (
    tenant_id text not null,
    event_id text not null,
    user_id text not null,
    event_type text not null,
    occurred_at timestamptz not null,
    loaded_at timestamptz not null default clock_timestamp(),
    deleted_at timestamptz,
    extra jsonb,
    primary key (tenant_id, event_id),
    constraint activation_events_occurred_at_range check (occurred_at >= '1900-01-01' and occurred_at < '2200-01-01')
);

create table raw.jobs (
    tenant_id text not null,
    job_id text not null,
    job_type text,
    status text not null,
    started_at timestamptz not null,
    finished_at timestamptz,
    loaded_at timestamptz not null default clock_timestamp(),
    deleted_at timestamptz,
    extra jsonb,
    primary key (tenant_id, job_id),
    constraint jobs_status_known check (status in ('succeeded', 'failed', 'running', 'canceled')),
    constraint jobs_started_at_range check (started_at >= '1900-01-01' and started_at < '2200-01-01'),
    constraint jobs_finished_at_range check (finished_at >= '1900-01-01' and finished_at < '2200-01-01')
);

create table raw.leads (
    tenant_id text not null,
    lead_id text not null,
    branch_id text,
    staff_id text,
    first_name text,
    last_name text,
    phone text,
    email text,
    source text,
    status text not null,
    created_at timestamptz not null,
    updated_at timestamptz,
    converted_at timestamptz,
    loaded_at timestamptz not null default clock_timestamp(),
    deleted_at timestamptz,
    extra jsonb,
    primary key (tenant_id, lead_id),
    constraint leads_status_known check (status in ('new', 'contacted', 'qualified', 'converted', 'lost')),
    constraint leads_created_at_range check (created_at >= '1900-01-01' and created_at < '2200-01-01'),
    constraint leads_updated_at_range check (updated_at >= '1900-01-01' and updated_at < '2200-01-01'),
    constraint leads_converted_at_range check (converted_at >= '1900-01-01' and converted_at < '2200-01-01')
);

create table raw.lead_status_changes (
    tenant_id text not null,
    change_id text not null,
    lead_id text not null,
    status text not null,
    changed_at timestamptz not null,
    loaded_at timestamptz not null default clock_timestamp(),
    deleted_at timestamptz,
    extra jsonb,
    primary key (tenant_id, change_id),
    constraint lead_status_changes_status_known check (status in ('new', 'contacted', 'qualified', 'converted', 'lost')),
    constraint lead_status_changes_changed_at_range check (changed_at >= '1900-01-01' and changed_at < '2200-01-01')
);

create table raw.calls (
    tenant_id text not null,
    call_id text not null,
    lead_id text,
    branch_id text,
    staff_id text,
    direction text not null,
    status text not null,
    outcome text,
    duration_seconds numeric,
    started_at timestamptz not null,
    notes text,
    loaded_at timestamptz not null default clock_timestamp(),
    deleted_at timestamptz,
    extra jsonb,
    primary key (tenant_id, call_id),
    constraint calls_direction_known check (direction in ('inbound', 'outbound')),
    constraint calls_status_known check (status in ('completed', 'missed', 'failed')),
    constraint calls_started_at_range check (started_at >= '1900-01-01' and started_at < '2200-01-01')
);

create table raw.subscriptions (
    tenant_id text not null,
    subscription_id text not null,
    customer_id text not null,
    plan text,
    status text not null,
    quantity numeric not null,
    unit_amount numeric not null,
    currency text not null,
    billing_interval text not null,
    interval_count integer not null,
    forever_discount_percent numeric,
    trial_start timestamptz,
    trial_end timestamptz,
    started_at timestamptz not null,
    cancel_at timestamptz,
    canceled_at timestamptz,
    ended_at timestamptz,
    updated_at timestamptz,
    loaded_at timestamptz not null default clock_timestamp(),
    deleted_at timestamptz,
    extra jsonb,
    primary key (tenant_id, subscription_id),
    constraint subscriptions_status_known check (status in ('trialing', 'active', 'past_due', 'unpaid', 'paused', 'canceled', 'incomplete', 'incomplete_expired')),
    constraint subscriptions_billing_interval_known check (billing_interval in ('day', 'week', 'month', 'year')),
    constraint subscriptions_trial_start_range check (trial_start >= '1900-01-01' and trial_start < '2200-01-01'),
    constraint subscriptions_trial_end_range check (trial_end >= '1900-01-01' and trial_end < '2200-01-01'),
    constraint subscriptions_started_at_range check (started_at >= '1900-01-01' and started_at < '2200-01-01'),
    constraint subscriptions_cancel_at_range check (cancel_at >= '1900-01-01' and cancel_at < '2200-01-01'),
    constraint subscriptions_canceled_at_range check (canceled_at >= '1900-01-01' and canceled_at < '2200-01-01'),
    constraint subscriptions_ended_at_range check (ended_at >= '1900-01-01' and ended_at < '2200-01-01'),
    constraint subscriptions_updated_at_range check (updated_at >= '1900-01-01' and updated_at < '2200-01-01')
);

create table raw.subscription_changes (
    tenant_id text not null,
    change_id text not null,
    subscription_id text not null,
    changed_at timestamptz not null,
    plan text,
    status text,
    quantity numeric,
    unit_amount numeric,
    currency text,
    billing_interval text,
    interval_count integer,
    forever_discount_percent numeric,
    loaded_at timestamptz not null default clock_timestamp(),
    deleted_at timestamptz,
    extra jsonb,
    primary key (tenant_id, change_id),
    constraint subscription_changes_changed_at_range check (changed_at >= '1900-01-01' and changed_at < '2200-01-01'),
    constraint subscription_changes_status_known check (status in ('trialing', 'active', 'past_due', 'unpaid', 'paused', 'canceled', 'incomplete', 'incomplete_expired')),
    constraint subscription_changes_billing_interval_known check (billing_interval in ('day', 'week', 'month', 'year'))
);

create table raw.invoices (
    tenant_id text not null,
    invoice_id text not null,
    customer_id text not null,
    subscription_id text,
    status text not null,
    amount_due numeric not null,
    amount_paid numeric not null,
    tax numeric,
    currency text not null,
    issued_at timestamptz not null,
    due_at timestamptz,
    paid_at timestamptz,
    attempt_count integer,
    next_attempt_at timestamptz,
    loaded_at timestamptz not null default clock_timestamp(),
    deleted_at timestamptz,
    extra jsonb,
    primary key (tenant_id, invoice_id),
    constraint invoices_status_known check (status in ('draft', 'open', 'paid', 'void', 'uncollectible')),
    constraint invoices_issued_at_range check (issued_at >= '1900-01-01' and issued_at < '2200-01-01'),
    constraint invoices_due_at_range check (due_at >= '1900-01-01' and due_at < '2200-01-01'),
    constraint invoices_paid_at_range check (paid_at >= '1900-01-01' and paid_at < '2200-01-01'),
    constraint invoices_next_attempt_at_range check (next_attempt_at >= '1900-01-01' and next_attempt_at < '2200-01-01')
);

create table raw.payments (
    tenant_id text not null,
    payment_id text not null,
    invoice_id text,
    customer_id text,
    status text not null,
    amount numeric not null,
    currency text not null,
    attempted_at timestamptz not null,
    failure_code text,
    refunded_amount numeric,
    loaded_at timestamptz not null default clock_timestamp(),
    deleted_at timestamptz,
    extra jsonb,
    primary key (tenant_id, payment_id),
    constraint payments_status_known check (status in ('succeeded', 'failed', 'refunded')),
    constraint payments_attempted_at_range check (attempted_at >= '1900-01-01' and attempted_at < '2200-01-01')
);

create table raw.collaborations (
    tenant_id text not null,
    collaboration_id text not null,
    client_id text not null,
    vendor1_id text not null,
    vendor2_id text not null,
    collaboration_type text not null,
    created_at timestamptz not null,
    last_activity_at timestamptz,
    loaded_at timestamptz not null default clock_timestamp(),
    deleted_at timestamptz,
    extra jsonb,
    primary key (tenant_id, collaboration_id),
    constraint collaborations_created_at_range check (created_at >= '1900-01-01' and created_at < '2200-01-01'),
    constraint collaborations_last_activity_at_range check (last_activity_at >= '1900-01-01' and last_activity_at < '2200-01-01')
);

create table raw.satisfaction_scores (
    tenant_id text not null,
    score_id text not null,
    vendor_id text not null,
    score numeric not null,
    scored_at timestamptz not null,
    loaded_at timestamptz not null default clock_timestamp(),
    deleted_at timestamptz,
    extra jsonb,
    primary key (tenant_id, score_id),
    constraint satisfaction_scores_scored_at_range check (scored_at >= '1900-01-01' and scored_at < '2200-01-01')
);

create table raw.api_requests (
    tenant_id text not null,
    request_id text not null,
    route text,
    status_code integer not null,
    latency_ms numeric not null,
    requested_at timestamptz not null,
    loaded_at timestamptz not null default clock_timestamp(),
    deleted_at timestamptz,
    extra jsonb,
    primary key (tenant_id, request_id),
    constraint api_requests_requested_at_range check (requested_at >= '1900-01-01' and requested_at < '2200-01-01')
);

create table raw.health_checks (
    tenant_id text not null,
    check_id text not null,
    component text not null,
    status text not null,
    cpu_load numeric,
    memory_rate numeric,
    checked_at timestamptz not null,
    loaded_at timestamptz not null default clock_timestamp(),
    deleted_at timestamptz,
    extra jsonb,
    primary key (tenant_id, check_id),
    constraint health_checks_status_known check (status in ('up', 'degraded', 'down')),
    constraint health_checks_checked_at_range check (checked_at >= '1900-01-01' and checked_at < '2200-01-01')
);

create table raw.marketing_spend (
    tenant_id text not null,
    spend_id text not null,
    spend_date date not null,
    channel text,
    amount numeric not null,
    currency text not null,
    loaded_at timestamptz not null default clock_timestamp(),
    deleted_at timestamptz,
    extra jsonb,
    primary key (tenant_id, spend_id),
    constraint marketing_spend_spend_date_range check (spend_date >= '1900-01-01' and spend_date < '2200-01-01')
);

create table raw.finance_inputs (
    tenant_id text not null,
    month date not null,
    cash_balance numeric not null,
    monthly_burn numeric not null,
    currency text not null,
    loaded_at timestamptz not null default clock_timestamp(),
    deleted_at timestamptz,
    extra jsonb,
    primary key (tenant_id, month),
    constraint finance_inputs_month_range check (month >= '1900-01-01' and month < '2200-01-01')
);

create table raw.exchange_rates (
    rate_date date not null,
    currency text not null,
    units_per_eur numeric not null,
    loaded_at timestamptz not null default clock_timestamp(),
    deleted_at timestamptz,
    extra jsonb,
    primary key (rate_date, currency),
    constraint exchange_rates_rate_date_range check (rate_date >= '1900-01-01' and rate_date < '2200-01-01'),
    constraint exchange_rates_positive check (units_per_eur > 0)
);
create index sessions_by_moment on raw.sessions (tenant_id, started_at);
create index users_by_moment on raw.users (tenant_id, signed_up_at);
create index activation_events_by_user on raw.activation_events (tenant_id, user_id);
create index activation_events_by_moment on raw.activation_events (tenant_id, occurred_at);
create index jobs_by_moment on raw.jobs (tenant_id, started_at);
create index leads_by_moment on raw.leads (tenant_id, created_at);
create index lead_status_changes_by_lead on raw.lead_status_changes (tenant_id, lead_id);
create index lead_status_changes_by_moment on raw.lead_status_changes (tenant_id, changed_at);
create index calls_by_moment on raw.calls (tenant_id, started_at);
create index calls_by_lead on raw.calls (tenant_id, lead_id);
create index subscriptions_by_customer on raw.subscriptions (tenant_id, customer_id);
create index subscription_changes_by_subscription on raw.subscription_changes (tenant_id, subscription_id);
create index invoices_by_moment on raw.invoices (tenant_id, issued_at);
create index payments_by_moment on raw.payments (tenant_id, attempted_at);
create index payments_by_invoice on raw.payments (tenant_id, invoice_id);
create index collaborations_by_moment on raw.collaborations (tenant_id, created_at);
create index satisfaction_scores_by_moment on raw.satisfaction_scores (tenant_id, scored_at);
create index api_requests_by_moment on raw.api_requests (tenant_id, requested_at);
create index health_checks_by_moment on raw.health_checks (tenant_id, checked_at);
create index marketing_spend_by_day on raw.marketing_spend (tenant_id, spend_date);

-- One row a `metricpress load` call.
create table raw.loads (
    load_id uuid primary key default gen_random_uuid(),
    table_name text not null,
    tenant_id text,
    files text[] not null,
    rows_read bigint not null default 0,
    rows_new bigint not null default 0,
    rows_changed bigint not null default 0,
    rows_unchanged bigint not null default 0,
    rows_rejected bigint not null default 0,
    xid xid8 not null default pg_current_xact_id(),
    loaded_by text not null default session_user,
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz
);

-- Rows a load refused: kept whole, with where they stood and why.
create table raw.rejected_rows (
    rejected_id bigint generated always as identity primary key,
    load_id uuid not null references raw.loads,
    tenant_id text,
    table_name text not null,
    file_name text not null,
    line_number bigint,
    column_name text,
    value text,
    reason text not null,
    row_content jsonb,
    rejected_at timestamptz not null default clock_timestamp()
);
create index rejected_rows_by_table on raw.rejected_rows (table_name, tenant_id);

-- What was changed, by whatever tool: read by the build plan, purged after a complete build.
create table raw.changes (
    change_id bigint generated always as identity primary key,
    xid xid8 not null default pg_current_xact_id(),
    tenant_id text,              -- NULL: every tenant (exchange rates, truncate)
    table_name text not null,
    op text not null,
    entity text,                 -- the old or new value of the table's entity column
    date_from date,              -- first and last tenant-local day touched
    date_to date,
    row_count bigint not null
);

create function raw.record_changes() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    entity_column text := nullif(tg_argv[0], '');
    touched text[] := case when tg_argv[1] = '' then '{}' else string_to_array(tg_argv[1], ' ') end;
    span_days integer := tg_argv[2]::integer;
    entity_of text := case when entity_column is null then 'null::text' else format('r.%I', entity_column) end;
    local_days text[] := '{}';
    days text;
    rows_of text;
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
        when touched = '{}' then 'lateral (values (null::date, null::date))'
        when span_days > 0 then format(
            'lateral (values (least(%1$s), greatest(%1$s) + %2$s))', array_to_string(local_days, ', '), span_days
        )
        else 'lateral (select distinct d, d from (values ('
            || array_to_string(local_days, '), (') || ')) as v (d) where d is not null or '
            || case when entity_column is null then 'false' else 'true' end || ')'
    end;
    if cardinality(local_days) = 1 and span_days = 0 then
        -- The common case without a subquery per row: a million sessions come through here.
        days := format('lateral (values (%1$s, %1$s))', local_days[1]);
    end if;
    rows_of := case tg_op
        when 'INSERT' then 'new_rows'
        when 'DELETE' then 'old_rows'
        else '(select * from old_rows union all select * from new_rows)'
    end;
    execute format(
        'insert into raw.changes (tenant_id, table_name, op, entity, date_from, date_to, row_count)
         select r.tenant_id, %L, %L, %s, v.date_from, v.date_to, count(*)
         from %s as r
         left join raw.tenants as t on t.tenant_id = r.tenant_id
         cross join %s as v (date_from, date_to)
         group by r.tenant_id, %s, v.date_from, v.date_to',
        tg_table_name, lower(tg_op), entity_of, rows_of, days, entity_of
    );
    return null;
end
$$;

create function raw.record_tenant_changes() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op in ('UPDATE', 'DELETE') then
        insert into raw.changes (tenant_id, table_name, op, row_count)
        select r.tenant_id, tg_table_name, lower(tg_op), 1 from old_rows as r;
    end if;
    if tg_op = 'INSERT' then
        insert into raw.changes (tenant_id, table_name, op, row_count)
        select r.tenant_id, tg_table_name, lower(tg_op), 1 from new_rows as r;
    end if;
    return null;
end
$$;

create function raw.record_rate_changes() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op in ('UPDATE', 'DELETE') then
        insert into raw.changes (table_name, op, entity, date_from, date_to, row_count)
        select tg_table_name, lower(tg_op), r.currency, r.rate_date, r.rate_date, 1 from old_rows as r;
    end if;
    if tg_op in ('INSERT', 'UPDATE') then
        insert into raw.changes (table_name, op, entity, date_from, date_to, row_count)
        select tg_table_name, lower(tg_op), r.currency, r.rate_date, r.rate_date, 1 from new_rows as r;
    end if;
    return null;
end
$$;

create function raw.record_truncate() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into raw.changes (table_name, op, row_count) values (tg_table_name, 'truncate', 0);
    return null;
end
$$;

-- A tenant's clock and money decide every day and figure: refused at the door, also from other tools.
create function raw.check_tenant() returns trigger
language plpgsql as $$
begin
    if not raw.is_timezone(new.timezone) then
        raise exception 'raw.tenants: tenant "%" has the timezone "%", which PostgreSQL does not know',
            new.tenant_id, new.timezone
            using errcode = 'check_violation', column = 'timezone', table = 'tenants', schema = 'raw',
            hint = 'Give an IANA name such as Europe/Lisbon.';
    end if;
    if new.currency !~ '^[A-Z]{3}$' then
        raise exception 'raw.tenants: tenant "%" has the currency "%", which is no ISO 4217 code',
            new.tenant_id, new.currency
            using errcode = 'check_violation', column = 'currency', table = 'tenants', schema = 'raw',
            hint = 'Give three capital letters such as EUR.';
    end if;
    return new;
end
$$;
create trigger check_tenant before insert or update of timezone, currency on raw.tenants
    for each row execute function raw.check_tenant();

create function raw.check_branch() returns trigger
language plpgsql as $$
begin
    if new.timezone is not null and not raw.is_timezone(new.timezone) then
        raise exception 'raw.branches: branch "%" of tenant "%" has the timezone "%", which PostgreSQL does not know',
            new.branch_id, new.tenant_id, new.timezone
            using errcode = 'check_violation', column = 'timezone', table = 'branches', schema = 'raw',
            hint = 'Give an IANA name such as Europe/Lisbon, or leave it empty for the tenant''s.';
    end if;
    return new;
end
$$;
create trigger check_branch before insert or update of timezone on raw.branches
    for each row execute function raw.check_branch();

-- Where the source keeps no history, an update of a subscription's terms becomes a change. The terms before
-- the first update are written too: they held from the start.
create function raw.keep_subscription_history() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    with changed as (
        select
            o.tenant_id, o.subscription_id, o.started_at,
            coalesce(n.updated_at, n.loaded_at) as changed_at,
            o as old_row, n as new_row
        from old_rows as o
        join new_rows as n on n.tenant_id = o.tenant_id and n.subscription_id = o.subscription_id
        where (o.plan, o.status, o.quantity, o.unit_amount, o.currency, o.billing_interval, o.interval_count,
               o.forever_discount_percent)
            is distinct from (n.plan, n.status, n.quantity, n.unit_amount, n.currency, n.billing_interval,
               n.interval_count, n.forever_discount_percent)
            and not exists (
                select from raw.subscription_changes as c
                where c.tenant_id = o.tenant_id and c.subscription_id = o.subscription_id
                    and c.change_id not like 'auto:%'
            )
    ),
    terms as (
        select tenant_id, subscription_id, 'auto:' || subscription_id || ':first' as change_id,
            least(started_at, changed_at) as changed_at, old_row as r
        from changed
        where not exists (
            select from raw.subscription_changes as c
            where c.tenant_id = changed.tenant_id and c.subscription_id = changed.subscription_id
        )
        union all
        select tenant_id, subscription_id,
            'auto:' || subscription_id || ':' || to_char(changed_at at time zone 'UTC', 'YYYYMMDD"T"HH24MISSUS'),
            changed_at, new_row
        from changed
    )
    insert into raw.subscription_changes as c (
        tenant_id, change_id, subscription_id, changed_at, plan, status, quantity, unit_amount, currency,
        billing_interval, interval_count, forever_discount_percent
    )
    select
        tenant_id, change_id, subscription_id, changed_at, (r).plan, (r).status, (r).quantity, (r).unit_amount,
        (r).currency, (r).billing_interval, (r).interval_count, (r).forever_discount_percent
    from terms
    on conflict (tenant_id, change_id) do update set
        plan = excluded.plan, status = excluded.status, quantity = excluded.quantity,
        unit_amount = excluded.unit_amount, currency = excluded.currency,
        billing_interval = excluded.billing_interval, interval_count = excluded.interval_count,
        forever_discount_percent = excluded.forever_discount_percent, loaded_at = clock_timestamp();
    return null;
end
$$;
create trigger keep_history after update on raw.subscriptions
    referencing old table as old_rows new table as new_rows
    for each statement execute function raw.keep_subscription_history();

create trigger changes_insert after insert on raw.tenants
    referencing new table as new_rows for each statement execute function raw.record_tenant_changes();
create trigger changes_update after update on raw.tenants
    referencing old table as old_rows new table as new_rows for each statement execute function raw.record_tenant_changes();
create trigger changes_delete after delete on raw.tenants
    referencing old table as old_rows for each statement execute function raw.record_tenant_changes();
create trigger changes_truncate after truncate on raw.tenants
    for each statement execute function raw.record_truncate();

create trigger changes_insert after insert on raw.branches
    referencing new table as new_rows for each statement execute function raw.record_changes('', '', '0');
create trigger changes_update after update on raw.branches
    referencing old table as old_rows new table as new_rows for each statement execute function raw.record_changes('', '', '0');
create trigger changes_delete after delete on raw.branches
    referencing old table as old_rows for each statement execute function raw.record_changes('', '', '0');
create trigger changes_truncate after truncate on raw.branches
    for each statement execute function raw.record_truncate();

create trigger changes_insert after insert on raw.staff
    referencing new table as new_rows for each statement execute function raw.record_changes('', '', '0');
create trigger changes_update after update on raw.staff
    referencing old table as old_rows new table as new_rows for each statement execute function raw.record_changes('', '', '0');
create trigger changes_delete after delete on raw.staff
    referencing old table as old_rows for each statement execute function raw.record_changes('', '', '0');
create trigger changes_truncate after truncate on raw.staff
    for each statement execute function raw.record_truncate();

create trigger changes_insert after insert on raw.customers
    referencing new table as new_rows for each statement execute function raw.record_changes('customer_id', '', '0');
create trigger changes_update after update on raw.customers
    referencing old table as old_rows new table as new_rows for each statement execute function raw.record_changes('customer_id', '', '0');
create trigger changes_delete after delete on raw.customers
    referencing old table as old_rows for each statement execute function raw.record_changes('customer_id', '', '0');
create trigger changes_truncate after truncate on raw.customers
    for each statement execute function raw.record_truncate();

create trigger changes_insert after insert on raw.parties
    referencing new table as new_rows for each statement execute function raw.record_changes('', '', '0');
create trigger changes_update after update on raw.parties
    referencing old table as old_rows new table as new_rows for each statement execute function raw.record_changes('', '', '0');
create trigger changes_delete after delete on raw.parties
    referencing old table as old_rows for each statement execute function raw.record_changes('', '', '0');
create trigger changes_truncate after truncate on raw.parties
    for each statement execute function raw.record_truncate();

create trigger changes_insert after insert on raw.users
    referencing new table as new_rows for each statement execute function raw.record_changes('user_id', 'signed_up_at', '0');
create trigger changes_update after update on raw.users
    referencing old table as old_rows new table as new_rows for each statement execute function raw.record_changes('user_id', 'signed_up_at', '0');
create trigger changes_delete after delete on raw.users
    referencing old table as old_rows for each statement execute function raw.record_changes('user_id', 'signed_up_at', '0');
create trigger changes_truncate after truncate on raw.users
    for each statement execute function raw.record_truncate();

create trigger changes_insert after insert on raw.sessions
    referencing new table as new_rows for each statement execute function raw.record_changes('', 'started_at', '0');
create trigger changes_update after update on raw.sessions
    referencing old table as old_rows new table as new_rows for each statement execute function raw.record_changes('', 'started_at', '0');
create trigger changes_delete after delete on raw.sessions
    referencing old table as old_rows for each statement execute function raw.record_changes('', 'started_at', '0');
create trigger changes_truncate after truncate on raw.sessions
    for each statement execute function raw.record_truncate();

create trigger changes_insert after insert on raw.activation_events
    referencing new table as new_rows for each statement execute function raw.record_changes('user_id', 'occurred_at', '0');
create trigger changes_update after update on raw.activation_events
    referencing old table as old_rows new table as new_rows for each statement execute function raw.record_changes('user_id', 'occurred_at', '0');
create trigger changes_delete after delete on raw.activation_events
    referencing old table as old_rows for each statement execute function raw.record_changes('user_id', 'occurred_at', '0');
create trigger changes_truncate after truncate on raw.activation_events
    for each statement execute function raw.record_truncate();

create trigger changes_insert after insert on raw.jobs
    referencing new table as new_rows for each statement execute function raw.record_changes('', 'started_at', '0');
create trigger changes_update after update on raw.jobs
    referencing old table as old_rows new table as new_rows for each statement execute function raw.record_changes('', 'started_at', '0');
create trigger changes_delete after delete on raw.jobs
    referencing old table as old_rows for each statement execute function raw.record_changes('', 'started_at', '0');
create trigger changes_truncate after truncate on raw.jobs
    for each statement execute function raw.record_truncate();

create trigger changes_insert after insert on raw.leads
    referencing new table as new_rows for each statement execute function raw.record_changes('lead_id', '', '0');
create trigger changes_update after update on raw.leads
    referencing old table as old_rows new table as new_rows for each statement execute function raw.record_changes('lead_id', '', '0');
create trigger changes_delete after delete on raw.leads
    referencing old table as old_rows for each statement execute function raw.record_changes('lead_id', '', '0');
create trigger changes_truncate after truncate on raw.leads
    for each statement execute function raw.record_truncate();

create trigger changes_insert after insert on raw.lead_status_changes
    referencing new table as new_rows for each statement execute function raw.record_changes('lead_id', '', '0');
create trigger changes_update after update on raw.lead_status_changes
    referencing old table as old_rows new table as new_rows for each statement execute function raw.record_changes('lead_id', '', '0');
create trigger changes_delete after delete on raw.lead_status_changes
    referencing old table as old_rows for each statement execute function raw.record_changes('lead_id', '', '0');
create trigger changes_truncate after truncate on raw.lead_status_changes
    for each statement execute function raw.record_truncate();

create trigger changes_insert after insert on raw.calls
    referencing new table as new_rows for each statement execute function raw.record_changes('', 'started_at', '0');
create trigger changes_update after update on raw.calls
    referencing old table as old_rows new table as new_rows for each statement execute function raw.record_changes('', 'started_at', '0');
create trigger changes_delete after delete on raw.calls
    referencing old table as old_rows for each statement execute function raw.record_changes('', 'started_at', '0');
create trigger changes_truncate after truncate on raw.calls
    for each statement execute function raw.record_truncate();

create trigger changes_insert after insert on raw.subscriptions
    referencing new table as new_rows for each statement execute function raw.record_changes('customer_id', '', '0');
create trigger changes_update after update on raw.subscriptions
    referencing old table as old_rows new table as new_rows for each statement execute function raw.record_changes('customer_id', '', '0');
create trigger changes_delete after delete on raw.subscriptions
    referencing old table as old_rows for each statement execute function raw.record_changes('customer_id', '', '0');
create trigger changes_truncate after truncate on raw.subscriptions
    for each statement execute function raw.record_truncate();

create trigger changes_insert after insert on raw.subscription_changes
    referencing new table as new_rows for each statement execute function raw.record_changes('subscription_id', '', '0');
create trigger changes_update after update on raw.subscription_changes
    referencing old table as old_rows new table as new_rows for each statement execute function raw.record_changes('subscription_id', '', '0');
create trigger changes_delete after delete on raw.subscription_changes
    referencing old table as old_rows for each statement execute function raw.record_changes('subscription_id', '', '0');
create trigger changes_truncate after truncate on raw.subscription_changes
    for each statement execute function raw.record_truncate();

create trigger changes_insert after insert on raw.invoices
    referencing new table as new_rows for each statement execute function raw.record_changes('', 'issued_at paid_at', '0');
create trigger changes_update after update on raw.invoices
    referencing old table as old_rows new table as new_rows for each statement execute function raw.record_changes('', 'issued_at paid_at', '0');
create trigger changes_delete after delete on raw.invoices
    referencing old table as old_rows for each statement execute function raw.record_changes('', 'issued_at paid_at', '0');
create trigger changes_truncate after truncate on raw.invoices
    for each statement execute function raw.record_truncate();

create trigger changes_insert after insert on raw.payments
    referencing new table as new_rows for each statement execute function raw.record_changes('invoice_id', 'attempted_at', '0');
create trigger changes_update after update on raw.payments
    referencing old table as old_rows new table as new_rows for each statement execute function raw.record_changes('invoice_id', 'attempted_at', '0');
create trigger changes_delete after delete on raw.payments
    referencing old table as old_rows for each statement execute function raw.record_changes('invoice_id', 'attempted_at', '0');
create trigger changes_truncate after truncate on raw.payments
    for each statement execute function raw.record_truncate();

create trigger changes_insert after insert on raw.collaborations
    referencing new table as new_rows for each statement execute function raw.record_changes('', 'created_at last_activity_at', '29');
create trigger changes_update after update on raw.collaborations
    referencing old table as old_rows new table as new_rows for each statement execute function raw.record_changes('', 'created_at last_activity_at', '29');
create trigger changes_delete after delete on raw.collaborations
    referencing old table as old_rows for each statement execute function raw.record_changes('', 'created_at last_activity_at', '29');
create trigger changes_truncate after truncate on raw.collaborations
    for each statement execute function raw.record_truncate();

create trigger changes_insert after insert on raw.satisfaction_scores
    referencing new table as new_rows for each statement execute function raw.record_changes('', 'scored_at', '0');
create trigger changes_update after update on raw.satisfaction_scores
    referencing old table as old_rows new table as new_rows for each statement execute function raw.record_changes('', 'scored_at', '0');
create trigger changes_delete after delete on raw.satisfaction_scores
    referencing old table as old_rows for each statement execute function raw.record_changes('', 'scored_at', '0');
create trigger changes_truncate after truncate on raw.satisfaction_scores
    for each statement execute function raw.record_truncate();

create trigger changes_insert after insert on raw.api_requests
    referencing new table as new_rows for each statement execute function raw.record_changes('', 'requested_at', '0');
create trigger changes_update after update on raw.api_requests
    referencing old table as old_rows new table as new_rows for each statement execute function raw.record_changes('', 'requested_at', '0');
create trigger changes_delete after delete on raw.api_requests
    referencing old table as old_rows for each statement execute function raw.record_changes('', 'requested_at', '0');
create trigger changes_truncate after truncate on raw.api_requests
    for each statement execute function raw.record_truncate();

create trigger changes_insert after insert on raw.health_checks
    referencing new table as new_rows for each statement execute function raw.record_changes('', 'checked_at', '0');
create trigger changes_update after update on raw.health_checks
    referencing old table as old_rows new table as new_rows for each statement execute function raw.record_changes('', 'checked_at', '0');
create trigger changes_delete after delete on raw.health_checks
    referencing old table as old_rows for each statement execute function raw.record_changes('', 'checked_at', '0');
create trigger changes_truncate after truncate on raw.health_checks
    for each statement execute function raw.record_truncate();

create trigger changes_insert after insert on raw.marketing_spend
    referencing new table as new_rows for each statement execute function raw.record_changes('', 'spend_date', '0');
create trigger changes_update after update on raw.marketing_spend
    referencing old table as old_rows new table as new_rows for each statement execute function raw.record_changes('', 'spend_date', '0');
create trigger changes_delete after delete on raw.marketing_spend
    referencing old table as old_rows for each statement execute function raw.record_changes('', 'spend_date', '0');
create trigger changes_truncate after truncate on raw.marketing_spend
    for each statement execute function raw.record_truncate();

create trigger changes_insert after insert on raw.finance_inputs
    referencing new table as new_rows for each statement execute function raw.record_changes('', 'month', '0');
create trigger changes_update after update on raw.finance_inputs
    referencing old table as old_rows new table as new_rows for each statement execute function raw.record_changes('', 'month', '0');
create trigger changes_delete after delete on raw.finance_inputs
    referencing old table as old_rows for each statement execute function raw.record_changes('', 'month', '0');
create trigger changes_truncate after truncate on raw.finance_inputs
    for each statement execute function raw.record_truncate();

create trigger changes_insert after insert on raw.exchange_rates
    referencing new table as new_rows for each statement execute function raw.record_rate_changes();
create trigger changes_update after update on raw.exchange_rates
    referencing old table as old_rows new table as new_rows for each statement execute function raw.record_rate_changes();
create trigger changes_delete after delete on raw.exchange_rates
    referencing old table as old_rows for each statement execute function raw.record_rate_changes();
create trigger changes_truncate after truncate on raw.exchange_rates
    for each statement execute function raw.record_truncate();
