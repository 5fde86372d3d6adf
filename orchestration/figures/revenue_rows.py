"""The rows that figures of revenue count: subscriptions, movements, payments, invoices, spend.

Belongs here: row sets about money, in the form row_sets.py describes. Does not belong here: what is counted
about the rows (measures.py).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RowSet:
    """A kind of rows: the raw table their keys belong to, and the query."""

    table: str
    sql: str


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


_RATE = """
    left join intermediate.int_billing__exchange_rates as rates
        on rates.tenant_id = r.tenant_id and rates.currency = r.currency and rates.rated_on = {day}
    cross join lateral (
        select case when r.currency = tenant.currency then 1 else rates.exchange_rate end as rate
    ) as money
"""

REVENUE_ROW_SETS: dict[str, RowSet] = {
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
}
