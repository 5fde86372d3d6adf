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


#: Days of invoices, spend and finance inputs in another currency than the tenant's, at a rate that changed.
#: The rate of an invoice counts on the day it is paid, too. `offset 0`: a look by index for each tenant.
DAYS_OF_RATES = """
    with stretches as (
        select lower(span) as first, upper(span) - 1 as last
        from (select unnest(range_agg(stretch)) as span from touched_rates, unnest(days) as stretch) as merged
    ),
    money as materialized (
        select tenants.tenant_id, tenants.currency as tenant_currency, foreign_money.*
        from stretches
        cross join build.tenants as tenants
        cross join lateral (
            select
                'billing' as domain, upper(trim(i.currency)) as currency,
                (i.issued_at at time zone tenants.timezone)::date as rated_on,
                array[i.issued_at, i.paid_at] as moments, null::date as day
            from raw.invoices as i
            where
                i.tenant_id = tenants.tenant_id
                and i.issued_at >= (stretches.first - 1)::timestamp at time zone tenants.timezone
                and i.issued_at < (stretches.last + 2)::timestamp at time zone tenants.timezone
                and upper(trim(i.currency)) <> tenants.currency
            union all
            select 'spend', upper(trim(s.currency)), s.spend_date, null, s.spend_date
            from raw.marketing_spend as s
            where
                s.tenant_id = tenants.tenant_id
                and s.spend_date between stretches.first and stretches.last
                and upper(trim(s.currency)) <> tenants.currency
            union all
            select 'finance', upper(trim(f.currency)), f.month, null, f.month
            from raw.finance_inputs as f
            where
                f.tenant_id = tenants.tenant_id
                and f.month between stretches.first and stretches.last
                and upper(trim(f.currency)) <> tenants.currency
            offset 0
        ) as foreign_money
    ),
    rated as (
        select distinct money.tenant_id, money.domain, money.moments, money.day
        from money
        join touched_rates as touched
            on touched.currency in (money.currency, money.tenant_currency) and touched.days @> money.rated_on
    )
    insert into spans
    select distinct rated.tenant_id, rated.domain, daterange(days.day, days.day, '[]')
    from rated
    join build.tenants as tenants using (tenant_id)
    cross join lateral (
        select rated.day
        union all
        select (moment at time zone tenants.timezone)::date from unnest(rated.moments) as moment
    ) as days
    where days.day is not null
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
        # A payment that failed makes a later one of its invoice a recovered one.
        "intermediate.int_billing__days",
        """
        insert into spans
        select distinct taken.tenant_id, 'billing', daterange(days.day, days.day, '[]')
        from taken
        join build.tenants as tenants using (tenant_id)
        cross join lateral (
            select (p.attempted_at at time zone tenants.timezone)::date as day
            from raw.payments as p
            where p.tenant_id = taken.tenant_id and p.invoice_id = taken.entity
            offset 0
        ) as days
        where taken.table_name = 'payments' and days.day > taken.date_from
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
