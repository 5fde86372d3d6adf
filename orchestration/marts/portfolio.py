"""The currency of the portfolio, and which of its days other rates or another currency touch.

Belongs here: build.installation and the dirt of the domain `portfolio` that does not come from daily_metrics.
Does not belong here: the figures (portfolio_metrics.sql) and how the currency is set (cli/config.py).
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from orchestration.errors import MetricpressError

#: Who reads of the installation as a whole, where a tenant is named otherwise.
INSTALLATION = "(installation)"
#: Days without a rate that are named; the mart names all.
NAMED_DAYS = 3


def read_reporting_currency(conn: psycopg.Connection[Any]) -> str | None:
    """The currency the owner set; None when it is not set."""
    row = conn.execute("select reporting_currency from reporting.installation").fetchone()
    return row[0] if row else None


def write_reporting_currency(conn: psycopg.Connection[Any], currency: str | None) -> None:
    """Set the currency of the portfolio; None unsets it. Raises MetricpressError for what is no ISO code."""
    try:
        conn.execute("update reporting.installation set reporting_currency = %s", (currency,))
    except psycopg.errors.CheckViolation as error:
        raise MetricpressError(
            f"{currency!r} is no ISO 4217 code", remedy="Give three capital letters such as EUR, or none."
        ) from error


def follow_currency_and_rates(conn: psycopg.Connection) -> None:
    """Adopt the currency; another one touches all days, a changed rate those it is in force on.

    Unset, it is the currency that all tenants share; where they differ there is none, and no sum of money.
    Expects the temporary tables next_tenants, touched_rates and spans of the plan.
    """
    adopted = conn.execute(
        """
        update build.installation as i
        set reporting_currency = wanted.currency
        from (
            select coalesce(s.reporting_currency, shared.currency) as currency
            from reporting.installation as s
            cross join (
                select case when count(distinct currency) = 1 then min(currency) end as currency
                from raw.tenants where deleted_at is null
            ) as shared
        ) as wanted
        where i.reporting_currency is distinct from wanted.currency
        """
    )
    if adopted.rowcount:
        conn.execute(
            "insert into spans select tenant_id, 'portfolio', daterange('1900-01-01', '2199-12-31', '[]') "
            "from next_tenants"
        )
    conn.execute(
        """
        insert into spans
        select n.tenant_id, 'portfolio', in_force
        from touched_rates as touched
        join build.installation as i on true
        join next_tenants as n
            on n.currency <> i.reporting_currency and touched.currency in (n.currency, i.reporting_currency)
        cross join lateral unnest(touched.days) as in_force
        """
    )


def portfolio_problems(conn: psycopg.Connection) -> list[dict[str, Any]]:
    """What keeps money out of portfolio_metrics, in the form of the mart data_problems."""
    with conn.cursor(row_factory=dict_row) as cursor:
        if cursor.execute("select to_regclass('marts.portfolio_metrics') as mart").fetchone() == {
            "mart": None
        }:
            return []
        found = cursor.execute(
            sql.SQL(
                """
                select
                    reporting_currency is null as is_unset,
                    count(*) as days,
                    string_agg(distinct missing_rates, ', ') as currencies,
                    array_to_string((array_agg(metric_date order by metric_date))[:{named}], ', ')
                        as first_days
                from marts.portfolio_metrics
                where missing_rates is not null or (reporting_currency is null and tenants > 0)
                group by 1
                """
            ).format(named=NAMED_DAYS)
        ).fetchall()
    return [_problem(row) for row in found]


def _problem(row: dict[str, Any]) -> dict[str, Any]:
    same = {"tenant_id": INSTALLATION, "severity": "warning", "key": "portfolio_metrics"}
    if row["is_unset"]:
        return same | {
            "kind": "reporting_currency_unset",
            "table_name": "reporting.installation",
            "message": "The tenants have different currencies: the money of portfolio_metrics is empty",
            "remedy": "Run: metricpress config reporting-currency EUR",
        }
    return same | {
        "kind": "missing_exchange_rate",
        "table_name": "raw.exchange_rates",
        "message": f"No exchange rate of {row['currencies']} on {row['first_days']}"
        + (f" and {row['days'] - NAMED_DAYS} more days" if row["days"] > NAMED_DAYS else "")
        + ": money of portfolio_metrics is empty there",
        "remedy": "Load the rates of those days, or of the 7 days before, into raw.exchange_rates.",
    }
