"""What changes reach only through tables an earlier build derived: SQL for the plan.

Belongs here: statements that look into intermediate tables or across raw tables to find days and entities a
change touches from afar. Does not belong here: what a change touches by itself (dirt.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import psycopg


def run_when_built(conn: psycopg.Connection, statements: Sequence[tuple[str, str]]) -> None:
    """Run SQL that looks into models' tables, where they exist: (table, SQL) each."""
    for table, sql in statements:
        exists = conn.execute("select to_regclass(%s)", (table,)).fetchone()
        if exists is not None and exists[0] is not None:
            conn.execute(sql)


#: Invoices, spend and finance inputs in another currency than the tenant's, at a rate that changed.
TENANTS_OF_RATES = """
    with money as (
        select tenant_id, upper(currency) as currency, issued_at as moment, null::date as day
        from raw.invoices
        union all
        select tenant_id, upper(currency), null, spend_date from raw.marketing_spend
        union all
        select tenant_id, upper(currency), null, month from raw.finance_inputs
    ),
    tenants as (
        select distinct money.tenant_id
        from touched_rates as touched
        join money on true
        join build.tenants as tenants
            on tenants.tenant_id = money.tenant_id and tenants.currency <> money.currency
        where
            touched.currency in (money.currency, tenants.currency)
            and touched.days @> coalesce(money.day, (money.moment at time zone tenants.timezone)::date)
    )
    insert into spans
    select tenant_id, domain, daterange(%(first)s, %(last)s, '[]')
    from tenants cross join unnest(array['billing', 'spend', 'finance']) as domain
"""

#: Changes that reach days or entities only through what an earlier build derived.
SPREAD_THROUGH_MODELS: list[tuple[str, str]] = [
    (
        # A user's type decides the type of the sessions that carry none.
        "intermediate.int_activity__user_days",
        """
        insert into spans
        select distinct days.tenant_id, domain, daterange(days.activity_date, days.activity_date, '[]')
        from taken
        join intermediate.int_activity__user_days as days
            on days.tenant_id = taken.tenant_id and days.user_id = taken.entity
        cross join unnest(array['activity', 'activity_window']) as domain
        where taken.table_name = 'users'
        """,
    ),
    (
        # A subscription that is gone leaves its changes behind.
        "intermediate.int_revenue__subscription_periods",
        """
        insert into build.dirty_entities (tenant_id, kind, entity_id)
        select distinct periods.tenant_id, 'subscription', periods.subscription_id
        from taken
        join intermediate.int_revenue__subscription_periods as periods
            on periods.tenant_id = taken.tenant_id and periods.customer_id = taken.entity
        where taken.table_name = 'subscriptions'
        on conflict do nothing
        """,
    ),
    (
        # A rate is in force from its day to seven days later; terms are rated on the day they begin, and
        # revalued on the day the next ones begin.
        "intermediate.int_revenue__subscription_periods",
        """
        insert into build.dirty_entities (tenant_id, kind, entity_id)
        select tenants.tenant_id, 'customer', periods.customer_id
        from touched_rates as touched
        cross join lateral unnest(touched.days) as span
        cross join build.tenants as tenants
        cross join lateral (
            select p.customer_id, p.currency
            from intermediate.int_revenue__subscription_periods as p
            where p.tenant_id = tenants.tenant_id and p.first_date between lower(span) and upper(span) - 1
            union
            select p.customer_id, p.currency
            from intermediate.int_revenue__subscription_periods as p
            where p.tenant_id = tenants.tenant_id and p.end_date between lower(span) and upper(span) - 1
        ) as periods
        where
            periods.currency <> tenants.currency
            and touched.currency in (periods.currency, tenants.currency)
        on conflict do nothing
        """,
    ),
]
ENTITIES_OF_DIRTY_TENANTS: list[tuple[str, str]] = [
    (
        f"intermediate.{table}",
        f"""
        insert into build.dirty_entities (tenant_id, kind, entity_id)
        select distinct d.tenant_id, '{kind}', m.{kind}_id
        from build.dirty_tenants as d join intermediate.{table} as m using (tenant_id)
        where m.{kind}_id is not null
        on conflict do nothing
        """,
    )
    for table, kind in (
        ("int_leads__reached", "lead"),
        ("int_users__activation", "user"),
        ("int_users__accounts", "customer"),
        ("int_revenue__subscription_periods", "customer"),
        # Keys that rows name while their own table does not hold them.
        ("int_quality__status_changes_of_unknown_leads", "lead"),
        ("int_quality__calls_of_unknown_leads", "lead"),
        ("int_quality__events_of_unknown_users", "user"),
        ("int_quality__changes_of_unknown_subscriptions", "subscription"),
    )
]
#: Boundaries that lie ahead (the end of a trial, a limit of past_due, cancel_at) stand in the periods.
ENTITIES_BY_CLOCK: list[tuple[str, str]] = [
    (
        "intermediate.int_revenue__subscription_periods",
        """
        insert into build.dirty_entities (tenant_id, kind, entity_id)
        select moved.tenant_id, 'customer', periods.customer_id
        from moved
        cross join lateral (
            select p.customer_id
            from intermediate.int_revenue__subscription_periods as p
            where
                p.tenant_id = moved.tenant_id
                and p.first_date between lower(moved.span) and upper(moved.span) - 1
                and p.valid_from >= moved.old_as_of and p.valid_from < moved.new_as_of
            union
            select p.customer_id
            from intermediate.int_revenue__subscription_periods as p
            where
                p.tenant_id = moved.tenant_id
                and p.end_date between lower(moved.span) and upper(moved.span) - 1
                and p.valid_to >= moved.old_as_of and p.valid_to < moved.new_as_of
        ) as periods
        on conflict do nothing
        """,
    ),
]
