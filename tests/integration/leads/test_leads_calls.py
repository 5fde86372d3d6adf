"""The marts of leads and calls against a plain Python count of the same raw rows, build after build.

The first build, then incremental ones after corrections, moves across days, deletions, a clock that moves on
and a changed timezone; at the end a full refresh that must change nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from statistics import median
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orchestration.marts.build import build
from orchestration.settings import Settings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

Row = dict[str, Any]
STEPS = ("contacted", "qualified", "converted", "lost")
STATUSES = ("new", *STEPS)
AS_OF = datetime(2024, 11, 7, 10, tzinfo=UTC)
STEPS_BETWEEN = ("leads__reached", "leads__staff_days", "calls__staff_days", "calls__lead_days")
#: Model -> schema and key behind tenant_id.
TABLES = {
    "int_leads__daily": ("intermediate", ("metric_date",)),
    "int_calls__daily": ("intermediate", ("metric_date",)),
    "lead_performance_daily": ("marts", ("branch_id", "metric_date")),
    "lead_funnel": ("marts", ("branch_id", "source", "cohort_week")),
    "lead_funnel_totals": ("marts", ("branch_id", "source", "cohort_week")),
    "staff_performance_daily": ("marts", ("branch_id", "staff_id", "metric_date")),
    "call_performance_hourly": ("marts", ("branch_id", "metric_date", "hour_of_day")),
    "call_outcomes_daily": ("marts", ("branch_id", "metric_date", "outcome")),
}


def local_day(moment: datetime | None, zone: ZoneInfo) -> date | None:
    return moment.astimezone(zone).date() if moment else None


def ratio(part: Any, whole: Any) -> float | None:
    return float(part) / float(whole) if whole else None


# What the marts should hold, counted row by row.


def lead_stories(world: Any, tenant: str, as_of: datetime) -> list[Row]:
    """Each lead created before as_of with its status by then and the first moment of each step."""
    changes = defaultdict(list)
    for change in world.of("lead_status_changes", tenant):
        changes[change["lead_id"]].append((change["changed_at"], STATUSES.index(change["status"])))
    stories = []
    for lead in world.of("leads", tenant):
        if lead["created_at"] >= as_of:
            continue
        own = lead["status"]
        since = {"new": lead["created_at"], "converted": lead["converted_at"] or lead["updated_at"]}.get(
            own, lead["updated_at"]
        )
        history = sorted(changes[lead["lead_id"]])
        reached = {}
        for step in STEPS:
            moments = [at for at, status in history if STATUSES[status] == step]
            first = moments[0] if moments else since if own == step else None
            reached[step] = first if first and first < as_of else None
        told_by_history = any(STATUSES[status] == own for _, status in history)
        ahead = any(at >= as_of for at, _ in history) or bool(
            since and since >= as_of and not told_by_history
        )
        status = own
        if ahead:
            before = [step for at, step in history if at < as_of]
            status = STATUSES[before[-1]] if before else "new"
        got_to = {step for step in STEPS if reached[step] or status == step}
        if "converted" in got_to:
            got_to.add("qualified")
        if "qualified" in got_to:
            got_to.add("contacted")
        branch = lead["branch_id"] or "(none)"
        stories.append(
            {
                "lead_id": lead["lead_id"],
                "branch": branch,
                "staff": lead["staff_id"] or "(none)",
                "source": lead["source"] or "(none)",
                "created": lead["created_at"],
                "status": status,
                "got_to": got_to,
                "zone": world.zone(tenant, lead["branch_id"]),
                **reached,
            }
        )
    return stories


def calls_until(world: Any, tenant: str, as_of: datetime) -> list[Row]:
    calls = []
    for call in world.of("calls", tenant):
        if call["started_at"] >= as_of:
            continue
        done = call["status"] == "completed"
        seconds = call["duration_seconds"] if done and (call["duration_seconds"] or -1) >= 0 else None
        if done and call["duration_seconds"] == 0:
            seconds = 0
        calls.append(
            call
            | {
                "branch": call["branch_id"] or "(none)",
                "staff": call["staff_id"] or "(none)",
                "done": done,
                "local": call["started_at"].astimezone(world.zone(tenant, call["branch_id"])),
                "seconds": seconds,
                "interested": done and call["outcome"] == "interested",
            }
        )
    return calls


def count_calls(calls: list[Row], group: Any) -> dict[Any, Counter[str]]:
    counts: dict[Any, Counter[str]] = defaultdict(Counter)
    for call in calls:
        seen = counts[group(call)]
        seen["total"] += 1
        seen[call["status"]] += 1
        seen[call["direction"]] += 1
        seen[f"{call['direction']} {call['status']}"] += 1
        seen["interested"] += call["interested"]
        seen["timed"] += call["seconds"] is not None
        seen["seconds"] += call["seconds"] or 0
    return counts


def count_leads(stories: list[Row], group: Any, zone: Any) -> dict[Any, Counter[str]]:
    counts: dict[Any, Counter[str]] = defaultdict(Counter)
    for lead in stories:
        seen = counts[*group(lead), local_day(lead["created"], zone(lead))]
        seen["new"] += 1
        seen[f"status {lead['status']}"] += 1
        for step in STEPS:
            seen[f"got to {step}"] += step in lead["got_to"]
            if lead[step]:
                counts[*group(lead), local_day(lead[step], zone(lead))][f"{step} on day"] += 1
    return counts


def expect_daily(world: Any, tenant: str, as_of: datetime) -> dict[str, dict[tuple[Any, ...], Row]]:
    zone = world.zone(tenant)
    stories, calls = lead_stories(world, tenant, as_of), calls_until(world, tenant, as_of)
    leads = {
        key: {"new_leads": c["new"], "cohort_converted": c["got to converted"]}
        | {f"leads_{step}": c[f"{step} on day"] for step in STEPS}
        for key, c in count_leads(stories, lambda lead: (), lambda lead: zone).items()
    }
    by_day = {
        key: {
            "total_calls": c["total"],
            "calls_completed": c["completed"],
            "calls_missed": c["missed"],
            "calls_failed": c["failed"],
            "call_seconds": c["seconds"],
            "timed_calls": c["timed"],
            "calls_interested": c["interested"],
        }
        for key, c in count_calls(calls, lambda call: (local_day(call["started_at"], zone),)).items()
    }
    return {"int_leads__daily": leads, "int_calls__daily": by_day}


def expect_calls(world: Any, tenant: str, as_of: datetime) -> dict[str, dict[tuple[Any, ...], Row]]:
    calls = calls_until(world, tenant, as_of)
    hourly, outcomes = {}, {}
    for key, c in count_calls(
        calls, lambda call: (call["branch"], call["local"].date(), call["local"].hour)
    ).items():
        hourly[key] = {
            "weekday": key[1].isoweekday(),
            "total_calls": c["total"],
            "calls_completed": c["completed"],
            "calls_missed": c["missed"],
            "calls_failed": c["failed"],
            "calls_inbound": c["inbound"],
            "calls_outbound": c["outbound"],
            "calls_inbound_completed": c["inbound completed"],
            "calls_outbound_completed": c["outbound completed"],
            "interested": c["interested"],
            "call_success_rate": ratio(c["completed"], c["total"]),
            "call_seconds": c["seconds"],
            "timed_calls": c["timed"],
            "avg_call_seconds": ratio(c["seconds"], c["timed"]),
            "interest_rate": ratio(c["interested"], c["completed"]),
        }
    days = count_calls(calls, lambda call: (call["branch"], call["local"].date()))
    for key, c in count_calls(
        calls, lambda call: (call["branch"], call["local"].date(), call["outcome"] or "(none)")
    ).items():
        of_day = days[key[:2]]["completed"]
        outcomes[key] = {
            "calls": c["total"],
            "calls_completed": c["completed"],
            "completed_of_day": of_day,
            "share_of_completed": ratio(c["completed"], of_day),
        }
    return {"call_performance_hourly": hourly, "call_outcomes_daily": outcomes}


def expect_branch_days(world: Any, tenant: str, as_of: datetime) -> dict[str, dict[tuple[Any, ...], Row]]:
    stories, calls = lead_stories(world, tenant, as_of), calls_until(world, tenant, as_of)
    known = {lead["lead_id"]: lead for lead in stories}
    followed: dict[Any, Counter[str]] = defaultdict(Counter)
    called, keen = defaultdict(set), defaultdict(set)
    for call in calls:
        if lead := known.get(call["lead_id"]):
            key = (lead["branch"], local_day(lead["created"], lead["zone"]))
            followed[key]["calls"] += 1
            called[key].add(lead["lead_id"])
            if call["interested"]:
                keen[key].add(lead["lead_id"])
    by_zone = lambda lead: lead["zone"]  # noqa: E731
    leads = count_leads(stories, lambda lead: (lead["branch"],), by_zone)
    day_calls = count_calls(calls, lambda call: (call["branch"], call["local"].date()))
    branches, staff = {}, {}
    for key in leads.keys() | day_calls.keys():
        c, k = leads.get(key, Counter()), day_calls.get(key, Counter())
        closed = c["converted on day"] + c["lost on day"]
        branches[key] = {
            "new_leads": c["new"],
            "conversion_rate": ratio(c["got to converted"], c["new"]),
            "conversion_rate_by_close": ratio(c["converted on day"], c["new"]),
            "win_rate": ratio(c["converted on day"], closed),
            "lead_calls": followed[key]["calls"],
            "called_leads": len(called[key]),
            "interested_leads": len(keen[key]),
            "calls_per_lead": ratio(followed[key]["calls"], c["new"]),
            "total_calls": k["total"],
            "calls_completed": k["completed"],
            "calls_interested": k["interested"],
            "call_success_rate": ratio(k["completed"], k["total"]),
            "interest_rate": ratio(k["interested"], k["completed"]),
            **{f"{step}_leads": c[f"got to {step}"] for step in STEPS},
            **{f"{step}_on_day": c[f"{step} on day"] for step in STEPS},
            **{f"status_{status}": c[f"status {status}"] for status in STATUSES},
        }
    staff_leads = count_leads(stories, lambda lead: (lead["branch"], lead["staff"]), by_zone)
    staff_calls = count_calls(calls, lambda call: (call["branch"], call["staff"], call["local"].date()))
    for key in staff_leads.keys() | staff_calls.keys():
        c, k = staff_leads.get(key, Counter()), staff_calls.get(key, Counter())
        staff[key] = {
            "calls": k["total"],
            "completed": k["completed"],
            "missed": k["missed"],
            "failed": k["failed"],
            "call_success_rate": ratio(k["completed"], k["total"]),
            "talk_seconds": k["seconds"],
            "timed_calls": k["timed"],
            "avg_talk_seconds": ratio(k["seconds"], k["timed"]),
            "interested": k["interested"],
            "interest_rate": ratio(k["interested"], k["completed"]),
            "leads_assigned": c["new"],
            "leads_converted": c["got to converted"],
            "conversion_rate": ratio(c["got to converted"], c["new"]),
            "converted_on_day": c["converted on day"],
            "lost_on_day": c["lost on day"],
        }
    return {"lead_performance_daily": branches, "staff_performance_daily": staff}


def expect_funnels(world: Any, tenant: str, as_of: datetime) -> dict[str, dict[tuple[Any, ...], Row]]:
    groups: dict[str, dict[Any, list[Row]]] = {
        "lead_funnel": defaultdict(list),
        "lead_funnel_totals": defaultdict(list),
    }
    for lead in lead_stories(world, tenant, as_of):
        at_branch = world.week_of(tenant, lead["created"].astimezone(lead["zone"]).date())
        at_tenant = world.week_of(tenant, lead["created"].astimezone(world.zone(tenant)).date())
        groups["lead_funnel"][lead["branch"], lead["source"], at_branch].append(lead)
        groups["lead_funnel_totals"][lead["branch"], "all", at_branch].append(lead)
        groups["lead_funnel_totals"]["all", lead["source"], at_tenant].append(lead)
        groups["lead_funnel_totals"]["all", "all", at_tenant].append(lead)

    def hours(leads: list[Row], begun: str, done: str) -> float | None:
        known = [
            (lead[done] - lead[begun]).total_seconds() / 3600
            for lead in leads
            if lead[begun] and lead[done] and lead[done] >= lead[begun]
        ]
        return median(known) if known else None

    def row(leads: list[Row]) -> Row:
        n = {step: sum(step in lead["got_to"] for lead in leads) for step in STEPS}
        return n | {
            "leads": len(leads),
            "contact_rate": ratio(n["contacted"], len(leads)),
            "qualification_rate": ratio(n["qualified"], n["contacted"]),
            "close_rate": ratio(n["converted"], n["qualified"]),
            "conversion_rate": ratio(n["converted"], len(leads)),
            "loss_rate": ratio(n["lost"], len(leads)),
            "median_hours_to_contact": hours(leads, "created", "contacted"),
            "median_hours_contact_to_qualify": hours(leads, "contacted", "qualified"),
            "median_hours_qualify_to_convert": hours(leads, "qualified", "converted"),
            "median_hours_to_convert": hours(leads, "created", "converted"),
        }

    return {table: {key: row(leads) for key, leads in by_key.items()} for table, by_key in groups.items()}


# The comparison.


def assert_agrees(world: Any, as_of: datetime) -> int:
    """Every row and column of every table; returns the number of cells compared."""
    cells = 0
    for tenant in ("ber", "nyc", "kir"):
        expected = {
            table: rows
            for part in (expect_daily, expect_calls, expect_branch_days, expect_funnels)
            for table, rows in part(world, tenant, as_of).items()
        }
        for table, (schema, key_columns) in TABLES.items():
            actual = world.held(schema, table, key_columns, tenant)
            assert actual.keys() == expected[table].keys(), (table, tenant)
            for key, row in expected[table].items():
                found = {name: None if v is None else float(v) for name, v in actual[key].items()}
                assert found == pytest.approx(row), (table, tenant, key)
                cells += len(row)
    return cells


def touch_little(world: Any, tenant: str) -> None:
    """A lead created in the middle of a week changes, and calls come to the branch far from its tenant."""
    lead = next(
        lead
        for lead in world.of("leads", tenant)
        if lead["created_at"].astimezone(world.zone(tenant)).isoweekday() in (3, 4, 5)
        and lead["status"] == "new"
    )
    world.put("leads", tenant_id=tenant, lead_id=lead["lead_id"], source="letter")
    day = datetime(2024, 11, 1, tzinfo=world.zone(tenant))
    for quarter in range(0, 96, 5):
        moment = day + timedelta(minutes=15 * quarter)
        world.put("calls", tenant_id=tenant, call_id=f"late{quarter}", branch_id="b2", direction="inbound",
                  status="completed", started_at=moment, lead_id=None, staff_id=None, outcome=None,
                  duration_seconds=1)  # fmt: skip


@pytest.mark.once
def test_every_build_agrees_with_a_plain_count(settings: Settings, leads_world: Any) -> None:
    world = leads_world
    build(settings, as_of=AS_OF)
    cells = assert_agrees(world, AS_OF)
    assert cells > 10_000

    world.correct()
    build(settings, as_of=AS_OF)
    assert_agrees(world, AS_OF)

    touch_little(world, "kir")
    world.put("branches", tenant_id="ber", branch_id="b2", timezone="Asia/Tokyo")
    world.put("tenants", tenant_id="nyc", timezone="America/Chicago", week_start="monday")
    build(settings, as_of=AS_OF)
    assert_agrees(world, AS_OF)

    later = AS_OF + timedelta(days=1, hours=7)
    build(settings, as_of=later)
    assert_agrees(world, later)

    models = [(schema, table) for table, (schema, _) in TABLES.items()]
    models += [("intermediate", f"int_{name}") for name in STEPS_BETWEEN]
    before = world.content(*models)
    build(settings, as_of=later, full_refresh=True)
    assert world.content(*models) == before
    print(f"{cells} cells of {len(TABLES)} tables agree with a plain count, after each of 4 builds")
