-- Tenants' own templates: translations and a note with each version, deletion that keeps the history, and a
-- template asked for with one report on demand.

alter table reporting.report_templates
    -- language -> text of the template -> translation (plural forms: a list)
    add column translations jsonb not null default '{}'
        constraint report_templates_translations_object check (jsonb_typeof(translations) = 'object'),
    add column message text,          -- why the newest version was made
    add column deleted_at timestamptz,  -- a deleted template keeps its versions: reports were made with it
    add constraint report_templates_name_given check (name = btrim(name) and length(name) between 1 and 100),
    add constraint report_templates_content_size check (octet_length(template_content) <= 262144),
    drop constraint report_templates_name_once;
-- A name is taken by templates that are not deleted.
create unique index report_templates_name_once on reporting.report_templates (tenant_id, name)
    nulls not distinct where deleted_at is null;

alter table reporting.report_template_versions
    add column translations jsonb not null default '{}',
    add column message text;

-- A public template is everybody's: only the owner offers, changes and deletes it.
create or replace function reporting.number_template_version() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if not reporting.is_installation_owner()
        and (tg_op <> 'DELETE' and new.is_public or tg_op <> 'INSERT' and old.is_public)
    then
        raise exception 'reporting.report_templates: only the owner of the installation % "%"',
            case when tg_op = 'INSERT' or not old.is_public then 'offers to all tenants' else 'changes the public' end,
            coalesce(new.name, old.name)
            using errcode = 'insufficient_privilege', hint = 'Leave is_public false, or ask the owner.';
    end if;
    if tg_op = 'DELETE' then
        return old;
    end if;
    if tg_op = 'INSERT' then
        new.version := 1;
    else
        new.version := old.version + case
            when (new.template_content, new.parameters_schema, new.translations)
                is distinct from (old.template_content, old.parameters_schema, old.translations) then 1
            else 0
        end;
    end if;
    return new;
end
$$;
create trigger keep_public before delete on reporting.report_templates
    for each row execute function reporting.number_template_version();

create or replace function reporting.keep_template_version() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into reporting.report_template_versions
        (template_id, version, tenant_id, template_content, parameters_schema, translations, message)
    values (
        new.template_id, new.version, new.tenant_id, new.template_content, new.parameters_schema,
        new.translations, new.message
    )
    on conflict (template_id, version) do nothing;
    return null;
end
$$;

-- A template that is deleted, or meant for another report, is nobody's choice any more.
create or replace function reporting.check_subscription_template() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if new.template_id is not null and not exists (
        select from reporting.report_templates as t
        where t.template_id = new.template_id and (t.is_public or t.tenant_id = new.tenant_id)
            and t.deleted_at is null
    ) then
        raise exception 'reporting.%: tenant "%" has no template %', tg_table_name, new.tenant_id, new.template_id
            using errcode = 'foreign_key_violation', hint = 'Choose a template of this tenant or a public one.';
    end if;
    return new;
end
$$;

-- Of a report on demand; NULL: as the subscription says.
alter table reporting.report_occurrences
    add column template_id uuid references reporting.report_templates;
create trigger check_template before insert or update of template_id, tenant_id on reporting.report_occurrences
    for each row when (new.template_id is not null) execute function reporting.check_subscription_template();
