-- Delivery: holidays, deadlines, notices, requests of people, unsubscribing, and what the audit log tells of them.

alter table reporting.report_subscriptions
    add column holiday_calendar text  -- country or market, with a subdivision after a hyphen: DE, US-NY, XNYS
        constraint report_subscriptions_holiday_calendar_form
        check (holiday_calendar ~ '^[A-Z][A-Z0-9]{1,4}(-.{1,40})?$'),
    add column holiday_rule text
        constraint report_subscriptions_holiday_rule_known check (holiday_rule in ('skip', 'before', 'after')),
    -- What happens at the end of max_lateness while data are missing or do not hold.
    add column when_incomplete text not null default 'notice'
        constraint report_subscriptions_when_incomplete_known check (when_incomplete in ('notice', 'hold')),
    add column owner text,  -- mail address of who is told when a delivery fails for good; NULL: the operator
    -- Dates before it are closed: planned under the calendar before the last edit, or left out by a pause.
    add column open_from date,
    -- ad_hoc: made for one report on demand; never due by itself, not listed.
    add column origin text not null default 'standing'
        constraint report_subscriptions_origin_known check (origin in ('standing', 'ad_hoc')),
    add constraint report_subscriptions_holiday_rule_given
        check ((holiday_calendar is null) = (holiday_rule is null));
-- A name is taken by standing subscriptions only.
drop index reporting.report_subscriptions_name_once;
create unique index report_subscriptions_name_once on reporting.report_subscriptions (tenant_id, name)
    where deleted_at is null and origin = 'standing';

-- When the planner looks at a subscription again: its next due moment, earlier to be safe, `infinity` while it
-- is not active. Beside report_subscriptions, so that planning neither locks nor audits what was ordered.
create table reporting.report_planning (
    tenant_id text not null,
    subscription_id uuid not null,
    next_plan_at timestamptz not null,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    created_by text not null default reporting.actor(),
    primary key (tenant_id, subscription_id),
    foreign key (tenant_id, subscription_id) references reporting.report_subscriptions on delete cascade
);
create index report_planning_next on reporting.report_planning (next_plan_at);
create trigger keep_provenance before update on reporting.report_planning
    for each row execute function reporting.keep_provenance();
grant select, insert, update, delete on reporting.report_planning to metricpress_pipeline;

-- Whatever a calendar is made of, its change has the planner look again. The row lock taken here waits for a
-- planner that is at work on the subscription, so what that one computed from the old calendar does not stay.
create function reporting.plan_subscription_again() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into reporting.report_planning as p (tenant_id, subscription_id, next_plan_at)
    values (
        new.tenant_id, new.subscription_id,
        case when new.is_active and new.deleted_at is null then '-infinity' else 'infinity' end::timestamptz
    )
    on conflict (tenant_id, subscription_id) do update set next_plan_at = excluded.next_plan_at;
    return null;
end
$$;
create trigger plan_again after insert or update on reporting.report_subscriptions
    for each row when (new.origin = 'standing') execute function reporting.plan_subscription_again();
insert into reporting.report_planning (tenant_id, subscription_id, next_plan_at)
select tenant_id, subscription_id,
    case when is_active and deleted_at is null then '-infinity' else 'infinity' end::timestamptz
from reporting.report_subscriptions;

create function reporting.plan_tenant_again() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update reporting.report_planning set next_plan_at = '-infinity'
    where tenant_id = coalesce(new.tenant_id, old.tenant_id) and next_plan_at < 'infinity';
    return null;
end
$$;
create trigger plan_again_insert after insert on raw.tenants
    for each row execute function reporting.plan_tenant_again();
create trigger plan_again_update after update on raw.tenants
    for each row when (
        (old.timezone, old.week_start, old.deleted_at) is distinct from (new.timezone, new.week_start, new.deleted_at)
    ) execute function reporting.plan_tenant_again();
create trigger plan_again_update after update on reporting.tenant_settings
    for each row when (old.clock_stops_at is distinct from new.clock_stops_at)
    execute function reporting.plan_tenant_again();
create trigger plan_again_delete after delete on reporting.tenant_settings
    for each row execute function reporting.plan_tenant_again();

alter table reporting.report_occurrences
    -- Waiting for data and retries end here; what follows then is said by the subscription's when_incomplete.
    add column give_up_at timestamptz,
    add column alerted_at timestamptz,  -- the operator was told that it is not out
    -- Of a report on demand; NULL: as the subscription says.
    add column period_kind text
        constraint report_occurrences_period_kind_known check (period_kind in ('daily', 'weekly', 'monthly', 'range')),
    add column parameters jsonb
        constraint report_occurrences_parameters_object check (jsonb_typeof(parameters) = 'object'),
    add column formats text[]
        constraint report_occurrences_formats_known check (
            cardinality(formats) > 0 and formats <@ '{pdf,html,csv,xlsx,json}'
        ),
    add column branch_id text,
    add column locale text,
    drop constraint report_occurrences_state_known,
    -- notified: the plain notice went out instead of the report; held: the operator decides.
    add constraint report_occurrences_state_known
        check (state in ('pending', 'sent', 'partial', 'failed', 'skipped', 'notified', 'held'));

alter table reporting.report_deliveries
    add column kind text not null default 'report'
        constraint report_deliveries_kind_known check (kind in ('report', 'notice')),
    add column requested_by text,  -- who asked for it by hand; NULL: the schedule
    add column progress jsonb,     -- what is done of a delivery in several steps, so that the rest can follow
    add column render_seconds numeric,
    add column send_seconds numeric,
    add column files_removed_at timestamptz;  -- the tenant's retention time was over

-- An earlier rendering of the same report and data is looked up by its key.
create index report_deliveries_rendering on reporting.report_deliveries (tenant_id, render_key)
    where render_key is not null;

-- The mart report_usage follows what changed, by days on which reports were due.
create index report_occurrences_changed on reporting.report_occurrences (updated_at);
create index report_occurrences_due on reporting.report_occurrences (tenant_id, due_at);
create index report_deliveries_changed on reporting.report_deliveries (updated_at);

-- subscription_id NULL: nothing at all goes to this recipient.
alter table reporting.suppressions
    drop constraint suppressions_pkey,
    add column suppression_id uuid not null default gen_random_uuid(),
    add column subscription_id uuid,
    add column source text not null default 'command'
        constraint suppressions_source_known check (source in ('command', 'bounce', 'gone', 'unsubscribe')),
    add primary key (tenant_id, suppression_id),
    add foreign key (tenant_id, subscription_id) references reporting.report_subscriptions,
    add constraint suppressions_once unique nulls not distinct (tenant_id, recipient, subscription_id);

-- What the operator, or the owner of a subscription, was told: each thing once.
create table reporting.operator_notices (
    notice_id uuid primary key default gen_random_uuid(),
    tenant_id text,  -- NULL: the installation
    kind text not null
        constraint operator_notices_kind_known check (kind in ('summary', 'alert')),
    about text not null,  -- the day of a summary, the key of what an alert is about
    recipient text,       -- owner of the subscription; NULL: the operator
    subject text not null,
    body text not null,
    markup text not null,  -- the same as HTML, without the page around it
    sent_at timestamptz,  -- NULL: not out yet
    attempts integer not null default 0,
    -- Set before a mail goes out, taken back when it surely did not: with sent_at NULL nobody knows.
    attempted_at timestamptz,
    next_attempt_at timestamptz,
    error_message text,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    created_by text not null default reporting.actor(),
    constraint operator_notices_once unique nulls not distinct (kind, about, recipient)
);
create index operator_notices_unsent on reporting.operator_notices (created_at) where sent_at is null;
create trigger keep_provenance before update on reporting.operator_notices
    for each row execute function reporting.keep_provenance();
grant select, insert, update, delete on reporting.operator_notices to metricpress_pipeline;

-- Acts that change no row of a watched table are told by the program that does them.
alter table reporting.audit_log
    drop constraint audit_log_action_known,
    add constraint audit_log_action_known check (
        action in ('insert', 'update', 'delete', 'truncate', 'backfill', 'export', 'grant')
    );
-- Only acts: what tells of a changed row comes from the row's trigger alone.
create function reporting.record_action(tenant text, action text, object_type text, object text, details jsonb)
returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if $2 is null or $2 not in ('backfill', 'export', 'grant') then
        raise exception 'reporting.record_action: "%" is not an act', $2
            using errcode = 'check_violation', hint = 'Acts are backfill, export and grant.';
    end if;
    insert into reporting.audit_log (tenant_id, action, object_type, object, after)
    values ($1, $2, $3, $4, $5);
end
$$;
revoke execute on function reporting.record_action from public;
grant execute on function reporting.record_action to metricpress_pipeline;

-- Whoever may put it on a table of his own could write what he likes.
revoke execute on function reporting.record_audit from public;

-- Rows come from the functions of the log's owner, also where a role was granted too much.
create function reporting.refuse_audit_row() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (
        select from pg_class as c
        join pg_roles as r on r.rolname = current_user
        where c.oid = tg_relid and (r.oid = c.relowner or r.rolsuper)
    ) then
        raise exception 'reporting.audit_log is written by its triggers: "%" may not insert into it', current_user
            using errcode = 'insufficient_privilege', hint = 'Tell of an act by reporting.record_action.';
    end if;
    return null;
end
$$;
create trigger written_by_owner before insert on reporting.audit_log
    for each statement execute function reporting.refuse_audit_row();

create trigger audit after insert on reporting.report_occurrences
    for each row when (new.origin = 'on_demand') execute function reporting.record_audit('occurrence_id');
create trigger audit after insert on reporting.report_deliveries
    for each row when (new.requested_by is not null) execute function reporting.record_audit('delivery_id');
-- A person lets go what was held, or asks for it again.
create trigger audit_request after update on reporting.report_deliveries
    for each row when (
        new.requested_by is distinct from old.requested_by
        or old.delivery_status = 'held' and new.delivery_status in ('pending', 'ready')
    ) execute function reporting.record_audit('delivery_id');
create trigger audit after insert or update or delete on reporting.suppressions
    for each row execute function reporting.record_audit('recipient');
create trigger audit_truncate after truncate on reporting.suppressions
    for each statement execute function reporting.record_audit('recipient');
create trigger audit after insert or update or delete on reporting.installation
    for each row execute function reporting.record_audit('');
create trigger audit_truncate after truncate on reporting.installation
    for each statement execute function reporting.record_audit('');

-- Who may do what: the roles given by migration 0003, and every GRANT and REVOKE in this database from now on.
-- Memberships of roles belong to the server, not to a database: no trigger sees them.
select reporting.record_action(
    null, 'grant', 'role', role_name, jsonb_build_object('to', current_user, 'by', 'migration 0003')
) from unnest(array['metricpress_pipeline', 'metricpress_bi']) as role_name;

create function reporting.record_grant() returns event_trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    -- Only these statements of what was sent: others of it may hold a password.
    statements text := (
        select string_agg(regexp_replace(part[1], '\s+', ' ', 'g'), '; ')
        from regexp_matches(
            current_query(), '(?:^|;)\s*((?:grant|revoke|alter\s+default\s+privileges)\y[^;]*)', 'gi'
        ) as part
    );
begin
    insert into reporting.audit_log (action, object_type, object, after)
    select 'grant', lower(coalesce(c.object_type, c.command_tag)), coalesce(c.object_identity, '*'),
        jsonb_build_object('command', lower(c.command_tag), 'statement', coalesce(statements, 'within a program'))
    from pg_event_trigger_ddl_commands() as c;
end
$$;
do $$
begin
    create event trigger metricpress_grants on ddl_command_end
        when tag in ('GRANT', 'REVOKE', 'ALTER DEFAULT PRIVILEGES')
        execute function reporting.record_grant();
exception when insufficient_privilege then
    -- Only a superuser may; metricpress doctor says that it is missing.
    null;
end
$$;
