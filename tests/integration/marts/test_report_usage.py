"""The mart report_usage against a recount in Python; built when the ledger changed, and only then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from orchestration.marts.build import build
from orchestration.settings import Settings
from orchestration.warehouse.connection import connect

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

AS_OF = datetime(2026, 11, 20, 12, tzinfo=UTC)
ZONES = {"gym": "America/New_York", "shop": "Asia/Tokyo", "gone": "UTC"}
Rows = list[dict[str, Any]]


def rows(conn: psycopg.Connection[Any], statement: str) -> Rows:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement.encode()).fetchall()


def subscribe(conn: psycopg.Connection[Any], tenant: str, name: str, report: str) -> Any:
    return conn.execute(
        "insert into reporting.report_subscriptions (tenant_id, name, report, frequency, recipients)"
        " values (%s, %s, %s, 'daily', '{x@y.example}') returning subscription_id",
        [tenant, name, report],
    ).fetchone()[0]  # type: ignore[index]


def occur(
    conn: psycopg.Connection[Any], tenant: str, subscription: Any, due_at: datetime, **more: Any
) -> Any:
    row = {"state": "sent", "is_late": False} | more
    return conn.execute(
        "insert into reporting.report_occurrences (tenant_id, subscription_id, local_date,"
        " report_period_start, report_period_end, due_at, state, is_late, origin)"
        " values (%s, %s, %s, '2026-11-19', '2026-11-19', %s, %s, %s, 'on_demand') returning occurrence_id",
        [tenant, subscription, due_at.date(), due_at, row["state"], row["is_late"]],
    ).fetchone()[0]  # type: ignore[index]


def deliver(conn: psycopg.Connection[Any], tenant: str, occurrence: Any, **columns: Any) -> None:
    row = {
        "channel": "email", "recipient": "ceo@x.example", "delivery_status": "sent", "attempts": 1,
        "files": Jsonb([]), "kind": "report", "attempt_group": 1,
    } | columns  # fmt: skip
    names = ", ".join(row)
    values = ", ".join(f"%({name})s" for name in row)
    conn.execute(
        f"insert into reporting.report_deliveries (tenant_id, occurrence_id, {names})"
        f" values (%(tenant)s, %(occurrence)s, {values})".encode(),
        row | {"tenant": tenant, "occurrence": occurrence},
    )


def fill_ledger(conn: psycopg.Connection[Any]) -> None:
    """Around the local midnights of both tenants, every status and channel, shared renderings, repeats."""
    statuses = ("sent", "failed", "unknown", "held", "skipped", "pending", "ready")
    for tenant in ZONES:
        board = subscribe(conn, tenant, "Board", "executive")
        leads = subscribe(conn, tenant, "Leads", "lead_performance")
        for number, hour in enumerate((3, 4, 5, 6, 14, 15, 16)):
            due_at = datetime(2026, 11, 19, hour, 30, tzinfo=UTC)
            occurrence = occur(conn, tenant, board if number % 2 else leads, due_at, is_late=number == 3)
            for place, channel in enumerate(("email", "slack", "webhook", "file")):
                status = statuses[(number + place) % len(statuses)]
                sent = status == "sent"
                deliver(
                    conn, tenant, occurrence, channel=channel, delivery_status=status,
                    recipient=f"{'CEO' if number else 'ceo'}@x{place % 2}.example", attempts=number,
                    delivered_at=due_at + timedelta(seconds=number * 7.25 + place) if sent else None,
                    render_seconds=Decimal("1.125") * number if place == 0 else None,
                    send_seconds=Decimal("0.031") if sent else None,
                    files=Jsonb([{"bytes": 1000 + number}, {"bytes": 7}]),
                    kind="notice" if number == 5 else "report",
                    next_attempt_at=due_at if status == "failed" and place == 1 else None,
                )  # fmt: skip
            if number == 1:
                deliver(conn, tenant, occurrence, attempt_group=2, delivered_at=due_at, requested_by="Ada")
        occur(conn, tenant, board, datetime(2026, 11, 18, 12, tzinfo=UTC), state="skipped")


def recounted(conn: psycopg.Connection[Any]) -> dict[tuple[str, str, date], dict[str, Any]]:
    """The mart from the ledger's rows, one by one, without its SQL."""
    subscriptions = {
        row["subscription_id"]: row for row in rows(conn, "select * from reporting.report_subscriptions")
    }
    found: dict[tuple[str, str, date], dict[str, Any]] = {}
    occurrences = {}
    known = "select o.* from reporting.report_occurrences as o join raw.tenants as t using (tenant_id)"
    for row in rows(conn, f"{known} where t.deleted_at is null"):
        day = row["due_at"].astimezone(ZoneInfo(ZONES[row["tenant_id"]])).date()
        key = (row["tenant_id"], subscriptions[row["subscription_id"]]["report"], day)
        occurrences[row["occurrence_id"]] = (key, row)
        found.setdefault(key, defaultdict(int))["reports"] += 1
    seen: dict[Any, set[Any]] = defaultdict(set)
    reached: dict[Any, set[Any]] = defaultdict(set)
    for row in rows(conn, "select * from reporting.report_deliveries"):
        if row["occurrence_id"] not in occurrences:
            continue
        key, occurrence = occurrences[row["occurrence_id"]]
        counts, status = found[key], row["delivery_status"]
        if status in ("pending", "rendering", "ready", "sending") or row["next_attempt_at"]:
            status = "waiting"
        counts["deliveries"] += 1
        counts[f"deliveries_{status}"] += 1
        counts[f"deliveries_{row['channel']}"] += 1
        counts["attempts"] += row["attempts"]
        recipient = (row["channel"], row["recipient"].lower())
        seen[key].add(recipient)
        if row["render_seconds"] is not None:
            counts["renderings"] += 1
            counts["render_seconds"] += row["render_seconds"]
        counts["send_seconds"] += row["send_seconds"] or 0
        if status == "sent":
            reached[key].add(recipient)
            counts[f"{row['channel']}_sent"] += 1
            counts["notices_sent"] += row["kind"] == "notice"
            counts["late_sent"] += occurrence["is_late"]
            seconds = Decimal(str((row["delivered_at"] - occurrence["due_at"]).total_seconds()))
            counts["seconds_to_deliver"] += seconds
            counts["longest_seconds_to_deliver"] = max(counts["longest_seconds_to_deliver"], seconds)
            counts["bytes_sent"] += sum(entry["bytes"] for entry in row["files"])
    for key, counts in found.items():
        counts["recipients"], counts["recipients_reached"] = len(seen[key]), len(reached[key])
    return found


def assert_same(conn: psycopg.Connection[Any]) -> None:
    wanted = recounted(conn)
    built = {
        (row["tenant_id"], row["template"], row["metric_date"]): row
        for row in rows(conn, "select * from marts.report_usage")
    }
    assert built.keys() == wanted.keys()
    optional = {"longest_render_seconds", "longest_send_seconds", "ledger_checksum"}
    for key, row in built.items():
        for column, value in row.items():
            if column not in {"tenant_id", "template", "metric_date", *optional}:
                assert (value or 0) == wanted[key][column], (key, column)


@pytest.fixture(scope="module")
def built(module_settings: Settings) -> Iterator[psycopg.Connection[Any]]:
    with connect(module_settings, autocommit=True) as conn:
        for tenant, zone in ZONES.items():
            conn.execute(
                "insert into raw.tenants (tenant_id, name, timezone) values (%s, %s, %s)",
                [tenant, tenant, zone],
            )
        fill_ledger(conn)
        build(module_settings, as_of=AS_OF)
        yield conn


PLACES = "select tenant_id, template, metric_date, xmin::text, ctid::text from marts.report_usage"


def test_recount_and_only_what_changed(module_settings: Settings, built: psycopg.Connection[Any]) -> None:
    """A full build, one with nothing new, and one after reports went out, changed, and lost their tenant."""
    assert_same(built)
    before = rows(built, PLACES)
    assert build(module_settings, as_of=AS_OF).is_empty, "nothing changed since"
    assert rows(built, PLACES) == before

    # A delivery ends, a report goes out on a new day, a subscription takes another report, a tenant goes.
    built.execute(
        "update reporting.report_deliveries set delivery_status = 'sent', delivered_at = clock_timestamp(),"
        " next_attempt_at = null where tenant_id = 'gym' and delivery_status = 'failed'"
        " and next_attempt_at is not null"
    )
    board = subscribe(built, "shop", "Another", "executive")
    due_at = datetime(2026, 11, 16, 9, tzinfo=UTC)
    deliver(built, "shop", occur(built, "shop", board, due_at), delivered_at=due_at)
    built.execute(
        "update reporting.report_subscriptions set report = 'executive'"
        " where tenant_id = 'shop' and name = 'Leads'"
    )
    built.execute("update raw.tenants set deleted_at = now() where tenant_id = 'gone'")
    assert not build(module_settings, as_of=AS_OF).is_empty
    assert_same(built)
    kept = [row for row in rows(built, PLACES) if row["tenant_id"] == "gym"]
    were = [row for row in before if row["tenant_id"] == "gym"]
    assert 0 < len([row for row in kept if row not in were]) < len(kept), (
        "days without changes are left alone"
    )
    assert build(module_settings, as_of=AS_OF).is_empty


def test_bi_reads_counts_and_no_address(module_settings: Settings, built: psycopg.Connection[Any]) -> None:
    with connect(module_settings, "bi") as reader:
        told = reader.execute("select u::text from marts.report_usage as u").fetchall()
    assert told
    assert "@" not in str(told)
