"""The test of the test: five bugs of incremental builds, planted one at a time, are each caught.

A directed history catches each for certain; without the bug the same history passes. How many random
histories find a bug by themselves is counted with `--histories N` (figures in docs/decisions.md).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestration.marts import build as marts_build
from orchestration.marts import dirt, plan
from tests.integration.exact.conftest import Players
from tests.integration.exact.history import Build, History, Player, Write, act, put
from tests.integration.exact.test_differential import with_history

pytestmark = [pytest.mark.integration, pytest.mark.timeout(7200)]

START = datetime(2025, 3, 31, 12, tzinfo=UTC)
TENANTS = (
    Write("put", "tenants", (("tenant_id", "t0"),), (("name", "One"), ("timezone", "America/New_York"))),
    Write("put", "tenants", (("tenant_id", "t1"),), (("name", "Two"), ("currency", "EUR"))),
)
Patch = pytest.MonkeyPatch


def a_row_of_each_table(tenant: str) -> tuple[Write, ...]:
    """One plain row, or the two it takes, in every raw table of a tenant."""
    day = "2025-03-10 12:00 UTC"
    return (
        put("branches", tenant, "b0", name="North", timezone="Asia/Tokyo"),
        put("staff", tenant, "f0", name="Ann", branch_id="b0"),
        put("customers", tenant, "c0", name="Acme", created_at=day),
        put("parties", tenant, "p0", kind="client", name="Eve"),
        put("users", tenant, "u0", user_type="couple", signed_up_at=day, customer_id="c0"),
        put("sessions", tenant, "s0", user_id="u0", started_at=day, duration_seconds=600),
        put("sessions", tenant, "s1", user_id="u1", started_at="2025-03-20 03:30 UTC", duration_seconds=-60),
        put("activation_events", tenant, "a0", user_id="u0", event_type="file_upload", occurred_at=day),
        put("jobs", tenant, "j0", status="succeeded", started_at=day, finished_at="2025-03-10 13:00 UTC"),
        put("leads", tenant, "l0", status="new", created_at=day, branch_id="b0", staff_id="f0", source="web"),
        put("lead_status_changes", tenant, "h0", lead_id="l0", status="contacted", changed_at=day),
        put("calls", tenant, "c0", lead_id="l0", branch_id="b0", staff_id="f0", direction="outbound",
            status="completed", outcome="interested", duration_seconds=60, started_at=day),
        put("calls", tenant, "c1", direction="inbound", status="missed", started_at=day),
        put("subscriptions", tenant, "x0", customer_id="c0", plan="pro", status="active", quantity=1,
            unit_amount=100, currency="GBP", billing_interval="month", interval_count=1, started_at=day),
        put("subscription_changes", tenant, "h0", subscription_id="x0", changed_at="2025-03-20", quantity=2),
        put("invoices", tenant, "i0", customer_id="c0", status="open", amount_due=100, amount_paid=0,
            currency="GBP", issued_at=day, due_at="2025-03-24"),
        put("payments", tenant, "p0", invoice_id="i0", status="failed", amount=100, currency="GBP",
            attempted_at=day),
        put("collaborations", tenant, "k0", client_id="p0", vendor1_id="p1", vendor2_id="p2",
            collaboration_type="timeline_sync", created_at=day, last_activity_at="2025-03-12"),
        put("satisfaction_scores", tenant, "s0", vendor_id="p1", score=9, scored_at=day),
        put("api_requests", tenant, "r0", status_code=200, latency_ms=10, requested_at=day),
        put("health_checks", tenant, "h0", component="db", status="up", cpu_load=0.5, checked_at=day),
        put("marketing_spend", tenant, "m0", spend_date="2025-03-10", amount=50, currency="GBP"),
        put("finance_inputs", tenant, "2025-03-01", cash_balance=900, monthly_burn=100, currency="GBP"),
        *(
            put("exchange_rates", None, (f"2025-03-{day:02d}", currency), units_per_eur=rate)
            for day in (5, 17, 20, 24, 31)
            for currency, rate in (("USD", 1.1), ("GBP", 0.85))
        ),
    )  # fmt: skip


def lost_old_day(player: Player, _: Patch) -> None:
    """An update records the new rows only: the day a row leaves stays as it was."""
    patch_trigger(player, "from old_rows where false")


def missed_tombstone(player: Player, _: Patch) -> None:
    """An update that sets deleted_at records nothing of its rows."""
    patch_trigger(
        player,
        "from old_rows where not exists (select from new_rows where deleted_at is not null)",
        "from new_rows where deleted_at is null",
    )


def lost_late_commit(_: Player, patch: Patch) -> None:
    """A complete build forgets all recorded changes, also of loads that committed after its plan."""
    complete = marts_build._complete

    def forgetful(conn: Any, current: Any) -> None:
        complete(conn, current)
        conn.execute("delete from raw.changes")

    patch.setattr(marts_build, "_complete", forgetful)


def short_window(_: Player, patch: Patch) -> None:
    """A changed session repairs 29 days instead of 30."""
    merge = dirt.merge_spans

    def short(conn: Any) -> None:
        merge(conn)
        conn.execute(
            "update build.dirty_spans set date_to = greatest(date_from, date_to - 3) "
            "where domain = 'activity_window' and date_to < '2199-01-01'"
        )

    patch.setattr(plan.dirt, "merge_spans", short)


def stale_rate(_: Player, patch: Patch) -> None:
    """A rate that is told late repairs its own day only, not those it is in force for."""
    take = dirt.take_changes

    def stale(conn: Any, tenant: str | None) -> None:
        take(conn, tenant)
        conn.execute(
            "update taken set date_from = date_from - 7, date_to = date_to - 7 "
            "where table_name = 'exchange_rates'"
        )

    patch.setattr(plan.dirt, "take_changes", stale)


def patch_trigger(player: Player, old: str, new: str = "from new_rows") -> None:
    """Let the triggers read other rows where an update records its old and its new ones."""
    row = player.raw.execute("select pg_get_functiondef('raw.record_changes'::regproc)").fetchone()
    assert row is not None
    planted, count = re.subn(
        r"from old_rows union all (select [^']*?) from new_rows(?=\)')", rf"{old} union all \1 {new}", row[0]
    )
    assert count == 1
    player.raw.execute(planted)


KEY = (("tenant_id", "t0"), ("session_id", "s0"))
DAY = timedelta(days=1)
#: Bug -> the domain of random histories that can meet it, and operations that meet it for certain.
BUGS: dict[Callable[[Player, Patch], None], tuple[str, tuple[Write | Build, ...]]] = {
    lost_old_day: (
        "activity",
        (Write("set", "sessions", KEY, (("started_at", "2025-03-30 01:30 UTC"),)),),
    ),
    missed_tombstone: ("activity", (act("tombstone", "sessions", "t0", "s0"),)),
    lost_late_commit: (
        "activity",
        (
            Build(DAY, meanwhile=(put("sessions", "t0", "s2", user_id="u2", started_at="2025-03-11"),)),
            Build(DAY),
        ),
    ),
    short_window: (
        "activity",
        # The user's only session lies on 1 March: it counts until 30 March.
        (put("sessions", "t0", "s2", user_id="u2", started_at="2025-03-01 12:00 UTC"),),
    ),
    stale_rate: ("revenue", (put("exchange_rates", None, ("2025-03-08", "GBP"), units_per_eur=0.5),)),
}


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_planted_bug_is_caught(
    bug: Callable[[Player, Patch], None], player: Players, monkeypatch: Patch
) -> None:
    operations = BUGS[bug][1]
    history = History(START, (*TENANTS, *a_row_of_each_table("t0"), Build(), *operations))
    with player(START) as playing:
        assert playing.play(history) == ""
    with player(START) as playing:
        bug(playing, monkeypatch)
        assert playing.play(history) != ""


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_random_histories_that_catch_it(
    bug: Callable[[Player, Patch], None],
    player: Players,
    monkeypatch: Patch,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, object], None],
) -> None:
    """Tells how many of N random histories find the bug without being directed."""
    count = request.config.getoption("--histories")
    if not count:
        pytest.skip("counted with --histories N")
    found = sum(catches(bug, player, monkeypatch, number) for number in range(count))
    print(f"\n{bug.__name__}: {found} of {count} random histories")
    record_property(bug.__name__, f"{found} of {count}")


def catches(bug: Callable[[Player, Patch], None], player: Players, monkeypatch: Patch, number: int) -> bool:
    """Whether the random history of one seed differs from a full refresh while the bug is there."""
    drawn: list[History] = []
    with_history(number, BUGS[bug][0], drawn.append)
    with player(drawn[0].start) as playing, monkeypatch.context() as patch:
        bug(playing, patch)
        return playing.play(drawn[0]) != ""
