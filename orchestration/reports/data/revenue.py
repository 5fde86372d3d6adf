"""Queries of the revenue report: months, plans, and the customers whose MRR moved most.

Belongs here: one query for each section, on marts.revenue_metrics, revenue_by_plan and mrr_movements.
Does not belong here: words, and the choice of figures (documents/revenue.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from psycopg.rows import dict_row

from orchestration.reports.data.common import Connection
from orchestration.reports.periods import Period

#: Columns of marts.revenue_metrics the report shows.
COLUMNS = (
    "starting_mrr", "new_mrr", "reactivation_mrr", "expansion_mrr", "resumed_mrr", "contraction_mrr",
    "churned_mrr", "paused_mrr", "fx_impact_mrr", "mrr", "arr", "mrr_growth_rate", "nrr", "grr",
    "gross_mrr_churn_rate", "net_mrr_churn_rate", "customer_churn_rate", "revenue_churn_rate",
    "paying_customers", "new_customers", "churned_customers", "reactivated_customers", "arpa", "ltv",
    "marketing_spend", "cac", "ltv_to_cac", "payback_months", "quick_ratio", "quick_ratio_strict",
    "trial_mrr", "committed_mrr", "active_subscriptions", "past_due_subscriptions", "failed_payments",
    "recovered_payments", "outstanding_invoices", "outstanding_invoice_amount",
    "subscriptions_in_dunning", "cash_balance", "monthly_burn", "runway_months",
)  # fmt: skip
#: Amounts of marts.revenue_by_plan that add up over plans.
PLAN_COLUMNS = (
    "starting_mrr", "new_mrr", "reactivation_mrr", "expansion_mrr", "resumed_mrr", "contraction_mrr",
    "churned_mrr", "paused_mrr", "fx_impact_mrr", "transferred_in_mrr", "transferred_out_mrr", "mrr",
)  # fmt: skip

Amounts = Mapping[str, Decimal | None]


@dataclass(frozen=True)
class Plan:
    """One plan in one month: amounts in the tenant's currency (None: an exchange rate is missing), counts."""

    name: str
    amounts: Amounts
    paying_customers: int
    active_subscriptions: int


@dataclass(frozen=True)
class Mover:
    """What one customer's movements of a month come to; without a `customer_id` all further customers.

    `movements`: the kinds, the one that moved most first. Amounts are in the tenant's currency, `change` is
    signed; None where an exchange rate is missing.
    """

    customer_id: str | None
    movements: tuple[str, ...]
    mrr_before: Decimal | None
    mrr_after: Decimal | None
    change: Decimal | None
    customers: int


def read_months(conn: Connection, tenant_id: str, first: date, last: date) -> dict[date, dict[str, Any]]:
    """Month to its row of marts.revenue_metrics, with `is_complete`."""
    sql = f"""
        select month, is_complete, {", ".join(COLUMNS)}
        from marts.revenue_metrics
        where tenant_id = %s and month between %s and %s
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(sql, (tenant_id, first, last)).fetchall()
    return {row.pop("month"): row for row in rows}


def read_extent(conn: Connection, tenant_id: str) -> tuple[date, date] | None:
    """First and last month in which something was recorded; None for a tenant without revenue."""
    sql = """
        select min(month), max(month)
        from marts.revenue_metrics
        where tenant_id = %s
          and (mrr <> 0 or starting_mrr <> 0 or mrr is null or active_subscriptions > 0
               or outstanding_invoices > 0 or failed_payments > 0 or cash_balance is not null)
    """
    row = conn.cursor().execute(sql, (tenant_id,)).fetchone()
    return (row[0], row[1]) if row and row[0] is not None else None


def read_plans(conn: Connection, tenant_id: str, month: date) -> Sequence[Plan]:
    """Plans with MRR, a movement or a subscription in the month, the most MRR first."""
    sql = f"""
        select plan, paying_customers, active_subscriptions, {", ".join(PLAN_COLUMNS)}
        from marts.revenue_by_plan
        where tenant_id = %s and month = %s
          and (starting_mrr is distinct from 0 or mrr is distinct from 0 or active_subscriptions > 0
               or new_mrr <> 0 or reactivation_mrr <> 0)
        order by mrr desc nulls first, plan
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(sql, (tenant_id, month)).fetchall()
    return [
        Plan(row["plan"], {name: row[name] for name in PLAN_COLUMNS}, row["paying_customers"],
             row["active_subscriptions"])
        for row in rows
    ]  # fmt: skip


def read_movers(conn: Connection, tenant_id: str, period: Period, most: int) -> Sequence[Mover]:
    """Customers by the size of their change, at most `most`, then all others as one; together every movement.

    Rows of one moment are chained in the ledger: fx_impact, resumed, gain, contraction, paused, churn.
    """
    sql = """
        with moved as (
            select customer_id, moved_at, movement, amount, mrr_before, mrr_after,
                   array_position(array['fx_impact', 'resumed', 'new', 'reactivation', 'expansion',
                                        'contraction', 'paused', 'churn'], movement) as place
            from marts.mrr_movements
            where tenant_id = %(tenant_id)s and movement_date between %(first)s and %(last)s
        ),
        customers as (
            select customer_id,
                   array_agg(movement order by abs(amount) desc nulls last, place) as movements,
                   (array_agg(mrr_before order by moved_at, place))[1] as mrr_before,
                   (array_agg(mrr_after order by moved_at desc, place desc))[1] as mrr_after,
                   case when bool_and(amount is not null) then sum(
                       case when movement in ('contraction', 'churn', 'paused') then -amount else amount end
                   ) end as change
            from moved
            group by customer_id
        ),
        ranked as (
            select customers.*,
                   row_number() over (order by abs(change) desc nulls last, customer_id) as place
            from customers
        )
        select place, customer_id, movements, mrr_before, mrr_after, change, 1 as customers
        from ranked
        where place <= %(most)s
        union all
        select %(most)s + 1, null, array[]::text[],
               case when bool_and(mrr_before is not null) then sum(mrr_before) end,
               case when bool_and(mrr_after is not null) then sum(mrr_after) end,
               case when bool_and(change is not null) then sum(change) end,
               count(*)
        from ranked
        where place > %(most)s
        having count(*) > 0
        order by 1
    """
    given = {"tenant_id": tenant_id, "first": period.start, "last": period.end, "most": most}
    with conn.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(sql, given).fetchall()
    return [
        Mover(row["customer_id"], tuple(dict.fromkeys(row["movements"])), row["mrr_before"], row["mrr_after"],
              row["change"], row["customers"])
        for row in rows
    ]  # fmt: skip
