"""Collaborations, scores, jobs, requests and checks against a plain Python count, build after build."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orchestration.marts.build import build
from orchestration.settings import Settings

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

Row = dict[str, Any]
Expected = dict[tuple[Any, ...], Row]
AS_OF = datetime(2024, 11, 7, 10, tzinfo=UTC)
ACTIVE_DAYS = 29
MODELS = {
    "coordination_metrics": "marts",
    "int_jobs__daily": "intermediate",
    "int_operations__daily": "intermediate",
}


def day_of(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


def mean(values: list[Any]) -> float | None:
    return sum(map(float, values)) / len(values) if values else None


def percentile(values: list[float], fraction: float) -> float | None:
    """Linear interpolation between the two nearest ranks, as spreadsheets do."""
    if not values:
        return None
    place = fraction * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    ordered = sorted(values)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def expect_coordination(world: Any, tenant: str, as_of: datetime) -> Expected:
    """Each day asks every collaboration anew: slow, and nothing like running sums."""
    zone = world.zone(tenant)
    known = []
    for row in world.of("collaborations", tenant):
        if row["created_at"] < as_of:
            last = row["last_activity_at"]
            last = last if last and last < as_of else None
            pair = frozenset((row["vendor1_id"], row["vendor2_id"]))
            known.append(row | {"day": day_of(row["created_at"], zone), "last": last, "pair": pair})
    scores = [(day_of(s["scored_at"], zone), s["score"]) for s in world.of("satisfaction_scores", tenant)
              if s["scored_at"] < as_of]  # fmt: skip
    days = [row["day"] for row in known] + [day for day, _ in scores]
    if not days:
        return {}
    day, expected = min(days), {}
    while day <= day_of(as_of - timedelta(microseconds=1), zone):
        expected[(day,)] = coordination_of(world, tenant, day, known, scores)
        day += timedelta(days=1)
    return expected


def last_day(row: Row, zone: ZoneInfo) -> date:
    return max(row["day"], day_of(row["last"], zone)) if row["last"] else row["day"]


def coordination_of(
    world: Any, tenant: str, day: date, known: list[Row], scores: list[tuple[date, Any]]
) -> Row:
    zone = world.zone(tenant)
    today = [row for row in known if row["day"] == day]
    hours = []
    for client in {row["client_id"] for row in today}:
        timed = [r for r in today if r["client_id"] == client and r["last"] and r["last"] >= r["created_at"]]
        if timed:
            span = max(r["last"] for r in timed) - min(r["created_at"] for r in timed)
            hours.append(span.total_seconds() / 3600)
    types = defaultdict(set)
    for row in today:
        if len(row["pair"]) == 2:
            types[row["collaboration_type"]].add((row["client_id"], row["pair"]))
    active = {
        row["pair"]
        for row in known
        if len(row["pair"]) == 2 and row["day"] <= day <= last_day(row, zone) + timedelta(days=ACTIVE_DAYS)
    }
    given = [score for at, score in scores if at == day and 0 <= score <= 10]
    week = world.week_of(tenant, day)
    return {
        "clients_coordinated": len({row["client_id"] for row in today}),
        "vendors_collaborating": len({vendor for row in today for vendor in row["pair"]}),
        "new_collaborations": len(set().union(*types.values())) if types else 0,
        "active_vendor_pairs": len(active),
        "coordination_hours": sum(hours),
        "timed_clients": len(hours),
        "avg_coordination_hours": mean(hours),
        "clients_coordinated_week_to_date": len({r["client_id"] for r in known if week <= r["day"] <= day}),
        "clients_coordinated_month_to_date": len(
            {r["client_id"] for r in known if day.replace(day=1) <= r["day"] <= day}
        ),
        "satisfaction_sum": sum(given),
        "satisfaction_scores": len(given),
        "vendor_satisfaction": mean(given),
        "by_collaboration_type": {name: len(pairs) for name, pairs in types.items()},
    }


def expect_jobs(world: Any, tenant: str, as_of: datetime) -> Expected:
    expected: Expected = defaultdict(
        lambda: dict.fromkeys(("total_jobs", "jobs_succeeded", "jobs_failed", "job_seconds", "timed_jobs"), 0)
    )
    for job in world.of("jobs", tenant):
        if job["started_at"] < as_of:
            row = expected[(day_of(job["started_at"], world.zone(tenant)),)]
            ended = job["finished_at"]
            row["total_jobs"] += 1
            if job["status"] in ("succeeded", "failed") and not (ended and ended >= as_of):
                row[f"jobs_{job['status']}"] += 1
                if ended and ended >= job["started_at"]:
                    row["job_seconds"] += (ended - job["started_at"]).total_seconds()
                    row["timed_jobs"] += 1
    return expected


def expect_operations(world: Any, tenant: str, as_of: datetime) -> Expected:
    zone = world.zone(tenant)
    requests, checks = defaultdict(list), defaultdict(list)
    for row in world.of("api_requests", tenant):
        if row["requested_at"] < as_of:
            requests[(day_of(row["requested_at"], zone),)].append(row)
    for row in world.of("health_checks", tenant):
        if row["checked_at"] < as_of:
            checks[(day_of(row["checked_at"], zone),)].append(row)
    expected = {}
    for key in requests.keys() | checks.keys():
        latencies = [r["latency_ms"] for r in requests[key] if r["latency_ms"] >= 0]
        loads = [r["cpu_load"] for r in checks[key] if r["cpu_load"] is not None and r["cpu_load"] >= 0]
        expected[key] = {
            "api_requests": len(requests[key]),
            "api_errors": sum(r["status_code"] >= 500 for r in requests[key]),
            "api_p50_ms": percentile(latencies, 0.5),
            "api_p95_ms": percentile(latencies, 0.95),
            "health_checks": len(checks[key]),
            "health_checks_up": sum(r["status"] == "up" for r in checks[key]),
            "cpu_load_sum": sum(loads),
            "cpu_load_checks": len(loads),
        }
    return expected


def put_collaboration(world: Any, tenant: str, number: int) -> None:
    rng, created = world.rng, world.moment() - timedelta(days=world.rng.randint(0, 60))
    world.put(
        "collaborations",
        tenant_id=tenant,
        collaboration_id=f"x{number}",
        client_id=f"c{rng.randint(1, 12)}",
        vendor1_id=f"v{rng.randint(1, 7)}",
        vendor2_id=f"v{rng.randint(1, 7)}",
        collaboration_type=rng.choice(["timeline_sync", "document_share"]),
        created_at=created,
        last_activity_at=rng.choice([None, created + timedelta(hours=rng.randint(-30, 900))]),
    )


def put_operations(world: Any, tenant: str, number: int) -> None:
    rng = world.rng
    world.put("satisfaction_scores", tenant_id=tenant, score_id=f"s{number}", vendor_id="v1",
              score=rng.choice([0, 3, 10, 11, -1]), scored_at=world.moment())  # fmt: skip
    started = world.moment()
    ended = rng.choice([None, started + timedelta(seconds=rng.randint(-60, 400_000))])
    world.put("jobs", tenant_id=tenant, job_id=f"j{number}", started_at=started, finished_at=ended,
              status=rng.choice(["succeeded", "failed", "running", "canceled"]))  # fmt: skip
    world.put("api_requests", tenant_id=tenant, request_id=f"r{number}", requested_at=world.moment(),
              status_code=rng.choice([200, 404, 499, 500, 503]), latency_ms=rng.randint(-3, 900))  # fmt: skip
    world.put("health_checks", tenant_id=tenant, check_id=f"h{number}", checked_at=world.moment(),
              component="db", status=rng.choice(["up", "up", "degraded", "down"]),
              cpu_load=rng.choice([None, 0.25, 0.5, -1]))  # fmt: skip


def assert_agrees(world: Any, as_of: datetime) -> int:
    cells = 0
    for tenant in ("ber", "nyc"):
        for model, expect in (
            ("coordination_metrics", expect_coordination),
            ("int_jobs__daily", expect_jobs),
            ("int_operations__daily", expect_operations),
        ):
            expected = expect(world, tenant, as_of)
            actual = world.held(MODELS[model], model, ("metric_date",), tenant)
            assert actual.keys() == expected.keys(), (model, tenant)
            for key, row in expected.items():
                types = actual[key].pop("by_collaboration_type", None)
                assert types == row.pop("by_collaboration_type", None), (model, tenant, key)
                found = {name: None if v is None else float(v) for name, v in actual[key].items()}
                assert found == pytest.approx(row), (model, tenant, key)
                cells += len(row)
    return cells


def test_every_build_agrees_with_a_plain_count(settings: Settings, world: Any) -> None:
    for tenant, zone, week_start in (
        ("ber", "Europe/Berlin", "monday"),
        ("nyc", "America/New_York", "sunday"),
    ):
        world.put("tenants", tenant_id=tenant, name=tenant, timezone=zone, week_start=week_start)
        for number in range(90):
            put_collaboration(world, tenant, number)
            put_operations(world, tenant, number)
    build(settings, as_of=AS_OF)
    cells = assert_agrees(world, AS_OF)
    assert cells > 1_500

    for number in (*world.rng.sample(range(20, 90), 10), 90, 91):
        put_collaboration(world, "ber", number)
        put_operations(world, "ber", number)
    world.delete("collaborations", "ber", "x3")
    world.bury("collaborations", "ber", "x4")
    world.delete("jobs", "ber", "j3")
    world.bury("api_requests", "ber", "r4")
    world.put("tenants", tenant_id="nyc", timezone="America/Chicago", week_start="monday")
    build(settings, as_of=AS_OF)
    assert_agrees(world, AS_OF)

    later = AS_OF + timedelta(days=1, hours=7)
    build(settings, as_of=later)
    assert_agrees(world, later)

    models = [(schema, model) for model, schema in MODELS.items()]
    before = world.content(*models)
    build(settings, as_of=later, full_refresh=True)
    assert world.content(*models) == before
    print(f"{cells} cells of {len(MODELS)} tables agree with a plain count, after each of 3 builds")
