"""Daily activity, retention and months of revenue against a second reading of the rules (oracle.py).

Zones with clock changes, both week starts, sessions at midnights, users of changing types; built in two
steps, so that the second is incremental. Full subscription histories have
their own oracle in tests/integration/test_revenue_oracle.py.
"""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.integration.exact import oracle
from tests.integration.exact.conftest import Players
from tests.integration.exact.history import Build, Player, put
from tests.integration.exact.oracle import Session, Subscription, Tenant

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

SEED = 20250330
ZONES = ("UTC", "America/New_York", "America/Santiago", "Australia/Lord_Howe", "Pacific/Kiritimati")
AS_OF = datetime(2025, 4, 7, 15, 30, tzinfo=UTC)
#: Around the clock changes of March and April 2025 in both hemispheres, and months of 28 and 31 days.
FIRST, DAYS = date(2025, 1, 20), 80


def random_moment(rng: random.Random, zone: ZoneInfo) -> datetime:
    day = FIRST + timedelta(days=rng.randrange(DAYS))
    at = rng.choice((time(), time(23, 59, 59, 999999), time(rng.randrange(24), rng.randrange(60))))
    return datetime.combine(day, at, zone).astimezone(UTC)


def random_tenant(rng: random.Random, number: int) -> Tenant:
    zone = ZoneInfo(ZONES[number % len(ZONES)])
    made = Tenant(f"t{number}", zone, rng.choice(("monday", "sunday")), rng.choice((30, 30, 7)), AS_OF)
    kinds = ("supplier", "couple", None)
    made.users = {
        f"u{i}": (rng.choice(kinds), rng.choice((None, random_moment(rng, zone)))) for i in range(6)
    }
    made.sessions = [
        Session(f"u{rng.randrange(8)}", rng.choice((None, *kinds)), random_moment(rng, zone), seconds)
        for seconds in rng.choices((None, 0, 60, 600, -5), k=40)
    ]
    for i in range(5):
        made.customers[f"c{i}"] = rng.choice((None, random_moment(rng, zone)))
        moments = sorted(random_moment(rng, zone) for _ in range(4))
        for start, end in zip(moments[::2], moments[1::2], strict=True):
            if start < end:
                ends = rng.choice((end, end, None)) if end == moments[-1] else end
                made.subscriptions.append(Subscription(f"c{i}", start, ends, Decimal(rng.randint(1, 90))))
    return made


def load(playing: Player, tenant: Tenant, part: slice) -> None:
    settings = {"name": tenant.key, "timezone": tenant.zone.key, "week_start": tenant.week_start}
    put("tenants", tenant.key, (), **settings).run(playing.raw)
    playing.raw.execute(
        "insert into reporting.tenant_settings (tenant_id, mau_window_days) values (%s, %s) "
        "on conflict do nothing",
        (tenant.key, tenant.window),
    )
    for user, (kind, signed_up) in tenant.users.items():
        put("users", tenant.key, user, user_type=kind, signed_up_at=signed_up).run(playing.raw)
    for customer, created in tenant.customers.items():
        put("customers", tenant.key, customer, created_at=created).run(playing.raw)
    for number, session in list(enumerate(tenant.sessions))[part]:
        put(
            "sessions", tenant.key, f"s{number}", user_id=session.user, user_type=session.told_type,
            started_at=session.at, duration_seconds=session.seconds,
        ).run(playing.raw)  # fmt: skip
    for number, s in list(enumerate(tenant.subscriptions))[part]:
        put(
            "subscriptions", tenant.key, f"x{number}", customer_id=s.customer, status="active", quantity=1,
            unit_amount=s.mrr, currency="USD", billing_interval="month", interval_count=1,
            started_at=s.start, ended_at=s.end,
        ).run(playing.raw)  # fmt: skip


@pytest.fixture(scope="module")
def tenants() -> list[Tenant]:
    rng = random.Random(SEED)
    return [random_tenant(rng, number) for number in range(10)]


@pytest.fixture(scope="module")
def marts(player: Players, tenants: list[Tenant]) -> Any:
    with player(AS_OF - timedelta(days=12)) as playing:
        for part in (slice(None, None, 2), slice(1, None, 2)):
            for tenant in tenants:
                load(playing, tenant, part)
            playing.build(Build())
            playing.clock = playing.as_of = AS_OF
        yield playing.models


def test_daily_activity(marts: Any, tenants: list[Tenant]) -> None:
    columns = (
        "dau", "wau", "mau", "mau_28", "wau_week_to_date", "mau_month_to_date", "sessions",
        "avg_session_seconds",
    )  # fmt: skip
    checked = 0
    for tenant in tenants:
        found = {
            (kind, day): dict(zip(columns, values, strict=True))
            for kind, day, *values in marts.execute(
                f"select user_type, metric_date, {', '.join(columns)} from marts.engagement_by_user_type "
                "where tenant_id = %s",
                (tenant.key,),
            ).fetchall()
        }
        expected = oracle.engagement(tenant)
        assert found.keys() == expected.keys(), tenant.key
        for key, row in expected.items():
            assert {k: same(v) for k, v in found[key].items()} == {k: same(v) for k, v in row.items()}, (
                tenant.key,
                key,
            )
        daily = marts.execute(
            "select metric_date, dau, wau, mau, mau_28, stickiness, active_suppliers, active_couples, "
            "total_sessions from marts.daily_metrics where tenant_id = %s",
            (tenant.key,),
        ).fetchall()
        nothing = dict.fromkeys(columns, 0)
        for day, dau, wau, mau, mau_28, stickiness, suppliers, couples, sessions in daily:
            row = expected.get(("all", day), nothing)
            assert (dau, wau, mau, mau_28, sessions) == tuple(
                row[name] for name in ("dau", "wau", "mau", "mau_28", "sessions")
            ), (tenant.key, day)
            assert same(stickiness) == same(Fraction(row["dau"], row["mau"]) if row["mau"] else None)
            for kind, count in (("supplier", suppliers), ("couple", couples)):
                assert count == expected.get((kind, day), nothing)["dau"], (tenant.key, day)
            checked += 1
        assert {day for _, day in expected} <= {row[0] for row in daily}
    assert checked > 500


def test_retention(marts: Any, tenants: list[Tenant]) -> None:
    checked = 0
    for tenant in tenants:
        found = {
            tuple(row[:6]): row[6:]
            for row in marts.execute(
                "select subject, cohort_by, period, mode, cohort_start, period_index, cohort_size, eligible, "
                "retained, retention_rate, retained_mrr, eligible_starting_mrr, is_complete "
                "from marts.cohort_retention where tenant_id = %s",
                (tenant.key,),
            ).fetchall()
        }
        expected = oracle.retention(tenant)
        assert found.keys() == expected.keys(), tenant.key
        for key, cell in expected.items():
            _, eligible, retained, rate, mrr, starting, is_complete = found[key]
            is_revenue = key[0] == "revenue"
            known = cell.eligible > 0
            assert (eligible, retained, is_complete) == (
                cell.eligible,
                cell.retained if known else None,
                cell.eligible == cell.begun,
            ), (tenant.key, key)
            part, whole = (cell.mrr, cell.starting_mrr) if is_revenue else (cell.retained, cell.eligible)
            assert same(rate) == same(Fraction(part) / Fraction(whole) if known else None), (tenant.key, key)
            assert same(mrr) == same(cell.mrr if is_revenue and known else None)
            assert same(starting) == same(cell.starting_mrr if key[0] != "user" and known else None)
            checked += 1
    assert checked > 5000


def same(value: Any) -> Any:
    """A figure for comparison: rates are exact in the oracle and rounded at many digits in the database."""
    return None if value is None else round(float(value), 9)


def test_revenue_of_months(marts: Any, tenants: list[Tenant]) -> None:
    checked = 0
    for tenant in tenants:
        names = list(oracle.revenue(tenant, date(2025, 1, 1)))
        for month, *values in marts.execute(
            f"select month, {', '.join(names)} from marts.revenue_metrics where tenant_id = %s",
            (tenant.key,),
        ).fetchall():
            found = {name: same(value) for name, value in zip(names, values, strict=True)}
            expected = {name: same(value) for name, value in oracle.revenue(tenant, month).items()}
            assert found == expected, (tenant.key, month)
            checked += 1
    assert checked >= 30
