"""Revenue against figures that nobody on this project chose: Polar, Kill Bill, Mozilla, vendors' examples.

Every scenario is a tenant of its own in one database; one build makes the marts, and every expectation is
read from them. How many cells agree is printed. Inputs, sources and licences: tests/data/reference.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestration.marts.build import build
from orchestration.settings import Settings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

REFERENCE = Path(__file__).resolve().parents[2] / "data" / "reference"
Connection = psycopg.Connection[Any]
Row = dict[str, str]

SUBSCRIPTION = (
    "tenant_id, subscription_id, customer_id, plan, status, quantity, unit_amount, currency,"
    " billing_interval, interval_count, forever_discount_percent, trial_start, trial_end, started_at,"
    " cancel_at, canceled_at, ended_at"
)


def rows_of(path: str) -> list[Row]:
    with (REFERENCE / path).open(newline="") as file:
        return list(csv.DictReader(file))


def add_tenants(connection: Connection, tenants: Iterable[str], stops_at: str) -> None:
    for tenant in dict.fromkeys(tenants):
        connection.execute(
            "insert into raw.tenants (tenant_id, name, currency) values (%s, %s, 'USD')", (tenant, tenant)
        )
        connection.execute(
            "insert into reporting.tenant_settings (tenant_id, clock_stops_at) values (%s, %s)",
            (tenant, stops_at),
        )


def add_subscriptions(connection: Connection, rows: Iterable[dict[str, Any]]) -> None:
    """Rows keyed by column; empty values are NULL, what is missing gets a monthly price of 10 US dollars."""
    usual = {
        "plan": None, "status": "active", "quantity": 1, "unit_amount": 10, "currency": "USD",
        "billing_interval": "month", "interval_count": 1,
    }  # fmt: skip
    columns = [column.strip() for column in SUBSCRIPTION.split(",")]
    with connection.cursor() as cursor:
        cursor.executemany(
            f"insert into raw.subscriptions ({SUBSCRIPTION}) values ({', '.join(['%s'] * len(columns))})",
            [[({**usual, **row}).get(column) or None for column in columns] for row in rows],
        )


def load_polar(connection: Connection) -> None:
    rows = rows_of("polar/subscriptions.csv")
    add_tenants(connection, (f"polar:{row['scenario']}" for row in rows), "2025-01-15")

    def status(row: Row) -> str:
        if row["ended_at"]:
            return "canceled"
        return "trialing" if row["trial_start"] else "active"

    add_subscriptions(
        connection,
        (
            {
                **row,
                "tenant_id": f"polar:{row['scenario']}",
                "status": status(row),
                "unit_amount": str(Decimal(row["amount_minor"]) / 100),
                "billing_interval": row["interval"],
                "forever_discount_percent": Decimal(row["forever_discount_bps"] or 0) / 100,
                "cancel_at": row["ends_at"],
            }
            for row in rows
        ),
    )


def load_killbill(connection: Connection) -> None:
    """Each price is a customer of one tenant; a price without a billing period is a sale, so an invoice."""
    add_tenants(connection, ["killbill"], "2024-02-15")
    recurring = {"MONTHLY": "month", "ANNUAL": "year"}
    for number, row in enumerate(rows_of("killbill/mrr_normalisation.csv")):
        customer = f"c{number}"
        connection.execute(
            "insert into raw.customers (tenant_id, customer_id) values ('killbill', %s)", (customer,)
        )
        if row["billing_period"] in recurring:
            subscription = {
                "tenant_id": "killbill", "subscription_id": customer, "customer_id": customer,
                "unit_amount": row["price"], "billing_interval": recurring[row["billing_period"]],
                "started_at": "2024-01-01",
            }  # fmt: skip
            add_subscriptions(connection, [subscription])
        else:
            connection.execute(
                "insert into raw.invoices (tenant_id, invoice_id, customer_id, status, amount_due,"
                " amount_paid, currency, issued_at, paid_at)"
                " values ('killbill', %s, %s, 'paid', %s, %s, 'USD', %s, %s)",
                (customer, customer, row["price"], row["price"], "2024-01-01", "2024-01-01"),
            )


def mozilla_tenant(row: Row) -> str:
    """A tenant for each subscription, so that its counts of subscriptions tell that one's state."""
    return f"mozilla:{row['fixture']}:{row['subscription_id']}"


def load_mozilla(connection: Connection) -> None:
    rows = rows_of("mozilla/subscriptions.csv")
    changes = rows_of("mozilla/changes.csv")
    # Clocks stop in the year after the last moment told: marts are dense, some cases are of the year 2000.
    years: dict[str, int] = {}
    for row in [*rows, *changes]:
        told = [int(value[:4]) for name, value in row.items() if name.endswith(("_at", "_end")) and value]
        years[mozilla_tenant(row)] = max([years.get(mozilla_tenant(row), 0), *told])
    for tenant, year in years.items():
        add_tenants(connection, [tenant], f"{year + 1}-06-15")
    add_subscriptions(connection, ({**row, "tenant_id": mozilla_tenant(row)} for row in rows))
    for number, row in enumerate(changes):
        connection.execute(
            "insert into raw.subscription_changes"
            " (tenant_id, change_id, subscription_id, changed_at, status, plan)"
            " values (%s, %s, %s, %s, %s, nullif(%s, ''))",
            (mozilla_tenant(row), str(number), *list(row.values())[1:]),
        )


def load_vendors(connection: Connection) -> None:
    rows = rows_of("vendors/subscriptions.csv")
    add_tenants(connection, (f"vendor:{row['scenario']}" for row in rows), "2025-06-15")
    add_subscriptions(connection, ({**row, "tenant_id": f"vendor:{row['scenario']}"} for row in rows))
    for number, row in enumerate(rows_of("vendors/changes.csv")):
        tenant = f"vendor:{row['scenario']}"
        connection.execute(
            "insert into raw.subscription_changes"
            " (tenant_id, change_id, subscription_id, changed_at, unit_amount)"
            " select %s, %s || step, %s, moment, amount from (values"
            " ('a', (select started_at from raw.subscriptions where tenant_id = %s and subscription_id = %s),"
            "  (select unit_amount from raw.subscriptions where tenant_id = %s and subscription_id = %s)),"
            " ('b', %s::timestamptz, %s::numeric)) as c (step, moment, amount)",
            (tenant, str(number), row["subscription_id"], *(tenant, row["subscription_id"]) * 2,
             row["changed_at"], row["unit_amount"]),
        )  # fmt: skip


@pytest.fixture(scope="module")
def marts(module_settings: Settings, module_database: Connection) -> Connection:
    """All scenarios, loaded as tenants and built once."""
    module_database.execute("set timezone to 'UTC'")
    for load in (load_polar, load_killbill, load_mozilla, load_vendors):
        load(module_database)
    module_database.commit()
    build(module_settings, as_of=date(2026, 1, 1))
    return module_database


@pytest.fixture
def agree(capsys: pytest.CaptureFixture[str]) -> Callable[[str, list[tuple[str, Any, Any]]], None]:
    """Compare (cell, expected, found) triples and print how many agree."""

    def check(title: str, cells: list[tuple[str, Any, Any]]) -> None:
        wrong = [cell for cell in cells if cell[1] != cell[2]]
        with capsys.disabled():
            print(f"\n{title}: {len(cells) - len(wrong)} of {len(cells)} cells agree")
        assert not wrong, "\n".join(f"{what}: expected {want}, found {got}" for what, want, got in wrong)

    return check


def value(connection: Connection, query: str, *parameters: Any) -> Any:
    row = connection.execute(query.encode(), parameters).fetchone()
    return None if row is None else row[0]


def minor(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else (amount * 100).quantize(Decimal(1), ROUND_HALF_UP)


#: Polar's name of a figure -> column and whether it is told in minor units. Its `canceled` is the wish.
POLAR = {
    "active_subscriptions": ("active_subscriptions", False),
    "mrr_minor": ("mrr", True),
    "committed_mrr_minor": ("committed_mrr", True),
    "trial_mrr_minor": ("trial_mrr", True),
    "arpa_minor": ("arpa", True),
    "churn_rate": ("subscription_churn_rate", False),
    "canceled_subscriptions": ("cancellations_requested", False),
    "churned_subscriptions": ("churned_subscriptions", False),
    "rolling30_cancellation_rate": ("cancellation_rate_30d", False),
}


def test_polar(marts: Connection, agree: Callable[..., None]) -> None:
    cells = []
    for row in rows_of("polar/expected.csv"):
        column, is_minor = POLAR[row["metric"]]
        day = date.fromisoformat(row["period_start"])
        relation, key = (
            ("marts.revenue_metrics", "month")
            if row["grain"] == "month"
            else ("intermediate.int_revenue__daily", "metric_date")
        )
        if column == "cancellation_rate_30d":
            day -= timedelta(days=1)  # Polar's window ends before the day, ours with it
        found = value(
            marts, f"select {column} from {relation} where tenant_id = %s and {key} = %s",
            f"polar:{row['scenario']}", day,
        )  # fmt: skip
        found = minor(found) if is_minor else found
        cells.append((" ".join(list(row.values())[:4]), Decimal(row["value"]), found))
    assert len(cells) == 47
    agree("Polar", cells)


def test_killbill(marts: Connection, agree: Callable[..., None]) -> None:
    cells = []
    for number, row in enumerate(rows_of("killbill/mrr_normalisation.csv")):
        found = value(
            marts,
            "select round(coalesce(sum(amount), 0), 4) from marts.mrr_movements"
            " where tenant_id = 'killbill' and customer_id = %s and movement = 'new'",
            f"c{number}",
        )
        cells.append(
            (f"{row['billing_period']} {row['price']}", Decimal(row["expected_mrr_4dp_half_up"]), found)
        )
    assert len(cells) == 63
    agree("Kill Bill", cells)


IN_SERVICE = "('active', 'past_due', 'trialing')"


def test_mozilla_days_and_months(marts: Connection, agree: Callable[..., None]) -> None:
    """At the end of a day from the daily stocks, at its first instant from the periods."""
    cells, differing = [], []
    for row in rows_of("mozilla/expected_days.csv"):
        if row["edge"] == "end":
            found = value(
                marts,
                "select active_subscriptions + past_due_subscriptions + trialing_subscriptions > 0"
                " from intermediate.int_revenue__daily where tenant_id = %s and metric_date = %s",
                mozilla_tenant(row), row["day"],
            )  # fmt: skip
        else:
            found = value(
                marts,
                "select exists (select from intermediate.int_revenue__subscription_periods"
                f" where tenant_id = %s and valid_from <= %s::date and valid_to > %s::date"
                f" and status in {IN_SERVICE})",
                mozilla_tenant(row), row["day"], row["day"],
            )  # fmt: skip
        cells.append((f"{mozilla_tenant(row)} {row['day']} {row['edge']}", row["ours"] == "true", found))
        if row["ours"] != row["was_active"]:
            differing.append(row)
    assert len(cells) == 36
    assert len(differing) == 4
    agree(
        f"Mozilla days and months ({len(differing)} by our rule: {differing[0]['why_ours_differs']})", cells
    )


def test_mozilla_states(marts: Connection, agree: Callable[..., None]) -> None:
    """Intervals in service, told from changes that come late, early, twice or in the wrong order."""
    expected: dict[str, list[tuple[Any, ...]]] = {
        mozilla_tenant(row): [] for row in rows_of("mozilla/subscriptions.csv")
        if row["fixture"] not in ("daily", "monthly")
    }  # fmt: skip
    for row in rows_of("mozilla/expected_intervals.csv"):
        if row["ours"] == "same":
            expected[mozilla_tenant(row)].append((row["valid_from"], row["valid_to"], row["status"]))
    cells = []
    for tenant, intervals in expected.items():
        found = marts.execute(
            'select to_char(valid_from, \'YYYY-MM-DD"T"HH24:MI"Z"\'),'
            " case when isfinite(valid_to) then to_char(valid_to, 'YYYY-MM-DD\"T\"HH24:MI\"Z\"') else '' end,"
            # a free period of one who already paid counts as active for us
            " case when is_free_period then 'trialing' else status end"
            " from intermediate.int_revenue__subscription_periods where tenant_id = %s"
            f" and status in {IN_SERVICE} and valid_from < least(valid_to, '2002-05-01') order by valid_from",
            (tenant,),
        ).fetchall()
        cells.append((tenant, intervals, found))
    assert len(cells) == 19
    agree("Mozilla states (1 by our rule: end is ended_at, even when it was recorded later)", cells)


def test_vendors(marts: Connection, agree: Callable[..., None]) -> None:
    cells = []
    for row in rows_of("vendors/expected.csv"):
        tenant = f"vendor:{row['scenario']}"
        if row["grain"] == "movement":
            found = value(
                marts,
                "select round(amount, 2) from marts.mrr_movements"
                " where tenant_id = %s and movement_date = %s and movement = %s",
                tenant, row["day"], row["metric"],
            )  # fmt: skip
        else:
            found = value(
                marts,
                f"select round({row['metric']}, 6) from marts.revenue_metrics"
                " where tenant_id = %s and month = %s",
                tenant,
                row["day"],
            )
        cells.append((f"{row['example']} {row['day']} {row['metric']}", Decimal(row["value"]), found))
    agree("Vendors' worked examples", cells)


def test_identity_holds_for_every_tenant_and_month(marts: Connection) -> None:
    """Read here once more from the mart: the data test only warns."""
    assert value(
        marts,
        "select count(*) from marts.revenue_metrics where ending_mrr is distinct from starting_mrr"
        " + new_mrr + reactivation_mrr + expansion_mrr + resumed_mrr + fx_impact_mrr"
        " - contraction_mrr - churned_mrr - paused_mrr",
    ) == 0  # fmt: skip
