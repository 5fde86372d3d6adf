"""What is to be generated: the options of a call, and the plan of each tenant that follows from them.

Belongs here: sizes, time zones, currencies and their distribution over tenants; pure functions. Does not
belong here: SQL and connections.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256

from orchestration.errors import MetricpressError

#: Time zone, currency, first day of the week, and what a week of marketing costs in that currency.
PLACES: tuple[tuple[str, str, str, int], ...] = (
    ("America/New_York", "USD", "sunday", 3_000),
    ("Europe/Berlin", "EUR", "monday", 2_800),
    ("Asia/Tokyo", "JPY", "monday", 450_000),
    ("Europe/London", "GBP", "monday", 2_400),
    ("America/Sao_Paulo", "BRL", "sunday", 16_000),
    ("Asia/Kolkata", "INR", "monday", 250_000),
    ("Australia/Sydney", "AUD", "monday", 4_500),
    ("America/Los_Angeles", "USD", "sunday", 3_200),
    ("Europe/Zurich", "CHF", "monday", 2_700),
    ("Asia/Singapore", "SGD", "monday", 4_000),
)
#: An hour of a day and a draw of the generator both count in integers of four bytes.
MOST_DAYS = 20 * 366
MOST_ROWS = 2_000_000_000


@dataclass(frozen=True)
class GenerateOptions:
    """How much to generate, over all tenants; what is None follows from `sessions`. `end` is the last day."""

    tenants: int = 3
    days: int = 365
    sessions: int = 100_000
    seed: int = 1
    end: dt.date | None = None
    users: int | None = None
    leads: int | None = None
    calls: int | None = None
    subscriptions: int | None = None
    collaborations: int | None = None
    jobs: int | None = None
    api_requests: int | None = None

    def totals(self) -> dict[str, int]:
        """Rows to make of each kind, all tenants together."""

        def given(value: int | None, default: int) -> int:
            return default if value is None else value

        users = given(self.users, max(self.tenants, self.sessions // 25))
        leads = given(self.leads, self.sessions // 40)
        return {
            "users": users,
            "sessions": self.sessions,
            "leads": leads,
            "calls": given(self.calls, leads * 5 // 2),
            "subscriptions": given(self.subscriptions, users // 8),
            "collaborations": given(self.collaborations, leads // 2),
            "jobs": given(self.jobs, self.sessions // 30),
            "api_requests": given(self.api_requests, self.sessions // 5),
        }


@dataclass(frozen=True)
class TenantPlan:
    """One tenant to generate: the counts are rows, money is in `currency`. One row of pg_temp.plan."""

    tenant_id: str
    name: str
    timezone: str
    currency: str
    week_start: str
    seed: int
    first_day: dt.date
    days: int
    users: int = 0
    customers: int = 0
    sessions: int = 0
    leads: int = 0
    calls: int = 0
    subscriptions: int = 0
    collaborations: int = 0
    clients: int = 1
    vendors: int = 2
    jobs: int = 0
    api_requests: int = 0
    check_hours: int = 6
    branches: int = 1
    staff: int = 1
    spend_a_week: int = 1
    foreign_currencies: tuple[str, ...] = ()
    foreign_share: float = 0.0
    branch_names: tuple[str, ...] = ()
    staff_names: tuple[str, ...] = ()

    @property
    def last_day(self) -> dt.date:
        """The last local day with rows; the clock of the rows ends with it."""
        return self.first_day + dt.timedelta(days=self.days - 1)

    def fingerprint(self) -> str:
        """Changes with anything that changes a generated row."""
        return sha256(repr(sorted(asdict(self).items())).encode()).hexdigest()[:16]


def tenant_seed(tenant_id: str, seed: int) -> int:
    """The tenant's own seed, from a hash: tenants of one call do not look alike."""
    return int.from_bytes(sha256(f"{seed}:{tenant_id}".encode()).digest()[:4]) << 16


def dealt_out(total: int, weights: Sequence[float]) -> list[int]:
    """`total` split by `weights` into whole numbers that add up to it exactly (largest remainders first)."""
    whole = sum(weights)
    exact = [total * weight / whole for weight in weights]
    parts = [int(share) for share in exact]
    by_remainder = sorted(range(len(parts)), key=lambda n: (parts[n] - exact[n], n))
    for n in by_remainder[: total - sum(parts)]:
        parts[n] += 1
    return parts


def tenant_plans(options: GenerateOptions, end: dt.date) -> list[TenantPlan]:
    """A plan for each tenant, the first the largest; MetricpressError for an option out of range."""
    _check(options)
    weights = [1 / (n + 1) ** 0.7 for n in range(options.tenants)]
    totals = options.totals()
    parts = {kind: dealt_out(total, weights) for kind, total in totals.items()}
    width = max(3, len(str(options.tenants)))
    plans = []
    for n in range(options.tenants):
        timezone, currency, week_start, spend = PLACES[n % len(PLACES)]
        tenant_id = f"generated-{options.seed}-{n + 1:0{width}d}"
        size = {kind: part[n] for kind, part in parts.items()}
        plans.append(
            TenantPlan(
                tenant_id=tenant_id,
                name=f"Generated business {n + 1}",
                timezone=timezone,
                currency=currency,
                week_start=week_start,
                seed=tenant_seed(tenant_id, options.seed),
                first_day=end - dt.timedelta(days=options.days - 1),
                days=options.days,
                customers=size["subscriptions"] * 7 // 8 + 1 if size["subscriptions"] else 0,
                clients=max(1, size["collaborations"] // 3),
                vendors=max(3, size["collaborations"] // 20),
                branches=min(8, 1 + size["leads"] // 2_000 + size["sessions"] // 100_000),
                staff=min(60, 4 + size["leads"] // 1_000),
                spend_a_week=max(1, spend * max(1, size["subscriptions"]) // 200),
                users=max(1, size["users"]),
                sessions=size["sessions"],
                leads=size["leads"],
                calls=size["calls"] if size["leads"] else 0,
                subscriptions=size["subscriptions"],
                collaborations=size["collaborations"],
                jobs=size["jobs"],
                api_requests=size["api_requests"],
            )
        )
    return plans


def _check(options: GenerateOptions) -> None:
    for name, least, most in (("tenants", 1, 10_000), ("days", 1, MOST_DAYS)):
        value = getattr(options, name)
        if not least <= value <= most:
            raise MetricpressError(
                f"{name} is {value}", remedy=f"Give a number from {least} to {most:,} with --{name}."
            )
    for name, total in options.totals().items():
        if not 0 <= total <= MOST_ROWS:
            option = name.replace("_", "-")
            raise MetricpressError(
                f"{name} is {total}", remedy=f"Give a number from 0 to {MOST_ROWS:,} with --{option}."
            )
