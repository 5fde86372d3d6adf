"""Queries of the billing report: months of each currency.

Belongs here: what is read of marts.billing_monthly. Does not belong here: shares of what is read
(documents/billing.py) and words.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from psycopg.rows import dict_row

from orchestration.reports.data.common import Connection

#: Amounts of marts.billing_monthly, each in the currency of its row.
COLUMNS = (
    "invoiced", "tax", "collected", "refunded", "uncollectible", "outstanding", "outstanding_0_to_30_days",
    "outstanding_31_to_60_days", "outstanding_61_to_90_days", "outstanding_over_90_days",
)  # fmt: skip


def read_months(
    conn: Connection, tenant_id: str, first: date, last: date
) -> dict[str, dict[date, dict[str, Any]]]:
    """Currency to month to its amounts and `is_complete`."""
    sql = f"""
        select currency, month, is_complete, {", ".join(COLUMNS)}
        from marts.billing_monthly
        where tenant_id = %s and month between %s and %s
        order by currency, month
    """
    months: dict[str, dict[date, dict[str, Any]]] = {}
    with conn.cursor(row_factory=dict_row) as cursor:
        for row in cursor.execute(sql, (tenant_id, first, last)):
            months.setdefault(row.pop("currency"), {})[row.pop("month")] = row
    return months


def read_extent(conn: Connection, tenant_id: str) -> tuple[date, date] | None:
    """First and last month with an invoice, a payment or something owed; None for a tenant without any."""
    sql = """
        select min(month), max(month)
        from marts.billing_monthly
        where tenant_id = %s
          and (invoiced <> 0 or collected <> 0 or refunded <> 0 or outstanding <> 0)
    """
    row = conn.cursor().execute(sql, (tenant_id,)).fetchone()
    return (row[0], row[1]) if row and row[0] is not None else None
