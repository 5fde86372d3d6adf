"""Figures that were published, and those that a build restated: what `metricpress restatements` lists.

Belongs here: what a completing build keeps, in its own transaction. Does not belong here: telling people
(orchestration/figures/restatements.py).

Published is every figure of a month that a build has closed, and every figure of the tenant as a whole that a
delivered report shows. The cost follows the periods that changed: metric_timeseries logs them.
"""

from __future__ import annotations

from uuid import UUID

import psycopg

#: A month is published by the first build that finds it ended; history that is older than that never was.
_CLOSE_MONTHS = """
    insert into reporting.published_figures (tenant_id, grain, period_start, metric, value, closed_by_build)
    select series.tenant_id, 'month', series.period_start, series.metric, series.value, %(build)s
    from build.tenants as tenants
    cross join lateral (
        select max(p.period_start) as period_start
        from reporting.published_figures as p
        where p.tenant_id = tenants.tenant_id and p.grain = 'month' and p.closed_by_build is not null
    ) as last
    join marts.metric_timeseries as series
        on
            series.tenant_id = tenants.tenant_id
            and series.grain = 'month'
            and series.period_start > coalesce(last.period_start, '-infinity')
            and series.is_complete
            and series.dimension = 'all'
    where
        tenants.in_build
        and not tenants.is_removed
        -- The last month that has ended is kept already, most of the time.
        and coalesce(last.period_start, '-infinity')
            < (date_trunc('month', (tenants.complete_date + 1)::timestamp) - interval '1 month')::date
    on conflict (tenant_id, grain, period_start, metric) do update
        set closed_by_build = excluded.closed_by_build
"""

#: Figures by a metric's name in a report on the tenant as a whole; others are of a branch, an hour, a person.
_PUBLISH_REPORTS = """
    create temporary table newly_published on commit drop as
    with shown as (
        select distinct on (o.tenant_id, s.frequency, o.report_period_start, figures.key)
            o.tenant_id,
            case s.frequency when 'daily' then 'day' when 'weekly' then 'week' else 'month' end as grain,
            o.report_period_start as period_start,
            figures.key as metric,
            (figures.value #>> '{}')::numeric as value
        from build.tenants as tenants
        join reporting.report_deliveries as d
            on
                d.tenant_id = tenants.tenant_id
                and d.delivery_status = 'sent'
                and d.delivered_at >= %(since)s
        join reporting.report_occurrences as o
            on o.tenant_id = d.tenant_id and o.occurrence_id = d.occurrence_id
        join reporting.report_subscriptions as s
            on s.tenant_id = o.tenant_id and s.subscription_id = o.subscription_id and s.branch_id is null
        cross join lateral jsonb_each(d.report_data) as figures
        join marts.metric_catalogue as catalogue on catalogue.metric = figures.key
        where tenants.in_build and s.report = any(%(reports)s)
        order by o.tenant_id, s.frequency, o.report_period_start, figures.key, d.delivered_at desc
    ),
    added as (
        insert into reporting.published_figures (tenant_id, grain, period_start, metric, value)
        select tenant_id, grain, period_start, metric, value from shown
        on conflict (tenant_id, grain, period_start, metric) do nothing
        returning tenant_id, grain, period_start, metric
    )
    select tenant_id, grain, period_start, metric from added
"""

_RESTATE = """
    with looked_at as (
        select p.tenant_id, p.grain, p.period_start, p.metric, p.value
        from (
            select distinct changed.tenant_id, changed.metric_date as period_start
            from build.changed_days as changed
            join build.tenants as tenants using (tenant_id)
            where changed.model = 'metric_timeseries' and tenants.in_build and not %(everything)s
        ) as days
        cross join (values ('day'), ('week'), ('month')) as grains (grain)
        join reporting.published_figures as p using (tenant_id, grain, period_start)
        union
        select p.tenant_id, p.grain, p.period_start, p.metric, p.value
        from newly_published join reporting.published_figures as p
            using (tenant_id, grain, period_start, metric)
        union
        select p.tenant_id, p.grain, p.period_start, p.metric, p.value
        from reporting.published_figures as p
        join build.tenants as tenants using (tenant_id)
        where %(everything)s and tenants.in_build
    ),
    restated as (
        update reporting.published_figures as p
        set value = series.value
        from looked_at
        join build.tenants as tenants
            on
                tenants.tenant_id = looked_at.tenant_id
                -- Built as of an earlier day, the marts do not know the later periods: nothing is restated.
                and tenants.complete_date >= case looked_at.grain
                    when 'day' then looked_at.period_start
                    when 'week' then looked_at.period_start + 6
                    else (looked_at.period_start + interval '1 month')::date - 1
                end
        left join marts.metric_timeseries as series
            on
                series.tenant_id = looked_at.tenant_id
                and series.metric = looked_at.metric
                and series.grain = looked_at.grain
                and series.period_start = looked_at.period_start
                and series.dimension = 'all'
                and series.dimension_value = 'all'
        where
            p.tenant_id = looked_at.tenant_id
            and p.grain = looked_at.grain
            and p.period_start = looked_at.period_start
            and p.metric = looked_at.metric
            and looked_at.value is distinct from series.value
        returning
            p.tenant_id, p.metric, p.grain, p.period_start, looked_at.value as old_value,
            p.value as new_value
    ),
    recorded as (
        insert into reporting.restatements (
            tenant_id, build_id, metric, grain, period_start, old_value, new_value, restated_at
        )
        select tenant_id, %(build)s, metric, grain, period_start, old_value, new_value, now() from restated
        returning tenant_id
    )
    insert into reporting.restatement_causes (tenant_id, build_id, table_name, load_id)
    select tenants.tenant_id, %(build)s, causes.table_name, causes.load_id
    from (select distinct tenant_id from recorded) as tenants
    cross join lateral (
        select consumed.table_name, consumed.load_id
        from build.consumed_loads as consumed
        where consumed.tenant_id = tenants.tenant_id
        union all
        select '(models)', null where %(new_models)s
    ) as causes
"""

#: Reports whose figures carry the names of metrics; the others name figures of their own alike.
_REPORTS = ["executive"]


def record_published(conn: psycopg.Connection, build_id: UUID) -> None:
    """Keep what this build publishes and restates. Called while its logs and plan still stand.

    The first build finds nothing published: whatever history it makes restates nothing.
    """
    there = conn.execute(
        "select to_regclass('marts.metric_timeseries') is not null "
        "and to_regclass('marts.metric_catalogue') is not null"
    ).fetchone()
    if there != (True,):
        return
    since, everything, new_models = _since_last_build(conn, build_id)
    values = {
        "build": build_id,
        "since": since,
        "everything": everything,
        "new_models": new_models,
        "reports": _REPORTS,
    }
    conn.execute(_PUBLISH_REPORTS, values)
    conn.execute(_RESTATE, values)
    conn.execute(_CLOSE_MONTHS, values)


def _since_last_build(conn: psycopg.Connection, build_id: UUID) -> tuple[object, bool, bool]:
    """When the last complete build began; whether figures may have changed unlogged; whether models did.

    A full refresh makes the tables anew and logs no days, also one that failed on the way.
    """
    row = conn.execute(
        """
        with last as (
            select started_at, project_hash from build.builds
            where status = 'complete' order by started_at desc limit 1
        )
        select
            coalesce(max(last.started_at), '1900-01-01'::timestamptz),
            coalesce(bool_or(builds.full_refresh), false),
            coalesce(bool_or(builds.project_hash <> last.project_hash), false)
        from build.builds as builds
        left join last on true
        where builds.started_at > coalesce(last.started_at, '-infinity') or builds.build_id = %s
        """,
        (build_id,),
    ).fetchone()
    assert row is not None
    return row[0], row[1], row[2]
