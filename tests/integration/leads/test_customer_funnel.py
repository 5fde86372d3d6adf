"""The customer funnel against a plain Python count of raw rows, build after build, and a full refresh."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Any

import pytest

from orchestration.marts.build import build
from orchestration.settings import Settings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

Row = dict[str, Any]
Steps = dict[str, datetime]
AS_OF = datetime(2024, 11, 3, 15, tzinfo=UTC)
TENANTS = (("ber", "Europe/Berlin"), ("nyc", "America/New_York"))
EVENTS = ("file_upload", "worklog_creation", "report_generation")
MODELS = [
    ("intermediate", "int_users__activation"),
    ("intermediate", "int_users__daily"),
    ("intermediate", "int_users__accounts"),
    ("marts", "customer_funnel"),
]
MEDIANS = {
    "to_activation": ("signed_up", "activated"),
    "activation_to_trial": ("activated", "trial"),
    "trial_to_paying": ("trial", "paying"),
    "to_trial": ("signed_up", "trial"),
    "to_paying": ("signed_up", "paying"),
}


def stretches(world: Any, sub: Row) -> list[tuple[datetime, datetime, str]]:
    """(from, to, status) of a subscription: by its changes, else by its own row."""
    end = sub["ended_at"] or datetime.max.replace(tzinfo=UTC)
    changes = sorted(
        (c["changed_at"], c["status"])
        for c in world.of("subscription_changes", sub["tenant_id"])
        if c["subscription_id"] == sub["subscription_id"]
    )
    if changes:
        begins = [sub["started_at"], *(moment for moment, _ in changes[1:])]
        statuses = [status for _, status in changes]
    else:
        begins, statuses = [sub["started_at"]], [sub["status"]]
        if sub["trial_end"]:
            begins, statuses = [sub["started_at"], sub["trial_end"]], ["trialing", sub["status"]]
        statuses = ["active" if status == "canceled" else status for status in statuses]
    ends = [*begins[1:], end]
    return [(b, min(e, end), s) for b, e, s in zip(begins, ends, statuses, strict=True) if b < min(e, end)]


def accounts(world: Any, tenant: str, as_of: datetime, activation_events: tuple[str, ...]) -> list[Steps]:
    """First moment of each step of each account that signed up."""
    found: dict[tuple[str, str], Steps] = defaultdict(dict)

    def seen(account: tuple[str, str], step: str, moment: datetime | None) -> None:
        if moment is not None and moment < as_of:
            found[account][step] = min(found[account].get(step, moment), moment)

    account_of = {
        user["user_id"]: ("customer", user["customer_id"])
        if user["customer_id"]
        else ("user", user["user_id"])
        for user in world.of("users", tenant)
    }
    for user in world.of("users", tenant):
        seen(account_of[user["user_id"]], "signed_up", user["signed_up_at"])
    for event in world.of("activation_events", tenant):
        if event["event_type"] in activation_events:
            account = account_of.get(event["user_id"], ("user", event["user_id"]))
            seen(account, "activated", event["occurred_at"])
    for sub in world.of("subscriptions", tenant):
        for begin, _, status in stretches(world, sub):
            if status == "trialing":
                seen(("customer", sub["customer_id"]), "trial", begin)
            elif status == "active" and sub["unit_amount"] > 0:
                seen(("customer", sub["customer_id"]), "paying", begin)
    for customer in world.of("customers", tenant):
        if "signed_up" not in found[("customer", customer["customer_id"])]:
            seen(("customer", customer["customer_id"]), "signed_up", customer["created_at"])
    return [steps for steps in found.values() if "signed_up" in steps]


def expect(world: Any, tenant: str, as_of: datetime, activation_events: tuple[str, ...]) -> dict[Any, Row]:
    zone = world.zone(tenant)
    cohorts: dict[date, list[Steps]] = defaultdict(list)
    for steps in accounts(world, tenant, as_of, activation_events):
        cohorts[steps["signed_up"].astimezone(zone).date().replace(day=1)].append(steps)
    expected = {}
    for month, members in cohorts.items():
        next_month = (month + timedelta(days=31)).replace(day=1)
        n = {step: sum(step in m for m in members) for step in ("signed_up", "activated", "trial", "paying")}
        both = {
            (a, b): sum(a in m and b in m for m in members)
            for a, b in (("activated", "trial"), ("trial", "paying"))
        }
        row: Row = n | {
            "is_complete": float(next_month <= as_of.astimezone(zone).date()),
            "activated_with_trial": both["activated", "trial"],
            "trial_with_paying": both["trial", "paying"],
            "activation_rate": n["activated"] / n["signed_up"],
            "activation_to_trial_rate": both["activated", "trial"] / n["activated"]
            if n["activated"]
            else None,
            "trial_conversion_rate": both["trial", "paying"] / n["trial"] if n["trial"] else None,
            "trial_rate": n["trial"] / n["signed_up"],
            "paying_rate": n["paying"] / n["signed_up"],
        }
        for name, (begun, done) in MEDIANS.items():
            days = [
                (m[done] - m[begun]) / timedelta(days=1)
                for m in members
                if begun in m and done in m and m[done] >= m[begun]
            ]
            row[f"median_days_{name}"] = median(days) if days else None
        expected[(month,)] = row
    return expected


def assert_agrees(world: Any, as_of: datetime, activation_events: tuple[str, ...] = EVENTS) -> int:
    cells = 0
    for tenant, _ in TENANTS:
        expected = expect(world, tenant, as_of, activation_events if tenant == "ber" else EVENTS)
        actual = world.held("marts", "customer_funnel", ("cohort_month",), tenant)
        assert actual.keys() == expected.keys(), tenant
        for key, row in expected.items():
            found = {name: None if v is None else float(v) for name, v in actual[key].items()}
            assert found == pytest.approx(row), (tenant, key)
            cells += len(row)
    return cells


def put_user(world: Any, tenant: str, number: int) -> None:
    rng = world.rng
    world.put(
        "users",
        tenant_id=tenant,
        user_id=f"u{number}",
        customer_id=rng.choice([f"c{rng.randint(1, 25)}", f"c{rng.randint(1, 25)}", None]),
        user_type=rng.choice(["supplier", "couple", None]),
        signed_up_at=rng.choice([world.moment(), world.moment() - timedelta(days=rng.randint(0, 50)), None]),
    )


def put_event(world: Any, tenant: str, number: int) -> None:
    world.put("activation_events", tenant_id=tenant, event_id=f"e{number}",
              user_id=f"u{world.rng.randint(1, 75)}", event_type=world.rng.choice([*EVENTS, "login"]),
              occurred_at=world.moment() - timedelta(days=world.rng.randint(-3, 30)))  # fmt: skip


def put_subscription(world: Any, tenant: str, number: int) -> None:
    """One that tells its trial in its row, or one with changes; one that was there would keep history."""
    rng, started = world.rng, world.moment() - timedelta(days=world.rng.randint(0, 40))
    kind = rng.choice(["plain", "trial in row", "trialing", "changes"])
    later = [started + timedelta(minutes=15 * m) for m in sorted(rng.sample(range(1, 3000), 3))]
    ended = rng.choice([None, None, later[2]])
    world.put(
        "subscriptions",
        tenant_id=tenant,
        subscription_id=f"s{number}",
        customer_id=f"c{rng.randint(1, 32)}",
        plan="pro",
        status="canceled" if ended else "trialing" if kind == "trialing" else "active",
        quantity=rng.randint(1, 3),
        unit_amount=rng.choice([0, 10, 25]),
        currency="USD",
        billing_interval="month",
        interval_count=1,
        started_at=started,
        trial_end=later[0] if kind == "trial in row" else None,
        ended_at=ended,
    )
    if kind == "changes":
        story = rng.choice([("trialing", "active"), ("active",), ("trialing",), ("trialing", "canceled")])
        for step, status in enumerate(story):
            world.put("subscription_changes", tenant_id=tenant, change_id=f"s{number}-{step}",
                      subscription_id=f"s{number}", changed_at=[started, later[1]][step], status=status,
                      quantity=None, unit_amount=None)  # fmt: skip


def put_customer(world: Any, tenant: str, number: int) -> None:
    world.put("customers", tenant_id=tenant, customer_id=f"c{number}", name=f"c{number}",
              created_at=world.rng.choice([None, world.moment()]))  # fmt: skip


def test_every_build_agrees_with_a_plain_count(settings: Settings, world: Any) -> None:
    for tenant, zone in TENANTS:
        world.put("tenants", tenant_id=tenant, name=tenant, timezone=zone, currency="USD")
        for number in range(1, 71):
            put_user(world, tenant, number)
            put_event(world, tenant, number)
        for number in range(1, 41):
            put_subscription(world, tenant, number)
        for number in range(1, 31):
            put_customer(world, tenant, number)
    build(settings, as_of=AS_OF)
    cells = assert_agrees(world, AS_OF)
    assert cells > 100

    for tenant, _ in TENANTS:
        for number in (*world.rng.sample(range(5, 71), 15), 71, 72):
            put_user(world, tenant, number)
        for number in (*world.rng.sample(range(5, 71), 15), 71, 72):
            put_event(world, tenant, number)
        for number in (41, 42, 43):
            put_subscription(world, tenant, number)
        for number in (3, 4, 31, 32):
            put_customer(world, tenant, number)
        world.delete("users", tenant, "u1")
        world.bury("users", tenant, "u2")
        world.delete("activation_events", tenant, "e1")
        world.bury("activation_events", tenant, "e2")
        world.delete("subscriptions", tenant, "s1")
        world.bury("subscriptions", tenant, "s2")
        world.delete("customers", tenant, "c1")
        world.bury("customers", tenant, "c2")
    build(settings, as_of=AS_OF)
    assert_agrees(world, AS_OF)

    world.conn.execute(
        "insert into reporting.tenant_settings (tenant_id, activation_events) values ('ber', '{login}')"
    )
    world.put("tenants", tenant_id="nyc", timezone="Asia/Tokyo")
    later = AS_OF + timedelta(days=4)
    build(settings, as_of=later)
    assert_agrees(world, later, ("login",))

    world.bury("users", "nyc", "u7")
    later += timedelta(days=28)
    build(settings, as_of=later)
    assert_agrees(world, later, ("login",))

    before = world.content(*MODELS)
    build(settings, as_of=later, full_refresh=True)
    assert world.content(*MODELS) == before
    print(f"{cells} cells agree with a plain count, after each of 4 builds")
