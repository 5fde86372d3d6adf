"""The rows that figures count: for spans of local days of one tenant, the raw rows that belong to each.

Belongs here: SQL from raw keys, staging and intermediate to rows; every row set looks at the tables the
marts are made of, with the rules of the marts (tombstones out, nothing from as_of on). Does not belong here:
what is counted about the rows (measures.py).

A row set reads `tenant` (one row: clock and settings) and `spans` (day, date_from, date_to, from_at, to_at:
moments of the local days, to_at exclusive and never beyond as_of). It yields `day` (the span's), `key` (of
the raw table, without the tenant) and what measures look at.
"""

from __future__ import annotations

from orchestration.figures.revenue_rows import REVENUE_ROW_SETS, RowSet

SPANS = """
    tenant as materialized (
        select tenant_id, timezone, currency, as_of, as_of_date, complete_date, activation_events
        from build.tenants where tenant_id = %(tenant)s
    ),
    spans as materialized (
        select
            asked.day, asked.date_from, asked.date_to,
            asked.date_from::timestamp at time zone tenant.timezone as from_at,
            least((asked.date_to + 1)::timestamp at time zone tenant.timezone, tenant.as_of) as to_at
        from unnest(%(days)s::date[], %(froms)s::date[], %(tos)s::date[]) as asked (day, date_from, date_to)
        cross join tenant
    )
"""


def _of_span(table: str, staged: str, key: str, moment: str, columns: str) -> RowSet:
    """Rows of a staging view whose moment lies in the span."""
    return RowSet(
        table,
        f"""
        select spans.day, r.{key} as key, {columns}
        from tenant cross join spans
        join staging.{staged} as r
            on r.tenant_id = tenant.tenant_id and r.{moment} >= spans.from_at and r.{moment} < spans.to_at
        """,
    )


#: The first event of a user that took a step; what activates is the tenant's setting.
_FIRST_EVENT = """
    cross join unnest('{activation,file_upload,worklog_creation,report_generation}'::text[]) as s (step)
    cross join lateral (
        select e.event_id
        from staging.stg_users__activation_events as e
        where
            e.tenant_id = u.tenant_id and e.user_id = u.user_id and e.occurred_at < tenant.as_of
            and (
                e.event_type = s.step
                or s.step = 'activation' and e.event_type = any(tenant.activation_events)
            )
        order by e.occurred_at, e.event_id
        limit 1
    ) as e
"""

ROW_SETS: dict[str, RowSet] = {
    **REVENUE_ROW_SETS,
    "sessions": RowSet(
        "sessions",
        """
        select
            spans.day, r.session_id as key, r.user_id,
            coalesce(r.user_type, u.user_type, '(none)') as user_type,
            case when r.duration_seconds >= 0 then r.duration_seconds end as seconds
        from tenant cross join spans
        join staging.stg_activity__sessions as r
            on
                r.tenant_id = tenant.tenant_id
                and r.started_at >= spans.from_at
                and r.started_at < spans.to_at
        left join staging.stg_users__users as u on u.tenant_id = r.tenant_id and u.user_id = r.user_id
        """,
    ),
    "signups": RowSet(
        "users",
        """
        select spans.day, u.user_id as key, u.user_type
        from tenant cross join spans
        join intermediate.int_users__activation as u
            on u.tenant_id = tenant.tenant_id and u.signed_up_date between spans.date_from and spans.date_to
        """,
    ),
    "users_so_far": RowSet(
        "users",
        """
        select spans.day, u.user_id as key, u.user_type
        from tenant cross join spans
        join intermediate.int_users__activation as u
            on u.tenant_id = tenant.tenant_id and u.signed_up_date <= spans.date_to
        """,
    ),
    "steps_of_signups": RowSet(
        "activation_events",
        f"""
        select spans.day, e.event_id as key, u.user_id, s.step
        from tenant cross join spans
        join intermediate.int_users__activation as u
            on u.tenant_id = tenant.tenant_id and u.signed_up_date between spans.date_from and spans.date_to
        {_FIRST_EVENT}
        """,
    ),
    "activations": RowSet(
        "activation_events",
        f"""
        select spans.day, e.event_id as key, u.user_id
        from tenant cross join spans
        join intermediate.int_users__activation as u
            on u.tenant_id = tenant.tenant_id and u.activated_date between spans.date_from and spans.date_to
        {_FIRST_EVENT}
        where s.step = 'activation'
        """,
    ),
    "jobs": RowSet(
        "jobs",
        """
        select
            spans.day, r.job_id as key, known.status,
            case
                when known.status in ('succeeded', 'failed') and r.finished_at >= r.started_at
                    then extract(epoch from r.finished_at - r.started_at)
            end as seconds
        from tenant cross join spans
        join staging.stg_operations__jobs as r
            on
                r.tenant_id = tenant.tenant_id
                and r.started_at >= spans.from_at
                and r.started_at < spans.to_at
        cross join lateral (
            select case when r.finished_at >= tenant.as_of then 'running' else r.status end as status
        ) as known
        """,
    ),
    "new_leads": RowSet(
        "leads",
        """
        select spans.day, l.lead_id as key, l.status, l.is_converted
        from tenant cross join spans
        join intermediate.int_leads__reached as l
            on l.tenant_id = tenant.tenant_id and l.created_date between spans.date_from and spans.date_to
        """,
    ),
    "leads_by_step": RowSet(
        "leads",
        """
        select spans.day, l.lead_id as key, steps.step
        from tenant cross join spans
        join intermediate.int_leads__reached as l on l.tenant_id = tenant.tenant_id
        cross join lateral (
            values ('contacted', l.contacted_date), ('qualified', l.qualified_date),
                ('converted', l.converted_date), ('lost', l.lost_date)
        ) as steps (step, reached_date)
        where steps.reached_date between spans.date_from and spans.date_to
        """,
    ),
    "calls": _of_span(
        "calls", "stg_calls__calls", "call_id", "started_at",
        "r.status, r.outcome, "
        "case when r.status = 'completed' and r.duration_seconds >= 0 then r.duration_seconds end as seconds",
    ),
    "collaborations": RowSet(
        "collaborations",
        """
        select
            day, key, client_id, is_timed,
            -- A client counts once, from its first creation to its last activity: on its first row.
            case
                when is_timed and row_number() over (
                    partition by day, client_id, is_timed order by created_at, key
                ) = 1
                    then extract(
                        epoch from max(last_activity_at) filter (where is_timed) over clients
                        - min(created_at) filter (where is_timed) over clients
                    ) / 3600
            end as hours
        from (
            select
                spans.day, r.collaboration_id as key, r.client_id, r.created_at, known.last_activity_at,
                coalesce(known.last_activity_at >= r.created_at, false) as is_timed
            from tenant cross join spans
            join staging.stg_collaboration__collaborations as r
                on
                    r.tenant_id = tenant.tenant_id
                    and r.created_at >= spans.from_at
                    and r.created_at < spans.to_at
            cross join lateral (
                select case when r.last_activity_at < tenant.as_of then r.last_activity_at end
                    as last_activity_at
            ) as known
        ) as collaborations
        window clients as (partition by day, client_id)
        """,
    ),
    "vendors": RowSet(
        "collaborations",
        """
        select spans.day, r.collaboration_id as key, v.vendor_id
        from tenant cross join spans
        join staging.stg_collaboration__collaborations as r
            on
                r.tenant_id = tenant.tenant_id
                and r.created_at >= spans.from_at
                and r.created_at < spans.to_at
        cross join lateral (values (r.vendor_a_id), (r.vendor_b_id)) as v (vendor_id)
        """,
    ),
    "active_pairs": RowSet(
        "collaborations",
        """
        select spans.day, r.collaboration_id as key, r.vendor_a_id || ' + ' || r.vendor_b_id as pair
        from tenant cross join spans
        join staging.stg_collaboration__collaborations as r
            on
                r.tenant_id = tenant.tenant_id
                and r.created_at < spans.to_at
                and r.vendor_a_id <> r.vendor_b_id
                and greatest(
                    (r.created_at at time zone tenant.timezone)::date,
                    case
                        when r.last_activity_at < tenant.as_of
                            then (r.last_activity_at at time zone tenant.timezone)::date
                    end
                ) + 29 >= spans.date_to
        """,
    ),
    "satisfaction_scores": _of_span(
        "satisfaction_scores", "stg_collaboration__satisfaction_scores", "score_id", "scored_at",
        "case when r.score between 0 and 10 then r.score end as score",
    ),
    "api_requests": _of_span(
        "api_requests", "stg_operations__api_requests", "request_id", "requested_at",
        "r.status_code, case when r.latency_ms >= 0 then r.latency_ms end as latency_ms",
    ),
    "health_checks": _of_span(
        "health_checks", "stg_operations__health_checks", "check_id", "checked_at",
        "r.status, case when r.cpu_load >= 0 then r.cpu_load end as cpu_load",
    ),
}  # fmt: skip
