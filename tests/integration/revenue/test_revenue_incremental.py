"""Each kind of change that reaches revenue and billing: built incrementally, equal to a full refresh.

The figures themselves are counted in test_revenue_oracle.py; here only the way they are kept is at stake.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from orchestration.errors import MetricpressError
from orchestration.marts.build import build
from orchestration.settings import Settings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

Connection = psycopg.Connection[Any]
TENANTS = {"lisbon": ("Europe/Lisbon", "EUR"), "york": ("America/New_York", "USD"), "quiet": ("UTC", "EUR")}
KEYS = {
    "tenants": ("tenant_id",),
    "subscriptions": ("tenant_id", "subscription_id"),
    "subscription_changes": ("tenant_id", "change_id"),
    "invoices": ("tenant_id", "invoice_id"),
    "payments": ("tenant_id", "payment_id"),
    "marketing_spend": ("tenant_id", "spend_id"),
    "finance_inputs": ("tenant_id", "month"),
    "exchange_rates": ("rate_date", "currency"),
}
PLANS = ("basic", "pro", None)
RELATIONS = (
    "intermediate.int_revenue__subscription_periods", "intermediate.int_revenue__customer_periods",
    "intermediate.int_revenue__plan_movements", "intermediate.int_revenue__plan_days",
    "intermediate.int_revenue__plan_months", "intermediate.int_revenue__daily",
    "intermediate.int_billing__days", "intermediate.int_billing__daily",
    "intermediate.int_billing__dunning", "marts.mrr_movements", "marts.revenue_metrics",
    "marts.revenue_by_plan", "marts.billing_monthly",
)  # fmt: skip


def put(connection: Connection, table: str, **row: Any) -> None:
    """Insert a row or change the one with its key."""
    key = KEYS[table]
    names = ", ".join(row)
    sets = ", ".join(f"{name} = excluded.{name}" for name in row if name not in key)
    connection.execute(
        f"insert into raw.{table} ({names}) values ({', '.join(['%s'] * len(row))})"
        f" on conflict ({', '.join(key)}) do update set {sets}".encode(),
        list(row.values()),
    )


def at(day: str, hour: int = 12) -> datetime:
    return datetime.fromisoformat(day).replace(hour=hour, tzinfo=UTC)


def fill(connection: Connection) -> None:
    """Two tenants with subscriptions in three currencies, invoices and payments; one almost empty."""
    rng = random.Random(7)
    for day in range(0, 560, 2):
        for currency, rate in (("USD", 1.1), ("GBP", 0.85)):
            put(
                connection, "exchange_rates", rate_date=date(2023, 1, 1) + timedelta(days=day),
                currency=currency, units_per_eur=round(rate + day % 17 / 100, 4),
            )  # fmt: skip
    for tenant, (zone, currency) in TENANTS.items():
        put(connection, "tenants", tenant_id=tenant, name=tenant, timezone=zone, currency=currency)
    for tenant in ("lisbon", "york"):
        for number in range(14):
            started = at("2024-01-02") + timedelta(hours=rng.randrange(24 * 70))
            subscription = f"s{number}"
            put(
                connection, "subscriptions", tenant_id=tenant, subscription_id=subscription,
                customer_id=f"c{number // 2}", plan=rng.choice(PLANS),
                status=rng.choice(("active", "active", "past_due", "trialing")), quantity=rng.randint(1, 3),
                unit_amount=rng.randint(5, 50), currency=rng.choice(("EUR", "USD", "GBP")),
                billing_interval=rng.choice(("month", "year", "week")), interval_count=1, started_at=started,
                trial_end=started + timedelta(days=20) if number % 4 == 0 else None,
                cancel_at=started + timedelta(days=50) if number % 5 == 0 else None,
                canceled_at=started + timedelta(days=30) if number % 5 < 2 else None,
            )  # fmt: skip
            for change in range(rng.randrange(4)):
                put(
                    connection, "subscription_changes", tenant_id=tenant,
                    change_id=f"{subscription}:{change}", subscription_id=subscription,
                    changed_at=started + timedelta(days=rng.randrange(1, 90)),
                    plan=rng.choice(PLANS), quantity=rng.choice((None, 0, 2, 4)),
                    status=rng.choice((None, "active", "paused", "past_due")),
                )  # fmt: skip
            for month in range(3):
                issued = started + timedelta(days=30 * month)
                invoice, paid = f"{subscription}:{month}", rng.random() < 0.7
                put(
                    connection, "invoices", tenant_id=tenant, invoice_id=invoice,
                    customer_id=f"c{number // 2}", subscription_id=subscription,
                    status="paid" if paid else "open", amount_due=100,
                    amount_paid=100 if paid else rng.choice((0, 40)), tax=20,
                    currency=rng.choice(("EUR", "USD")), issued_at=issued, attempt_count=1,
                    paid_at=issued + timedelta(days=rng.randrange(60)) if paid else None,
                    next_attempt_at=None if paid else issued + timedelta(days=5),
                )  # fmt: skip
                for attempt in range(rng.randrange(3)):
                    put(
                        connection, "payments", tenant_id=tenant, payment_id=f"{invoice}:{attempt}",
                        invoice_id=invoice, amount=100, currency="EUR",
                        status=rng.choice(("failed", "succeeded", "refunded")),
                        attempted_at=issued + timedelta(days=7 * attempt),
                    )  # fmt: skip
        for day in range(0, 80, 9):
            put(
                connection, "marketing_spend", tenant_id=tenant, spend_id=str(day), amount=10 + day,
                spend_date=date(2024, 1, 1) + timedelta(days=day), currency=rng.choice(("EUR", "USD")),
            )  # fmt: skip
        put(connection, "finance_inputs", tenant_id=tenant, month=date(2024, 2, 1), cash_balance=900,
            monthly_burn=90, currency="USD")  # fmt: skip
    connection.commit()


def content(connection: Connection) -> dict[str, list[str]]:
    found = {}
    for relation in RELATIONS:
        rows = connection.execute(f"select row_to_json(t)::text from {relation} as t".encode()).fetchall()
        found[relation] = sorted(text for (text,) in rows)
    connection.commit()
    return found


def late_and_far_past(connection: Connection) -> None:
    """A start long before, a plan changed in between, an invoice paid late, payments gone, spend moved."""
    put(connection, "subscriptions", tenant_id="lisbon", subscription_id="s1", customer_id="c0", plan="pro",
        status="active", quantity=2, unit_amount=30, currency="EUR", billing_interval="month",
        interval_count=1, started_at=at("2023-10-05"))  # fmt: skip
    put(connection, "subscription_changes", tenant_id="york", change_id="late", subscription_id="s3",
        changed_at=at("2024-01-20"), plan="basic", unit_amount=77)  # fmt: skip
    connection.execute("update raw.subscriptions set deleted_at = now() where subscription_id = 's6'")
    connection.execute("delete from raw.payments where status = 'failed' and payment_id like 's2:%'")
    connection.execute(
        "update raw.invoices set status = 'paid', amount_paid = 100, paid_at = '2024-03-10'"
        " where status = 'open' and invoice_id like 's1%'"
    )
    connection.execute("update raw.marketing_spend set spend_date = spend_date + 20 where spend_id = '27'")


def rates_and_restored(connection: Connection) -> None:
    """Rates of days on which terms began and invoices were issued; a tombstone taken back."""
    connection.execute(
        "update raw.exchange_rates set units_per_eur = units_per_eur + 0.05"
        " where rate_date between '2024-01-10' and '2024-02-20'"
    )
    connection.execute("update raw.subscriptions set deleted_at = null where subscription_id = 's6'")
    connection.execute("update raw.subscriptions set customer_id = 'c9' where subscription_id = 's4'")


def settings_and_first_month(connection: Connection) -> None:
    """Another currency and a limit for past_due; finances told for a month before all others."""
    connection.execute("update raw.tenants set currency = 'GBP' where tenant_id = 'york'")
    connection.execute(
        "insert into reporting.tenant_settings (tenant_id, past_due_days) values ('lisbon', 10)"
        " on conflict (tenant_id) do update set past_due_days = 10"
    )
    for tenant in ("lisbon", "quiet"):
        put(connection, "finance_inputs", tenant_id=tenant, month=date(2023, 6, 1), cash_balance=5,
            monthly_burn=1, currency="EUR")  # fmt: skip


def without_a_rate(connection: Connection) -> None:
    """Rates are taken away: amounts become unknown, in some plans and months only."""
    connection.execute("delete from raw.exchange_rates where rate_date between '2024-02-01' and '2024-02-25'")
    connection.execute("delete from raw.finance_inputs where month = '2023-06-01'")


def everything_gone(connection: Connection) -> None:
    """No subscription is left for one tenant."""
    connection.execute("delete from raw.subscriptions where tenant_id = 'lisbon'")


def billing_of_old_days(connection: Connection) -> None:
    """Payments refunded or gone, invoices voided, moved, deleted, tombstoned, in another currency."""
    run = connection.execute
    run("update raw.payments set status = 'refunded', refunded_amount = 7 where payment_id like 's5:%'")
    run("update raw.invoices set status = 'void' where invoice_id = 's7:0'")
    run("update raw.invoices set issued_at = issued_at - interval '40 day' where invoice_id = 's8:1'")
    run("update raw.invoices set paid_at = paid_at + interval '9 day' where invoice_id like 's9:%'")
    run("delete from raw.invoices where invoice_id = 's10:0'")
    run("update raw.invoices set deleted_at = now() where invoice_id in ('s11:0', 's11:1')")
    run("update raw.invoices set currency = 'GBP', status = 'uncollectible' where invoice_id = 's12:2'")
    run("delete from raw.payments where invoice_id = 's13:0'")
    for tenant in ("lisbon", "york"):
        for key, status, day in (("a", "succeeded", "2024-03-02"), ("b", "succeeded", "2024-03-09")):
            put(connection, "payments", tenant_id=tenant, payment_id=f"new:{key}", invoice_id="s13:0",
                amount=4, currency="EUR", status=status, attempted_at=at(day))  # fmt: skip


def failure_told_late(connection: Connection) -> None:
    """A failure before known payments makes them recoveries; a currency begins before all others."""
    put(connection, "payments", tenant_id="lisbon", payment_id="new:0", invoice_id="s13:0", amount=4,
        currency="EUR", status="failed", attempted_at=at("2024-02-20"))  # fmt: skip
    put(connection, "invoices", tenant_id="york", invoice_id="first", customer_id="c0", status="paid",
        amount_due=8, amount_paid=8, tax=1, currency="CHF", issued_at=at("2023-11-30"),
        paid_at=at("2024-03-19"))  # fmt: skip
    put(connection, "invoices", tenant_id="lisbon", invoice_id="ahead", customer_id="c0", status="paid",
        amount_due=8, amount_paid=8, tax=1, currency="USD", issued_at=at("2024-03-17"),
        paid_at=at("2024-03-31"))  # fmt: skip
    connection.execute("update raw.invoices set deleted_at = null where invoice_id = 's11:0'")
    put(connection, "exchange_rates", rate_date=date(2024, 1, 5), currency="USD", units_per_eur=1.5)


def first_invoice_gone(connection: Connection) -> None:
    """The first day of billing lies later again; nothing else is told."""
    connection.execute("delete from raw.invoices where invoice_id = 'first'")


STEPS: tuple[tuple[str, Callable[[Connection], object], Any], ...] = (
    ("late and far past", late_and_far_past, at("2024-03-16", 10)),
    ("the same day goes on", lambda connection: None, date(2024, 3, 16)),
    ("old days of billing", billing_of_old_days, date(2024, 3, 17)),
    ("a failure told late", failure_told_late, date(2024, 3, 18)),
    ("the first invoice gone", first_invoice_gone, date(2024, 3, 18)),
    ("a month's end, rates, a restored row", rates_and_restored, date(2024, 4, 1)),
    ("settings", settings_and_first_month, date(2024, 4, 2)),
    ("missing rates", without_a_rate, date(2024, 4, 9)),
    ("nothing left", everything_gone, date(2024, 4, 10)),
)


def fail_in_between(connection: Connection, settings: Settings, as_of: date) -> None:
    """A build that stops behind int_billing__days, of which the next has to go on."""
    connection.execute(
        "create function raw.refuse() returns trigger language plpgsql as"
        " $$ begin raise exception 'no room'; end $$;"
        " create trigger refuse before insert or update on intermediate.int_billing__daily"
        " for each row execute function raw.refuse()"
    )
    connection.commit()
    with pytest.raises(MetricpressError, match="no room"):
        build(settings, as_of=as_of)
    connection.execute("drop function raw.refuse cascade")
    connection.commit()


@pytest.mark.once
def test_incremental_equals_full(module_settings: Settings, module_database: Connection) -> None:
    connection = module_database
    fill(connection)
    build(module_settings, as_of=date(2024, 3, 15))
    assert all(content(connection).values()), "a relation is empty from the start"
    for name, change, as_of in STEPS:
        change(connection)
        connection.commit()
        if change is failure_told_late:
            fail_in_between(connection, module_settings, as_of)
        build(module_settings, as_of=as_of)
        incremental = content(connection)
        build(module_settings, as_of=as_of, full_refresh=True)
        full = content(connection)
        for relation, rows in full.items():
            extra = [row for row in incremental[relation] if row not in rows]
            missing = [row for row in rows if row not in incremental[relation]]
            assert not extra and not missing, f"{name}: {relation}: {extra[:2]} instead of {missing[:2]}"
