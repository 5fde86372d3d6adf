"""How recorded changes become dirt: spans of days and entities that a build has to repair.

Belongs here: which tables touch which days and entities, directly or through what an earlier build derived.
Does not belong here: dirt that no recorded change tells of (unrecorded.py), the tenants' clocks (plan.py) and
what models do with the dirt (dbt_project/).

Every function works in the transaction of the plan, on its temporary tables: next_tenants (clocks of this
build), taken (changes), spans (days, not yet merged).
"""

from __future__ import annotations

from datetime import date

import psycopg

from orchestration.errors import MetricpressError
from orchestration.marts.derived import (
    DAYS_OF_RATES,
    ENTITIES_OF_DIRTY_TENANTS,
    SPREAD_THROUGH_MODELS,
    run_when_built,
)
from orchestration.marts.raw_rows import NO_TENANT

#: Any day of any tenant, and the bounds raw tables accept.
FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)

#: Raw table -> domains whose days its changes dirty.
DOMAINS_OF_TABLE = {
    "sessions": ("activity", "activity_window"),
    "users": ("users",),
    "activation_events": ("users",),
    "jobs": ("jobs",),
    "leads": ("leads",),
    "lead_status_changes": ("leads",),
    "calls": ("calls", "calls_branch"),
    "collaborations": ("collaboration",),
    "satisfaction_scores": ("satisfaction",),
    "customers": ("revenue",),
    "subscriptions": ("revenue",),
    "subscription_changes": ("revenue",),
    "exchange_rates": ("revenue", "billing", "spend"),
    "invoices": ("billing",),
    "payments": ("billing",),
    "marketing_spend": ("spend",),
    "finance_inputs": ("finance",),
    "api_requests": ("operations",),
    "health_checks": ("operations",),
    "parties": ("platform",),
    "staff": ("platform",),
    "metric_targets": ("platform",),
}
#: usage: days on which reports were due whose ledger changed.
#: revenue_days: days of revenue that no model's change tells of (whole tenants, forced days, the clock).
DOMAINS = tuple(
    sorted(
        {d for domains in DOMAINS_OF_TABLE.values() for d in domains}
        | {"platform", "portfolio", "revenue_days", "clock", "usage"}
    )
)

#: Raw table -> kind of entity its changes dirty.
KIND_OF_TABLE = {
    "users": "user",
    "activation_events": "user",
    "leads": "lead",
    "lead_status_changes": "lead",
    "customers": "customer",
    "subscriptions": "customer",
    "subscription_changes": "subscription",
}
#: Tables whose change touches everything of the tenant.
WHOLE_TENANT_TABLES = ("branches",)


def take_changes(conn: psycopg.Connection, tenant: str | None) -> None:
    """Changes that name no tenant (rates, truncate) concern all: whatever build comes first takes them."""
    conn.execute(
        """
        create temporary table taken on commit drop as
        with gone as (
            delete from raw.changes
            where %(tenant)s::text is null or tenant_id is null or tenant_id = %(tenant)s
            returning
                xid, tenant_id, table_name, op, entity, date_from, date_to,
                net_rows, net_tombstones, newest_loaded_at
        ),
        consumed as (
            insert into build.consumed_loads (tenant_id, table_name, load_id)
            select distinct coalesce(gone.tenant_id, tenants.tenant_id), gone.table_name, loads.load_id
            from (select distinct xid, tenant_id, table_name from gone) as gone
            left join raw.tenants as tenants on gone.tenant_id is null
            left join raw.loads as loads
                on
                    loads.xid = gone.xid
                    -- An update of subscriptions keeps their history by a trigger.
                    and loads.table_name = case gone.table_name
                        when 'subscription_changes' then 'subscriptions'
                        else gone.table_name
                    end
            where coalesce(gone.tenant_id, tenants.tenant_id) is not null
            on conflict do nothing
        ),
        counted as (
            insert into build.row_counts as c (tenant_id, table_name, raw_rows, tombstones, newest_loaded_at)
            select
                coalesce(tenant_id, %(no_tenant)s), table_name, sum(net_rows), sum(net_tombstones),
                max(newest_loaded_at)
            from gone
            where newest_loaded_at is not null or net_rows <> 0
            group by 1, 2
            on conflict (tenant_id, table_name) do update set
                raw_rows = c.raw_rows + excluded.raw_rows,
                tombstones = c.tombstones + excluded.tombstones,
                newest_loaded_at = greatest(c.newest_loaded_at, excluded.newest_loaded_at)
        )
        select distinct tenant_id, table_name, op, entity, date_from, date_to from gone
        """,
        {"tenant": tenant, "no_tenant": NO_TENANT},
    )
    conn.execute("analyze taken")


def spread_changes(conn: psycopg.Connection, *, models_stand: bool) -> None:
    """Days and entities the taken changes touch, appended to what an unfinished build left."""
    conn.execute("create temporary table spans (tenant_id text, domain text, span daterange) on commit drop")
    conn.execute(
        "create temporary table domains on commit drop as "
        "select * from unnest(%s::text[], %s::text[]) as d (table_name, domain)",
        tuple(
            map(list, zip(*((t, d) for t, ds in DOMAINS_OF_TABLE.items() for d in ds), strict=True)),
        ),
    )
    conn.execute(
        """
        insert into spans
        select
            taken.tenant_id, domains.domain,
            -- The first month of finance decides where a tenant's months begin.
            daterange(
                taken.date_from, case domains.domain when 'finance' then %(last)s else taken.date_to end, '[]'
            )
        from taken join domains using (table_name)
        where taken.tenant_id is not null and taken.date_from is not null
        """,
        {"last": LAST_DAY},
    )
    conn.execute(
        "create temporary table kinds on commit drop as "
        "select * from unnest(%s::text[], %s::text[]) as k (table_name, kind)",
        (list(KIND_OF_TABLE), list(KIND_OF_TABLE.values())),
    )
    conn.execute(
        """
        insert into build.dirty_entities (tenant_id, kind, entity_id)
        select taken.tenant_id, kinds.kind, taken.entity
        from taken join kinds using (table_name)
        where taken.tenant_id is not null and taken.entity is not null
        union
        select taken.tenant_id, 'customer', s.customer_id
        from taken
        join raw.subscriptions as s on s.tenant_id = taken.tenant_id and s.subscription_id = taken.entity
        where taken.table_name = 'subscription_changes'
        union
        select taken.tenant_id, 'subscription', s.subscription_id
        from taken
        join raw.subscriptions as s on s.tenant_id = taken.tenant_id and s.customer_id = taken.entity
        where taken.table_name = 'subscriptions'
        on conflict do nothing
        """
    )
    conn.execute(
        """
        create temporary table touched_rates on commit drop as
        select upper(trim(entity)) as currency, range_agg(daterange(date_from, date_from + 8)) as days
        from taken where table_name = 'exchange_rates' and entity is not null group by 1
        """
    )
    if conn.execute("select exists (select from touched_rates)").fetchone() == (True,):
        conn.execute(DAYS_OF_RATES)
    if models_stand:
        run_when_built(conn, SPREAD_THROUGH_MODELS)
    # Domains without days of their own are dirty as a whole for the tenant.
    conn.execute(
        """
        insert into spans
        select distinct taken.tenant_id, domains.domain, daterange(%(first)s, %(last)s, '[]')
        from taken join domains using (table_name)
        where
            taken.tenant_id is not null
            and (taken.date_from is null or domains.domain in ('revenue', 'users'))
        """,
        {"first": FIRST_DAY, "last": LAST_DAY},
    )


def dirty_tenants(conn: psycopg.Connection, facts: str, *, full_refresh: bool, models_stand: bool) -> None:
    """Tenants that are new, gone, changed in a fact that figures depend on, or truncated: all of theirs."""
    conn.execute(
        f"""
        insert into build.dirty_tenants (tenant_id, reason)
        select
            n.tenant_id,
            case
                when b.tenant_id is null then 'new'
                when n.as_of < b.as_of then 'clock went back'
                else 'settings changed'
            end
        from next_tenants as n
        left join build.tenants as b using (tenant_id)
        where
            b.tenant_id is null or b.is_removed or n.as_of < b.as_of
            or (select row({qualified("n", facts)})) is distinct from (select row({qualified("b", facts)}))
        union
        select tenant_id, table_name || ' changed' from taken
        where tenant_id is not null and table_name = any(%(whole)s)
        union
        select n.tenant_id, 'full refresh' from next_tenants as n where %(full)s
        union
        select t.tenant_id, taken.table_name || ' truncated'
        from taken cross join raw.tenants as t where taken.op = 'truncate'
        on conflict do nothing
        """,
        {"whole": list(WHOLE_TENANT_TABLES), "full": full_refresh},
    )
    # A tenant that is gone from raw.tenants stays until a build has taken its rows away.
    conn.execute(
        """
        insert into build.dirty_tenants (tenant_id, reason)
        select b.tenant_id, 'removed' from build.tenants as b
        where not exists (
            select from raw.tenants as t where t.tenant_id = b.tenant_id and t.deleted_at is null
        )
        on conflict do nothing
        """
    )
    conn.execute(
        """
        insert into spans
        select d.tenant_id, domain, daterange(%(first)s, %(last)s, '[]')
        from build.dirty_tenants as d cross join unnest(%(domains)s::text[]) as domain
        where domain <> 'clock'
        """,
        {"first": FIRST_DAY, "last": LAST_DAY, "domains": list(DOMAINS)},
    )
    conn.execute(
        """
        insert into build.dirty_entities (tenant_id, kind, entity_id)
        select d.tenant_id, 'lead', l.lead_id
        from build.dirty_tenants as d join raw.leads as l using (tenant_id)
        union
        select d.tenant_id, 'user', u.user_id
        from build.dirty_tenants as d join raw.users as u using (tenant_id)
        union
        select d.tenant_id, 'user', e.user_id
        from build.dirty_tenants as d join raw.activation_events as e using (tenant_id)
        union
        select d.tenant_id, 'lead', c.lead_id
        from build.dirty_tenants as d join raw.lead_status_changes as c using (tenant_id)
        where not exists (
            select from raw.leads as l where l.tenant_id = c.tenant_id and l.lead_id = c.lead_id
        )
        union
        select d.tenant_id, 'subscription', c.subscription_id
        from build.dirty_tenants as d join raw.subscription_changes as c using (tenant_id)
        union
        select d.tenant_id, 'customer', s.customer_id
        from build.dirty_tenants as d join raw.subscriptions as s using (tenant_id)
        union
        select d.tenant_id, 'customer', c.customer_id
        from build.dirty_tenants as d join raw.customers as c using (tenant_id)
        on conflict do nothing
        """
    )
    if models_stand:
        run_when_built(conn, ENTITIES_OF_DIRTY_TENANTS)


def force(conn: psycopg.Connection, first: date, last: date) -> None:
    """Days of a partition run or a backfill, in every domain, whether or not rows of theirs changed."""
    if last < first:
        raise MetricpressError(f"The forced days end ({last}) before they begin ({first}).")
    conn.execute(
        """
        insert into spans
        select tenant_id, domain, daterange(%s, %s, '[]')
        from next_tenants cross join unnest(%s::text[]) as domain
        """,
        (first, last, [*DOMAINS, "completed"]),
    )
    conn.execute(
        """
        insert into build.dirty_entities (tenant_id, kind, entity_id)
        select l.tenant_id, 'lead', l.lead_id
        from next_tenants as n
        join raw.leads as l
            on l.tenant_id = n.tenant_id
            and l.created_at >= %(first)s::timestamp at time zone n.timezone
            and l.created_at < (%(last)s::date + 1)::timestamp at time zone n.timezone
        union
        select u.tenant_id, 'user', u.user_id
        from next_tenants as n
        join raw.users as u
            on u.tenant_id = n.tenant_id
            and u.signed_up_at >= %(first)s::timestamp at time zone n.timezone
            and u.signed_up_at < (%(last)s::date + 1)::timestamp at time zone n.timezone
        union
        select s.tenant_id, 'customer', s.customer_id
        from next_tenants as n
        join raw.subscriptions as s using (tenant_id)
        on conflict do nothing
        """,
        {"first": first, "last": last},
    )


def merge_spans(conn: psycopg.Connection) -> None:
    """Widen spans where a figure looks further than its day, then merge with what was left over."""
    # A session counts in every trailing window that reaches its day; a month has up to 31 days.
    conn.execute(
        """
        update spans
        set span = daterange(lower(span), upper(span) - 1 + greatest(t.mau_window_days, 31), '[]')
        from next_tenants as t
        where
            t.tenant_id = spans.tenant_id
            and spans.domain = 'activity_window'
            and upper(span) < date '2199-01-01'
        """
    )
    # A client counts from its first day in a month to the end of it; a pair is active for 29 days at least.
    conn.execute(
        """
        update spans set span = daterange(lower(span), upper(span) + 1)
        where domain = 'collaboration' and upper(span) < date '2199-01-01'
        """
    )
    # Timezones lie up to 26 hours apart: a branch's local day is up to two days from the tenant's.
    conn.execute(
        """
        update spans set span = daterange(lower(span) - 2, upper(span) + 1, '[]')
        where domain = 'calls_branch'
        """
    )
    conn.execute(
        """
        insert into spans
        select tenant_id, domain, daterange(date_from, date_to, '[]') from build.dirty_spans
        """
    )
    # Entities without a dated change still make their domain dirty.
    conn.execute(
        """
        insert into spans
        select distinct e.tenant_id, d.domain, daterange(%(first)s, %(last)s, '[]')
        from build.dirty_entities as e
        join (values ('customer', 'revenue'), ('user', 'users')) as d (kind, domain) using (kind)
        """,
        {"first": FIRST_DAY, "last": LAST_DAY},
    )
    conn.execute("delete from build.dirty_spans")
    conn.execute(
        """
        insert into build.dirty_spans (tenant_id, domain, date_from, date_to)
        select m.tenant_id, m.domain, lower(r), upper(r) - 1
        from (select tenant_id, domain, range_agg(span) as ranges from spans group by 1, 2) as m
        cross join lateral unnest(m.ranges) as r
        """
    )


def qualified(relation: str, facts: str) -> str:
    """The comma-separated column names `facts`, each with the relation in front."""
    return ", ".join(f"{relation}.{fact.strip()}" for fact in facts.split(","))
