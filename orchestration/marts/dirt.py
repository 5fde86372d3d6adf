"""How recorded changes become dirt: spans of days and entities that a build has to repair.

Belongs here: which tables touch which days and entities, directly or through what an earlier build derived.
Does not belong here: the tenants' clocks (plan.py) and what models do with the dirt (dbt_project/).

Every function works in the transaction of the plan, on its temporary tables: next_tenants (clocks of this
build), taken (changes), spans (days, not yet merged).
"""

from __future__ import annotations

from datetime import date

import psycopg

from orchestration.errors import MetricpressError
from orchestration.marts.derived import (
    DAYS_OF_RATES,
    ENTITIES_BY_CLOCK,
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

#: Domains in which a day that has ended stays as it is when the clock moves on: none tells is_complete.
DOMAINS_OF_OPEN_DAYS = ("activity", "activity_window")

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
#: Raw tables of entities whose figures change when the clock passes a moment: table, kind, moments (the
#: latest is indexed, migrations 0001, 0007 and 0009). Of subscriptions a planned end: every other boundary
#: ahead stands in the periods.
ENTITIES_AHEAD = (
    ("leads", "lead", ("created_at", "updated_at", "converted_at")),
    ("lead_status_changes", "lead", ("changed_at",)),
    ("activation_events", "user", ("occurred_at",)),
    ("users", "user", ("signed_up_at",)),
    ("customers", "customer", ("created_at",)),
    ("subscriptions", "customer", ("cancel_at",)),
)
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


def follow_clocks(conn: psycopg.Connection, *, models_stand: bool) -> None:
    """Where as_of moves on: the days between, and rows whose moments lie between."""
    conn.execute(
        """
        create temporary table moved on commit drop as
        select
            n.tenant_id, coalesce(b.as_of, '-infinity') as old_as_of, n.as_of as new_as_of,
            daterange(
                coalesce(least(b.complete_date, n.complete_date), n.as_of_date),
                greatest(b.as_of_date, n.as_of_date), '[]'
            ) as span,
            coalesce(least(b.complete_date, n.complete_date) + 1, n.as_of_date) as first_open_date,
            n.as_of_date, n.complete_date
        from next_tenants as n
        left join build.tenants as b using (tenant_id)
        where b.as_of is distinct from n.as_of
        """
    )
    conn.execute(
        "insert into spans select tenant_id, domain, span from moved cross join unnest(%s::text[]) as domain",
        (sorted(set(DOMAINS) - set(DOMAINS_OF_OPEN_DAYS)),),
    )
    # A session after the old as_of starts on a day that had not ended by then.
    conn.execute(
        """
        insert into spans
        select tenant_id, domain, daterange(first_open_date, as_of_date, '[]')
        from moved cross join unnest(%s::text[]) as domain
        where first_open_date <= as_of_date
        """,
        (list(DOMAINS_OF_OPEN_DAYS),),
    )
    conn.execute(
        """
        insert into spans
        select tenant_id, 'completed', daterange(first_open_date, complete_date, '[]')
        from moved where first_open_date <= complete_date
        """
    )
    # `offset 0`: one look into the index by moment for each tenant; the planner expects a third of the table.
    ahead = " union ".join(
        f"""
        select m.tenant_id, '{kind}', later.{kind}_id
        from moved as m
        cross join lateral (
            select r.{kind}_id from raw.{table} as r
            where r.tenant_id = m.tenant_id and {_latest(moments)} >= m.old_as_of and ({_passed(moments)})
            offset 0
        ) as later
        where isfinite(m.old_as_of)
        """
        for table, kind, moments in ENTITIES_AHEAD
    )
    conn.execute(
        f"insert into build.dirty_entities (tenant_id, kind, entity_id) {ahead} on conflict do nothing"
    )
    # A last activity that was still ahead counts now: in the hours of the day of creation, and its pair stays
    # active for longer.
    conn.execute(
        """
        insert into spans
        select m.tenant_id, 'collaboration', changed.span
        from moved as m
        join next_tenants as n using (tenant_id)
        cross join lateral (
            select r.created_at, r.last_activity_at from raw.collaborations as r
            where r.tenant_id = m.tenant_id and r.last_activity_at >= m.old_as_of
            offset 0
        ) as c
        cross join lateral (
            values (
                (c.created_at at time zone n.timezone)::date,
                (c.last_activity_at at time zone n.timezone)::date
            )
        ) as days (created, last_activity)
        cross join lateral (
            values (daterange(created, created, '[]')), (daterange(created + 30, last_activity + 30))
        ) as changed (span)
        where
            isfinite(m.old_as_of) and c.created_at < c.last_activity_at and not isempty(changed.span)
        """
    )
    # A job counts on the day it started, with the outcome it had by as_of.
    conn.execute(
        """
        insert into spans
        select m.tenant_id, 'jobs', daterange(day, day, '[]')
        from moved as m
        join next_tenants as n using (tenant_id)
        cross join lateral (
            select r.started_at from raw.jobs as r
            where r.tenant_id = m.tenant_id and r.finished_at >= m.old_as_of
            offset 0
        ) as j
        cross join lateral (values ((j.started_at at time zone n.timezone)::date)) as v (day)
        where isfinite(m.old_as_of)
        """
    )
    if models_stand:
        run_when_built(conn, ENTITIES_BY_CLOCK)


def follow_ledger(conn: psycopg.Connection) -> None:
    """Days whose deliveries are not as the mart report_usage tells, where it stands.

    Looked for among what changed since an hour before the last build began, by when every transaction of a
    dispatcher has ended; a checksum of the day then tells whether the mart has it already.
    """
    if conn.execute("select to_regclass('marts.report_usage')").fetchone() == (None,):
        return
    began = conn.execute(
        "select coalesce(max(started_at) - interval '1 hour', '-infinity')::text from build.builds"
        " where status = 'complete' and tenant_id is null"
    ).fetchone()
    assert began is not None
    # As a value of its own, so that the planner sees how little has changed since.
    conn.execute(
        """
        with changed as (
            select o.tenant_id, o.due_at
            from reporting.report_occurrences as o
            where o.updated_at > %(began)s
            union all
            select o.tenant_id, o.due_at
            from reporting.report_deliveries as d
            join reporting.report_occurrences as o using (tenant_id, occurrence_id)
            where d.updated_at > %(began)s
            union all
            select o.tenant_id, o.due_at
            from reporting.report_subscriptions as s
            join reporting.report_occurrences as o using (tenant_id, subscription_id)
            where s.updated_at > %(began)s
        ),
        days as (
            select distinct n.tenant_id, n.timezone, (c.due_at at time zone n.timezone)::date as metric_date
            from changed as c join next_tenants as n using (tenant_id)
        ),
        ledger as (
            select days.tenant_id, days.metric_date, s.report,
                sum(extract(epoch from o.updated_at) + d.checksum) as checksum
            from days
            join reporting.report_occurrences as o
                on o.tenant_id = days.tenant_id
                and o.due_at >= days.metric_date::timestamp at time zone days.timezone
                and o.due_at < (days.metric_date + 1)::timestamp at time zone days.timezone
            join reporting.report_subscriptions as s
                on s.tenant_id = o.tenant_id and s.subscription_id = o.subscription_id
            cross join lateral (
                select coalesce(sum(extract(epoch from d.updated_at)), 0) as checksum
                from reporting.report_deliveries as d
                where d.tenant_id = o.tenant_id and d.occurrence_id = o.occurrence_id
            ) as d
            group by 1, 2, 3
        )
        insert into spans
        select l.tenant_id, 'usage', daterange(l.metric_date, l.metric_date, '[]')
        from ledger as l
        where not exists (
            select from marts.report_usage as u
            where u.tenant_id = l.tenant_id and u.template = l.report and u.metric_date = l.metric_date
                and u.ledger_checksum = l.checksum
        )
        """,
        {"began": began[0]},
    )


def _latest(moments: tuple[str, ...]) -> str:
    """The latest moment of a raw row, written as it is indexed."""
    columns = ", ".join(f"r.{moment}" for moment in moments)
    return columns if len(moments) == 1 else f"greatest({columns})"


def _passed(moments: tuple[str, ...]) -> str:
    """Whether the clock passes one of the moments: most planned ends lie far ahead, night after night."""
    return " or ".join(f"r.{moment} between m.old_as_of and m.new_as_of" for moment in moments)


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
