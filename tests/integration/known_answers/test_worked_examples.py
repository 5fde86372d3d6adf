"""The worked examples of docs/metrics.md: their rows, loaded and built, give the ledger that it shows."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg import sql

from orchestration.marts.build import build
from orchestration.settings import Settings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

SOURCE = Path(__file__).resolve().parents[3] / "docs" / "examples" / "movements.yml"
EXAMPLES: list[dict[str, Any]] = yaml.safe_load(SOURCE.read_text())
KINDS = {"new", "expansion", "contraction", "churn", "reactivation", "paused", "resumed", "fx_impact"}
#: What every subscription of the examples has beside what they show.
COMMON = {"subscriptions": {"interval_count": 1}}


def insert(connection: psycopg.Connection[Any], table: str, row: dict[str, Any]) -> None:
    tenant = {} if table == "exchange_rates" else {"tenant_id": "examples"}
    values = {**tenant, **COMMON.get(table, {}), **row}
    connection.execute(
        sql.SQL("insert into raw.{} ({}) values ({})").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, values)),
            sql.SQL(", ").join(sql.Placeholder() * len(values)),
        ),
        list(values.values()),
    )


@pytest.fixture(scope="module")
def ledger(
    module_settings: Settings, module_database: psycopg.Connection[Any]
) -> dict[str, list[tuple[Any, ...]]]:
    """Movements of each customer, in their order."""
    module_database.execute("set timezone to 'UTC'")
    module_database.execute(
        "insert into raw.tenants (tenant_id, name, timezone, currency) values ('examples', 'E', 'UTC', 'USD')"
    )
    for example in EXAMPLES:
        for table, rows in example["rows"].items():
            for row in rows:
                insert(module_database, table, row)
    module_database.commit()
    build(module_settings, as_of=date(2025, 3, 31))
    rows = module_database.execute(
        "select customer_id, movement_date, movement, amount, mrr_before, mrr_after, intra_period "
        "from marts.mrr_movements order by customer_id, moved_at, movement <> 'fx_impact'"
    ).fetchall()
    found: dict[str, list[tuple[Any, ...]]] = {}
    for customer, *movement in rows:
        found.setdefault(customer, []).append(tuple(movement))
    return found


@pytest.mark.parametrize("example", EXAMPLES, ids=[example["movement"] for example in EXAMPLES])
def test_ledger_is_as_the_document_shows(
    example: dict[str, Any], ledger: dict[str, list[tuple[Any, ...]]]
) -> None:
    customer = example["rows"]["subscriptions"][0]["customer_id"]
    assert ledger[customer] == [
        (
            row["movement_date"],
            row["movement"],
            *(Decimal(str(row[column])) for column in ("amount", "mrr_before", "mrr_after")),
            row.get("intra_period", False),
        )
        for row in example["ledger"]
    ]


def test_every_kind_has_an_example() -> None:
    assert {row["movement"] for example in EXAMPLES for row in example["ledger"]} == KINDS
    assert {*KINDS, "intra_period"} == {
        kind for example in EXAMPLES for kind in example["movement"].split(", ")
    }
