"""Three data sets of other publishers, loaded as docs/interfaces.md says, against their checks.csv.

They may not be shipped and lie beside the project; without them these tests skip.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestration.marts.build import build
from orchestration.settings import Settings
from orchestration.sources.files.load import load
from orchestration.sources.files.options import LoadOptions

PROJECT = Path(__file__).resolve().parents[2]
DATA = PROJECT.parent / "shared" / "data"
MAVEN = DATA / "maven_crm_sales"
BANK = DATA / "anonymous_bank_calls_1999_02" / "data_anonymous_bank_february.txt"
UNICORN = DATA / "unicorn_coinvestors" / "Unicorn_Companies.csv"

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no {DATA}"),
]


def options(tenant: str, select: str, *lookups: Path) -> LoadOptions:
    path = PROJECT / "docs" / "loading" / f"{select}.sql"
    return LoadOptions(tenant=tenant, select=path, lookups=tuple(lookups))


@pytest.fixture(scope="module")
def marts(module_settings: Settings, module_database: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """A connection to the marts of the three data sets, each a tenant."""
    conn = module_database
    conn.execute(
        "insert into raw.tenants (tenant_id, name, timezone) values ('maven', 'Maven', 'UTC'), "
        "('anonymous_bank', 'Bank', 'Asia/Jerusalem'), ('unicorn', 'Unicorn', 'UTC')"
    )
    teams = MAVEN / "sales_teams.csv"
    load(conn, "branches", [teams], options("maven", "maven_branches"))
    load(conn, "leads", [MAVEN / "sales_pipeline.csv"], options("maven", "maven_leads", teams))
    load(conn, "calls", [BANK], options("anonymous_bank", "anonymous_bank_calls"))
    load(conn, "collaborations", [UNICORN], options("unicorn", "unicorn_collaborations"))
    conn.commit()
    build(module_settings, as_of=date(2022, 4, 30))
    return conn


def one(conn: psycopg.Connection[Any], query: str) -> tuple[Any, ...]:
    row = conn.execute(query.encode()).fetchone()
    assert row is not None
    return row


def test_maven_leads(marts: psycopg.Connection[Any]) -> None:
    """Won 4238, Lost 2473, Engaging 1589; 500 Prospecting have no date and are no leads; 63.15 % are won."""
    assert one(
        marts,
        "select sum(new_leads), sum(converted_leads), sum(lost_leads), sum(status_contacted), "
        "sum(converted_on_day), sum(lost_on_day), "
        "round(100 * sum(converted_on_day) / sum(converted_on_day + lost_on_day), 2)::text "
        "from marts.lead_performance_daily where tenant_id = 'maven'",
    ) == (8300, 4238, 2473, 1589, 4238, 2473, "63.15")
    assert one(
        marts, "select sum(leads), sum(converted), sum(lost) from marts.lead_funnel where tenant_id = 'maven'"
    ) == (8300, 4238, 2473)
    assert one(
        marts,
        "select sum(leads_assigned), sum(leads_converted), count(distinct staff_id) "
        "from marts.staff_performance_daily where tenant_id = 'maven'",
    ) == (8300, 4238, 30)
    assert one(
        marts,
        "select round(avg(extract(epoch from converted_at - created_at)) / 86400, 2)::text, "
        "round(avg(extract(epoch from lost_at - created_at)) / 86400, 2)::text "
        "from intermediate.int_leads__reached where tenant_id = 'maven'",
    ) == ("51.78", "41.48")


def test_anonymous_bank_calls(marts: psycopg.Connection[Any]) -> None:
    """27162 answered, 5904 given up, no PHANTOM; 176.35 s a talk, 179.03 s with a known one of 24."""
    assert one(
        marts,
        "select sum(total_calls), sum(calls_completed), sum(calls_missed), count(distinct metric_date), "
        "round(100 * sum(calls_completed) / sum(total_calls), 2)::text, "
        "round(sum(call_seconds) / sum(timed_calls), 2)::text "
        "from marts.call_performance_hourly where tenant_id = 'anonymous_bank'",
    ) == (33066, 27162, 5904, 28, "82.14", "176.35")
    assert one(
        marts,
        "select round(sum(talk_seconds) / sum(timed_calls), 2)::text, count(distinct staff_id) "
        "from marts.staff_performance_daily where tenant_id = 'anonymous_bank' and staff_id <> '(none)'",
    ) == ("179.03", 24)
    assert one(
        marts,
        "select sum(calls), sum(calls_completed), count(distinct outcome) from marts.call_outcomes_daily "
        "where tenant_id = 'anonymous_bank'",
    ) == (33066, 27162, 6)


def test_unicorn_collaborations(marts: psycopg.Connection[Any]) -> None:
    """2930 pairs on the 1027 companies with two investors or more; no day missing from the first on."""
    assert one(
        marts,
        "select sum(new_collaborations), sum(clients_coordinated), min(metric_date), count(*), "
        "sum((select sum(v::int) from jsonb_each_text(by_collaboration_type) as t (k, v))) "
        "from marts.coordination_metrics where tenant_id = 'unicorn'",
    ) == (2930, 1027, date(2007, 7, 2), (date(2022, 4, 30) - date(2007, 7, 2)).days + 1, 2930)
    # Nothing tells of a later activity: a pair is active on the day of its company and 29 days more.
    assert one(
        marts,
        "select active_vendor_pairs from marts.coordination_metrics "
        "where tenant_id = 'unicorn' and metric_date = '2022-04-30'",
    ) == one(
        marts,
        "select count(distinct (least(vendor1_id, vendor2_id), greatest(vendor1_id, vendor2_id))) "
        "from raw.collaborations where tenant_id = 'unicorn' and created_at >= '2022-04-01 00:00+00'",
    )
