"""No dispatcher for three days, data that come late or never, a check that fails and is mended."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from tests.integration.delivery.conftest import NOON
from tests.integration.delivery.faults.conftest import TODAY, wait_until_gone

pytestmark = pytest.mark.integration
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize("policy", ["catch_up", "skip"])
def test_three_days_without_a_dispatcher(post, policy) -> None:
    """catch_up: the newest missed report once, as late. skip: none of them. Both: the next one in time."""
    post.promise("a", "b", misfire_policy=policy, max_lateness=6 * HOUR, starts_on=TODAY - 5 * DAY)
    post.dispatch(NOON - 5 * DAY)
    evening = datetime(2026, 11, 18, 23, tzinfo=UTC)  # 16th, 17th and 18th are missed
    for _ in range(2):
        post.dispatch(evening)
    post.dispatch(evening + 10 * HOUR)  # 09:00 of the 19th
    late = {
        row["local_date"]: row for row in post.warehouse.rows("select * from reporting.report_occurrences")
    }
    caught_up = [date(2026, 11, 18)] if policy == "catch_up" else []
    assert {day: row["state"] for day, row in late.items()} == {
        date(2026, 11, 15): "sent",
        date(2026, 11, 16): "skipped",
        date(2026, 11, 17): "skipped",
        date(2026, 11, 18): "sent" if caught_up else "skipped",
        date(2026, 11, 19): "sent",
    }
    assert [day for day, row in late.items() if row["is_late"] and row["state"] == "sent"] == caught_up
    post.reconcile(date(2026, 11, 15), *caught_up, date(2026, 11, 19))


def test_data_come_late(post) -> None:
    """Ready for one tenant and not for the other: each is judged by its own."""
    post.promise("a", tenant="gym", name="gym")
    post.warehouse.add_tenant("spa", complete="2026-11-18")
    post.promise("a", tenant="spa", name="spa")
    post.dispatch()
    assert post.server.recipients() == ["a@gym.example"]
    post.reconcile(settled=False)
    post.warehouse.conn.execute("update marts.tenants set complete_date = '2026-11-19'")
    post.dispatch(NOON + timedelta(minutes=30))
    assert post.server.recipients() == ["a@gym.example", "a@spa.example"]
    post.reconcile()


@pytest.mark.parametrize("policy", ["catch_up", "skip"])
def test_three_days_between_two_attempts(post, policy) -> None:
    """The mail server refused, then no dispatcher ran for three days: the policy decides here too."""
    post.warehouse.add_tenant("gym", complete="2026-12-31")
    post.promise("a", "b", misfire_policy=policy, max_lateness=6 * HOUR, starts_on=TODAY - 4 * DAY)
    post.server.refuse()
    post.dispatch(NOON - 4 * DAY)
    post.server.accept()
    post.dispatch(NOON + 8 * HOUR)
    post.dispatch(NOON + 22 * HOUR)
    sent = [row.local_date for row in post.ledger() if row.delivery_status == "sent"]
    assert set(sent) == ({TODAY} if policy == "catch_up" else set()) | {TODAY + DAY}
    assert len(post.server.received()) == len(sent)
    assert not any(row.is_open for row in post.ledger())


@pytest.mark.parametrize("missing", ["data", "check"])
@pytest.mark.parametrize("rule", ["notice", "hold"])
def test_data_never_come(post, rule, missing) -> None:
    """At the end a notice without a figure, or nothing and a person decides; never the report."""
    post.warehouse.add_tenant("gym", complete="2026-11-18" if missing == "data" else "2026-11-19")
    if missing == "check":
        (build,) = post.warehouse.rows("select build_id::text from build.builds")
        post.warehouse.fail_check("gym", build["build_id"])
    post.promise("a", "b", max_lateness=6 * HOUR)
    post.warehouse.conn.execute("update reporting.report_subscriptions set when_incomplete = %s", (rule,))
    post.dispatch()
    post.reconcile(settled=False)
    assert post.server.received() == []
    for hours in (4, 5, 12):
        post.dispatch(NOON + hours * HOUR)
    excused = () if rule == "notice" else ("a@gym.example", "b@gym.example")
    post.reconcile(excused=excused)
    assert set(post.statuses().values()) == ({"sent"} if rule == "notice" else {"held"})
    assert all(message.digests == frozenset() for message in post.server.received())
    assert not any("12,345" in content or "12345" in content for content in post.server.contents())


@pytest.mark.parametrize("goes_through", [False, True], ids=["rolled back", "went through"])
def test_killed_while_giving_up(post, goes_through) -> None:
    """The notice goes out once, whoever makes it."""
    post.warehouse.add_tenant("gym", complete="2026-11-18")
    post.promise("a", "b", max_lateness=2 * HOUR)
    post.dispatch(NOON - 2 * HOUR)
    with post.hold("report_deliveries", "update", "new.delivery_status = 'ready'") as hold:
        dispatcher = post.start()
        hold.wait_until_reached()
        dispatcher.kill()
        if goes_through:
            hold.let_go()
        else:
            hold.roll_back()
        wait_until_gone(post.warehouse)
    post.recover()
    assert {(row.kind, row.delivery_status) for row in post.ledger()} == {("notice", "sent")}
    post.reconcile()


def test_a_failed_check_is_mended(post) -> None:
    """Not a figure goes out while a blocking check fails, not even of what was rendered before it failed."""
    post.promise("a", "b")
    (build,) = post.warehouse.rows("select build_id::text from build.builds")
    post.warehouse.fail_check("gym", build["build_id"])
    post.dispatch()
    assert post.server.received() == []
    post.reconcile(settled=False)
    post.warehouse.add_build()
    post.dispatch(NOON + timedelta(minutes=5))
    assert set(post.statuses().values()) == {"sent"}
    post.reconcile()


def test_a_check_fails_after_rendering(post) -> None:
    """Rendered, and the mail server refuses; before it recovers the check of that build fails."""
    post.promise("a", "b")
    post.server.fails({"step": "rcpt", "do": "answer", "text": "451 later"})
    post.dispatch()
    (build,) = post.warehouse.rows("select build_id::text from build.builds")
    post.warehouse.fail_check("gym", build["build_id"])
    post.server.fails()
    post.dispatch(NOON + timedelta(minutes=5))
    assert post.server.received() == []
    post.reconcile(settled=False)
    post.warehouse.add_build()
    post.dispatch(NOON + timedelta(minutes=15))
    assert set(post.statuses().values()) == {"sent"}
    post.reconcile()
