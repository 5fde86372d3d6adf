"""Which histories are tried: few rows with few values, chosen around the edges where days begin and end.

Rows are changed in one column (a correction, a move to another day, user, type or branch), put again under
their key, taken away and brought back. Each history keeps to one domain or mixes them all: interactions are
found sooner where rows stand close.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from orchestration.warehouse.contract import TABLES, VOCABULARIES
from tests.integration.exact.history import Build, History, Write

TENANTS = ("t0", "t1", "t2")
#: Half-hour clock changes, clocks that change at midnight, both ends of the world.
ZONES = (
    "UTC",
    "America/New_York",
    "Europe/Lisbon",
    "America/Santiago",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Pacific/Kiritimati",
    "Asia/Kolkata",
)
#: Ends of months and weeks, days of clock changes, 6, 7, 27 to 31 days before them, and days still ahead.
DAYS = (
    *("2025-03-30", "2025-03-31", "2025-04-01", "2025-03-29", "2025-03-09", "2025-03-08", "2025-03-01"),
    *("2025-02-28", "2025-02-27", "2025-03-23", "2025-03-24", "2025-04-05", "2025-04-06", "2025-04-07"),
    *("2025-03-02", "2025-03-03", "2025-04-30", "2025-05-01", "2025-01-31"),
)
TIMES = ("12:00", "00:00", "23:59:59.999999", "02:30", "00:30")
STARTS = ("2025-03-31T12:00", "2025-03-30T00:30", "2025-04-01T00:00", "2025-03-29T22:00", "2025-04-06T03:59")
STEPS = tuple(
    timedelta(hours=hours) for hours in (0, 0, 1, 24, 25, 48, 6 * 24, 7 * 24, 29 * 24, 30 * 24, 31 * 24)
)

MOMENT = st.builds("{} {} {}".format, st.sampled_from(DAYS), st.sampled_from(TIMES), st.sampled_from(ZONES))
MAYBE = st.one_of(st.none(), MOMENT)
DAY = st.sampled_from(DAYS)


def of(*values: Any) -> st.SearchStrategy[Any]:
    """One of the values, the first being the simplest."""
    return st.sampled_from(values)


USERS, CUSTOMERS = of("u0", "u1", "u2", "u3"), of("c0", "c1", "c2")
BRANCHES, STAFF, LEADS = of("b0", "b1", None), of("f0", "f1", None), of("l0", "l1", "l2", "l3")
PARTIES = of("p0", "p1", "p2")
TYPES = of("supplier", "couple", None)
EVENTS = of("file_upload", "worklog_creation", "report_generation", "other")
CURRENCIES = of("USD", "EUR", "GBP")
AMOUNT = of(100, 250, 0, 33.33, -5)

#: Columns of each table that histories fill, with what they may hold; closed vocabularies fill themselves.
COLUMNS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "branches": {"name": of("North", "South"), "timezone": of(None, *ZONES)},
    "staff": {"branch_id": BRANCHES, "name": of("Ann", "Bob")},
    "customers": {"name": of(None, "Acme"), "created_at": MAYBE, "source": of(None, "ads")},
    "parties": {"kind": of("client", "vendor"), "name": of(None, "Eve")},
    "users": {
        "customer_id": of(None, "c0"),
        "user_type": TYPES,
        "signed_up_at": MAYBE,
        "branch_id": BRANCHES,
    },
    "sessions": {
        "user_id": USERS,
        "user_type": of(None, "supplier", "couple"),
        "branch_id": BRANCHES,
        "started_at": MOMENT,
        "duration_seconds": of(600, None, 0, -1, 700000),
    },
    "activation_events": {"user_id": USERS, "event_type": EVENTS, "occurred_at": MOMENT},
    "jobs": {"job_type": of(None, "sync"), "started_at": MOMENT, "finished_at": MAYBE},
    "leads": {
        "branch_id": BRANCHES,
        "staff_id": STAFF,
        "source": of(None, "web", "fair"),
        "created_at": MOMENT,
        "updated_at": MAYBE,
        "converted_at": MAYBE,
    },
    "lead_status_changes": {"lead_id": LEADS, "changed_at": MOMENT},
    "calls": {
        "lead_id": of(None, "l0", "l1", "l2", "unknown"),
        "branch_id": BRANCHES,
        "staff_id": STAFF,
        "outcome": of(None, "interested", "callback"),
        "duration_seconds": of(60, None, -1),
        "started_at": MOMENT,
    },
    "subscriptions": {
        "customer_id": CUSTOMERS,
        "plan": of("basic", "pro", None),
        "quantity": of(1, 2, 0),
        "unit_amount": AMOUNT,
        "currency": CURRENCIES,
        "interval_count": of(1, 3),
        "forever_discount_percent": of(None, 50, 100),
        "trial_start": MAYBE,
        "trial_end": MAYBE,
        "started_at": MOMENT,
        "cancel_at": MAYBE,
        "canceled_at": MAYBE,
        "ended_at": MAYBE,
        "updated_at": MOMENT,
    },
    "subscription_changes": {
        "subscription_id": of("x0", "x1", "x2"),
        "changed_at": MOMENT,
        "plan": of(None, "pro"),
        "quantity": of(None, 3),
        "unit_amount": of(None, 80, 0),
        "currency": of(None, "GBP"),
    },
    "invoices": {
        "customer_id": CUSTOMERS,
        "subscription_id": of(None, "x0", "x1"),
        "amount_due": AMOUNT,
        "amount_paid": AMOUNT,
        "tax": of(None, 10),
        "currency": CURRENCIES,
        "issued_at": MOMENT,
        "due_at": MAYBE,
        "paid_at": MAYBE,
        "attempt_count": of(None, 1, 3),
        "next_attempt_at": MAYBE,
    },
    "payments": {
        "invoice_id": of("i0", "i1", None),
        "customer_id": of("c0", "c1", None),
        "amount": AMOUNT,
        "currency": CURRENCIES,
        "attempted_at": MOMENT,
        "refunded_amount": of(None, 5),
    },
    "collaborations": {
        "client_id": PARTIES,
        "vendor1_id": PARTIES,
        "vendor2_id": PARTIES,
        "collaboration_type": of("timeline_sync", "message_thread"),
        "created_at": MOMENT,
        "last_activity_at": MAYBE,
    },
    "satisfaction_scores": {"vendor_id": PARTIES, "score": of(9, 0, 10), "scored_at": MOMENT},
    "api_requests": {
        "route": of(None, "/a"),
        "status_code": of(200, 500, 404),
        "latency_ms": of(10, 250.5),
        "requested_at": MOMENT,
    },
    "health_checks": {
        "component": of("db", "web"),
        "cpu_load": of(0.5, None),
        "memory_rate": of(None, 0.25),
        "checked_at": MOMENT,
    },
    "marketing_spend": {
        "spend_date": DAY,
        "channel": of(None, "ads"),
        "amount": AMOUNT,
        "currency": CURRENCIES,
    },
    "finance_inputs": {"cash_balance": of(1000, -5), "monthly_burn": of(100, 0), "currency": CURRENCIES},
    "exchange_rates": {"units_per_eur": of(1.1, 0.85, 2)},
}
for (_table, _column), _values in VOCABULARIES.items():
    if _table in COLUMNS:
        nullable = not TABLES[_table].column(_column).required
        COLUMNS[_table][_column] = of(*((None,) if nullable else ()), *_values)

PREFIXES = {"subscriptions": "x", "leads": "l", "users": "u", "customers": "c", "branches": "b", "staff": "f"}
#: Tables that the marts of a domain read.
DOMAINS: dict[str, tuple[str, ...]] = {
    "activity": ("sessions", "sessions", "users"),
    "users": ("users", "activation_events", "activation_events"),
    "retention": ("sessions", "sessions", "users", "customers", "subscriptions"),
    "leads": ("leads", "leads", "lead_status_changes", "lead_status_changes", "calls", "staff", "branches"),
    "revenue": ("subscriptions", "subscriptions", "subscription_changes", "customers", "exchange_rates"),
    "billing": ("invoices", "invoices", "payments", "marketing_spend", "finance_inputs", "exchange_rates"),
    "collaboration": ("collaborations", "collaborations", "satisfaction_scores", "parties"),
    "operations": ("jobs", "api_requests", "health_checks"),
}
DOMAINS["all"] = tuple(COLUMNS)

SETTINGS: dict[str, st.SearchStrategy[Any]] = {
    "past_due_days": of(None, 0, 1, 30),
    "churn_on": of("end", "intent"),
    "mau_window_days": of(30, 7, 28, 40),
    "gross_margin": of(1, 0.5),
    "activation_events": of(["file_upload"], ["other", "worklog_creation"]),
    "retention_cohorts": of(["first_activity"], ["signup", "first_payment"], ["recurring", "first_activity"]),
    "clock_stops_at": of(None, "2025-03-31 00:00 UTC", "2025-04-02 12:00 UTC"),
}
FACTS: dict[str, st.SearchStrategy[Any]] = {
    "timezone": of(*ZONES),
    "week_start": of("monday", "sunday"),
    "currency": of("USD", "EUR"),
    "name": of("One", "Two"),
}


Keys = tuple[tuple[str, Any], ...]


@st.composite
def keys(draw: st.DrawFn, table: str) -> Keys:
    """Key of a row: few a table, so that the same row is met again."""
    if table == "exchange_rates":
        return (("rate_date", draw(DAY)), ("currency", draw(of("USD", "GBP"))))
    tenant = ("tenant_id", draw(of("t0", *TENANTS)))
    if table == "finance_inputs":
        return (tenant, ("month", draw(of("2025-03-01", "2025-02-01", "2025-04-01"))))
    prefix = PREFIXES.get(table, table[0])
    return (tenant, (TABLES[table].key[0], f"{prefix}{draw(st.integers(0, 4))}"))


@st.composite
def rows(draw: st.DrawFn, tables: tuple[str, ...]) -> Write:
    table = draw(of(*tables))
    key = draw(keys(table))
    return Write("put", table, key, tuple((name, draw(value)) for name, value in COLUMNS[table].items()))


@st.composite
def changes(draw: st.DrawFn, tables: tuple[str, ...], known: tuple[Write, ...]) -> Write:
    """A change to a row that an earlier operation wrote, if there is one."""
    if not known:
        return draw(rows(tables))
    row = known[-1 - draw(st.integers(0, len(known) - 1))]
    action = draw(of("set", "set", "set", "delete", "tombstone", "restore", "give", "put"))
    if action == "set":
        name = draw(of(*COLUMNS[row.table]))
        return Write("set", row.table, row.key, ((name, draw(COLUMNS[row.table][name])),))
    if action == "give" and row.table != "exchange_rates":
        return Write("give", row.table, row.key, (("tenant_id", draw(of(*TENANTS))),))
    return replace(row, action=action) if action in ("delete", "tombstone", "restore") else row


@st.composite
def changes_of_tenants(draw: st.DrawFn) -> Write:
    """Settings, facts, targets of a tenant; a tenant that goes or comes back."""
    tenant = (("tenant_id", draw(of(*TENANTS))),)
    kind = draw(of("setting", "fact", "target", "tombstone", "restore", "delete"))
    if kind == "setting":
        name = draw(of(*SETTINGS))
        return Write("put", "reporting.tenant_settings", tenant, ((name, draw(SETTINGS[name])),))
    if kind == "fact":
        name = draw(of(*FACTS))
        return Write("set", "tenants", tenant, ((name, draw(FACTS[name])),))
    if kind == "target":
        target = (*tenant, ("target_id", "00000000-0000-0000-0000-000000000001"))
        metric = draw(of("dau", "mrr", "total_sessions", "new_leads"))
        return Write(
            "put", "reporting.metric_targets", target, (("metric", metric), ("target", draw(of(1, 5, 100))))
        )
    return Write(kind, "tenants", tenant)


@st.composite
def tenants(draw: st.DrawFn, name: str) -> Write:
    facts = {"name": name, "timezone": draw(of(*ZONES)), "currency": draw(of("USD", "EUR"))}
    return Write("put", "tenants", (("tenant_id", name),), tuple(facts.items()))


@st.composite
def builds(draw: st.DrawFn, tables: tuple[str, ...], known: tuple[Write, ...]) -> Build:
    kind = draw(of("plain", "plain", "plain", "plain", "by_day", "fails", "meanwhile", "alone", "forced"))
    step = draw(of(*STEPS))
    if kind == "by_day":
        return Build(step, by_day=True)
    if kind == "fails":
        return Build(step, fails_at=draw(of(10, 0, 40, 70, 99)))
    if kind == "meanwhile":
        meanwhile = tuple(draw(changes(tables, known)) for _ in range(draw(of(1, 2))))
        return Build(step, meanwhile=meanwhile, during=draw(of(50, 0, 20, 80)))
    if kind == "alone":
        return Build(step, tenant=draw(of(*TENANTS)))
    return Build(step, forced_days=draw(of(0, 3, 40)) if kind == "forced" else None)


@st.composite
def operations(draw: st.DrawFn, tables: tuple[str, ...], known: tuple[Write, ...]) -> Write | Build | None:
    """The next operation; None, the simplest, is the end."""
    kind = draw(st.integers(0, 24))
    if kind == 0:
        return None
    if kind <= 6:
        return draw(rows(tables))
    if kind <= 19:
        return draw(changes(tables, known))
    return draw(changes_of_tenants()) if kind <= 21 else draw(builds(tables, known))


@st.composite
def histories(draw: st.DrawFn, domain: str | None = None) -> History:
    """Tenants with their first rows, a build, then changes and builds."""
    tables = DOMAINS[domain or draw(of(*DOMAINS))]
    start = datetime.fromisoformat(draw(of(*STARTS))).replace(tzinfo=UTC)
    done: list[Write | Build] = [draw(tenants(name)) for name in TENANTS[: draw(st.integers(1, 3))]]
    while draw(st.integers(0, 15)):
        done.append(draw(rows(tables)))
    done.append(Build())
    while True:
        known = tuple(op for op in done if isinstance(op, Write) and op.table in COLUMNS and op.values)
        known = tuple(op for op in known if op.action == "put")
        operation = draw(operations(tables, known))
        if operation is None:
            return History(start, tuple(done))
        done.append(operation)
