"""Activity and retention by increments against a full refresh: random histories of one small installation.

Belongs here: changes that reach users' days, first days, buckets and cells of retention, one kind after the
other and mixed, with the clock moving between. The same for all marts is in tests/integration/exact.
"""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from orchestration.marts.build import open_build
from orchestration.marts.dbt import run_dbt
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

MODELS = [
    "+cohort_retention,config.materialized:incremental",
    "engagement_by_user_type",
]
TABLES = {
    "intermediate.int_activity__user_days": "user_id, activity_date, user_type, sessions, "
    "trim_scale(session_seconds), timed_sessions",
    "marts.engagement_by_user_type": "user_type, metric_date, dau, wau, mau, mau_28, wau_week_to_date, "
    "mau_month_to_date, sessions, trim_scale(session_seconds), timed_sessions, "
    "trim_scale(avg_session_seconds)",
    "intermediate.int_retention__first_days": "subject, cohort_by, entity_id, first_date, "
    "trim_scale(starting_mrr)",
    "intermediate.int_retention__cohort_sizes": "subject, cohort_by, only_period, first_date, entities, "
    "trim_scale(starting_mrr)",
    "intermediate.int_retention__active_buckets": "subject, cohort_by, only_period, period, mode, "
    "period_index, first_date, active, trim_scale(mrr)",
    "marts.cohort_retention": "subject, cohort_by, period, mode, cohort_start, period_index, cohort_size, "
    "eligible, retained, trim_scale(retention_rate), trim_scale(retained_mrr), "
    "trim_scale(eligible_starting_mrr), is_complete",
}
TENANTS = {
    "north": ("Europe/Berlin", "monday", "{first_activity,signup,first_payment}"),
    "south": ("America/Sao_Paulo", "sunday", "{first_activity,signup,first_payment,recurring}"),
    "east": ("Pacific/Auckland", "monday", "{first_activity,first_payment,signup}"),
}
BEGIN, FIRST_AS_OF = date(2025, 1, 6), date(2025, 4, 26)
USERS, CUSTOMERS = 14, 8


class History:
    """A small installation and the changes that may befall it, drawn from a seed."""

    def __init__(self, connection: psycopg.Connection[Any], seed: int) -> None:
        """Tenants, users, sessions and subscriptions up to a little after the first as_of."""
        self.connection, self.draw, self.number = connection, random.Random(seed), 0
        self.as_of = FIRST_AS_OF
        for tenant, (timezone, week_start, cohorts) in TENANTS.items():
            self.sql(
                "insert into raw.tenants (tenant_id, name, timezone, week_start) values (%s, %s, %s, %s)",
                tenant,
                tenant,
                timezone,
                week_start,
            )
            self.sql(
                "insert into reporting.tenant_settings (tenant_id, retention_cohorts) values (%s, %s)",
                tenant,
                cohorts,
            )
            for user in range(USERS):
                self.sql(
                    "insert into raw.users (tenant_id, user_id, user_type, signed_up_at) "
                    "values (%s, %s, %s, %s)",
                    tenant,
                    f"u{user}",
                    self.draw.choice(["couple", "supplier", None]),
                    self.moment() if user % 4 else None,
                )
            for customer in range(CUSTOMERS):
                self.sql(
                    "insert into raw.customers (tenant_id, customer_id, created_at) values (%s, %s, %s)",
                    tenant,
                    f"c{customer}",
                    self.moment() if customer % 5 else None,
                )
        for _ in range(260):
            self.new_session()
        for _ in range(30):
            self.new_subscription()

    def sql(self, statement: str, *values: Any) -> int:
        """Run it in a transaction of its own and return how many rows it touched."""
        return self.connection.execute(statement.encode(), values).rowcount

    def moment(self, ahead: int = 12) -> datetime:
        """Any moment since the beginning, some a little after as_of, some at a local midnight."""
        days = self.draw.randrange((self.as_of - BEGIN).days + ahead)
        hour = self.draw.choice([0, 3, 11, 12, 22, 23, 15])
        return datetime(BEGIN.year, BEGIN.month, BEGIN.day, hour, tzinfo=UTC) + timedelta(days=days)

    def tenant(self) -> str:
        """Any tenant."""
        return self.draw.choice(list(TENANTS))

    def new_session(self) -> int:
        """A session of a user, known or not, at any time."""
        self.number += 1
        return self.sql(
            "insert into raw.sessions (tenant_id, session_id, user_id, user_type, started_at, "
            "duration_seconds) values (%s, %s, %s, %s, %s, %s)",
            self.tenant(),
            f"s{self.number}",
            f"u{min(self.draw.randrange(USERS + 2), self.draw.randrange(USERS + 2))}",
            self.draw.choice([None, None, "couple"]),
            self.moment(),
            self.draw.choice([None, 60, -5, 12.5]),
        )

    def new_subscription(self) -> int:
        """A subscription that may have ended, or will."""
        self.number += 1
        started = self.moment()
        ended = started + timedelta(days=self.draw.randrange(1, 90))
        return self.sql(
            "insert into raw.subscriptions (tenant_id, subscription_id, customer_id, status, quantity, "
            "unit_amount, currency, billing_interval, interval_count, started_at, cancel_at) "
            "values (%s, %s, %s, 'active', 1, %s, 'USD', 'month', 1, %s, %s)",
            self.tenant(),
            f"s{self.number}",
            f"c{self.draw.randrange(CUSTOMERS)}",
            self.draw.choice([0, 10, 25]),
            started,
            self.draw.choice([None, ended]),
        )

    def any_of(self, table: str, key: str, change: str, *values: Any) -> int:
        """Change one row of a table: `change` is what follows the table's name in an update."""
        rows = self.connection.execute(f"select tenant_id, {key} from raw.{table} order by 1, 2".encode())
        keys = rows.fetchall()
        return self.sql(
            f"update raw.{table} set {change} where tenant_id = %s and {key} = %s",
            *values,
            *self.draw.choice(keys),
        )

    def change(self) -> None:  # noqa: PLR0912
        """One change of any kind; those of settings are rare."""
        kinds: dict[str, int] = {
            "session": 8, "move": 4, "delete": 3, "tombstone": 2, "restore": 1, "user type": 1, "sign up": 2,
            "gone user": 1, "subscription": 2, "end": 2, "price": 2, "customer": 1, "gone subscription": 1,
            "another user": 2,
        }  # fmt: skip
        match self.draw.choices(list(kinds), list(kinds.values()))[0]:
            case "session":
                self.new_session()
            case "move":
                self.any_of("sessions", "session_id", "started_at = %s", self.moment())
            case "another user":
                self.any_of("sessions", "session_id", "user_id = %s", f"u{self.draw.randrange(USERS)}")
            case "delete":
                self.sql(
                    "delete from raw.sessions where (tenant_id, session_id) in (select tenant_id, session_id "
                    "from raw.sessions order by md5(session_id || %s) limit 1)",
                    str(self.draw.random()),
                )
            case "tombstone":
                self.any_of("sessions", "session_id", "deleted_at = %s", self.moment())
            case "restore":
                self.sql("update raw.sessions set deleted_at = null where deleted_at is not null")
            case "user type":
                self.any_of("users", "user_id", "user_type = %s", self.draw.choice(["couple", None]))
            case "sign up":
                self.any_of("users", "user_id", "signed_up_at = %s", self.draw.choice([None, self.moment()]))
            case "gone user":
                self.any_of(
                    "users", "user_id", "deleted_at = case when deleted_at is null then %s end", self.moment()
                )
            case "subscription":
                self.new_subscription()
            case "end":
                self.any_of(
                    "subscriptions", "subscription_id", "cancel_at = %s, updated_at = %s",
                    self.draw.choice([None, self.moment(40)]), self.moment(),
                )  # fmt: skip
            case "price":
                self.any_of(
                    "subscriptions", "subscription_id", "unit_amount = %s, updated_at = %s",
                    self.draw.choice([0, 15, 30]), self.moment(),
                )  # fmt: skip
            case "customer":
                self.any_of(
                    "customers", "customer_id", "created_at = %s", self.draw.choice([None, self.moment()])
                )
            case "gone subscription":
                self.sql(
                    "delete from raw.subscriptions where (tenant_id, subscription_id) in (select tenant_id, "
                    "subscription_id from raw.subscriptions order by md5(subscription_id || %s) limit 1)",
                    str(self.draw.random()),
                )

    def change_setting(self) -> None:
        """One setting of one tenant."""
        match self.draw.randrange(4):
            case 0:
                self.sql(
                    "update raw.tenants set week_start = case week_start when 'monday' then 'sunday' "
                    "else 'monday' end where tenant_id = %s",
                    self.tenant(),
                )
            case 1:
                self.sql(
                    "update raw.tenants set timezone = %s where tenant_id = %s",
                    self.draw.choice(["Asia/Tokyo", "America/Los_Angeles", "UTC"]),
                    self.tenant(),
                )
            case 2:
                self.sql(
                    "update reporting.tenant_settings set mau_window_days = %s where tenant_id = %s",
                    self.draw.choice([14, 30, 45]),
                    self.tenant(),
                )
            case 3:
                self.sql(
                    "update reporting.tenant_settings set retention_cohorts = %s where tenant_id = %s",
                    self.draw.choice(["{signup}", "{first_activity,recurring}", TENANTS["north"][2]]),
                    self.tenant(),
                )


def run(
    settings: Settings, as_of: date | datetime, *, full: bool = False, models: list[str] = MODELS
) -> None:
    """Build the models of activity and retention alone, with what they read."""
    with open_build(settings, as_of=as_of, full_refresh=full) as current:
        if current.is_empty:
            return
        if full:
            run_dbt(["run", "--full-refresh", "--select", "config.materialized:view"], current.environment)
        args = ["run", *(["--full-refresh"] if full else []), "--select", *models]
        current.results = run_dbt(args, current.environment)


def content(settings: Settings) -> dict[str, set[str]]:
    """Every row of the tables compared, as text."""
    with connect(settings) as connection:
        return {
            table: {
                text
                for (text,) in connection.execute(
                    f"select row(tenant_id, {columns})::text from {table}".encode()
                )
            }
            for table, columns in TABLES.items()
        }


def differences(one: dict[str, set[str]], other: dict[str, set[str]]) -> dict[str, Any]:
    """The first rows that only one of the two has, by table."""
    return {
        table: (sorted(one[table] - other[table])[:4], sorted(other[table] - one[table])[:4])
        for table in one
        if one[table] != other[table]
    }


#: Days the clock moves on by before each build: none, one, over a week's and a month's end, forty.
STEPS = [1, 0, 1, 3, 1, 0, 8, 1, 40, 1]


@pytest.mark.once
def test_random_history(settings: Settings) -> None:
    """Builds after every few changes, one of them failing half way; compared twice with a full refresh."""
    with connect(settings, autocommit=True) as connection:
        history = History(connection, seed=1)
        run(settings, history.as_of, full=True)
        for number, days in enumerate(STEPS, start=1):
            for _ in range(history.draw.choice([0, 1, 3, 8])):
                history.change()
            if number % 4 == 0:
                history.change_setting()
            history.as_of += timedelta(days=days)
            # Every third build ends within the next day.
            noon = datetime(history.as_of.year, history.as_of.month, history.as_of.day, 12, tzinfo=UTC)
            moment: date | datetime = noon + timedelta(days=1) if number % 3 == 0 else history.as_of
            if number % 3 == 0:
                history.as_of += timedelta(days=2)
            if number % 5 == 0:
                fail_half_way(settings, moment)
                history.change()
            run(settings, moment)
            if number in (5, len(STEPS)):
                incremental = content(settings)
                assert all(incremental.values())
                run(settings, moment, full=True)
                assert differences(incremental, content(settings)) == {}, f"after step {number}"


def fail_half_way(settings: Settings, moment: date | datetime) -> None:
    """A build that ends before the last models: what it logged waits for the next."""
    with pytest.raises(RuntimeError, match="pulled"):  # noqa: SIM117
        with open_build(settings, as_of=moment) as current:
            run_dbt(["run", "--select", *MODELS, "--exclude", "cohort_retention"], current.environment)
            raise RuntimeError("pulled the plug")
