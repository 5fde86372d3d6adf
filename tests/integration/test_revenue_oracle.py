"""Random subscription histories: marts against a plain second reading of the rules, incremental against full.

The oracle walks one subscription from boundary to boundary in Python; the models are set-based SQL. Rows are
inserted, changed and deleted and the clock moves between builds. One seed, so a failure can be repeated.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from orchestration.marts.build import build
from orchestration.settings import Settings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1800)]

Connection = psycopg.Connection[Any]

SEED = 20260314
TENANTS = 120
FIRST, BEFORE, AFTER = date(2024, 1, 1), date(2024, 5, 20), date(2024, 7, 10)
ZONES = ("UTC", "America/New_York", "Asia/Kolkata", "Europe/Lisbon", "Pacific/Auckland")
CURRENCIES = ("USD", "EUR", "GBP")
TERMS = (
    "status", "plan", "quantity", "unit_amount", "currency", "billing_interval", "forever_discount_percent"
)  # fmt: skip
PLANS = ("basic", "pro", "(none)")
FACTOR = {"day": Fraction(365, 12), "week": Fraction(52, 12), "month": Fraction(1), "year": Fraction(1, 12)}


@dataclass
class Subscription:
    """One subscription with its changes, each (moment, order of loading, told terms)."""

    key: str
    customer: str
    terms: dict[str, Any]
    started: datetime
    trial: tuple[datetime, datetime] | None = None
    cancel_at: datetime | None = None
    canceled: datetime | None = None
    ended: datetime | None = None
    changes: list[tuple[datetime, int, dict[str, Any]]] = field(default_factory=list)


@dataclass
class Tenant:
    """A tenant with its settings and subscriptions."""

    key: str
    zone: ZoneInfo
    currency: str
    past_due_days: int | None
    churn_on: str
    subscriptions: list[Subscription] = field(default_factory=list)


@dataclass(frozen=True)
class State:
    """What holds from one boundary to the next."""

    status: str
    amount: Fraction
    currency: str
    terms: tuple[Any, ...]

    @property
    def plan(self) -> str:
        """The first of the terms."""
        return str(self.terms[0])


#: (boundary, state from there on, local day on which its terms began, no wish to cancel known yet), in order.
Path = list[tuple[datetime, State, date, bool]]


def random_moment(rng: random.Random, after: datetime | None = None, days: int = 200) -> datetime:
    """Often a midnight, where half-open intervals matter."""
    start = FIRST if after is None else after.date()
    day = datetime.combine(start, time(), UTC) + timedelta(days=rng.randrange(days))
    return day if rng.random() < 0.3 else day + timedelta(minutes=rng.randrange(24 * 60))


def random_change(
    rng: random.Random, number: int, after: datetime | None = None
) -> tuple[datetime, int, dict[str, Any]]:
    told: dict[str, Any] = dict.fromkeys(TERMS)
    kinds = (*["active"] * 6, "past_due", *["paused"] * 4, "unpaid", "trialing", "canceled", "incomplete")
    for term, choose in (
        ("status", lambda: rng.choice(kinds)),
        ("plan", lambda: rng.choice(PLANS)),
        ("quantity", lambda: rng.choice((0, 1, 2, 3, 4))),
        ("unit_amount", lambda: Decimal(rng.randint(0, 9999)) / 100),
        ("currency", lambda: rng.choice(CURRENCIES)),
        ("billing_interval", lambda: rng.choice(list(FACTOR))),
        ("forever_discount_percent", lambda: rng.choice((0, 0, 25, 100))),
    ):
        if rng.random() < (0.5 if term == "status" else 0.3):
            told[term] = choose()
    return random_moment(rng, after, 120), number, told


def random_subscription(rng: random.Random, number: int) -> Subscription:
    terms = {
        "status": rng.choice((*["active"] * 6, "past_due", "canceled", "trialing", "paused")),
        "plan": rng.choice(PLANS),
        "quantity": rng.choice((0, 1, 1, 2, 3)),
        "unit_amount": Decimal(rng.randint(0, 9999)) / 100,
        "currency": rng.choice(CURRENCIES),
        "billing_interval": rng.choice(list(FACTOR)),
        "forever_discount_percent": rng.choice((None, None, 0, 50)),
    }
    made = Subscription(f"s{number}", f"c{number // 2}", terms, random_moment(rng, days=120))
    after = made.started if rng.random() < 0.85 else None  # sometimes an end before the start
    if rng.random() < 0.3:
        begins = made.started if rng.random() < 0.5 else random_moment(rng, after, 90)
        made.trial = (begins, begins + timedelta(days=rng.randint(1, 40)))
    if rng.random() < 0.2:
        made.cancel_at = random_moment(rng, after)
    if rng.random() < 0.2:
        made.canceled = random_moment(rng, after)
    if rng.random() < 0.2:
        made.ended = random_moment(rng, after)
    made.changes = [random_change(rng, i, after) for i in range(rng.choice((0, 0, 1, 3, 5)))]
    if made.changes and rng.random() < 0.4:  # two at one instant
        moment = made.changes[0][0]
        made.changes.append((moment, 9, random_change(rng, 9)[2]))
    return made


def random_tenant(rng: random.Random, number: int) -> Tenant:
    made = Tenant(
        f"t{number}", ZoneInfo(rng.choice(ZONES)), rng.choice(CURRENCIES),
        rng.choice((None, None, 0, 7)), rng.choice(("end", "end", "intent")),
    )  # fmt: skip
    made.subscriptions = [random_subscription(rng, i) for i in range(rng.randint(2, 8))]
    return made


def rate(currency: str, day: date) -> Fraction:
    """Units per euro: a made-up rate that is told on two days of the week only."""
    told = day - timedelta(days=(day.weekday() - 1) % 7 if day.weekday() < 4 else day.weekday() - 4)
    if day.weekday() == 0:
        told = day - timedelta(days=3)
    return published(currency, told)


def published(currency: str, day: date) -> Fraction:
    base = {"USD": 1100, "GBP": 850, "EUR": 1000}[currency]
    return Fraction(1) if currency == "EUR" else Fraction(base + (day.toordinal() * 37) % 101, 1000)


def end_of(tenant: Tenant, s: Subscription, as_of: datetime) -> datetime | None:
    end = s.ended
    if end is None and s.cancel_at is not None and s.cancel_at < as_of:
        end = s.cancel_at
    if end is None and s.terms["status"] == "canceled":
        end = s.canceled
    if end is None:
        end = s.cancel_at
    if tenant.churn_on == "intent" and s.canceled is not None:
        end = s.canceled if end is None else min(end, s.canceled)
    return end


def told_until(s: Subscription, moment: datetime, ends: bool) -> dict[str, Any]:  # noqa: PLR0912
    """Terms in force at a moment, changes at it included."""
    history = sorted(s.changes, key=lambda change: change[:2])
    known: dict[str, Any] = {}
    statuses: list[str] = []
    for _, _, told in history:
        for term in TERMS[1:]:
            if told[term] is not None:
                known.setdefault(term, told[term])
        late = told["status"] == "incomplete" and any(x != "incomplete" for x in statuses)
        if told["status"] is not None and not late:
            statuses.append(told["status"])
    terms = {term: known.get(term, s.terms[term]) for term in TERMS[1:]}
    if not statuses:
        terms["status"] = "active" if s.terms["status"] == "canceled" and ends else s.terms["status"]
    else:
        terms["status"] = statuses[0] if statuses[0] in ("trialing", "active", "incomplete") else "active"
    seen: list[str] = []
    # The first change holds back to the start, unless it is the end.
    if history and history[0][2]["status"] != "canceled":
        history[0] = (min(history[0][0], s.started), *history[0][1:])
    for at, _, told in history:
        if at > moment and at > s.started:
            break
        for term in TERMS:
            if told[term] is None:
                continue
            if term == "status":
                if told[term] == "incomplete" and any(x != "incomplete" for x in seen):
                    continue
                seen.append(told[term])
            terms[term] = told[term]
    return terms


def walk(tenant: Tenant, s: Subscription, as_of: datetime) -> Path:  # noqa: PLR0912
    """The subscription's boundaries in order, each with what holds from there on."""
    end = end_of(tenant, s, as_of)
    tells_trials = any(told["status"] == "trialing" for _, _, told in s.changes)
    moments = {s.started, *(at for at, _, _ in s.changes if at > s.started)}
    if s.trial:
        moments |= {at for at in s.trial if at > s.started}
    uncommitted = s.canceled or (s.started if s.cancel_at else None)
    if uncommitted and uncommitted > s.started:
        moments.add(uncommitted)
    if end is not None and end > s.started:
        moments.add(end)
    path: Path = []
    queue, seen_status, status_from, paid = sorted(moments), "", s.started, False
    began = s.started
    while queue:
        moment = queue.pop(0)
        committed = uncommitted is None or moment < uncommitted
        if end is not None and moment >= end:
            path.append((moment, State("canceled", Fraction(0), "EUR", ()), date.min, False))
            break
        terms = told_until(s, moment, end is not None)
        if terms["status"] != seen_status:
            seen_status, status_from = terms["status"], moment
        status = terms["status"]
        in_window = s.trial is not None and not tells_trials and s.trial[0] <= moment < s.trial[1]
        if status in ("active", "past_due", "unpaid") and in_window:
            status = "trialing"
        elif status == "trialing" and s.trial and status_from < s.trial[1] <= moment:
            status = "active"
        elif status == "past_due" and tenant.past_due_days is not None:
            since = status_from
            if s.trial and not tells_trials and s.trial[0] <= status_from:
                since = max(since, s.trial[1])
            limit = local_shift(since, tenant)
            if moment >= limit:
                status = "unpaid"
            elif limit not in queue and (end is None or limit < end):
                queue = sorted({*queue, limit})
        amount = monthly(terms) if status in ("active", "past_due", "trialing") else Fraction(0)
        if status == "trialing" and paid:
            status = "active"
        elif status in ("active", "past_due") and amount > 0:
            paid = True
        state = State(status, amount, terms["currency"], tuple(terms[t] for t in TERMS[1:]))
        if not path or state != path[-1][1]:
            began = moment
        path.append((moment, state, began.astimezone(tenant.zone).date(), committed))
    return path


def local_shift(moment: datetime, tenant: Tenant) -> datetime:
    local = moment.astimezone(tenant.zone).replace(tzinfo=None) + timedelta(days=tenant.past_due_days or 0)
    return local.replace(tzinfo=tenant.zone).astimezone(UTC)


def monthly(terms: dict[str, Any]) -> Fraction:
    price = Fraction(terms["unit_amount"]) * terms["quantity"] * FACTOR[terms["billing_interval"]]
    return price * (100 - (terms["forever_discount_percent"] or 0)) / 100


def expected_days(
    tenant: Tenant, as_of_date: date
) -> dict[date, tuple[Fraction, Fraction, Fraction, int, int]]:
    """Day -> mrr, trial_mrr, committed_mrr, active subscriptions, paying customers at its end."""
    as_of = midnight(tenant, as_of_date + timedelta(days=1))
    paths = [(s.customer, walk(tenant, s, as_of)) for s in tenant.subscriptions]
    result = {}
    day = FIRST - timedelta(days=2)
    while day <= as_of_date:
        closing = midnight(tenant, day + timedelta(days=1))
        mrr = trial = committed_mrr = Fraction(0)
        active = 0
        paying: dict[str, Fraction] = defaultdict(Fraction)
        for customer, path in paths:
            steps = [step for step in path if step[0] < closing]
            if not steps:
                continue
            _, state, began, committed = steps[-1]
            amount = state.amount
            if amount and state.currency != tenant.currency:
                amount = amount * rate(tenant.currency, began) / rate(state.currency, began)
            if state.status == "trialing":
                trial += amount
            if state.status in ("active", "past_due"):
                mrr += amount
                paying[customer] += amount
                committed_mrr += amount if committed else 0
            active += state.status == "active"
        result[day] = (mrr, trial, committed_mrr, active, sum(1 for x in paying.values() if x > 0))
        day += timedelta(days=1)
    return result


def expected_plans(tenant: Tenant, as_of_date: date) -> dict[tuple[date, str], tuple[Fraction, int, int]]:
    """(Month, plan) -> mrr, paying customers, active subscriptions at the month's end or as_of."""
    as_of = midnight(tenant, as_of_date + timedelta(days=1))
    paths = [(s.customer, walk(tenant, s, as_of)) for s in tenant.subscriptions]
    result = {}
    month = FIRST
    while month <= as_of_date:
        following = (month + timedelta(days=32)).replace(day=1)
        closing = midnight(tenant, min(following, as_of_date + timedelta(days=1)))
        paying: dict[str, dict[str, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
        active: dict[str, int] = defaultdict(int)
        for customer, path in paths:
            _, state, began, _ = next((x for x in reversed(path) if x[0] < closing), path[0])
            if path[0][0] >= closing or state.status not in ("active", "past_due"):
                continue
            amount = state.amount
            if amount and state.currency != tenant.currency:
                amount = amount * rate(tenant.currency, began) / rate(state.currency, began)
            paying[state.plan][customer] += amount
            active[state.plan] += state.status == "active"
        for plan in PLANS:
            amounts = paying[plan].values()
            result[month, plan] = (sum(amounts, Fraction(0)), sum(1 for x in amounts if x > 0), active[plan])
        month = following
    return result


def compare_plans(connection: Connection, tenants: list[Tenant], as_of_date: date) -> None:
    """revenue_by_plan against the walk; its parts add up to revenue_metrics, also NULL by NULL."""
    wrong = []
    for tenant in tenants:
        rows = connection.execute(
            "select month, plan, mrr, paying_customers, active_subscriptions from marts.revenue_by_plan"
            " where tenant_id = %s",
            (tenant.key,),
        )
        found = {(month, plan): figures for month, plan, *figures in rows}
        for key, want in expected_plans(tenant, as_of_date).items():
            got = found.get(key, (0, 0, 0))
            if any(abs(Fraction(a) - b) > Fraction(1, 10**9) for a, b in zip(got, want, strict=True)):
                wrong.append((tenant.key, *key, [float(x) for x in want], [float(x) for x in got]))
    assert not wrong, f"{len(wrong)} differ, first {wrong[:3]}"
    kinds = ("new", "expansion", "contraction", "churned", "reactivation", "paused", "resumed", "fx_impact")
    kinds += ("starting", "ending")
    sums = ", ".join(f"sum({kind}_mrr) as {kind}_mrr" for kind in kinds)
    differ = " or ".join(f"p.{kind}_mrr is distinct from m.{kind}_mrr" for kind in kinds)
    unequal = connection.execute(
        f"select * from (select tenant_id, month, sum(transferred_in_mrr) as came,"
        f" sum(transferred_out_mrr) as went, {sums} from marts.revenue_by_plan group by 1, 2) as p"
        f" join marts.revenue_metrics as m using (tenant_id, month) where came <> went or {differ}".encode()
    ).fetchall()
    assert not unequal, unequal[:2]
    moved = connection.execute(
        "select count(*) from marts.revenue_by_plan where transferred_in_mrr > 0"
    ).fetchone()
    assert moved is not None and moved[0] > 5, "too few changes of plan to prove anything"
    broken = connection.execute(
        "select * from marts.revenue_by_plan where ending_mrr is distinct from starting_mrr + new_mrr"
        " + expansion_mrr + reactivation_mrr + resumed_mrr + fx_impact_mrr + transferred_in_mrr"
        " - contraction_mrr - churned_mrr - paused_mrr - transferred_out_mrr"
    ).fetchall()
    assert not broken, broken[:2]


def midnight(tenant: Tenant, day: date) -> datetime:
    return datetime.combine(day, time(), tenant.zone).astimezone(UTC)


def load_rates(connection: Connection) -> None:
    days = [FIRST + timedelta(days=i) for i in range(-30, 260)]
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into raw.exchange_rates (rate_date, currency, units_per_eur) values (%s, %s, %s)",
            [
                (day, currency, Decimal(int(published(currency, day) * 1000)) / 1000)
                for day in days if day.weekday() in (1, 4) for currency in ("USD", "GBP")
            ],
        )  # fmt: skip


def store(connection: Connection, tenant: Tenant, s: Subscription) -> None:
    """Write a subscription as it is now, its changes included, replacing what was there."""
    key = (tenant.key, s.key)
    for table in ("subscription_changes", "subscriptions"):
        connection.execute(
            f"delete from raw.{table} where tenant_id = %s and subscription_id = %s".encode(), key
        )
    terms = [s.terms[term] for term in TERMS]
    trial = s.trial or (None, None)
    connection.execute(
        f"insert into raw.subscriptions (tenant_id, subscription_id, customer_id, {', '.join(TERMS)},"
        " interval_count, started_at, trial_start, trial_end, cancel_at, canceled_at, ended_at)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 1, %s, %s, %s, %s, %s, %s)".encode(),
        (*key, s.customer, *terms, s.started, *trial, s.cancel_at, s.canceled, s.ended),
    )
    for moment, number, told in sorted(s.changes, key=lambda change: change[1]):
        connection.execute(
            "insert into raw.subscription_changes"
            f" (tenant_id, change_id, subscription_id, changed_at, {', '.join(TERMS)})"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)".encode(),
            (tenant.key, f"{s.key}:{9 - number}", s.key, moment, *(told[term] for term in TERMS)),
        )


def compare(connection: Connection, tenants: list[Tenant], as_of_date: date) -> None:
    wrong, compared, paying = [], 0, 0
    for tenant in tenants:
        found = {
            row[0]: row[1:]
            for row in connection.execute(
                "select metric_date, mrr, trial_mrr, committed_mrr, active_subscriptions, total_customers"
                " from intermediate.int_revenue__daily where tenant_id = %s",
                (tenant.key,),
            )
        }
        for day, want in expected_days(tenant, as_of_date).items():
            got = found.get(day, (0, 0, 0, 0, 0))
            compared += 1
            paying += want[0] > 0
            if any(abs(Fraction(a) - b) > Fraction(1, 10**9) for a, b in zip(got, want, strict=True)):
                wrong.append((tenant.key, day, [round(float(x), 4) for x in want], [float(x) for x in got]))
    assert paying > 1000, "too few days with revenue to prove anything"
    assert not wrong, f"{len(wrong)} of {compared} days differ, first {wrong[:3]}"


def check_ledger(connection: Connection) -> None:
    """A customer's rows are chained, kinds follow from what is before and after, new comes once and first."""
    broken = connection.execute(
        """
        with ledger as (
            select *, lag(mrr_after, 1, 0::numeric) over chain as carried, row_number() over chain as place
            from marts.mrr_movements
            window chain as (
                partition by tenant_id, customer_id order by moved_at, array_position(
                    array[
                        'fx_impact', 'resumed', 'new', 'reactivation', 'expansion', 'contraction',
                        'paused', 'churn'
                    ],
                    movement
                )
            )
        )
        select * from ledger
        where mrr_before <> carried
            or mrr_after <> mrr_before
                + amount * case when movement in ('contraction', 'churn', 'paused') then -1 else 1 end
            or (amount <= 0 and movement <> 'fx_impact')
            or (movement = 'new' and (place > 1 or mrr_before <> 0))
            or (movement = 'reactivation' and (place = 1 or mrr_before <> 0))
            or (movement = 'churn' and mrr_after <> 0)
            or (movement = 'contraction' and mrr_after <= 0)
        """
    ).fetchall()
    assert not broken, broken[:3]
    identity = connection.execute(
        "select * from marts.revenue_metrics where ending_mrr is distinct from starting_mrr + new_mrr"
        " + expansion_mrr + reactivation_mrr + resumed_mrr + fx_impact_mrr - contraction_mrr"
        " - churned_mrr - paused_mrr"
    ).fetchall()
    assert not identity
    kinds = connection.execute("select movement, count(*) from marts.mrr_movements group by 1").fetchall()
    assert len(kinds) == 8, f"the histories lack a kind of movement: {kinds}"


RELATIONS = {
    "intermediate.int_revenue__subscription_periods": "tenant_id, subscription_id, valid_from::text",
    "intermediate.int_revenue__customer_periods": "tenant_id, customer_id, valid_from::text",
    "intermediate.int_revenue__daily": "tenant_id, metric_date",
    "marts.mrr_movements": "tenant_id, customer_id, moved_at, movement",
    "intermediate.int_revenue__plan_movements": "tenant_id, customer_id, moved_at, plan",
    "intermediate.int_revenue__plan_days": "tenant_id, metric_date, plan",
    "marts.revenue_metrics": "tenant_id, month",
    "marts.revenue_by_plan": "tenant_id, month, plan",
}


def content(connection: Connection) -> dict[str, list[Any]]:
    return {
        relation: connection.execute(
            f"select row_to_json(t)::text from {relation} as t order by {key}".encode()
        ).fetchall()
        for relation, key in RELATIONS.items()
    }


@pytest.mark.once
def test_random_histories(module_settings: Settings, module_database: Connection) -> None:
    """Full build, then changes of all kinds and a later clock: equal to the oracle, and to a full refresh."""
    rng = random.Random(SEED)
    tenants = [random_tenant(rng, i) for i in range(TENANTS)]
    connection = module_database
    load_rates(connection)
    for tenant in tenants:
        connection.execute(
            "insert into raw.tenants (tenant_id, name, timezone, currency) values (%s, %s, %s, %s)",
            (tenant.key, tenant.key, str(tenant.zone), tenant.currency),
        )
        connection.execute(
            "insert into reporting.tenant_settings (tenant_id, past_due_days, churn_on) values (%s, %s, %s)",
            (tenant.key, tenant.past_due_days, tenant.churn_on),
        )
        for subscription in tenant.subscriptions:
            store(connection, tenant, subscription)
    connection.commit()
    build(module_settings, as_of=BEFORE)
    compare(connection, tenants, BEFORE)
    compare_plans(connection, tenants, BEFORE)
    check_ledger(connection)

    for tenant in tenants[::2]:
        kept = rng.randrange(len(tenant.subscriptions))
        for number, subscription in enumerate(tenant.subscriptions):
            if number != kept and rng.random() < 0.6:
                continue
            if rng.random() < 0.5:
                subscription.changes.append(random_change(rng, 7))
            else:
                subscription.ended = random_moment(rng)
            store(connection, tenant, subscription)
    for tenant in tenants[::5]:
        gone = tenant.subscriptions.pop()
        connection.execute(
            "delete from raw.subscriptions where tenant_id = %s and subscription_id = %s",
            (tenant.key, gone.key),
        )
    connection.commit()
    build(module_settings, as_of=AFTER)
    compare(connection, tenants, AFTER)
    compare_plans(connection, tenants, AFTER)
    check_ledger(connection)
    incremental = content(connection)

    connection.commit()
    build(module_settings, as_of=AFTER, full_refresh=True)
    full = content(connection)
    for relation, rows in full.items():
        assert incremental[relation] == rows, relation
