"""Dirt that no recorded change tells of: the clock that moves on, and the ledger of deliveries.

Belongs here: which days and entities a later as_of touches, and on which days the ledger is not as its mart
tells. Does not belong here: recorded changes (dirt.py) and the tenants' clocks (plan.py).

Every function works in the transaction of the plan, on the temporary tables of dirt.py.
"""

from __future__ import annotations

import psycopg

from orchestration.marts.derived import ENTITIES_BY_CLOCK, run_when_built
from orchestration.marts.dirt import DOMAINS

#: Domains in which a day that has ended stays as it is when the clock moves on: none tells is_complete.
DOMAINS_OF_OPEN_DAYS = ("activity", "activity_window")

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
