-- The last activity of a collaboration moves with each message. What that changes are the hours of the day of its
-- creation, and the days between the old and the new end of the stretch in which its pair is active; not, as was
-- recorded before, all days since the creation.
-- Frozen with migration 0008: later changes come in later migrations.

create function raw.record_collaboration_updates() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into raw.changes (
        tenant_id, table_name, op, date_from, date_to, row_count, net_rows, net_tombstones, newest_loaded_at
    )
    with rows_before as (
        select
            *,
            (created_at at time zone zone)::date as created,
            greatest((created_at at time zone zone)::date, (last_activity_at at time zone zone)::date) as last_day
        from (
            select o.*, coalesce(t.timezone, 'UTC') as zone
            from old_rows as o
            left join raw.tenants as t on t.tenant_id = o.tenant_id
        ) as in_zone
    ),
    rows_after as (
        select
            *,
            (created_at at time zone zone)::date as created,
            greatest((created_at at time zone zone)::date, (last_activity_at at time zone zone)::date) as last_day
        from (
            select n.*, coalesce(t.timezone, 'UTC') as zone
            from new_rows as n
            left join raw.tenants as t on t.tenant_id = n.tenant_id
        ) as in_zone
    ),
    updated as (
        select
            coalesce(n.tenant_id, o.tenant_id) as tenant_id,
            o.created as old_created,
            o.last_day as old_last_day,
            n.created as new_created,
            n.last_day as new_last_day,
            (n.tenant_id is not null)::integer - (o.tenant_id is not null)::integer as net_row,
            (n.deleted_at is not null)::integer - (o.deleted_at is not null)::integer as net_tombstone,
            n.loaded_at,
            -- An activity at or after the last build's as_of did not count yet: its days are not known here.
            (o.client_id, o.vendor1_id, o.vendor2_id, o.collaboration_type, o.created_at, o.deleted_at)
            is not distinct from
            (n.client_id, n.vendor1_id, n.vendor2_id, n.collaboration_type, n.created_at, n.deleted_at)
            and coalesce(greatest(o.last_activity_at, n.last_activity_at) < b.as_of, false) as is_activity_only
        from rows_before as o
        full join rows_after as n on n.tenant_id = o.tenant_id and n.collaboration_id = o.collaboration_id
        left join build.tenants as b on b.tenant_id = coalesce(n.tenant_id, o.tenant_id)
    )
    select
        u.tenant_id, tg_table_name, 'update', v.date_from, v.date_to, count(*),
        coalesce(sum(u.net_row) filter (where v.is_first), 0),
        coalesce(sum(u.net_tombstone) filter (where v.is_first), 0),
        max(u.loaded_at)
    from updated as u
    cross join lateral (
        select u.new_created, u.new_created, true
        where u.is_activity_only
        union all
        select least(u.old_last_day, u.new_last_day) + 30, greatest(u.old_last_day, u.new_last_day) + 29, false
        where u.is_activity_only and u.old_last_day <> u.new_last_day
        union all
        select u.old_created, u.old_last_day + 29, u.new_created is null
        where not u.is_activity_only and u.old_created is not null
        union all
        select u.new_created, u.new_last_day + 29, true
        where not u.is_activity_only and u.new_created is not null
    ) as v (date_from, date_to, is_first)
    group by u.tenant_id, v.date_from, v.date_to;
    return null;
end
$$;

create or replace trigger changes_update after update on raw.collaborations
    referencing old table as old_rows new table as new_rows
    for each statement execute function raw.record_collaboration_updates();

create index collaborations_by_activity on raw.collaborations (tenant_id, last_activity_at);
