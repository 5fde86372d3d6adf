"""A second reading of the rules in plain Python: figures from the raw rows that `explain` prints.

Belongs here: how each count of a figure follows from raw rows alone; nothing of the project's SQL.
Subscriptions are valued by the walk of test_revenue_oracle.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import dict_row

from tests.integration.test_revenue_oracle import TERMS, State, Subscription, Tenant, walk

Row = dict[str, Any]
Pair = tuple[date, Row]
Number = Decimal | Fraction | int
KEYS = {
    "sessions": "session_id", "users": "user_id", "activation_events": "event_id", "jobs": "job_id",
    "leads": "lead_id", "lead_status_changes": "change_id", "calls": "call_id",
    "collaborations": "collaboration_id", "satisfaction_scores": "score_id",
    "subscriptions": "subscription_id", "subscription_changes": "change_id", "invoices": "invoice_id",
    "payments": "payment_id", "marketing_spend": "spend_id", "finance_inputs": "month",
    "api_requests": "request_id", "health_checks": "check_id",
}  # fmt: skip
ACTIVATION = ("file_upload", "worklog_creation", "report_generation")
COUNTED = ("active", "past_due")


@dataclass(frozen=True)
class Window:
    """What a figure is asked about: the days of its period; `whole`: counted once over all of them."""

    first: date
    last: date
    whole: bool

    def start(self, day: date) -> date:
        return self.first if self.whole else day


@dataclass(frozen=True)
class Movement:
    customer: str
    moment: datetime
    kind: str
    amount: Fraction


class World:
    """The raw rows of one tenant, by table and key."""

    def __init__(self, connection: psycopg.Connection[Any], tenant_id: str, as_of: datetime) -> None:
        self.tenant_id, self.as_of = tenant_id, as_of
        self.rows: dict[str, dict[str, Row]] = {}
        with connection.cursor(row_factory=dict_row) as cursor:
            for table, key in KEYS.items():
                found = cursor.execute(
                    f"select * from raw.{table} where tenant_id = %s".encode(), (tenant_id,)
                ).fetchall()
                self.rows[table] = {str(row[key]): row for row in found}
            tenant = cursor.execute("select * from raw.tenants where tenant_id = %s", (tenant_id,)).fetchone()
            rates = cursor.execute("select * from raw.exchange_rates").fetchall()
        assert tenant is not None
        self.zone, self.currency = ZoneInfo(tenant["timezone"]), tenant["currency"]
        self.rates = {(row["currency"], row["rate_date"]): Fraction(row["units_per_eur"]) for row in rates}
        self.tenant = Tenant(tenant_id, self.zone, self.currency, None, "end")

    def day(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()

    def midnight(self, day: date) -> datetime:
        return datetime.combine(day, time(), self.zone)

    def units(self, currency: str, day: date) -> Fraction:
        if currency == "EUR":
            return Fraction(1)
        return next(
            rate
            for n in range(8)
            if (rate := self.rates.get((currency, day - timedelta(days=n)))) is not None
        )

    def converted(self, amount: Fraction, currency: str, day: date) -> Fraction:
        if currency == self.currency or not amount:
            return amount
        return amount * self.units(self.currency, day) / self.units(currency, day)

    # --- users and leads

    @cached_property
    def first_activation(self) -> dict[str, datetime]:
        firsts: dict[str, datetime] = {}
        for event in self.rows["activation_events"].values():
            alive = event["deleted_at"] is None and event["occurred_at"] < self.as_of
            if alive and event["event_type"] in ACTIVATION:
                user = event["user_id"]
                firsts[user] = min(firsts.get(user, event["occurred_at"]), event["occurred_at"])
        return firsts

    @cached_property
    def changes_of_leads(self) -> dict[str, list[Row]]:
        found: dict[str, list[Row]] = defaultdict(list)
        for change in self.rows["lead_status_changes"].values():
            if change["deleted_at"] is None:
                found[change["lead_id"]].append(change)
        return found

    def reached(self, lead: Row, step: str) -> datetime | None:
        told = [c["changed_at"] for c in self.changes_of_leads[lead["lead_id"]] if c["status"] == step]
        moment = min(told) if told else None
        if moment is None and lead["status"] == step:
            moment = (lead["converted_at"] if step == "converted" else None) or lead["updated_at"]
        return moment if moment is not None and moment < self.as_of else None

    # --- subscriptions

    @cached_property
    def paths(self) -> dict[str, tuple[str, Any]]:
        """Subscription -> customer and path of states."""
        changes: dict[str, list[Any]] = defaultdict(list)
        for number, (_, row) in enumerate(sorted(self.rows["subscription_changes"].items())):
            if row["deleted_at"] is None:
                told = {term: exact(row[term]) for term in TERMS}
                changes[row["subscription_id"]].append((row["changed_at"], number, told))
        result = {}
        for key, row in self.rows["subscriptions"].items():
            if row["deleted_at"] is not None:
                continue
            assert row["interval_count"] == 1
            trial = (row["trial_start"], row["trial_end"]) if row["trial_start"] else None
            made = Subscription(
                key, row["customer_id"], {term: exact(row[term]) for term in TERMS}, row["started_at"], trial,
                row["cancel_at"], row["canceled_at"], row["ended_at"], changes[key],
            )  # fmt: skip
            result[key] = (row["customer_id"], walk(self.tenant, made, self.as_of))
        return result

    def state(self, key: str, before: datetime) -> tuple[State | None, Fraction, bool]:
        """What held just before a moment: the state, its amount in the tenant's money, no wish to cancel."""
        steps = [step for step in self.paths[key][1] if step[0] < before]
        if not steps:
            return None, Fraction(0), False
        _, state, began, committed = steps[-1]
        return state, self.converted(state.amount, state.currency, began), committed

    def mrr(self, key: str, before: datetime) -> Fraction:
        state, amount, _ = self.state(key, before)
        return amount if state is not None and state.status in COUNTED else Fraction(0)

    @cached_property
    def movements(self) -> list[Movement]:
        """The ledger, customer by customer."""
        steps: dict[tuple[str, datetime], list[Fraction]] = defaultdict(lambda: [Fraction(0)] * 4)
        for customer, path in self.paths.values():
            before, before_state = Fraction(0), None
            paid = False
            for moment, state, began, _ in path:
                after = self.converted(state.amount, state.currency, began)
                after = after if state.status in COUNTED else Fraction(0)
                fx = Fraction(0)
                if before_state is not None and before > 0 and after > 0:
                    carried = self.converted(before_state.amount, before_state.currency, began)
                    fx = carried - before if state is not before_state and state != before_state else fx
                pause = before if state.status == "paused" else Fraction(0)
                back = (
                    after
                    if before_state is not None and before_state.status == "paused" and paid
                    else Fraction(0)
                )
                if moment < self.as_of:
                    sums = steps[customer, moment]
                    steps[customer, moment] = [
                        a + b for a, b in zip(sums, (after - before, fx, pause, back), strict=True)
                    ]
                paid = paid or after > 0
                before, before_state = after, state
        found, total, has_paid = [], dict[str, Fraction](), set[str]()
        for (customer, moment), (change, fx, pause, back) in sorted(steps.items()):
            was = total.get(customer, Fraction(0))
            now = total[customer] = was + change
            rest = change - fx + pause - back
            gain = "expansion" if was > 0 else "reactivation" if customer in has_paid else "new"
            for kind, amount in (
                ("fx_impact", fx), ("resumed", back), (gain, max(rest, Fraction(0))),
                ("contraction" if now > 0 else "churn", max(-rest, Fraction(0))), ("paused", pause),
            ):  # fmt: skip
                if amount:
                    found.append(Movement(customer, moment, kind, amount))
            if now > 0:
                has_paid.add(customer)
        return found

    def customers_mrr(self, customer: str, before: datetime) -> Fraction:
        return sum(
            (self.mrr(key, before) for key, (owner, _) in self.paths.items() if owner == customer),
            Fraction(0),
        )


def exact(value: Any) -> Any:
    """A term as the walk reckons with it."""
    return Fraction(value) if isinstance(value, Decimal) else value


def seconds(interval: timedelta) -> Decimal:
    return Decimal(interval // timedelta(microseconds=1)) / 1_000_000


def percentile(values: list[Decimal], share: Fraction) -> Decimal | None:
    """Between the two nearest values, as percentile_cont has it."""
    if not values:
        return None
    ordered = [Fraction(value) for value in sorted(values)]
    place = share * (len(ordered) - 1)
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    exact = ordered[low] + (ordered[high] - ordered[low]) * (place - low)
    return Decimal(exact.numerator) / Decimal(exact.denominator)


@dataclass(frozen=True)
class Flow:
    """Rows of days: the moment that places a row, what holds for it, and what the rows come to."""

    moment: str
    holds: Callable[[World, Row], bool]
    comes_to: Callable[[World, list[Row]], Number | None]
    days: int = 1  # trailing days that end with the day

    def count(self, world: World, window: Window, pairs: list[Pair]) -> Number | None:
        by_day: dict[date, list[Row]] = defaultdict(list)
        for day, row in pairs:
            assert row["deleted_at"] is None
            moment = row[self.moment]
            local = world.day(moment) if isinstance(moment, datetime) else moment
            first = window.start(day) if self.days == 1 else day - timedelta(days=self.days - 1)
            assert first <= local <= day, (local, day)
            assert not isinstance(moment, datetime) or moment < world.as_of
            assert self.holds(world, row), row
            by_day[day].append(row)
        parts = [self.comes_to(world, rows) for rows in by_day.values()]
        if None in parts or not parts:
            return parts[0] if parts else (None if self.comes_to in (_P50, _P95) else 0)
        return sum(parts)  # type: ignore[arg-type]


def always(_: World, __: Row) -> bool:
    return True


def number(_: World, rows: list[Row]) -> int:
    return len(rows)


def different(column: str) -> Callable[[World, list[Row]], int]:
    return lambda _, rows: len({row[column] for row in rows})


def total(column: str) -> Callable[[World, list[Row]], Decimal]:
    return lambda _, rows: sum((row[column] for row in rows), Decimal(0))


def where(**values: Any) -> Callable[[World, Row], bool]:
    return lambda _, row: all(row[column] == value for column, value in values.items())


def known(column: str) -> Callable[[World, Row], bool]:
    return lambda _, row: row[column] is not None and row[column] >= 0


def user_type(kind: str) -> Callable[[World, Row], bool]:
    return lambda w, r: (r["user_type"] or w.rows["users"].get(r["user_id"], {}).get("user_type")) == kind


def _timed_job(world: World, row: Row) -> bool:
    return row["status"] in ("succeeded", "failed") and row["started_at"] <= row["finished_at"] < world.as_of


def _timed_call(_: World, row: Row) -> bool:
    return (
        row["status"] == "completed" and row["duration_seconds"] is not None and row["duration_seconds"] >= 0
    )


def _timed_collaboration(world: World, row: Row) -> bool:
    return row["last_activity_at"] is not None and row["created_at"] <= row["last_activity_at"] < world.as_of


def _hours(_: World, rows: list[Row]) -> Decimal:
    clients: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        clients[row["client_id"]].append(row)
    spans = [
        max(r["last_activity_at"] for r in mine) - min(r["created_at"] for r in mine)
        for mine in clients.values()
    ]
    return sum((seconds(span) for span in spans), Decimal(0)) / 3600


def _vendors(_: World, rows: list[Row]) -> int:
    return len({row[column] for row in rows for column in ("vendor1_id", "vendor2_id")})


def _P50(_: World, rows: list[Row]) -> Decimal | None:
    return percentile([row["latency_ms"] for row in rows], Fraction(1, 2))


def _P95(_: World, rows: list[Row]) -> Decimal | None:
    return percentile([row["latency_ms"] for row in rows], Fraction(95, 100))


def _failed_before(world: World, row: Row) -> bool:
    return row["status"] != "failed" and any(
        other["status"] == "failed"
        and other["invoice_id"] == row["invoice_id"]
        and (other["attempted_at"], other["payment_id"]) < (row["attempted_at"], row["payment_id"])
        for other in world.rows["payments"].values()
    )


def _spent(world: World, rows: list[Row]) -> Fraction:
    return sum(
        (world.converted(Fraction(r["amount"]), r["currency"], r["spend_date"]) for r in rows), Fraction(0)
    )


def is_converted(world: World, row: Row) -> bool:
    return world.reached(row, "converted") is not None or row["status"] == "converted"


SESSION = "started_at"
FLOWS: dict[str, Flow] = {
    "dau": Flow(SESSION, always, different("user_id")),
    "wau": Flow(SESSION, always, different("user_id"), days=7),
    "mau": Flow(SESSION, always, different("user_id"), days=30),
    "active_suppliers": Flow(SESSION, user_type("supplier"), different("user_id")),
    "active_couples": Flow(SESSION, user_type("couple"), different("user_id")),
    "total_sessions": Flow(SESSION, always, number),
    "session_seconds": Flow(SESSION, known("duration_seconds"), total("duration_seconds")),
    "timed_sessions": Flow(SESSION, known("duration_seconds"), number),
    "signups": Flow("signed_up_at", always, number),
    "total_jobs": Flow(SESSION, always, number),
    "jobs_succeeded": Flow(SESSION, where(status="succeeded"), number),
    "jobs_failed": Flow(SESSION, where(status="failed"), number),
    "job_seconds": Flow(
        SESSION,
        _timed_job,
        lambda _, rows: sum((seconds(r["finished_at"] - r["started_at"]) for r in rows), Decimal(0)),
    ),
    "timed_jobs": Flow(SESSION, _timed_job, number),
    "new_leads": Flow("created_at", always, number),
    "converted_of_new_leads": Flow("created_at", is_converted, number),
    "total_calls": Flow(SESSION, always, number),
    "calls_completed": Flow(SESSION, where(status="completed"), number),
    "calls_missed": Flow(SESSION, where(status="missed"), number),
    "calls_failed": Flow(SESSION, where(status="failed"), number),
    "calls_interested": Flow(SESSION, where(status="completed", outcome="interested"), number),
    "call_seconds": Flow(SESSION, _timed_call, total("duration_seconds")),
    "timed_calls": Flow(SESSION, _timed_call, number),
    "clients_coordinated": Flow("created_at", always, different("client_id")),
    "vendors_collaborating": Flow("created_at", always, _vendors),
    "coordination_hours": Flow("created_at", _timed_collaboration, _hours),
    "timed_clients": Flow("created_at", _timed_collaboration, different("client_id")),
    "satisfaction_sum": Flow("scored_at", lambda _, r: 0 <= r["score"] <= 10, total("score")),
    "satisfaction_scores": Flow("scored_at", lambda _, r: 0 <= r["score"] <= 10, number),
    "failed_payments": Flow("attempted_at", where(status="failed"), number),
    "recovered_payments": Flow("attempted_at", _failed_before, number),
    "marketing_spend": Flow("spend_date", always, _spent),
    "api_requests": Flow("requested_at", always, number),
    "api_errors": Flow("requested_at", lambda _, r: r["status_code"] >= 500, number),
    "api_p50_ms": Flow("requested_at", known("latency_ms"), _P50),
    "api_p95_ms": Flow("requested_at", known("latency_ms"), _P95),
    "health_checks": Flow("checked_at", always, number),
    "health_checks_up": Flow("checked_at", where(status="up"), number),
    "cpu_load_sum": Flow("checked_at", known("cpu_load"), total("cpu_load")),
    "cpu_load_checks": Flow("checked_at", known("cpu_load"), number),
}

Counter = Callable[[World, Window, list[Pair]], Number | None]


def _step(kind: str) -> Counter:
    def count(world: World, window: Window, pairs: list[Pair]) -> int:
        for day, row in pairs:
            moment = world.reached(row, kind)
            assert moment is not None and window.start(day) <= world.day(moment) <= day
        return len(pairs)

    return count


def _signed_up(kinds: tuple[str, ...]) -> Counter:
    """Events that took a step, of users who signed up on the day."""

    def count(world: World, window: Window, pairs: list[Pair]) -> int:
        for day, event in pairs:
            user = world.rows["users"][event["user_id"]]
            assert window.start(day) <= world.day(user["signed_up_at"]) <= day
            assert event["event_type"] in kinds and event["occurred_at"] < world.as_of
        return len({(day, event["user_id"]) for day, event in pairs})

    return count


def _activated(world: World, window: Window, pairs: list[Pair]) -> int:
    for day, event in pairs:
        first = world.first_activation[event["user_id"]]
        assert first == event["occurred_at"] and window.start(day) <= world.day(first) <= day
    return len({(day, event["user_id"]) for day, event in pairs})


def _so_far(kind: str) -> Counter:
    def count(world: World, _: Window, pairs: list[Pair]) -> int:
        for day, user in pairs:
            assert user["user_type"] == kind and world.day(user["signed_up_at"]) <= day
        return len(pairs)

    return count


def _pairs_active(world: World, _: Window, pairs: list[Pair]) -> int:
    for day, row in pairs:
        last = row["last_activity_at"]
        days = [world.day(m) for m in (row["created_at"], last) if m is not None and m < world.as_of]
        assert world.day(row["created_at"]) <= day <= max(days) + timedelta(days=29)
    return len({(day, *sorted((row["vendor1_id"], row["vendor2_id"]))) for day, row in pairs})


def _boundary(world: World, window: Window, day: date, at_start: bool) -> datetime:
    if at_start:
        return world.midnight(window.start(day))
    return min(world.midnight(day + timedelta(days=1)), world.as_of)


def _stock(value: Callable[[State, Fraction, bool], Number], at_start: bool = False) -> Counter:
    def count(world: World, window: Window, pairs: list[Pair]) -> Number:
        result: Number = 0
        for day, row in pairs:
            state, amount, committed = world.state(
                row["subscription_id"], _boundary(world, window, day, at_start)
            )
            assert state is not None
            worth = value(state, amount, committed)
            assert worth, row
            result += worth  # type: ignore[operator]
        return result

    return count


def _status(status: str) -> Counter:
    return _stock(lambda state, _, __: int(state.status == status))


def _customers(at_start: bool) -> Counter:
    def count(world: World, window: Window, pairs: list[Pair]) -> int:
        paying = set()
        for day, row in pairs:
            assert world.mrr(row["subscription_id"], _boundary(world, window, day, at_start)) > 0
            paying.add((day, row["customer_id"]))
        return len(paying)

    return count


def _moved(*kinds: str, starters: bool = False, people: bool = False, lasting: bool = False) -> Counter:
    """Movements of the customers whose subscriptions are printed."""

    def count(world: World, window: Window, pairs: list[Pair]) -> Number:
        result: Number = 0
        for day in {day for day, _ in pairs}:
            customers = {row["customer_id"] for at, row in pairs if at == day}
            first = window.start(day)
            end = world.midnight(window.last + timedelta(days=1))
            found = [
                m for m in world.movements
                if m.kind in kinds and m.customer in customers and first <= world.day(m.moment) <= day
                and (not starters or world.customers_mrr(m.customer, world.midnight(first)) > 0)
                and (not lasting or world.customers_mrr(m.customer, end) > 0)
            ]  # fmt: skip
            result += len(found) if people else sum((m.amount for m in found), Fraction(0))  # type: ignore[operator]
        return result

    return count


def _starters_at_end(world: World, window: Window, pairs: list[Pair]) -> Fraction:
    for _, row in pairs:
        assert world.customers_mrr(row["customer_id"], world.midnight(window.first)) > 0
    end = world.midnight(window.last + timedelta(days=1))
    return sum((world.mrr(row["subscription_id"], end) for _, row in pairs), Fraction(0))


def _starters_kept(world: World, window: Window, pairs: list[Pair]) -> Fraction:
    customers = {row["customer_id"] for _, row in pairs}
    moments = (world.midnight(window.first), world.midnight(window.last + timedelta(days=1)))
    return sum((min(world.customers_mrr(c, m) for m in moments) for c in customers), Fraction(0))


def _ended(world: World, window: Window, pairs: list[Pair]) -> int:
    for day, row in pairs:
        moment, state, *_ = world.paths[row["subscription_id"]][1][-1]
        assert state.status == "canceled" and window.start(day) <= world.day(moment) <= day
    return len(pairs)


def _outstanding(amounts: bool) -> Counter:
    def count(world: World, _: Window, pairs: list[Pair]) -> Number:
        result: Number = 0
        for day, row in pairs:
            assert world.day(row["issued_at"]) <= day
            is_paid = row["status"] == "paid"
            assert not is_paid or world.day(row["paid_at"]) > day or row["paid_at"] >= world.as_of
            open_amount = row["amount_due"] - (0 if is_paid else row["amount_paid"])
            issued = world.day(row["issued_at"])
            result += world.converted(Fraction(open_amount), row["currency"], issued) if amounts else 1  # type: ignore[operator]
        return result

    return count


def _told(column: str) -> Counter:
    def count(world: World, window: Window, pairs: list[Pair]) -> Fraction | None:
        if not pairs:
            return None
        ((_, row),) = pairs
        assert window.first <= row["month"] <= window.last
        return world.converted(Fraction(row[column]), row["currency"], row["month"])

    return count


COUNTERS: dict[str, Counter] = {
    **{column: flow.count for column, flow in FLOWS.items()},
    "leads_contacted": _step("contacted"),
    "leads_qualified": _step("qualified"),
    "leads_converted": _step("converted"),
    "leads_lost": _step("lost"),
    "activated_users": _activated,
    "activated_of_signups": _signed_up(ACTIVATION),
    "file_upload_of_signups": _signed_up(("file_upload",)),
    "worklog_creation_of_signups": _signed_up(("worklog_creation",)),
    "report_generation_of_signups": _signed_up(("report_generation",)),
    "total_suppliers": _so_far("supplier"),
    "total_couples": _so_far("couple"),
    "active_vendor_pairs": _pairs_active,
    "mrr": _stock(lambda state, amount, _: amount if state.status in COUNTED else 0),
    "starting_mrr": _stock(lambda state, amount, _: amount if state.status in COUNTED else 0, at_start=True),
    "trial_mrr": _stock(lambda state, amount, _: amount if state.status == "trialing" else 0),
    "committed_mrr": _stock(
        lambda state, amount, committed: amount if state.status in COUNTED and committed else 0
    ),
    "active_subscriptions": _status("active"),
    "past_due_subscriptions": _status("past_due"),
    "trialing_subscriptions": _status("trialing"),
    "canceled_subscriptions": _ended,
    "total_customers": _customers(at_start=False),
    "starting_customers": _customers(at_start=True),
    "new_customers": _moved("new", people=True),
    "churned_customers": _moved("churn", people=True),
    "reactivated_customers": _moved("reactivation", people=True),
    "starters_churned": _moved("churn", people=True, starters=True),
    **{
        f"movements_{kind}": _moved(kind)
        for kind in ("new", "expansion", "contraction", "churn", "reactivation", "paused", "resumed")
    },
    "starters_churn": _moved("churn", starters=True),
    "starters_contraction": _moved("contraction", starters=True),
    "starters_expansion": _moved("expansion", starters=True),
    "lasting_reactivation": _moved("reactivation", lasting=True),
    "starters_mrr_at_end": _starters_at_end,
    "starters_kept_mrr": _starters_kept,
    "outstanding_invoices": _outstanding(amounts=False),
    "outstanding_invoice_amount": _outstanding(amounts=True),
    "cash_balance": _told("cash_balance"),
    "monthly_burn": _told("monthly_burn"),
}
