"""What data_problems has to find, counted row by row in plain Python: the oracle of test_data_quality.

`expected` reads the raw rows of one tenant, as lists of dicts by table, and knows nothing of the models.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

Row = dict[str, Any]
Tables = dict[str, list[Row]]
MOMENTS = {
    "users": "signed_up_at",
    "sessions": "started_at",
    "activation_events": "occurred_at",
    "jobs": "started_at",
    "leads": "created_at",
    "lead_status_changes": "changed_at",
    "calls": "started_at",
    "subscriptions": "started_at",
    "subscription_changes": "changed_at",
    "invoices": "issued_at",
    "payments": "attempted_at",
    "collaborations": "created_at",
    "satisfaction_scores": "scored_at",
    "api_requests": "requested_at",
    "health_checks": "checked_at",
}
DAYS = {"marketing_spend": "spend_date", "finance_inputs": "month"}
PARENTS = {
    "lead_status_changes": ("leads", "lead_id", "status_change_of_unknown_lead"),
    "subscription_changes": ("subscriptions", "subscription_id", "change_without_subscription"),
}
TOP_SCORE = 10
NEVER_BEGAN = ("incomplete", "incomplete_expired")


def expected(tables: Tables, as_of: datetime, as_of_date: date) -> dict[tuple[str, str], tuple[int, int]]:
    """(table, kind) -> (rows found, rows excluded)."""
    alive = {name: [row for row in rows if row["deleted_at"] is None] for name, rows in tables.items()}
    excluded: Counter[tuple[str, str]] = Counter()
    flagged: Counter[tuple[str, str]] = Counter()
    for table, rows in tables.items():
        excluded[table, "deleted"] += len(rows) - len(alive[table])
        for row in alive[table]:
            reason = _left_out(table, row, alive, as_of, as_of_date)
            if reason:
                excluded[table, reason] += 1
            if reason not in ("in_the_future", "invoice_without_claim"):
                flagged.update((table, kind) for kind in _odd(table, row, alive))
    flagged["subscription_changes", "changes_at_one_instant"] += _at_one_instant(alive, as_of)
    flagged["subscriptions", "currency_changed"] += _currencies_changed(alive)
    found = {key: (count, count) for key, count in excluded.items() if count}
    return found | {key: (count, 0) for key, count in flagged.items() if count}


def _left_out(table: str, row: Row, alive: Tables, as_of: datetime, as_of_date: date) -> str | None:
    """The first rule that leaves a living row out of every figure."""
    moment = row[MOMENTS[table]] if table in MOMENTS else None
    is_ahead = (moment is not None and moment >= as_of) or (table in DAYS and row[DAYS[table]] > as_of_date)
    reasons: list[str | None] = []
    of: list[Row] = []
    if table in PARENTS:
        parent, key, kind = PARENTS[table]
        of = [one for one in alive[parent] if one[key] == row[key]]
        reasons.append(None if of else kind)
    reasons.append("in_the_future" if is_ahead else None)
    if table == "lead_status_changes" and of and of[0]["created_at"] >= as_of:
        reasons.append("change_of_lead_in_the_future")
    if table == "users" and moment is None:
        reasons.append("user_without_signup")
    if table == "satisfaction_scores" and not 0 <= row["score"] <= TOP_SCORE:
        reasons.append("satisfaction_score_out_of_range")
    if table == "invoices" and row["status"] in ("draft", "void"):
        reasons.append("invoice_without_claim")
    if table == "subscriptions":
        reasons.append(_subscription_left_out(row, alive))
    return next(filter(None, reasons), None)


def _subscription_left_out(row: Row, alive: Tables) -> str | None:
    told = {
        change["status"]
        for change in alive["subscription_changes"]
        if change["subscription_id"] == row["subscription_id"] and change["status"]
    }
    end = row["ended_at"] or row["cancel_at"] or (row["canceled_at"] if row["status"] == "canceled" else None)
    if end is not None and end < row["started_at"]:
        return "ended_before_start"
    if row["status"] == "canceled" and end is None and "canceled" not in told:
        return "canceled_without_date"
    if row["status"] in NEVER_BEGAN and told <= set(NEVER_BEGAN):
        return "never_completed"
    return None


def _odd(table: str, row: Row, alive: Tables) -> list[str]:
    """Rules that find something in a row that counts."""
    known = {name: {one[f"{name.rstrip('s')}_id"] for one in alive[name]} for name in ("users", "leads")}
    seconds = row.get("duration_seconds")
    tests: dict[str, Callable[[], dict[str, bool]]] = {
        "sessions": lambda: {
            "session_with_negative_duration": seconds is not None and seconds < 0,
            "session_longer_than_a_week": seconds is not None and seconds > 7 * 86400,
            "session_of_unknown_user": row["user_id"] not in known["users"],
        },
        "calls": lambda: {
            "call_with_negative_duration": seconds is not None and seconds < 0,
            "call_longer_than_a_day": seconds is not None and seconds > 86400,
            "call_interested_but_not_completed": row["outcome"] == "interested"
            and row["status"] != "completed",
            "call_of_unknown_lead": row["lead_id"] is not None and row["lead_id"] not in known["leads"],
            "call_of_unknown_staff": row["staff_id"] is not None,  # no staff is ever loaded
        },
        "activation_events": lambda: {"event_of_unknown_user": row["user_id"] not in known["users"]},
        "jobs": lambda: {"job_finished_before_started": _before(row, "finished_at", "started_at")},
        "leads": lambda: {
            "lead_converted_before_created": row["status"] == "converted"
            and _before(row, "converted_at", "created_at"),
            "lead_status_without_moment": row["status"] == "lost" and row["updated_at"] is None,
            "lead_converted_at_ignored": row["status"] == "lost" and row["converted_at"] is not None,
        },
        "api_requests": lambda: {"api_request_with_negative_latency": row["latency_ms"] < 0},
        "collaborations": lambda: {
            "collaboration_active_before_created": _before(row, "last_activity_at", "created_at"),
            "collaboration_of_one_vendor": row["vendor1_id"] == row["vendor2_id"],
        },
        "invoices": lambda: {
            "invoice_without_amount": row["amount_due"] <= 0,
            "paid_without_date": row["status"] == "paid" and row["paid_at"] is None,
        },
        "payments": lambda: {"payment_without_amount": row["amount"] <= 0},
        "subscriptions": lambda: {
            "impossible_terms": row["unit_amount"] < 0,
            "subscription_without_amount": row["unit_amount"] == 0,
        },
        "marketing_spend": lambda: {"spend_without_amount": row["amount"] <= 0},
    }
    return [kind for kind, holds in tests.get(table, dict)().items() if holds]


def _before(row: Row, one: str, other: str) -> bool:
    return row.get(one) is not None and row[one] < row[other]


def _changes_by_subscription(alive: Tables) -> dict[str, list[Row]]:
    known = {row["subscription_id"] for row in alive["subscriptions"]}
    changes: dict[str, list[Row]] = {key: [] for key in known}
    for change in alive["subscription_changes"]:
        if change["subscription_id"] in known:
            changes[change["subscription_id"]].append(change)
    return changes


def _at_one_instant(alive: Tables, as_of: datetime) -> int:
    total = 0
    for changes in _changes_by_subscription(alive).values():
        moments = [change["changed_at"] for change in changes if change["changed_at"] < as_of]
        total += len(moments) - len(set(moments))
    return total


def _currencies_changed(alive: Tables) -> int:
    own = {row["subscription_id"]: row["currency"] for row in alive["subscriptions"]}
    return sum(
        len({change["currency"] or own[key] for change in changes}) > 1
        for key, changes in _changes_by_subscription(alive).items()
    )
