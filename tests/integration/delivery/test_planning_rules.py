"""What the planner does after outages and changes: policy and not luck, and nothing forgotten."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta

import pytest

from orchestration.delivery import subscriptions
from orchestration.delivery.planning import plan
from orchestration.delivery.subscription_changes import edit
from orchestration.warehouse.connection import connect

pytestmark = pytest.mark.integration
HOUR = timedelta(hours=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def occurrences(warehouse) -> list[tuple[str, str, bool]]:
    """(local date, state, late) of all occurrences, in order."""
    rows = warehouse.rows(
        """select local_date::text, state, is_late from reporting.report_occurrences
        where origin = 'schedule' order by local_date"""
    )
    return [(row["local_date"], row["state"], row["is_late"]) for row in rows]


def gives_up(warehouse) -> dict[str, datetime]:
    rows = warehouse.rows("select local_date::text, give_up_at from reporting.report_occurrences")
    return {row["local_date"]: row["give_up_at"].astimezone(UTC) for row in rows}


@pytest.fixture
def gym(warehouse):
    warehouse.add_tenant("gym")
    return warehouse


@pytest.mark.parametrize(
    ("policy", "frequency", "days", "before", "after", "expected"),
    [
        # The last look on the 10th at noon, the next on the 13th at noon: 11, 12 were missed, 13 is on time.
        ("catch_up", "daily", (), "2026-11-10T12:00", "2026-11-13T12:00",
         [("2026-11-10", "pending", False), ("2026-11-11", "skipped", True), ("2026-11-12", "skipped", True),
          ("2026-11-13", "pending", False)]),
        # Before 09:00 of the 14th the newest missed is that of the 13th, 23 hours old: not late yet.
        ("catch_up", "daily", (), "2026-11-10T12:00", "2026-11-14T08:00",
         [("2026-11-10", "pending", False), ("2026-11-11", "skipped", True), ("2026-11-12", "skipped", True),
          ("2026-11-13", "pending", False)]),
        ("skip", "daily", (), "2026-11-11T12:00", "2026-11-14T12:00",
         [("2026-11-11", "pending", False), ("2026-11-12", "skipped", True), ("2026-11-13", "skipped", True),
          ("2026-11-14", "pending", False)]),
        # Weekly on Tuesday the 10th, down from the 9th to the 12th.
        ("catch_up", "weekly", ("tuesday",), "2026-11-09T12:00", "2026-11-12T12:00",
         [("2026-11-10", "pending", True)]),
        ("skip", "weekly", ("tuesday",), "2026-11-09T12:00", "2026-11-12T12:00",
         [("2026-11-10", "skipped", True)]),
        ("catch_up", "monthly", (), "2026-10-31T12:00", "2026-11-03T12:00",
         [("2026-11-01", "pending", True)]),
        ("skip", "monthly", (), "2026-10-31T12:00", "2026-11-03T12:00",
         [("2026-11-01", "skipped", True)]),
    ],
)  # fmt: skip
def test_three_days_down(gym, policy, frequency, days, before, after, expected) -> None:
    start = date.fromisoformat(before[:10])
    gym.subscribe("gym", "a@x.example", frequency=frequency, delivery_days=days, misfire_policy=policy,
                  starts_on=start)  # fmt: skip
    plan(gym.conn, at(before))
    plan(gym.conn, at(after))
    assert occurrences(gym) == expected
    for local_date, state, late in expected:
        due = at(f"{local_date}T09:00")
        # One caught up has its time from the moment it was planned.
        assert gives_up(gym)[local_date] == (at(after) if late else due) + 24 * HOUR, (local_date, state)
    told = gym.rows("select count(*) as n from reporting.report_deliveries")
    assert told == [{"n": sum(state == "pending" for _, state, _ in expected)}]


@pytest.mark.parametrize("policy", ["catch_up", "skip"])
def test_the_edge_of_max_lateness(gym, policy) -> None:
    """Due 09:00, three hours: planned at 12:00 exactly it is on time, a second later it is late."""
    more = {"misfire_policy": policy, "max_lateness": 3 * HOUR, "starts_on": date(2026, 11, 10)}
    gym.subscribe("gym", "a@x.example", **more)
    plan(gym.conn, at("2026-11-10T12:00"))
    assert occurrences(gym) == [("2026-11-10", "pending", False)]
    assert gives_up(gym) == {"2026-11-10": at("2026-11-10T12:00")}
    plan(gym.conn, at("2026-11-11T12:00:01"))
    caught_up = policy == "catch_up"
    assert occurrences(gym)[1:] == [("2026-11-11", "pending" if caught_up else "skipped", True)]
    assert gives_up(gym)["2026-11-11"] == at("2026-11-11T15:00:01")


def test_holidays_move_and_leave_out(gym) -> None:
    """3 October 2026, a Saturday in Germany, goes to Monday; each keeps its own period."""
    gym.subscribe(
        "gym", "a@x.example", starts_on=date(2026, 10, 2), holiday_calendar="DE", holiday_rule="after"
    )
    for day in range(2, 7):
        for hour in (8, 10):
            plan(gym.conn, at(f"2026-10-0{day}T{hour:02}:00"))
    rows = gym.rows(
        """select local_date::text as asked, due_at at time zone 'UTC' as due,
            report_period_end::text as covers
        from reporting.report_occurrences order by due_at, local_date"""
    )
    assert [(row["asked"][-2:], f"{row['due']:%d %H}", row["covers"][-2:]) for row in rows] == [
        ("02", "02 09", "01"), ("04", "04 09", "03"), ("03", "05 09", "02"), ("05", "05 09", "04"),
        ("06", "06 09", "05"),
    ]  # fmt: skip


class Changed:
    """Ways in which a calendar changes; each has the planner look again at once."""

    @staticmethod
    def tenant_timezone(gym, subscription) -> None:
        gym.conn.execute("update raw.tenants set timezone = 'Pacific/Kiritimati'")

    @staticmethod
    def tenant_back(gym, subscription) -> None:
        gym.conn.execute("update raw.tenants set deleted_at = now()")
        plan(gym.conn, at("2026-11-10T12:01"))
        gym.conn.execute("update raw.tenants set deleted_at = null, timezone = 'Pacific/Kiritimati'")

    @staticmethod
    def clock_goes_on(gym, subscription) -> None:
        Changed.tenant_timezone(gym, subscription)
        gym.conn.execute(
            "insert into reporting.tenant_settings (tenant_id, clock_stops_at) values ('gym', '2026-11-10')"
        )
        plan(gym.conn, at("2026-11-10T12:01"))
        gym.conn.execute("update reporting.tenant_settings set clock_stops_at = null")

    @staticmethod
    def settings_gone(gym, subscription) -> None:
        Changed.clock_goes_on(gym, subscription)
        gym.conn.execute("update reporting.tenant_settings set clock_stops_at = '2026-11-10'")
        plan(gym.conn, at("2026-11-10T12:02"))
        gym.conn.execute("delete from reporting.tenant_settings")

    @staticmethod
    def own_time(gym, subscription) -> None:
        gym.conn.execute("update reporting.report_subscriptions set delivery_time = '05:00'")

    @staticmethod
    def resumed(gym, subscription) -> None:
        Changed.own_time(gym, subscription)
        subscriptions.pause(gym.conn, subscription)
        plan(gym.conn, at("2026-11-10T12:01"))
        subscriptions.resume(gym.conn, subscription, date(2026, 11, 11))


@pytest.mark.parametrize("change", [name for name in vars(Changed) if not name.startswith("_")])
def test_a_forecast_never_outlives_its_calendar(gym, change) -> None:
    """The next report was due on the 11th at 09:00 UTC; 14 hours further east that is 19:00 on the 10th."""
    due = at("2026-11-11T05:00" if change in ("own_time", "resumed") else "2026-11-10T19:00")
    subscription = gym.subscribe("gym", "a@x.example", starts_on=date(2026, 11, 10))
    plan(gym.conn, at("2026-11-10T12:00"))
    getattr(Changed, change)(gym, subscription)
    assert plan(gym.conn, due - timedelta(minutes=1)) == (0, [])
    assert plan(gym.conn, due) == (1, [])
    assert [row[0] for row in occurrences(gym)] == ["2026-11-10", "2026-11-11"]


def test_a_forecast_is_not_trusted_for_more_than_a_day(gym) -> None:
    """Time zones and holidays change with their libraries: a monthly report is looked at every day."""
    gym.subscribe("gym", "a@x.example", frequency="monthly", starts_on=date(2026, 11, 1))
    plan(gym.conn, at("2026-11-10T12:00"))
    (row,) = gym.rows("select next_plan_at from reporting.report_planning")
    assert at("2026-11-11T00:00") <= row["next_plan_at"] <= at("2026-11-11T12:00")


def test_a_change_during_planning_is_not_forgotten(gym) -> None:
    """The change waits for the planner that has read the old calendar, then has it look again."""
    gym.subscribe("gym", "a@x.example", starts_on=date(2026, 11, 10))
    with connect(gym.settings, "pipeline") as planner, connect(gym.settings) as other:
        assert plan(planner, at("2026-11-10T12:00"))[0] == 1  # not committed yet
        moved = threading.Thread(
            target=other.execute, args=("update raw.tenants set timezone = 'Pacific/Kiritimati'",)
        )
        moved.start()
        moved.join(0.5)
        assert moved.is_alive(), "it did not wait for the planner"
        planner.commit()
        moved.join(20)
        # Not committed either: the planner passes over the subscription, and sees it at its next look.
        assert plan(gym.conn, at("2026-11-10T19:00")) == (0, [])
        other.commit()
    assert plan(gym.conn, at("2026-11-10T19:00")) == (1, [])


def test_a_subscription_that_cannot_be_planned_stops_nobody_and_is_told_again(gym) -> None:
    gym.subscribe("gym", "a@x.example", name="good", starts_on=date(2026, 11, 10))
    gym.subscribe("gym", "a@x.example", name="bad", starts_on=date(2026, 11, 10))
    gym.conn.execute(
        """update reporting.report_subscriptions set holiday_calendar = 'XQ', holiday_rule = 'skip'
        where name = 'bad'"""
    )
    count, problems = plan(gym.conn, at("2026-11-10T12:00"))
    assert (count, [problem.subscription for problem in problems]) == (1, ["bad"])
    assert "'XQ'" in problems[0].message
    assert [problem.subscription for problem in plan(gym.conn, at("2026-11-10T12:01"))[1]] == ["bad"]
    gym.conn.execute("update reporting.report_subscriptions set holiday_calendar = null, holiday_rule = null")
    assert plan(gym.conn, at("2026-11-10T12:02")) == (1, [])


@pytest.mark.parametrize(
    ("ordered", "changes", "moment", "expected"),
    [
        # Planned at 09:00; moved to 15:00 an hour later: not twice on one day.
        ({}, {"delivery_time": "15:00"}, "2026-11-10T10:00", ["10 09 > 9", "11 15 > 10", "12 15 > 11"]),
        # Moved at 08:00 from 09:00 to 07:00: today's comes at once.
        ({}, {"delivery_time": "07:00"}, "2026-11-10T08:00",
         ["10 07 > 9", "11 07 > 10", "12 07 > 11", "13 07 > 12"]),
        # Other days from today on; what they would have been last week is not made up for.
        ({"frequency": "weekly", "delivery_days": ("monday",)}, {"frequency": "daily", "delivery_days": ()},
         "2026-11-12T10:00", ["9 09 > 2-8", "12 09 > 11"]),
        # A week that was told on Monday is not told on Thursday again.
        ({"frequency": "weekly", "delivery_days": ("monday",)}, {"delivery_days": ("thursday",)},
         "2026-11-10T10:00", ["9 09 > 2-8"]),
        ({"frequency": "monthly", "delivery_days": ("9",)}, {"delivery_days": ("12",)},
         "2026-11-10T10:00", ["9 09 > 1-31"]),
        # West over the date line: the 10th has had its report, so that none covers the 9th.
        ({"timezone": "Pacific/Kiritimati"}, {"timezone": "Pacific/Pago_Pago"},
         "2026-11-09T20:00", ["9 19 > 7", "10 19 > 8", "11 20 > 10", "12 20 > 11"]),
        # East: the 10th of Kiritimati would cover the 8th again, as the 9th of Pago Pago did.
        ({"timezone": "Pacific/Pago_Pago"}, {"timezone": "Pacific/Kiritimati"},
         "2026-11-09T21:00", ["9 20 > 8", "11 19 > 9", "12 19 > 10", "13 19 > 11"]),
    ],
)  # fmt: skip
def test_an_edit_loses_and_repeats_nothing(gym, ordered, changes, moment, expected) -> None:
    """`10 09 > 9`: the local date 10, due at 09 UTC, covers the 9th."""
    changes = {
        k: datetime.strptime(v, "%H:%M").time() if k == "delivery_time" else v for k, v in changes.items()
    }
    subscription = gym.subscribe("gym", "a@x.example", starts_on=date(2026, 11, 9), **ordered)
    if not ordered:
        gym.conn.execute("update reporting.report_subscriptions set starts_on = '2026-11-10'")
    now = at(moment)
    ticks = [at("2026-11-09T09:00") + n * HOUR for n in range(24 * 4)]
    for tick in [tick for tick in ticks if tick < now]:
        plan(gym.conn, tick)
    edit(gym.conn, subscription, changes, now=now)
    for tick in [tick for tick in ticks if tick >= now]:
        plan(gym.conn, tick)
    rows = gym.rows(
        """select extract(day from local_date) as d, due_at, extract(day from report_period_start) as s,
            extract(day from report_period_end) as e
        from reporting.report_occurrences order by due_at"""
    )
    told = [
        f"{row['d']} {row['due_at'].astimezone(UTC):%H} > {row['s']}"
        + (f"-{row['e']}" if row["e"] != row["s"] else "")
        for row in rows
    ]
    assert told == expected


def test_an_edit_keeps_what_a_holiday_moved_ahead(gym) -> None:
    """On Sunday the 4th the report of Saturday's holiday is still to come on Monday: it comes, as planned."""
    subscription = gym.subscribe("gym", "a@x.example", starts_on=date(2026, 10, 3), holiday_calendar="DE",
                                 holiday_rule="after")  # fmt: skip
    edit(gym.conn, subscription, {"holiday_calendar": None, "holiday_rule": None}, now=at("2026-10-04T08:00"))
    plan(gym.conn, at("2026-10-05T10:00"))
    rows = gym.rows(
        "select local_date::text as day, due_at from reporting.report_occurrences order by local_date"
    )
    assert [(row["day"][-2:], row["due_at"].astimezone(UTC).day) for row in rows] == [
        ("03", 5),
        ("04", 4),
        ("05", 5),
    ]


def test_an_edit_after_an_outage_plans_the_old_calendar_first(gym) -> None:
    """Down on the 10th and 11th; changed to Mondays before anything was planned: the newest is still sent."""
    subscription = gym.subscribe("gym", "a@x.example", starts_on=date(2026, 11, 10))
    edit(
        gym.conn,
        subscription,
        {"frequency": "weekly", "delivery_days": ("monday",)},
        now=at("2026-11-11T12:00"),
    )
    plan(gym.conn, at("2026-11-16T08:00"))
    assert occurrences(gym) == [("2026-11-10", "skipped", True), ("2026-11-11", "pending", False)]
    # It still covers a day, whatever the subscription has become.
    kinds = gym.rows("select period_kind from reporting.report_occurrences where state = 'pending'")
    assert kinds == [{"period_kind": "daily"}]


@pytest.mark.parametrize(
    ("zones", "expected"),
    [
        (("Asia/Tokyo", "Pacific/Honolulu"), ["9 > 8", "10 > 9", "11 > 10", "12 > 11"]),
        (("Pacific/Honolulu", "Asia/Tokyo"), ["9 > 8", "10 > 9", "11 > 10", "12 > 11"]),
        (("UTC", "Pacific/Kiritimati"), ["9 > 8", "10 > 9", "11 > 10", "12 > 11"]),
    ],
)
@pytest.mark.parametrize("hour", [0, 6, 12, 18, 20])
def test_the_tenants_timezone_changes(gym, zones, expected, hour) -> None:
    """Every date has one report and every day is covered once, whenever the tenant moves."""
    gym.conn.execute("update raw.tenants set timezone = %s", (zones[0],))
    gym.subscribe("gym", "a@x.example", starts_on=date(2026, 11, 9), max_lateness=72 * HOUR)
    change = at("2026-11-10T00:00") + hour * HOUR
    for n in range(24 * 5):
        tick = at("2026-11-08T20:00") + n * HOUR
        if tick == change:
            gym.conn.execute("update raw.tenants set timezone = %s", (zones[1],))
        plan(gym.conn, tick)
    rows = gym.rows(
        """select extract(day from local_date) as d, extract(day from report_period_end) as e
        from reporting.report_occurrences where local_date <= '2026-11-12' order by local_date"""
    )
    assert [f"{row['d']} > {row['e']}" for row in rows] == expected
