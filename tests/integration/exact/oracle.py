"""A second reading of the metric rules for activity and retention, in plain Python: sets of days, no SQL.

It walks user by user and bucket by bucket, slowly and literally. The models count differences of runs
instead; nothing is shared with them but the raw rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
#: Period, mode, days of a rolling bucket, last index published.
BUCKETS = (
    *(("day", mode, 1, 30) for mode in ("rolling", "calendar", "unbounded")),
    *(("week", mode, 7, 52) for mode in ("rolling", "calendar", "unbounded")),
    *(("month", mode, 30, 36) for mode in ("rolling", "calendar", "unbounded")),
)


@dataclass
class Session:
    """A session as the raw row tells it."""

    user: str
    told_type: str | None
    at: datetime
    seconds: int | None


@dataclass
class Subscription:
    """Pays one price from start to end: the ledger has its own oracle, retention needs who pays when."""

    customer: str
    start: datetime
    end: datetime | None
    mrr: Decimal


@dataclass
class Tenant:
    """A tenant with all that activity and retention look at."""

    key: str
    zone: ZoneInfo
    week_start: str
    window: int
    as_of: datetime
    sessions: list[Session] = field(default_factory=list)
    users: dict[str, tuple[str | None, datetime | None]] = field(default_factory=dict)
    customers: dict[str, datetime | None] = field(default_factory=dict)
    subscriptions: list[Subscription] = field(default_factory=list)

    def day(self, moment: datetime) -> date:
        return moment.astimezone(self.zone).date()

    @property
    def last_day(self) -> date:
        """The day that holds the last instant before as_of."""
        return self.day(self.as_of - timedelta(microseconds=1))

    @property
    def complete_day(self) -> date:
        """The last day that has ended."""
        return self.day(self.as_of) - DAY

    def week(self, day: date) -> date:
        return day - timedelta(days=(day.weekday() + (self.week_start == "sunday")) % 7)

    def active_days(self) -> dict[tuple[str, str], set[date]]:
        """(type, user) -> days with a session; the type `all` holds every user once."""
        found: dict[tuple[str, str], set[date]] = defaultdict(set)
        for session in self.sessions:
            if session.at < self.as_of:
                for kind in (self.type_of(session), "all"):
                    found[kind, session.user].add(self.day(session.at))
        return found

    def type_of(self, session: Session) -> str:
        return session.told_type or self.users.get(session.user, (None, None))[0] or "(none)"


def engagement(tenant: Tenant) -> dict[tuple[str, date], dict[str, Any]]:
    """engagement_by_user_type: every (type, day) on which one of the windows counts somebody."""
    rows: dict[tuple[str, date], dict[str, Any]] = {}
    active = tenant.active_days()
    if not active:
        return rows
    first = min(min(days) for days in active.values())
    for kind in {kind for kind, _ in active}:
        day = first
        while day <= tenant.last_day:
            begins = {
                "dau": day,
                "wau": day - 6 * DAY,
                "mau": day - (tenant.window - 1) * DAY,
                "mau_28": day - 27 * DAY,
                "wau_week_to_date": tenant.week(day),
                "mau_month_to_date": day.replace(day=1),
            }
            row: dict[str, Any] = {
                name: sum(
                    any(begin <= d <= day for d in days) for (of, _), days in active.items() if of == kind
                )
                for name, begin in begins.items()
            }
            if any(row.values()):
                rows[kind, day] = row | times(tenant, kind, day)
            day += DAY
    return rows


def times(tenant: Tenant, kind: str, day: date) -> dict[str, Any]:
    sessions = [
        s
        for s in tenant.sessions
        if s.at < tenant.as_of and tenant.day(s.at) == day and kind in ("all", tenant.type_of(s))
    ]
    timed = [s.seconds for s in sessions if s.seconds is not None and s.seconds >= 0]
    return {
        "sessions": len(sessions),
        "avg_session_seconds": Fraction(sum(timed), len(timed)) if timed else None,
    }


def bucket(tenant: Tenant, first: date, period: str, mode: str, days: int, index: int) -> tuple[date, date]:
    """First day of a bucket and the day after it."""
    if mode == "rolling":
        return first + index * days * DAY, first + (index + 1) * days * DAY
    if period == "month":
        number = first.year * 12 + first.month - 1 + index
        return date(number // 12, number % 12 + 1, 1), date((number + 1) // 12, (number + 1) % 12 + 1, 1)
    start = tenant.week(first) if period == "week" else first
    return start + index * days * DAY, start + (index + 1) * days * DAY


def cohort_start(tenant: Tenant, first: date, period: str) -> date:
    return {"day": first, "week": tenant.week(first), "month": first.replace(day=1)}[period]


def cohorts(tenant: Tenant) -> Iterator[tuple[str, str, str, date]]:
    """(subject, cohort_by, entity, first day)."""
    for (kind, user), days in tenant.active_days().items():
        if kind == "all":
            yield "user", "first_activity", user, min(days)
    for user, (_, signed_up) in tenant.users.items():
        if signed_up is not None and signed_up < tenant.as_of:
            yield "user", "signup", user, tenant.day(signed_up)
    for customer in {s.customer for s in tenant.subscriptions}:
        paid = [s.start for s in tenant.subscriptions if s.customer == customer and s.start < tenant.as_of]
        if not paid:
            continue
        created = tenant.customers.get(customer)
        for subject in ("customer", "revenue"):
            yield subject, "first_payment", customer, tenant.day(min(paid))
            if created is not None and created < tenant.as_of:
                yield subject, "signup", customer, tenant.day(created)


def mrr_at(tenant: Tenant, customer: str, moment: datetime) -> Decimal:
    """What a customer pays in the last instant before a moment."""
    return sum(
        (
            s.mrr
            for s in tenant.subscriptions
            if s.customer == customer and s.start < moment and (s.end is None or s.end >= moment)
        ),
        Decimal(0),
    )


def paid_days(tenant: Tenant, customer: str) -> set[date]:
    """Days with an instant at which the customer pays, up to as_of."""
    days = set()
    for s in tenant.subscriptions:
        end = min(s.end or tenant.as_of, tenant.as_of)
        if s.customer == customer and s.start < end:
            day = tenant.day(s.start)
            while day <= tenant.day(end - timedelta(microseconds=1)):
                days.add(day)
                day += DAY
    return days


def starting_mrr(tenant: Tenant, customer: str) -> Decimal:
    first = min(s.start for s in tenant.subscriptions if s.customer == customer)
    return sum(
        (s.mrr for s in tenant.subscriptions if s.customer == customer and s.start == first), Decimal(0)
    )


@dataclass
class Cell:
    """What a cell of cohort_retention counts."""

    begun: int = 0
    eligible: int = 0
    retained: int = 0
    mrr: Decimal = Decimal(0)
    starting_mrr: Decimal = Decimal(0)


def retention(tenant: Tenant) -> dict[tuple[Any, ...], Cell]:
    """cohort_retention: (subject, cohort_by, period, mode, cohort_start, index) -> counts."""
    cells: dict[tuple[Any, ...], Cell] = defaultdict(Cell)
    active = {user: days for (kind, user), days in tenant.active_days().items() if kind == "all"}
    for subject, cohort_by, entity, first in cohorts(tenant):
        days = active.get(entity, set()) if subject == "user" else paid_days(tenant, entity)
        for period, mode, length, last_index in BUCKETS:
            if subject == "revenue" and mode == "unbounded":
                continue
            for index in range(last_index + 1):
                begin, end = bucket(tenant, first, period, mode, length, index)
                if begin > tenant.last_day:
                    break
                if first > tenant.last_day:
                    break
                cell = cells[subject, cohort_by, period, mode, cohort_start(tenant, first, period), index]
                cell.begun += 1
                if end > tenant.complete_day + DAY:
                    continue
                cell.eligible += 1
                until = date.max if mode == "unbounded" else end
                if subject != "revenue":
                    cell.retained += any(max(begin, first) <= day < until for day in days)
                if subject != "user":
                    cell.starting_mrr += starting_mrr(tenant, entity)
                if subject == "revenue":
                    mrr = mrr_at(tenant, entity, datetime.combine(end, time(), tenant.zone))
                    cell.retained += mrr > 0
                    cell.mrr += mrr
    return cells


def revenue(tenant: Tenant, month: date) -> dict[str, Any]:
    """Figures of revenue_metrics that follow from who pays what at both ends of a month."""
    after = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    begin, end = (datetime.combine(day, time(), tenant.zone) for day in (month, after))
    is_complete = end <= tenant.as_of
    customers = {s.customer for s in tenant.subscriptions}
    starts = {customer: Fraction(mrr_at(tenant, customer, begin)) for customer in customers}
    ends = {customer: Fraction(mrr_at(tenant, customer, min(end, tenant.as_of))) for customer in customers}
    paying = sum(mrr > 0 for mrr in ends.values())
    start, stop = sum(starts.values()), sum(ends.values())
    stayed = sum(ends[customer] for customer, mrr in starts.items() if mrr)
    kept = sum(min(ends[customer], mrr) for customer, mrr in starts.items())
    return {
        "is_complete": is_complete,
        "starting_mrr": start,
        "ending_mrr": stop,
        "mrr": stop,
        "arr": 12 * stop,
        "paying_customers": paying,
        "arpa": stop / paying if paying else None,
        "nrr": stayed / start if start and is_complete else None,
        "grr": kept / start if start and is_complete else None,
        "mrr_growth_rate": (stop - start) / start if start and is_complete else None,
        "new_customers": sum(
            begin
            <= min(s.start for s in tenant.subscriptions if s.customer == customer)
            < min(end, tenant.as_of)
            for customer in customers
        ),
    }
