"""The rows that figures count: for spans of local days of one tenant, the raw rows that belong to each.

Belongs here: SQL from raw keys, staging and intermediate to rows; every row set looks at the tables the
marts are made of, with the rules of the marts (tombstones out, nothing from as_of on). Does not belong here:
what is counted about the rows (measures.py).

A row set reads `tenant` (one row: clock and settings) and `spans` (day, date_from, date_to, from_at, to_at:
moments of the local days, to_at exclusive and never beyond as_of). It yields `day` (the span's), `key` (of
the raw table, without the tenant) and what measures look at.
"""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True)
class RowSet:
    """A kind of rows: the raw table their keys belong to, and the query."""

    table: str
    sql: str


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


def _subscriptions(boundary: str) -> str:
    """Subscriptions in force just before a moment, with the terms they have then."""
    return f"""
        select
            spans.day, p.subscription_id as key, p.customer_id, p.status, p.plan, p.mrr, p.trial_mrr,
            p.committed_mrr, p.mrr > 0 or p.mrr is null as pays
        from tenant cross join spans
        join intermediate.int_revenue__subscription_periods as p
            on
                p.tenant_id = tenant.tenant_id
                and p.valid_from < spans.{boundary}
                and p.valid_to >= spans.{boundary}
                and p.status not in ('incomplete', 'incomplete_expired')
    """


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

_RATE = """
    left join intermediate.int_billing__exchange_rates as rates
        on rates.tenant_id = r.tenant_id and rates.currency = r.currency and rates.rated_on = {day}
    cross join lateral (
        select case when r.currency = tenant.currency then 1 else rates.exchange_rate end as rate
    ) as money
"""

ROW_SETS: dict[str, RowSet] = {
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
    "subscriptions": RowSet("subscriptions", _subscriptions("to_at")),
    "subscriptions_at_start": RowSet("subscriptions", _subscriptions("from_at")),
    "starters": RowSet(
        "subscriptions",
        f"""
        select
            day, key, customer_id, side, mrr,
            -- What a customer of the start still pays without growth, on its first row.
            case
                when row_number() over (partition by day, customer_id order by side, key) = 1
                    then least(
                        sum(mrr) filter (where side = 'start') over customers,
                        coalesce(sum(mrr) filter (where side = 'end') over customers, 0)
                    )
            end as kept_mrr
        from (
            select 'start' as side, s.* from ({_subscriptions("from_at")}) as s where s.pays
            union all
            select 'end' as side, s.* from ({_subscriptions("to_at")}) as s
            where
                s.pays
                and (s.day, s.customer_id) in (
                    select b.day, b.customer_id from ({_subscriptions("from_at")}) as b where b.pays
                )
        ) as both_sides
        window customers as (partition by day, customer_id)
        """,
    ),
    "movements": RowSet(
        "subscriptions",
        """
        select
            spans.day, m.subscription_id as key, m.customer_id, m.movement, m.amount,
            exists (
                select from intermediate.int_revenue__customer_periods as c
                where
                    c.tenant_id = m.tenant_id and c.customer_id = m.customer_id
                    and c.valid_from < spans.from_at and c.valid_to >= spans.from_at
            ) as paid_at_start,
            coalesce(next.movement = 'churn' and next.movement_date <= spans.date_to, false) as ends_in_span
        from tenant cross join spans
        join marts.mrr_movements as m
            on m.tenant_id = tenant.tenant_id and m.movement_date between spans.date_from and spans.date_to
        left join lateral (
            select n.movement, n.movement_date
            from marts.mrr_movements as n
            where
                n.tenant_id = m.tenant_id and n.customer_id = m.customer_id and n.moved_at > m.moved_at
                and n.movement in ('new', 'reactivation', 'churn')
            order by n.moved_at
            limit 1
        ) as next on true
        """,
    ),
    "subscription_bounds": RowSet(
        "subscriptions",
        """
        select spans.day, p.subscription_id as key, p.customer_id, bounds.kind
        from tenant cross join spans
        join intermediate.int_revenue__subscription_periods as p
            on p.tenant_id = tenant.tenant_id and p.status not in ('incomplete', 'incomplete_expired')
        cross join lateral (
            values ('begin', p.begins_service, p.valid_from), ('end', p.ends_service, p.valid_to),
                ('churn', p.ends_service and p.status in ('active', 'past_due'), p.valid_to)
        ) as bounds (kind, counts, moment)
        where bounds.counts and bounds.moment >= spans.from_at and bounds.moment < spans.to_at
            and p.valid_from < tenant.as_of
        """,
    ),
    "cancellations": RowSet(
        "subscriptions",
        """
        select spans.day, r.subscription_id as key, p.mrr
        from tenant cross join spans
        join staging.stg_revenue__subscriptions as r
            on
                r.tenant_id = tenant.tenant_id
                and r.canceled_at >= spans.from_at
                and r.canceled_at < spans.to_at
        join intermediate.int_revenue__subscription_periods as p
            on
                p.tenant_id = r.tenant_id
                and p.subscription_id = r.subscription_id
                and r.canceled_at > p.valid_from
                and r.canceled_at <= p.valid_to
                and p.status not in ('incomplete', 'incomplete_expired', 'canceled')
        """,
    ),
    "unknown_mrr_days": RowSet(
        "exchange_rates",
        """
        select spans.day, d.metric_date::text as key
        from tenant cross join spans
        join intermediate.int_revenue__daily as d
            on
                d.tenant_id = tenant.tenant_id
                and d.metric_date between spans.date_from - 1 and spans.date_to
                and d.mrr is null
        union all
        select spans.day, m.movement_date::text as key
        from tenant cross join spans
        join marts.mrr_movements as m
            on
                m.tenant_id = tenant.tenant_id
                and m.movement_date between spans.date_from and spans.date_to
                and m.amount is null
        """,
    ),
    "payments": RowSet(
        "payments",
        """
        select
            spans.day, r.payment_id as key, r.status,
            exists (
                select from staging.stg_revenue__payments as f
                where
                    f.tenant_id = r.tenant_id and f.invoice_id = r.invoice_id and f.status = 'failed'
                    and (f.attempted_at, f.payment_id) < (r.attempted_at, r.payment_id)
            ) as failed_before
        from tenant cross join spans
        join staging.stg_revenue__payments as r
            on
                r.tenant_id = tenant.tenant_id
                and r.attempted_at >= spans.from_at
                and r.attempted_at < spans.to_at
        """,
    ),
    "outstanding_invoices": RowSet(
        "invoices",
        f"""
        select
            spans.day, r.invoice_id as key,
            case r.status when 'paid' then r.amount_due else r.amount_due - r.amount_paid end
            * money.rate as amount
        from tenant cross join spans
        join staging.stg_revenue__invoices as r
            on
                r.tenant_id = tenant.tenant_id
                and r.issued_at < spans.to_at
                and (
                    r.status = 'open' and r.amount_due > r.amount_paid
                    or r.status = 'paid'
                    and greatest(r.issued_at, coalesce(r.paid_at, r.issued_at)) >= spans.to_at
                )
        {_RATE.format(day="(r.issued_at at time zone tenant.timezone)::date")}
        """,
    ),
    "dunning_invoices": RowSet(
        "invoices",
        """
        select spans.day, r.invoice_id as key, r.subscription_id
        from tenant cross join spans
        join staging.stg_revenue__invoices as r
            on r.tenant_id = tenant.tenant_id and r.issued_at < spans.to_at and r.subscription_id is not null
        left join lateral (
            select min(p.attempted_at) as failed_at
            from staging.stg_revenue__payments as p
            where
                p.tenant_id = r.tenant_id and p.invoice_id = r.invoice_id and p.status = 'failed'
                and p.attempted_at < tenant.as_of
        ) as failed on true
        where
            (
                failed.failed_at < spans.to_at
                or failed.failed_at is null and r.next_attempt_at is not null and r.attempt_count > 0
            )
            and (r.status = 'open' or r.status = 'paid' and r.paid_at >= spans.to_at)
        """,
    ),
    "marketing_spend": RowSet(
        "marketing_spend",
        f"""
        select spans.day, r.spend_id as key, r.amount * money.rate as amount
        from tenant cross join spans
        join staging.stg_revenue__marketing_spend as r
            on
                r.tenant_id = tenant.tenant_id
                and r.spend_date between spans.date_from and least(spans.date_to, tenant.as_of_date)
        {_RATE.format(day="r.spend_date")}
        """,
    ),
    "finance_inputs": RowSet(
        "finance_inputs",
        f"""
        select distinct on (spans.day)
            spans.day, r.told_for::text as key,
            r.cash_balance * money.rate as cash_balance,
            r.monthly_burn * money.rate as monthly_burn
        from tenant cross join spans
        join staging.stg_revenue__finance_inputs as r
            on
                r.tenant_id = tenant.tenant_id
                and r.told_for between spans.date_from and least(spans.date_to, tenant.as_of_date)
        {_RATE.format(day="r.told_for")}
        order by spans.day, r.told_for desc
        """,
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
