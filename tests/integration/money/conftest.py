"""Tenants whose revenue, cohorts and bills are known by hand, built once for this folder.

`examples`  the rows of docs/examples/movements.yml, with cash and spend beside them
`bills`     invoices and payments in EUR, JPY and USD
`cohorts`   users of which 10 of 20 and 20 of 25 come back, and 1 of 1
`single`    one customer, whose MRR doubles
`silent`    nothing
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestration.marts.build import build
from orchestration.reports import RenderedReport, ReportRequest, render
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from tests.integration.known_answers.test_worked_examples import EXAMPLES, insert

Connection = psycopg.Connection[Any]
Report = Callable[..., RenderedReport]
MONTHS = {
    "january": (date(2025, 1, 1), date(2025, 1, 31)),
    "february": (date(2025, 2, 1), date(2025, 2, 28)),
    "march": (date(2025, 3, 1), date(2025, 3, 31)),
}
ROWS = """
insert into raw.tenants (tenant_id, name, timezone, currency) values
    ('examples', 'Examples', 'UTC', 'USD'), ('bills', 'Bills & Söhne', 'UTC', 'EUR'),
    ('cohorts', 'Cohorts', 'UTC', 'EUR'), ('single', 'Single', 'UTC', 'EUR'),
    ('silent', 'Silent', 'UTC', 'EUR');

insert into raw.finance_inputs (tenant_id, month, cash_balance, monthly_burn, currency) values
    ('examples', '2025-01-01', 1000, 100, 'USD'), ('examples', '2025-02-01', 900, 120, 'USD'),
    ('single', '2025-03-01', 500, -20, 'EUR');
insert into raw.marketing_spend (tenant_id, spend_id, spend_date, amount, currency) values
    ('examples', 's1', '2025-01-05', 350, 'USD'), ('examples', 's2', '2025-02-05', 60, 'USD');

insert into raw.invoices (tenant_id, invoice_id, customer_id, status, amount_due, amount_paid, tax, currency,
                          issued_at, paid_at) values
    ('bills', 'a', 'c', 'paid', 100, 100, 20, 'EUR', '2025-01-15T09:00Z', '2025-03-20T09:00Z'),
    ('bills', 'b', 'c', 'open', 50, 10, 8, 'EUR', '2025-02-27T09:00Z', null),
    ('bills', 'c', 'c', 'void', 9, 0, 1, 'EUR', '2025-02-10T09:00Z', null),
    ('bills', 'd', 'c', 'uncollectible', 30, 5, 0, 'EUR', '2025-03-10T09:00Z', null),
    ('bills', 'e', 'c', 'open', 1234567, 0, 0, 'JPY', '2025-03-31T09:00Z', null),
    ('bills', 'f', 'c', 'paid', 70, 70, 0, 'USD', '2025-02-02T09:00Z', '2025-02-02T09:00Z');
insert into raw.payments (tenant_id, payment_id, customer_id, status, amount, currency, attempted_at,
                          refunded_amount) values
    ('bills', 'p1', 'c', 'succeeded', 100, 'EUR', '2025-03-20T09:00Z', 25),
    ('bills', 'p2', 'c', 'succeeded', 10, 'EUR', '2025-02-28T09:00Z', null),
    ('bills', 'p3', 'c', 'succeeded', 70, 'USD', '2025-02-02T09:00Z', null);

insert into raw.sessions (tenant_id, session_id, user_id, started_at)
select 'cohorts', 'first-' || who, who, day
from (
    select 'jan-' || n, timestamptz '2025-01-10T12:00Z' from generate_series(1, 20) as n
    union all select 'feb-' || n, timestamptz '2025-02-28T12:00Z' from generate_series(1, 25) as n
    union all select 'dec-1', timestamptz '2024-12-31T12:00Z'
    union all select 'mar-' || n, timestamptz '2025-03-02T12:00Z' from generate_series(1, 4) as n
) as firsts (who, day);
insert into raw.sessions (tenant_id, session_id, user_id, started_at)
select 'cohorts', 'again-' || who, who, day
from (
    select 'jan-' || n, timestamptz '2025-02-11T12:00Z' from generate_series(1, 10) as n
    union all select 'feb-' || n, timestamptz '2025-03-30T12:00Z' from generate_series(1, 20) as n
    union all select 'dec-1', timestamptz '2025-01-01T12:00Z'
) as agains (who, day);

insert into raw.subscriptions (tenant_id, subscription_id, customer_id, plan, status, quantity, unit_amount,
                               currency, billing_interval, interval_count, started_at) values
    ('single', 's', 'only', 'all in', 'active', 2, 500, 'EUR', 'month', 1, '2025-01-05T12:00Z');
insert into raw.subscription_changes (tenant_id, change_id, subscription_id, changed_at, quantity) values
    ('single', 'c1', 's', '2025-01-05T12:00Z', 1), ('single', 'c2', 's', '2025-03-05T12:00Z', 2);
"""


@pytest.fixture(scope="session")
def money(
    new_settings: Callable[[Path], Settings], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Connection]:
    """A connection to the built database; what a test writes it rolls back."""
    settings = new_settings(tmp_path_factory.mktemp("money"))
    with connect(settings, autocommit=True) as loading:
        loading.execute("set timezone to 'UTC'")
        for statement in ROWS.split(";\n"):
            if statement.strip():
                loading.execute(statement)  # type: ignore[call-overload]
        for example in EXAMPLES:
            for table, rows in example["rows"].items():
                for row in rows:
                    insert(loading, table, row)
    build(settings, as_of=date(2025, 3, 31))
    connection = connect(settings)
    yield connection
    connection.rollback()
    connection.close()


@pytest.fixture
def report(money: Connection) -> Iterator[Report]:
    """`report(tenant, name, "march", formats=(), locale=…, **parameters)`."""

    def make(
        tenant: str,
        name: str,
        month: str,
        formats: tuple[str, ...] = (),
        locale: str = "en",
        **parameters: Any,
    ) -> RenderedReport:
        first, last = MONTHS[month]
        asked = ReportRequest(tenant, name, "monthly", first, last, parameters=parameters, locale=locale)
        return render(money, asked, formats)

    yield make
    money.rollback()
